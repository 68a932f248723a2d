"""Changing an instance that exists: only what differs goes out, and what tells it apart stays on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.models import MASK
from airflow_provider_cloudelements.client.tags import own_tags, user_tags
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsAuthError,
    CloudElementsConnectionError,
    CloudElementsForbiddenError,
    CloudElementsInstanceDisabledError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.provisioning.change import Change, reauthenticate, update
from airflow_provider_cloudelements.provisioning.difference import comparable_text
from airflow_provider_cloudelements.provisioning.ensure import ensure
from airflow_provider_cloudelements.provisioning.memory import CallMemory
from tests.support.platform import CALLBACK, EVENTS, WAYS, Wire, client_of, presented, spec_of
from tests.support.relay import relaying

SIGNATURE = "event.notification.signature.key"
#: The calls of a re-authentication that has nothing to write: read by the test, then asked for a ping.
PING_ONLY = ["GET /instances/N", "GET /instances/N", "GET /ping"]


@pytest.fixture
def instances(sandbox):
    with client_of(sandbox) as client:
        yield client.instances


@pytest.fixture
def make(sandbox, person, instances):
    """Give a function that makes an instance, by the create operator's way or by a person's."""

    def make(way="basic", by="create", **changes):
        if by == "person":
            return person.make(way)
        return ensure(instances, spec_of(way, sandbox, **changes)).instance.id

    return make


@pytest.fixture
def change(instances):
    """Give a function that reads an instance and updates it, as the operators do."""

    def change(instance_id, **wanted):
        return update(instances, instances.get(instance_id), Change(**wanted))

    return change


@pytest.fixture
def log_in(instances):
    """Give a function that reads an instance and re-authenticates it."""

    def log_in(instance_id, configuration=None, code=None, **options):
        return reauthenticate(
            instances,
            instances.get(instance_id),
            configuration=configuration or {},
            provider_data={"code": code} if code else None,
            **{"settle_time": 0.2, **options},
        )

    return log_in


def row(sandbox, instance_id):
    return next(each for each in sandbox.instances() if each["id"] == instance_id)


def health(sandbox, instance_id):
    return {key: row(sandbox, instance_id)[key] for key in ("valid", "disabled")}


# -- update: what is written ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "body"),
    [
        ({"name": "Another"}, {"name": "Another"}),
        ({"name": " Another "}, {"name": "Another"}),
        ({"configuration": {"username": "grace"}}, {"configuration": {"username": "grace"}}),
        (
            {"name": "An instance", "configuration": {"username": "ada", "event.poller.refresh_interval": 5}},
            {"configuration": {"event.poller.refresh_interval": 5}},
        ),
        (
            {
                "configuration": {
                    "event.notification.enabled": False,
                    "event.notification.callback.url": CALLBACK,
                }
            },
            {"configuration": {"event.notification.enabled": False}},
        ),
    ],
)
def test_what_differs_goes_out_in_one_patch_and_nothing_else(wanted, body, sandbox, make):
    instance_id = make()
    with relaying(sandbox) as relay, client_of(sandbox, base_url=relay.url) as client:
        done = update(client.instances, client.instances.get(instance_id), Change(**wanted))
        assert relay.bodies("PATCH") == [body]
        # A write of name or tags is confirmed by its answer, a write of configuration by a read.
        read_back = ["GET"] if "configuration" in body else []
        assert [verb for verb, _, _ in relay.seen] == ["GET", "PATCH", *read_back]
    assert done.changed == tuple(name for each in (body.get("configuration", ["name"]),) for name in each)


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"name": "An instance"},
        {"name": "<b>An</b>  instance"},
        {"tags": ("An instance",)},
        {"tags": ("<i>An instance</i>",)},
        {"add_tags": ("An instance", "<i>An instance</i>"), "remove_tags": ("not there",)},
        {"configuration": {**EVENTS, "username": "ada", "password": "first-password"}},
        {"configuration": {"event.notification.enabled": "true"}},
        {"configuration": {"event.notification.enabled": "True"}},
    ],
)
def test_what_is_so_already_is_not_written(wanted, sandbox, make, change):
    instance_id = make()
    wire = Wire(sandbox)
    assert change(instance_id, **wanted).changed == ()
    assert wire.calls() == ["GET /instances/N"]


@pytest.mark.parametrize("spelling", ["True", "true", True])
def test_events_are_switched_on_in_every_spelling_of_true(spelling, sandbox, make, change):
    instance_id = make(configuration={**WAYS["basic"][1], "event.notification.enabled": False})
    assert change(instance_id, configuration={"event.notification.enabled": spelling}).changed
    assert row(sandbox, instance_id)["eventsEnabled"] is True


def test_a_value_as_an_object_is_compared_by_its_meaning(make, change, person):
    instance_id = make()
    person.edit(instance_id, configuration={"event.poller.configuration": '{"b": 1,  "a": [2]}'})
    wanted = {"event.poller.configuration": {"a": [2], "b": 1}}
    assert change(instance_id, configuration=wanted).changed == ()
    wanted["event.poller.configuration"]["a"] = [3]
    assert change(instance_id, configuration=wanted).changed == ("event.poller.configuration",)


# -- update: tags -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "people"),
    [
        ({"name": "New", "configuration": {"username": "grace"}}, ["z", "a", "<m>"]),
        ({"add_tags": ("b", "a")}, ["z", "a", "<m>", "b"]),
        ({"remove_tags": ("z", "gone")}, ["a", "<m>"]),
        ({"add_tags": ("b",), "remove_tags": ("<u>a</u>",)}, ["z", "<m>", "b"]),
        ({"tags": ("b", "z")}, ["b", "z"]),
        ({"tags": ()}, []),
        ({"configuration": {"password": "second-password"}}, ["z", "a", "<m>"]),
    ],
)
def test_marker_fingerprint_and_origin_stay_and_peoples_tags_keep_their_order(
    wanted, people, sandbox, make, change
):
    tags = ("z", "a", "&lt;m&gt;")
    instance_id = make(tags=tags, origin="a_dag/create")
    own = {tag.split(":")[0]: tag for tag in own_tags(row(sandbox, instance_id)["tags"])}
    assert len(own) == 4
    change(instance_id, **wanted)
    after = row(sandbox, instance_id)["tags"]
    assert [tag.replace("&lt;", "<").replace("&gt;", ">") for tag in user_tags(after)] == people
    kept = {tag.split(":")[0]: tag for tag in own_tags(after)}
    assert kept.keys() == own.keys()
    assert len(own_tags(after)) == 4
    new_secret = "password" in wanted.get("configuration", {})
    differing = {kind for kind in own if own[kind] != kept[kind]}
    assert differing == ({"airflow-auth"} if new_secret else set())


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"tags": ("a",), "add_tags": ("b",)}, "tags replaces all"),
        ({"tags": (), "remove_tags": ("b",)}, "tags replaces all"),
        ({"add_tags": ("a", "b"), "remove_tags": ("<i>b</i>",)}, "b: both in add_tags and remove_tags"),
        ({"tags": ("airflow:0123456789abcdef0123",)}, "kept by itself"),
        ({"add_tags": ("airflow-run:0123456789abcdef0123",)}, "kept by itself"),
        ({"remove_tags": ("airflow-auth:012345",)}, "kept by itself"),
        ({"name": ""}, "name is empty"),
        ({"name": " <b></b> "}, "name is empty"),
    ],
)
def test_what_contradicts_itself_or_takes_our_own_tags_is_refused(wanted, message):
    with pytest.raises(CloudElementsValidationError, match=message) as caught:
        Change(**wanted)
    assert not caught.value.retryable


def test_a_tag_of_a_persons_that_begins_like_ours_may_be_taken_away(sandbox, make, change):
    instance_id = make(tags=("airflow:production",))
    change(instance_id, remove_tags=("airflow:production",))
    assert user_tags(row(sandbox, instance_id)["tags"]) == ()


# -- update: secrets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["password", "username"])
def test_a_masked_value_is_refused_and_nothing_is_written(key, sandbox, make, change):
    instance_id = make()
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsValidationError, match="asterisks"):
        change(instance_id, configuration={key: MASK}, name="Another")
    assert wire.writes() == []


def patches(sandbox, change, instance_id, key, *values):
    """Return how many PATCHes each value cost, written one after the other."""
    counts = []
    for value in values:
        wire = Wire(sandbox)
        change(instance_id, configuration={key: value})
        counts.append(len(wire.writes()))
    return counts


@pytest.mark.parametrize(
    ("way", "key", "first"),
    [
        ("basic", "password", "first-password"),
        ("refresh", "oauth.api.secret", "app-secret-1"),
        ("code", "oauth.api.key", "client-1"),
        ("refresh", "oauth.user.refresh_token", "refresh-token-1"),
    ],
)
def test_a_secret_is_written_when_it_is_another_and_once(way, key, first, sandbox, make, change):
    by_create, by_person = make(way), make(way, by="person")
    assert patches(sandbox, change, by_create, key, first, "new", "new", "newer", "newer", "new") == [
        0, 1, 0, 1, 0, 1,
    ]  # fmt: skip
    # Of what a person gave it nobody can tell; from the first write on it is known.
    assert patches(sandbox, change, by_person, key, first, first, "new", "new") == [1, 0, 1, 0]
    assert row(sandbox, by_create)["valid"]


def test_other_secrets_of_the_instance_stay_known(sandbox, make, change):
    instance_id = make("refresh")
    change(instance_id, configuration={"oauth.api.secret": "new"})
    wire = Wire(sandbox)
    same = {"oauth.api.key": "client-1", "oauth.user.refresh_token": "refresh-token-1"}
    assert change(instance_id, configuration=same).changed == ()
    assert wire.writes() == []


@pytest.mark.parametrize("masked", [[], [SIGNATURE]])
def test_the_signature_key_is_written_once_whether_or_not_it_reads_back(masked, sandbox, make, change):
    sandbox.configure(masked_keys=masked)
    instance_id = make(by="person")
    assert patches(sandbox, change, instance_id, SIGNATURE, "k-1", "k-1", "k-2", "k-2") == [1, 0, 1, 0]


def test_what_the_platform_masks_without_being_a_secret_by_name_is_known_all_the_same(sandbox, make, change):
    sandbox.configure(masked_keys=["username"])
    by_create, by_person = make(), make(by="person")
    assert patches(sandbox, change, by_create, "username", "grace", "grace") == [1, 0]
    assert patches(sandbox, change, by_person, "username", "ada", "ada", "grace", "grace") == [1, 0, 1, 0]


def test_after_the_platforms_secrets_were_replaced_a_secret_is_written_once_more(sandbox, make):
    instance_id = make()
    header = f"User {sandbox.user_secret}, Organization {sandbox.organization_secret}"
    wanted = Change(configuration={"password": "first-password"})
    # The same account in another way: fingerprints are made with a key of its own.
    other = {"user_secret": None, "organization_secret": None, "authorization": header}
    with client_of(sandbox, **other) as client:
        found = client.instances.get
        assert update(client.instances, found(instance_id), wanted).changed == ("password", "tags")
        assert update(client.instances, found(instance_id), wanted).changed == ()
    tags = own_tags(row(sandbox, instance_id)["tags"])
    assert sorted(tag.split(":")[0] for tag in tags) == ["airflow", "airflow-auth", "airflow-key"]


# -- update: reading back -----------------------------------------------------------------------------


def test_what_does_not_read_back_of_events_is_an_error(sandbox, make, change):
    instance_id = make()
    # An orderly answer, and nothing done.
    sandbox.add_fault("html", status=200, method="PATCH", body="empty")
    with pytest.raises(CloudElementsServerError):
        change(instance_id, configuration={"event.notification.enabled": False})
    assert row(sandbox, instance_id)["eventsEnabled"] is True


def test_an_answer_lost_after_an_update_is_sent_again_and_reads_back(sandbox, make, change):
    instance_id = make()
    sandbox.add_fault("drop", when="after", method="PATCH")
    wanted = {"configuration": {"event.notification.enabled": False, "password": "second"}}
    assert change(instance_id, **wanted).instance.events_enabled is False
    assert change(instance_id, **wanted).changed == ()


class Deaf:
    """An instances API whose writes come to nothing, as of an element that takes no such key."""

    def __init__(self, instances):
        self._instances = instances
        self.http = instances.http

    def update(self, instance_id, **_):
        return self.get(instance_id)

    def get(self, instance_id):
        return self._instances.get(instance_id)


def test_a_write_that_the_platform_took_and_forgot_names_what_does_not_read_back(instances, make):
    instance_id = make()
    wanted = Change(configuration={"event.notification.enabled": False, SIGNATURE: "secret-key"})
    with pytest.raises(
        CloudElementsServerError, match=r"accepted event\.notification\.enabled, but"
    ) as caught:
        update(Deaf(instances), instances.get(instance_id), wanted)
    assert "secret-key" not in str(caught.value)


# -- update: whatever is asked, twice -----------------------------------------------------------------

TAGS = st.lists(
    st.sampled_from(["Docs", "a", "<b>a</b>", "<i></i>", "x & y", "x &amp; y", "airflow:production", "ä"]),
    max_size=4,
).map(tuple)
CHANGES = st.fixed_dictionaries(
    {
        "name": st.sampled_from([None, "Other", "<b>Other</b>", " spaced  out ", "a < b", "<<i>b>x", "ä"]),
        "configuration": st.dictionaries(
            st.sampled_from(
                ["username", "password", SIGNATURE, "event.notification.enabled", "event.objects"]
            ),
            st.sampled_from(["x", "true", "True", True, False, 5, {"a": [1, None]}, "ü"]),
            max_size=4,
        ),
        "how": st.sampled_from(["none", "tags", "add and remove"]),
        "first": TAGS,
        "second": TAGS,
    }
)


def wanted_of(drawn):
    wanted = {"name": drawn["name"], "configuration": drawn["configuration"]}
    if drawn["how"] == "tags":
        return Change(**wanted, tags=drawn["first"])
    if drawn["how"] == "none":
        return Change(**wanted)
    added = {comparable_text(tag) for tag in drawn["first"]}
    removed = tuple(tag for tag in drawn["second"] if comparable_text(tag) not in added)
    return Change(**wanted, add_tags=drawn["first"], remove_tags=removed)


@pytest.mark.parametrize("by", ["create", "person"])
def test_the_same_change_again_writes_nothing_and_the_marker_stays(by, sandbox, person):
    @settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(CHANGES, min_size=1, max_size=3))
    def stories(drawn):
        sandbox.reset()
        with client_of(sandbox) as client:
            api = client.instances
            instance_id = (
                person.make("basic", tags=["hand"])
                if by == "person"
                else ensure(api, spec_of("basic", sandbox)).instance.id
            )
            marker = {tag for tag in row(sandbox, instance_id)["tags"] if tag.startswith("airflow:")}
            for each in drawn:
                wanted = wanted_of(each)
                update(api, api.get(instance_id), wanted)
                wire = Wire(sandbox)
                assert update(api, api.get(instance_id), wanted).changed == ()
                assert wire.writes() == []
                assert marker <= set(row(sandbox, instance_id)["tags"])
                prints = [tag for tag in row(sandbox, instance_id)["tags"] if tag.startswith("airflow-auth:")]
                assert len(prints) <= 1

    stories()


# -- re-authenticating: what is written ---------------------------------------------------------------

#: What authenticates anew, by the way in: configuration, or none for a code.
CREDENTIALS = {
    "password": ("basic", {"password": "second-password"}),
    "app secret": ("code", {"oauth.api.secret": "app-secret-2"}),
    "refresh token": ("refresh", {"oauth.user.refresh_token": "refresh-token-2"}),
    "code": ("code", None),
}


@pytest.fixture
def anew(sandbox):
    """Give a function that returns arguments for ``log_in`` by the name of a credential."""

    def anew(kind):
        _, configuration = CREDENTIALS[kind]
        return {"code": sandbox.code()} if configuration is None else {"configuration": configuration}

    return anew


@pytest.mark.parametrize("by", ["create", "person"])
@pytest.mark.parametrize("kind", CREDENTIALS)
def test_a_new_credential_is_written_once_and_the_same_again_is_a_ping(
    kind, by, sandbox, person, make, log_in, anew
):
    instance_id = make(CREDENTIALS[kind][0], by=by)
    before, given_now = person.show(instance_id), anew(kind)
    first = log_in(instance_id, **given_now)
    assert "tags" in first.changed
    assert len(first.changed) == 2
    for _ in range(2):
        wire = Wire(sandbox)
        assert log_in(instance_id, **given_now).changed == ()
        assert wire.calls() == PING_ONLY
    after = person.show(instance_id)
    assert (after["id"], after["token"], after["name"]) == (before["id"], before["token"], before["name"])
    assert user_tags(after["tags"]) == user_tags(before["tags"])
    assert all(count == 1 for count in presented(sandbox))


@pytest.mark.parametrize("configuration", [{}, {"username": "ada"}, {"oauth.scope": "x"}])
def test_without_anything_that_authenticates_it_is_refused(configuration, sandbox, make, log_in):
    instance_id = make()
    with pytest.raises(CloudElementsValidationError, match="Nothing is given that authenticates"):
        log_in(instance_id, configuration)


def test_what_the_vendor_no_longer_takes_is_mended_by_a_new_password(sandbox, make, log_in):
    instance_id = make()
    sandbox.vendor_secrets("closeio", ["second-password"])
    assert health(sandbox, instance_id) == {"valid": False, "disabled": False}
    assert log_in(instance_id, {"password": "second-password"}).changed == ("password", "tags")
    assert health(sandbox, instance_id) == {"valid": True, "disabled": False}


def test_one_that_does_not_work_is_given_the_same_credentials_again(sandbox, make, log_in):
    instance_id = make()
    sandbox.set_instance(instance_id, valid=False)
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsInstanceDisabledError, match="did not mend it"):
        log_in(instance_id, {"password": "first-password"})
    assert wire.writes() == ["PATCH /instances/N"]


def test_one_that_looks_well_and_does_not_answer_is_given_the_same_credentials_again(sandbox, make, log_in):
    instance_id = make()
    sandbox.add_fault("status", status=401, path="/ping")
    assert log_in(instance_id, {"password": "first-password"}).changed == ("password",)
    assert sandbox.counters()["by_call"]["GET /ping"] == 2


def test_a_code_that_it_has_had_mends_nothing_and_is_not_sent_again(sandbox, make, log_in):
    code = sandbox.code()
    instance_id = make("code", provider_data={"code": code})
    sandbox.set_instance(instance_id, valid=False)
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsInstanceDisabledError, match="is the one that it has had already"):
        log_in(instance_id, code=code)
    assert wire.writes() == []
    assert sum(presented(sandbox)) == 1


# -- re-authenticating: disabled ones -----------------------------------------------------------------


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_a_disabled_one_is_enabled_with_it(kind, sandbox, person, make, log_in, anew):
    instance_id = make(CREDENTIALS[kind][0])
    person.disable(instance_id)
    assert log_in(instance_id, **anew(kind)).changed[-1] == "enabled"
    assert health(sandbox, instance_id) == {"valid": True, "disabled": False}


def test_one_that_the_platform_gave_up_is_well_again_with_a_new_code(sandbox, make, log_in):
    sandbox.configure(failed_refresh_interval=0)
    instance_id = make("code")
    sandbox.revoke(instance_id)
    assert health(sandbox, instance_id) == {"valid": False, "disabled": True}
    sandbox.configure(failed_refresh_interval=10)
    log_in(instance_id, code=sandbox.code())
    assert health(sandbox, instance_id) == {"valid": True, "disabled": False}


@pytest.mark.parametrize("wanted", [{"password": "rejected-1"}, {"username": "rejected-x", "password": "p"}])
def test_a_disabled_one_is_disabled_again_when_the_vendor_refuses(wanted, sandbox, person, make, log_in):
    instance_id = make()
    person.disable(instance_id)
    for _ in range(2):
        with pytest.raises(CloudElementsInstanceDisabledError, match="did not mend it") as caught:
            log_in(instance_id, wanted)
        assert not caught.value.retryable
        assert health(sandbox, instance_id) == {"valid": False, "disabled": True}


def test_one_that_was_not_disabled_is_left_so_when_the_vendor_refuses(sandbox, make, log_in):
    instance_id = make()
    with pytest.raises(CloudElementsInstanceDisabledError):
        log_in(instance_id, {"password": "rejected-1"})
    assert health(sandbox, instance_id) == {"valid": False, "disabled": False}


def test_a_disabled_one_whose_code_is_refused_is_disabled_again(sandbox, person, make, log_in):
    instance_id = make("code")
    person.disable(instance_id)
    with pytest.raises(CloudElementsValidationError, match="AADSTS70000") as caught:
        log_in(instance_id, code="never-given-out")
    # The vendor took it and refused it: no later try has a better one.
    assert not caught.value.retryable
    assert health(sandbox, instance_id)["disabled"]


def test_a_disabled_one_with_a_code_that_it_has_had_is_enabled_and_asked(sandbox, person, make, log_in):
    code = sandbox.code()
    instance_id = make("code", provider_data={"code": code})
    person.disable(instance_id)
    with pytest.raises(CloudElementsInstanceDisabledError):
        log_in(instance_id, code=code, verify=False)
    assert health(sandbox, instance_id)["disabled"]
    assert log_in(instance_id, code=code).changed == ("enabled",)
    assert health(sandbox, instance_id) == {"valid": True, "disabled": False}
    person.disable(instance_id)
    sandbox.set_instance(instance_id, valid=False)
    with pytest.raises(CloudElementsInstanceDisabledError):
        log_in(instance_id, code=code)
    assert health(sandbox, instance_id)["disabled"]
    assert sum(presented(sandbox)) == 1


# -- re-authenticating: doubt, kills, and others' failures --------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [{"action": "drop"}, {"action": "status", "status": 502}, {"action": "html", "status": 200}],
    ids=["drop", "502", "html"],
)
@pytest.mark.parametrize("disabled", [False, True])
def test_a_code_whose_answer_is_lost_is_found_by_its_fingerprint(
    disabled, fault, sandbox, person, make, log_in
):
    instance_id = make("code")
    if disabled:
        person.disable(instance_id)
    code, wire = sandbox.code(), Wire(sandbox)
    sandbox.add_fault(**fault, when="after", method="PATCH")
    assert log_in(instance_id, code=code).changed[:2] == ("providerData", "tags")
    assert wire.calls().count("PATCH /instances/N") == 1
    assert log_in(instance_id, code=code).changed == ()
    assert health(sandbox, instance_id) == {"valid": True, "disabled": False}
    assert presented(sandbox) == [1, 1]


@pytest.mark.parametrize("disabled", [False, True])
def test_a_code_lost_on_the_way_is_in_doubt_and_not_sent_by_the_next_try(
    disabled, sandbox, person, make, log_in
):
    instance_id = make("code")
    if disabled:
        person.disable(instance_id)
    code, memory = sandbox.code(), CallMemory()
    sandbox.add_fault("drop", method="PATCH")
    with pytest.raises(CloudElementsAmbiguousCreateError, match="ask for consent again") as caught:
        log_in(instance_id, code=code, memory=memory)
    assert (caught.value.code_spent, caught.value.retryable) == (True, True)
    with pytest.raises(CloudElementsAmbiguousCreateError, match="may have sent this authorization") as caught:
        log_in(instance_id, code=code, memory=memory)
    assert (caught.value.code_spent, caught.value.retryable) == (True, False)
    assert code not in str(caught.value)
    assert presented(sandbox) == [1, 1]
    assert health(sandbox, instance_id)["disabled"] is disabled
    # A new one is another matter.
    assert log_in(instance_id, code=sandbox.code(), memory=memory).changed[:1] == ("providerData",)


def test_a_code_that_never_left_may_be_sent_by_the_next_try(sandbox, make):
    instance_id, code, memory = make("code"), sandbox.code(), CallMemory()
    with relaying(sandbox) as relay, client_of(sandbox, base_url=relay.url, max_retries=0) as client:
        api = client.instances
        instance = api.get(instance_id)
        relay.close()
        with pytest.raises(CloudElementsTransportError):
            reauthenticate(api, instance, configuration={}, provider_data={"code": code}, memory=memory)
        relay.open()
        assert presented(sandbox) == [1, 0]
        reauthenticate(api, instance, configuration={}, provider_data={"code": code}, memory=memory)
    assert presented(sandbox) == [1, 1]


class DyingMemory(CallMemory):
    """Dies where a kill would strike: after the instance is enabled, before the code goes out."""

    def sending_code(self, fingerprint):
        raise SystemExit


def test_killed_between_enabling_and_writing_the_next_try_finishes_it(sandbox, person, make, log_in):
    instance_id, code = make("code"), sandbox.code()
    person.disable(instance_id)
    with pytest.raises(SystemExit):
        log_in(instance_id, code=code, memory=DyingMemory())
    assert health(sandbox, instance_id)["disabled"] is False
    assert presented(sandbox) == [1, 0]
    assert log_in(instance_id, code=code).changed == ("providerData", "tags")
    assert presented(sandbox) == [1, 1]


class Dying:
    """An instances API of a process that is killed before a call."""

    def __init__(self, instances, call):
        self._instances = instances
        self._call = call

    def __getattr__(self, name):
        if name == self._call:
            raise SystemExit
        return getattr(self._instances, name)


@pytest.mark.parametrize("kind", ["refused password", "refused password, pinged", "code it has had"])
def test_what_a_killed_try_enabled_is_disabled_again_by_the_next_one_that_is_refused(
    kind, sandbox, person, instances, make, log_in
):
    code = sandbox.code()
    instance_id = make("code", provider_data={"code": code}) if "code" in kind else make()
    if "code" in kind:
        sandbox.set_instance(instance_id, valid=False)
    person.disable(instance_id)
    memory = CallMemory()
    wanted = {"code": code} if "code" in kind else {"configuration": {"password": "rejected"}}
    dying = Dying(instances, "update" if kind == "refused password" else "ping")
    given = {"configuration": {}, "provider_data": wanted} if "code" in kind else wanted
    with pytest.raises(SystemExit):
        reauthenticate(dying, instances.get(instance_id), **given, memory=memory)
    assert health(sandbox, instance_id)["disabled"] is False
    with pytest.raises(CloudElementsInstanceDisabledError):
        log_in(instance_id, **wanted, memory=memory)
    assert health(sandbox, instance_id) == {"valid": False, "disabled": True}
    # Enabled by a person afterwards, it is nobody's to disable.
    person.call("PUT", f"/instances/{instance_id}/enabled")
    with pytest.raises(CloudElementsInstanceDisabledError):
        log_in(instance_id, **wanted, memory=memory)
    assert health(sandbox, instance_id)["disabled"] is False


def test_what_a_killed_try_enabled_stays_so_when_the_next_one_mends_it(
    sandbox, person, instances, make, log_in
):
    instance_id = make()
    person.disable(instance_id)
    memory, wanted = CallMemory(), {"password": "second"}
    with pytest.raises(SystemExit):
        reauthenticate(
            Dying(instances, "ping"), instances.get(instance_id), configuration=wanted, memory=memory
        )
    assert log_in(instance_id, wanted, memory=memory).changed == ()
    assert health(sandbox, instance_id) == {"valid": True, "disabled": False}
    assert not memory.enabled(instance_id)


def test_a_password_whose_answer_is_lost_is_known_next_time(sandbox, make, log_in):
    instance_id = make()
    sandbox.add_fault("drop", when="after", method="PATCH", count=2)
    with pytest.raises(CloudElementsTransportError):
        log_in(instance_id, {"password": "second"})
    wire = Wire(sandbox)
    assert log_in(instance_id, {"password": "second"}).changed == ()
    assert wire.calls() == PING_ONLY


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_the_platforms_own_401_is_not_taken_for_the_vendors(skip, sandbox, person, make, log_in):
    instance_id = make()
    person.disable(instance_id)
    # The connection's secrets end: at the write, at its reading back, or just before the ping.
    path = {"method": "PATCH"} if skip == 0 else {"method": "GET", "path": "/instances/*", "skip": skip}
    sandbox.add_fault("status", status=401, count=None, **path)
    if skip == 2:
        sandbox.add_fault("status", status=401, path="/ping")
    with pytest.raises(CloudElementsAuthError) as caught:
        log_in(instance_id, {"password": "second"})
    assert not isinstance(caught.value, CloudElementsForbiddenError)


@pytest.mark.parametrize("status", [500, 503])
def test_a_vendor_that_fails_is_left_to_a_retry_and_nothing_is_disabled(
    status, sandbox, person, make, log_in
):
    instance_id = make()
    person.disable(instance_id)
    sandbox.add_fault("status", status=status, path="/ping", count=None)
    with pytest.raises(CloudElementsServerError) as caught:
        log_in(instance_id, {"password": "second"})
    assert caught.value.retryable
    assert health(sandbox, instance_id) == {"valid": True, "disabled": False}
    sandbox.clear_faults()
    assert log_in(instance_id, {"password": "second"}).changed == ()


# -- re-authenticating: without asking the vendor -----------------------------------------------------


def test_without_verify_no_ping_is_sent_and_the_platforms_word_counts(sandbox, make, log_in):
    instance_id = make()
    wire = Wire(sandbox)
    assert log_in(instance_id, {"password": "second"}, verify=False).changed == ("password", "tags")
    assert log_in(instance_id, {"password": "second"}, verify=False).changed == ()
    with pytest.raises(CloudElementsInstanceDisabledError):
        log_in(instance_id, {"password": "rejected"}, verify=False)
    assert "GET /ping" not in wire.calls()


def test_a_raw_authorization_header_can_do_all_but_ping(sandbox, make):
    instance_id = make()
    header = f"User {sandbox.user_secret}, Organization {sandbox.organization_secret}"
    raw = {"user_secret": None, "organization_secret": None, "authorization": header}
    with client_of(sandbox, **raw) as client:
        api, wanted = client.instances, {"password": "second"}
        done = reauthenticate(api, api.get(instance_id), configuration=wanted, verify=False)
        assert done.changed == ("password", "tags")
        with pytest.raises(CloudElementsConnectionError):
            reauthenticate(api, api.get(instance_id), configuration=wanted)


def test_nothing_secret_shows_in_what_is_handed_about():
    change = Change(configuration={"password": "hunter-2"})
    assert "hunter-2" not in repr(change)
    assert replace(change, name="x").configuration == {"password": "hunter-2"}


def test_one_that_the_platform_gives_up_again_before_the_new_code_comes_is_enabled_once_more(
    sandbox, make, log_in
):
    sandbox.configure(failed_refresh_interval=0)
    instance_id = make("code")
    sandbox.revoke(instance_id)
    log_in(instance_id, code=sandbox.code())
    assert health(sandbox, instance_id) == {"valid": True, "disabled": False}
