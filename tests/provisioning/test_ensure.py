"""``ensure`` when nothing is lost: what it makes, finds, changes, and leaves alone."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

import pytest

from airflow_provider_cloudelements.exceptions import (
    CloudElementsConflictError,
    CloudElementsInstanceDisabledError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.provisioning.ensure import Ensure
from airflow_provider_cloudelements.provisioning.ensure import ensure as ensuring
from airflow_provider_cloudelements.provisioning.memory import CallMemory
from tests.support.platform import (
    CALLBACK,
    EVENTS,
    WAYS,
    Wire,
    client_of,
    configured,
    marked,
    peoples_tags,
    presented,
    settings_of,
    spec_of,
)

STEADY = ["GET /instances"]


@pytest.fixture
def ensure(sandbox):
    with client_of(sandbox) as client:
        yield partial(ensuring, client.instances)


# -- making and finding ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_the_first_time_it_is_made_with_events_on_and_a_token(way, sandbox, person, ensure):
    spec = spec_of(way, sandbox)
    ensured = ensure(spec)
    (there,) = sandbox.instances()
    shown = person.show(ensured.instance.id)
    assert (ensured.created, ensured.changed, ensured.twins) == (True, (), ())
    assert there["id"] == ensured.instance.id
    assert ensured.instance.token == shown["token"]
    assert ensured.instance.events_enabled
    assert ensured.instance.event_callback_url == CALLBACK
    assert shown["configuration"]["event.notification.callback.url"] == CALLBACK
    assert shown["externalAuthentication"] == ("initial" if way == "refresh" else "none")


@pytest.mark.parametrize("way", WAYS)
def test_the_same_again_costs_one_list_and_writes_nothing(way, sandbox, ensure):
    spec = spec_of(way, sandbox)
    first = ensure(spec)
    before = sandbox.instances()
    for _ in range(2):
        wire = Wire(sandbox)
        again = ensure(spec)
        assert wire.calls() == STEADY
        assert (again.created, again.changed, again.instance.id) == (False, (), first.instance.id)
        assert again.instance.token == first.instance.token
    assert sandbox.instances() == before
    assert presented(sandbox) == ([1] if way == "code" else [])


def test_two_keys_are_two_instances(sandbox, ensure):
    spec = spec_of("basic", sandbox)
    ids = {ensure(spec).instance.id, ensure(replace(spec, key="another")).instance.id}
    assert ids == {each["id"] for each in sandbox.instances()}
    assert len(ids) == 2


def test_without_tags_it_gets_its_name_as_the_platform_would_give_it(sandbox, ensure):
    ensure(spec_of("basic", sandbox))
    assert peoples_tags(sandbox.instances()[0]) == ["An instance"]


def test_with_an_empty_list_of_tags_it_has_none_but_ours(sandbox, ensure):
    ensure(spec_of("basic", sandbox, tags=()))
    assert peoples_tags(sandbox.instances()[0]) == []


def test_without_the_wish_for_a_token_none_is_handed_out(sandbox):
    handed_out = []
    from airflow_provider_cloudelements.client import CloudElementsClient

    with CloudElementsClient(settings_of(sandbox), on_token=handed_out.append) as client:
        spec = spec_of("basic", sandbox)
        made = ensuring(client.instances, spec, with_token=False)
        found = ensuring(client.instances, spec, with_token=False)
        assert (made.instance.token, found.instance.token, handed_out) == (None, None, [])
        with_token = ensuring(client.instances, spec)
        assert handed_out == [with_token.instance.token]


# -- if_exists ------------------------------------------------------------------------------------


def test_reuse_takes_it_as_it_is(sandbox, person, ensure):
    made = ensure(spec_of("basic", sandbox))
    wire = Wire(sandbox)
    other = configured(
        spec_of("basic", sandbox, tags=("new",)),
        event__notification__callback__url="https://elsewhere.example.com/",
        password="second-password",
    )
    reused = ensure(other, if_exists="reuse")
    assert reused.instance.id == made.instance.id
    assert (reused.created, wire.writes()) == (False, [])
    assert person.show(made.instance.id)["configuration"]["event.notification.callback.url"] == CALLBACK


@pytest.mark.parametrize("change", [{"disabled": True}, {"valid": False}])
def test_reuse_refuses_what_does_not_work(change, sandbox, ensure):
    spec = spec_of("basic", sandbox)
    made = ensure(spec)
    sandbox.set_instance(made.instance.id, **change)
    with pytest.raises(CloudElementsInstanceDisabledError, match=str(made.instance.id)):
        ensure(configured(spec, password="second-password"), if_exists="reuse")


def test_fail_refuses_what_another_made(sandbox, ensure):
    made = ensure(spec_of("basic", sandbox, origin="run 1"), if_exists="fail")
    wire = Wire(sandbox)
    for origin in ("run 2", None):
        with pytest.raises(CloudElementsConflictError, match="exists already"):
            ensure(spec_of("basic", sandbox, origin=origin), if_exists="fail")
    assert wire.writes() == []
    assert [each["id"] for each in sandbox.instances()] == [made.instance.id]


def test_fail_takes_what_an_earlier_try_of_the_same_origin_made(sandbox, ensure):
    spec = spec_of("code", sandbox, origin="run 1")
    made = ensure(spec, if_exists="fail")
    again = ensure(spec, if_exists="fail")
    assert again.instance.id == made.instance.id
    assert presented(sandbox) == [1]


def test_another_word_for_if_exists_is_refused_before_any_call(sandbox, ensure):
    with pytest.raises(CloudElementsValidationError, match="if_exists"):
        ensure(spec_of("basic", sandbox), if_exists="replace")
    assert sandbox.requests() == []


@pytest.mark.parametrize("if_exists", ["update", "reuse", "fail"])
def test_another_element_under_the_key_is_a_conflict(if_exists, sandbox, ensure):
    ensure(spec_of("basic", sandbox, key="shared"))
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsConflictError, match="its element is 'closeio', not 'hubspotcrm'"):
        ensure(spec_of("refresh", sandbox, key="shared"), if_exists=if_exists)
    assert wire.writes() == []


def test_white_space_around_an_element_s_key_makes_no_other_element(sandbox, ensure):
    spec = spec_of("basic", sandbox)
    made = ensure(replace(spec, element=f" {spec.element}\n"))
    assert made.instance.element_key == spec.element
    assert ensure(spec).instance.id == made.instance.id


def test_another_name_under_the_key_is_a_conflict(sandbox, person, ensure):
    spec = spec_of("basic", sandbox, key="shared")
    made = ensure(spec)
    with pytest.raises(CloudElementsConflictError, match="its name is 'An instance', not 'Another'"):
        ensure(replace(spec, name="Another"))
    person.edit(made.instance.id, name="Renamed by hand")
    with pytest.raises(CloudElementsConflictError, match="Renamed by hand"):
        ensure(spec)


@pytest.mark.parametrize(
    "name",
    ["<b>Bold</b> team", "a < b > c", "R&amp;D", "<<i>i>x", "&lt;b&gt;Team", "  two  spaces ", "1 < 2"],
)
def test_markup_in_names_and_tags_is_no_conflict_and_no_difference(name, sandbox, ensure):
    spec = spec_of("basic", sandbox, name=name, tags=(f"{name} tag", "plain"))
    made = ensure(spec)
    wire = Wire(sandbox)
    again = ensure(spec)
    assert (again.instance.id, wire.calls()) == (made.instance.id, STEADY)
    assert len(peoples_tags(sandbox.instances()[0])) == 2


# -- tags -----------------------------------------------------------------------------------------


def test_tags_that_people_add_stay_and_tags_asked_are_added(sandbox, person, ensure):
    spec = spec_of("basic", sandbox, tags=("Docs",))
    made = ensure(spec)
    person.edit(made.instance.id, tags=[*made.instance.tags, "by hand", "airflow:production"])
    wire = Wire(sandbox)
    ensure(spec)
    assert wire.calls() == STEADY
    ensured = ensure(replace(spec, tags=("Docs", "more")))
    assert ensured.changed == ("tags",)
    (there,) = marked(sandbox, spec.key)
    assert sorted(peoples_tags(there)) == ["Docs", "airflow:production", "by hand", "more"]
    wire = Wire(sandbox)
    ensure(replace(spec, tags=("Docs", "more")))
    assert wire.calls() == STEADY


def test_a_tag_that_a_person_removed_comes_back(sandbox, person, ensure):
    spec = spec_of("basic", sandbox, tags=("Docs",))
    made = ensure(spec)
    person.edit(made.instance.id, tags=[tag for tag in made.instance.tags if tag != "Docs"])
    assert ensure(spec).changed == ("tags",)
    assert peoples_tags(sandbox.instances()[0]) == ["Docs"]


@pytest.mark.parametrize("if_exists", ["update", "reuse"])
def test_the_marker_comes_back_where_the_memory_knows_the_id(if_exists, sandbox, person, ensure):
    spec, memory = spec_of("basic", sandbox), CallMemory()
    made = ensure(spec, memory=memory)
    person.edit(made.instance.id, tags=["by hand"])
    again = ensure(spec, memory=memory, if_exists=if_exists)
    assert again.instance.id == made.instance.id
    (there,) = sandbox.instances()
    assert marked(sandbox, spec.key) == [there]
    assert "by hand" in there["tags"]


def test_a_remembered_instance_that_is_gone_is_made_anew(sandbox, person, ensure):
    spec, memory = spec_of("basic", sandbox), CallMemory()
    first = ensure(spec, memory=memory)
    person.delete(first.instance.id)
    second = ensure(spec, memory=memory)
    assert second.created
    assert memory.instance_id(spec.marker) == second.instance.id != first.instance.id


def test_one_that_is_deleted_between_the_look_up_and_the_read_is_made_anew(sandbox, person, ensure):
    spec = spec_of("basic", sandbox)
    first = ensure(spec)
    sandbox.configure(list_rows="short")  # so that there is a read
    with client_of(sandbox) as client:
        read = client.instances.peek

        def delete_and_read(instance_id):
            client.instances.peek = read
            person.delete(instance_id)
            return read(instance_id)

        client.instances.peek = delete_and_read
        second = ensuring(client.instances, spec)
    assert second.created
    assert [each["id"] for each in sandbox.instances()] == [second.instance.id] != [first.instance.id]


# -- drift ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "by_hand",
    [
        {"event.notification.enabled": "false"},
        {"event.notification.callback.url": "https://elsewhere.example.com/"},
        {"event.notification.callback.url": None},
        {"event.poller.refresh_interval": "60"},
    ],
)
def test_what_was_changed_by_hand_is_set_right_in_one_patch(by_hand, sandbox, person, ensure):
    spec = configured(spec_of("basic", sandbox), event__poller__refresh_interval=15)
    made = ensure(spec)
    person.edit(made.instance.id, configuration=by_hand)
    wire = Wire(sandbox)
    ensured = ensure(spec)
    assert ensured.changed == tuple(by_hand)
    assert wire.writes() == ["PATCH /instances/N"]
    assert ensured.instance.events_enabled
    assert ensured.instance.event_callback_url == CALLBACK
    assert person.show(made.instance.id)["configuration"]["event.poller.refresh_interval"] == "15"


def test_what_was_not_asked_for_is_left_as_a_person_set_it(sandbox, person, ensure):
    spec = spec_of("basic", sandbox)
    made = ensure(spec)
    person.edit(made.instance.id, configuration={"event.objects": "leads"})
    wire = Wire(sandbox)
    ensure(spec)
    assert wire.calls() == STEADY
    assert person.show(made.instance.id)["configuration"]["event.objects"] == "leads"


@pytest.mark.parametrize(
    "value", [True, 15, 1.5, "text", {"leads": {"url": "/leads", "n": [1, None]}}, ["a"]]
)
def test_a_value_of_any_kind_reads_back_as_the_same(value, sandbox, ensure):
    spec = configured(spec_of("basic", sandbox), event__poller__configuration=value)
    ensure(spec)
    wire = Wire(sandbox)
    ensure(spec)
    assert wire.calls() == STEADY


def test_events_that_do_not_take_are_told(sandbox):
    with client_of(sandbox) as client:
        spec = spec_of("basic", sandbox)
        ensuring(client.instances, replace(spec, configuration=dict(WAYS["basic"][1])))
        # A platform that says 200 and changes nothing: events are asked for, the PATCH leaves them out.
        update = client.instances.update
        client.instances.update = lambda instance_id, **changes: update(instance_id, tags=changes["tags"])
        with pytest.raises(CloudElementsServerError, match=r"event\.notification\.enabled"):
            ensuring(client.instances, spec)


# -- credentials ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["basic", "refresh"])
def test_a_changed_secret_that_reads_masked_is_one_patch_and_then_none(way, sandbox, person, ensure):
    spec = spec_of(way, sandbox)
    made = ensure(spec)
    key = "password" if way == "basic" else "oauth.api.secret"
    assert person.show(made.instance.id)["configuration"][key] == "********"
    changed = replace(spec, configuration={**spec.configuration, key: "second-secret"})
    wire = Wire(sandbox)
    ensured = ensure(changed)
    assert ensured.changed == (key, "tags")
    assert wire.writes() == ["PATCH /instances/N"]
    assert [each["id"] for each in sandbox.instances()] == [made.instance.id]
    wire = Wire(sandbox)
    ensure(changed)
    assert wire.calls() == STEADY
    assert ensure(spec).changed == (key, "tags")  # and back again


def test_a_changed_secret_takes_effect(sandbox, ensure):
    spec = spec_of("basic", sandbox)
    made = ensure(spec)
    with pytest.raises(CloudElementsInstanceDisabledError, match="did not mend"):
        # The sandbox's vendor refuses what begins so, which shows that it got the new one.
        ensure(configured(spec, password="rejected-password"))
    assert not sandbox.instances()[0]["valid"]
    mended = ensure(configured(spec, password="third-password"))
    assert mended.instance.valid
    assert mended.instance.id == made.instance.id


def test_a_secret_that_reads_in_clear_is_compared_as_it_is(sandbox, person, ensure):
    spec = configured(spec_of("basic", sandbox), event__notification__signature__key="signing-key-1")
    made = ensure(spec)
    assert (
        person.show(made.instance.id)["configuration"]["event.notification.signature.key"] == "signing-key-1"
    )
    wire = Wire(sandbox)
    ensure(spec)
    assert wire.calls() == STEADY
    person.edit(made.instance.id, configuration={"event.notification.signature.key": "by-hand"})
    wire = Wire(sandbox)
    ensure(spec)
    assert wire.writes() == ["PATCH /instances/N"]
    assert (
        person.show(made.instance.id)["configuration"]["event.notification.signature.key"] == "signing-key-1"
    )


def test_what_an_element_masks_without_need_settles_after_the_create(sandbox, person, ensure):
    sandbox.configure(masked_keys=["username"])
    spec = spec_of("basic", sandbox)
    made = ensure(spec)
    wire = Wire(sandbox)
    ensure(spec)
    assert wire.calls() == STEADY
    assert ensure(configured(spec, username="grace")).changed == ("username", "tags")
    sandbox.configure(masked_keys=[])
    assert person.show(made.instance.id)["configuration"]["username"] == "grace"


def test_masked_values_are_never_written(sandbox, ensure):
    sandbox.configure(masked_values="store", masked_keys=["username", "oauth.user.refresh_token"])
    for way in WAYS:
        spec = spec_of(way, sandbox, key=way)
        ensure(spec)
        ensure(replace(spec, tags=("more",), provider_data={}))
        ensure(configured(spec, event__poller__refresh_interval=5))
    # The sandbox's vendor takes no asterisks for a secret, and none were stored.
    assert [each["valid"] for each in sandbox.instances()] == [True] * 3


def test_a_disabled_one_is_disabled_again_when_the_vendor_refuses_what_is_given(sandbox, person, ensure):
    spec = spec_of("basic", sandbox)
    person.disable(ensure(spec).instance.id)
    for _ in range(2):
        with pytest.raises(CloudElementsInstanceDisabledError):
            ensure(configured(spec, password="rejected"))
        (there,) = sandbox.instances()
        assert (there["valid"], there["disabled"]) == (False, True)


def test_rotated_platform_secrets_are_told_and_nothing_is_sent(sandbox, caplog):
    spec = spec_of("basic", sandbox)
    with client_of(sandbox) as client:
        ensuring(client.instances, spec)
    wire = Wire(sandbox)
    with client_of(sandbox) as client:
        # The same account after a rotation, as far as fingerprints are concerned.
        rotated = Ensure(client.instances, spec)
        from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints

        rotated.fingerprints = Fingerprints(settings_of(sandbox, user_secret="another"), spec.marker)
        caplog.set_level(logging.WARNING, "airflow_provider_cloudelements")
        ensured = rotated.run()
    assert wire.calls() == STEADY
    assert ensured.changed == ()
    assert "Nobody can tell whether instance" in caplog.text
    assert "password" in caplog.text
    assert "first-password" not in caplog.text


def test_a_new_code_authenticates_a_healthy_instance_once(sandbox, person, ensure):
    spec = spec_of("code", sandbox)
    made = ensure(spec)
    renewed = replace(spec, provider_data={"code": sandbox.code()})
    wire = Wire(sandbox)
    ensured = ensure(renewed)
    assert ensured.changed == ("providerData", "tags")
    assert wire.writes() == ["PATCH /instances/N"]
    for _ in range(2):
        wire = Wire(sandbox)
        again = ensure(renewed)
        assert wire.calls() == STEADY
    assert (again.instance.id, again.instance.token) == (made.instance.id, made.instance.token)
    assert presented(sandbox) == [1, 1]


def test_without_a_code_an_instance_made_by_one_is_kept(sandbox, ensure):
    spec = spec_of("code", sandbox)
    made = ensure(spec)
    wire = Wire(sandbox)
    kept = ensure(replace(spec, provider_data={}))
    assert (kept.instance.id, wire.calls()) == (made.instance.id, STEADY)


@pytest.mark.parametrize("change", [{"disabled": True}, {"valid": False}, {"disabled": True, "valid": False}])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_broken_and_cannot_be_mended_is_told_and_left(way, change, sandbox, ensure):
    spec = spec_of(way, sandbox)
    made = ensure(spec)
    sandbox.set_instance(made.instance.id, **change)
    wire = Wire(sandbox)
    with pytest.raises(
        CloudElementsInstanceDisabledError, match=r"the ones that it has already.*Re-authenticate"
    ):
        ensure(spec)
    assert wire.calls() == STEADY
    assert presented(sandbox) == ([1] if way == "code" else [])


def test_what_is_broken_and_is_given_nothing_says_so(sandbox, person, ensure):
    made = ensure(spec_of("code", sandbox))
    person.disable(made.instance.id)
    bare = spec_of("code", sandbox, provider_data={}, configuration=EVENTS)
    with pytest.raises(CloudElementsInstanceDisabledError, match="no credentials are given"):
        ensure(bare)
    assert sandbox.instances()[0]["disabled"]


@pytest.mark.parametrize("change", [{"disabled": True}, {"disabled": True, "valid": False}])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_broken_is_enabled_and_mended_by_a_new_credential(way, change, sandbox, ensure):
    spec = spec_of(way, sandbox)
    made = ensure(spec)
    sandbox.set_instance(made.instance.id, **change)
    if way == "code":
        better = replace(spec, provider_data={"code": sandbox.code()})
    else:
        key = "password" if way == "basic" else "oauth.user.refresh_token"
        better = replace(spec, configuration={**spec.configuration, key: "a-new-one"})
    wire = Wire(sandbox)
    mended = ensure(better)
    assert wire.writes() == ["PUT /instances/N/enabled", "PATCH /instances/N"]
    assert mended.instance.id == made.instance.id
    assert mended.instance.token == made.instance.token
    assert mended.instance.healthy
    (there,) = sandbox.instances()
    assert (there["valid"], there["disabled"]) == (True, False)
    wire = Wire(sandbox)
    ensure(better)
    assert wire.calls() == STEADY


def test_one_made_by_hand_and_broken_is_given_everything(sandbox, person, ensure):
    spec = spec_of("basic", sandbox)
    by_hand = person.make("basic", tags=[spec.marker])
    sandbox.set_instance(by_hand, disabled=True, valid=False)
    mended = ensure(configured(spec, password="second-password"))
    assert (mended.instance.id, mended.instance.healthy) == (by_hand, True)
    wire = Wire(sandbox)
    ensure(configured(spec, password="second-password"))
    assert wire.calls() == STEADY


def test_one_made_by_hand_and_healthy_keeps_its_credentials(sandbox, person, ensure, caplog):
    spec = spec_of("code", sandbox)
    by_hand = person.make("code", tags=[spec.marker, "by hand"])
    ensured = ensure(spec)
    assert ensured.instance.id == by_hand
    assert set(ensured.changed) == {*EVENTS, "tags"}  # with the key tag, which comes with the first write
    assert presented(sandbox) == [0, 1]  # the spec's was not sent, the person's was
    assert "authorization code" in caplog.text
