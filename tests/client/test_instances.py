"""The calls of ``client.instances`` against the sandbox, one by one."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.tags import marker_tag, origin_tag
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from tests.support.platform import WAYS, Wire, settings_of
from tests.support.relay import relaying

MARKER = marker_tag("a key")
ORIGIN = origin_tag("a run")
PRINT = "airflow-auth:abcdef." + "0" * 14


@pytest.fixture
def handed_out():
    return []


@pytest.fixture
def instances(sandbox, handed_out):
    with CloudElementsClient(settings_of(sandbox), on_token=handed_out.append) as client:
        yield client.instances


def make(instances, **changes):
    element, configuration = WAYS["basic"]
    arguments = {"element": element, "name": "An instance", "configuration": configuration, **changes}
    return instances.create(**arguments)


# -- create ---------------------------------------------------------------------------------------


def test_create_sends_what_is_given_and_nothing_else(sandbox):
    with relaying(sandbox) as relay, CloudElementsClient(settings_of(sandbox, base_url=relay.url)) as client:
        make(client.instances)
        with pytest.raises(CloudElementsError):
            client.instances.create(
                element="microsoftgraph",
                name="N",
                configuration={"a": True, "b": 1, "c": None, "d": [1]},
                provider_data={"code": "x", "realmId": "y"},
                tags=(tag for tag in ("t", "u")),
                external_authentication="initial",
            )
    first, second = relay.bodies("POST")
    assert first == {
        "element": {"key": "closeio"},
        "name": "An instance",
        "configuration": WAYS["basic"][1],
    }
    assert second == {
        "element": {"key": "microsoftgraph"},
        "name": "N",
        "configuration": {"a": True, "b": 1, "c": None, "d": [1]},
        "providerData": {"code": "x", "realmId": "y"},
        "tags": ["t", "u"],
        "externalAuthentication": "initial",
    }


def test_create_hands_the_token_out_unless_it_is_not_wanted(person, instances, handed_out):
    made = make(instances)
    assert made.token == person.show(made.id)["token"]
    assert handed_out == [made.token]
    assert make(instances, with_token=False).token is None
    assert handed_out == [made.token]


def test_create_is_sent_once_whatever_comes_back(sandbox, instances):
    for fault in (
        {"action": "status", "status": 503, "retry_after": "0"},
        {"action": "status", "status": 429, "retry_after": "0"},
        {"action": "drop"},
        {"action": "cut"},
        {"action": "html", "status": 200},
    ):
        sandbox.clear_faults()
        sandbox.add_fault(**fault, method="POST")
        wire = Wire(sandbox)
        with pytest.raises(CloudElementsError):
            make(instances)
        assert wire.calls() == ["POST /instances"]


@pytest.mark.parametrize("asterisks", ["********", "***", "*", " *** ", {"deep": ["***"]}])
def test_create_and_update_refuse_asterisks_before_sending(asterisks, sandbox, instances):
    configuration = {"username": "ada", "password": asterisks}
    with pytest.raises(CloudElementsValidationError, match="'password' is asterisks"):
        make(instances, configuration=configuration)
    with pytest.raises(CloudElementsValidationError, match="'password' is asterisks"):
        instances.update(410001, configuration=configuration)
    for call in (make, lambda api, **body: api.update(410001, **body)):
        with pytest.raises(CloudElementsValidationError, match="'code' is asterisks"):
            call(instances, provider_data={"code": "***"})
    assert sandbox.requests() == []


# -- read -----------------------------------------------------------------------------------------


def test_get_drops_the_token_unless_it_is_wanted(person, instances, handed_out):
    there = person.make("basic")
    assert instances.get(there).token is None
    assert handed_out == []
    token = person.show(there)["token"]
    assert instances.get(there, with_token=True).token == token
    assert instances.token(there) == token
    assert handed_out == [token, token]
    assert token not in repr(instances.get(there, with_token=True))


def test_get_of_none_is_not_found(instances):
    with pytest.raises(CloudElementsNotFoundError) as caught:
        instances.get(999)
    assert (caught.value.status, caught.value.path) == (404, "/instances/999")


def test_a_token_that_is_wanted_and_missing_is_told(person, instances):
    there = person.make("basic")
    send = instances.http.send

    def without_token(*args, **options):
        reply = send(*args, **options)
        reply.body.pop("token")
        return reply

    instances.http.send = without_token
    assert instances.get(there).id == there
    with pytest.raises(CloudElementsServerError, match="holds no token"):
        instances.get(there, with_token=True)


# -- list -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("match", ["any", "all"])
def test_list_by_tags_means_all_of_them_however_the_platform_combines_them(match, sandbox, person, instances):
    sandbox.configure(tags_match=match)
    both = person.make("basic", tags=["a", "b"])
    person.make("basic", tags=["a"])
    person.make("basic", tags=["b", "a "])
    assert [each.id for each in instances.list(tags=["a", "b"])] == [both]
    assert list(instances.list(tags=["nobody's"])) == []


def test_list_by_element_and_everything(person, instances):
    one = person.make("basic", name="Alpha")
    other = person.make("refresh", name="Beta")
    assert [each.id for each in instances.list(element="hubspotcrm")] == [other]
    assert [each.id for each in instances.list(element="sfdc")] == []
    # White space around an element's key does not count, also if only the client filters by it.
    assert [each.id for each in instances.list(element=" hubspotcrm\n")] == [other]
    person.edit(one, tags=["Docs"])
    person.edit(other, tags=["Docs"])
    assert [each.id for each in instances.list(tags=["Docs"], element=" hubspotcrm\n")] == [other]
    assert sorted(each.id for each in instances.list()) == [one, other]


@pytest.mark.parametrize("empty", ["empty", "missing"])
def test_a_list_of_nothing_is_empty_in_either_form(empty, sandbox, instances):
    sandbox.configure(empty_list=empty)
    assert list(instances.list()) == []


def test_list_goes_page_by_page_as_it_is_read_and_holds_no_token(sandbox, person, instances, handed_out):
    sandbox.configure(max_page_size=2)
    made = [person.make("basic", tags=["t"]) for _ in range(5)]
    wire = Wire(sandbox)
    listed = instances.list(tags=["t"])
    assert wire.calls() == []
    first = next(listed)
    assert wire.calls() == ["GET /instances"]
    assert [first.id, *(each.id for each in listed)] == made
    assert len(wire.calls()) == 3
    assert all(each.token is None for each in instances.list(tags=["t"]))
    assert handed_out == []


# -- update ---------------------------------------------------------------------------------------


def test_update_changes_what_is_given_and_leaves_the_rest(person, instances):
    there = person.make("basic", tags=["a", MARKER])
    updated = instances.update(there, name="Renamed", configuration={"event.objects": "leads"})
    shown = person.show(there)
    assert (updated.name, shown["name"], shown["tags"]) == ("Renamed", "Renamed", ["a", MARKER])
    assert shown["configuration"]["username"] == "ada"
    assert shown["configuration"]["event.objects"] == "leads"


def test_update_repeats_what_is_absolute_and_never_a_login(sandbox, person, instances):
    there = person.make("code")
    for login, calls in (({}, 2), ({"code": sandbox.code()}, 1)):
        sandbox.clear_faults()
        sandbox.add_fault("drop", when="after", method="PATCH")
        wire = Wire(sandbox)
        if login:
            with pytest.raises(CloudElementsTransportError):
                instances.update(there, provider_data=login)
        else:
            instances.update(there, name="Renamed")
        assert wire.calls() == ["PATCH /instances/N"] * calls
    assert [each["presented"] for each in sandbox.codes()] == [1, 1]


def test_update_refuses_asterisks_before_sending(person, instances, sandbox):
    there = person.make("basic")
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsValidationError, match="asterisks"):
        instances.update(there, configuration={"password": "********"})
    assert wire.calls() == []


# -- the rest -------------------------------------------------------------------------------------


def test_delete_says_whether_it_was_there(sandbox, person, instances):
    there = person.make("basic")
    assert instances.delete(there) is True
    assert instances.delete(there) is False
    assert sandbox.instances() == []


def test_enable_and_disable(person, instances):
    there = person.make("basic")
    instances.disable(there)
    assert instances.get(there).disabled
    assert not instances.get(there).healthy
    instances.enable(there)
    assert not instances.get(there).disabled
