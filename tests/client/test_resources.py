"""Calls through one instance, against the sandbox."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

import pytest

from airflow_provider_cloudelements.client import InstanceClient
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsForbiddenError,
    CloudElementsInstanceDisabledError,
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.hidden import assert_hidden, shown
from tests.support.wire import TOKEN, Account, Wire, account, answer

SFDC = {"oauth.callback.url": "https://app.example/cb", "oauth.api.key": "k", "oauth.api.secret": "s-0001"}


@pytest.fixture
def here(cloudelements_sandbox: Sandbox) -> Account:
    return account(
        cloudelements_sandbox.url,
        user_secret=cloudelements_sandbox.user_secret,
        organization_secret=cloudelements_sandbox.organization_secret,
        max_retries=2,
    )


@pytest.fixture
def instance(here: Account, cloudelements_sandbox: Sandbox) -> InstanceClient:
    made = here.client.instances.create(
        element="sfdc",
        name="through",
        configuration=SFDC,
        provider_data={"code": cloudelements_sandbox.code("sfdc")},
    )
    return here.client.instance(made.id)


def test_a_ping_tells_time_and_place(instance: InstanceClient) -> None:
    assert set(instance.ping()) == {"dateTime", "endpoint", "valid"}  # sfdc's says valid


@pytest.mark.parametrize("body", [None, [], "pong", 5])
def test_a_ping_of_another_shape_is_empty(body: Any) -> None:
    with Wire(answer(body)) as wire:
        assert account(wire.url).client.instance(5, TOKEN).ping() == {}


def test_records_are_made_read_changed_and_deleted(instance: InstanceClient) -> None:
    made = instance.request("POST", "/contacts", body={"LastName": "Lovelace"})
    path = f"/contacts/{made['id']}"
    assert instance.request("PATCH", path, body={"FirstName": "Ada"})["LastName"] == "Lovelace"
    assert instance.get(path)["FirstName"] == "Ada"
    assert instance.get("/hubs/crm" + path)["FirstName"] == "Ada"
    assert instance.request("DELETE", path) is None
    with pytest.raises(CloudElementsNotFoundError):
        instance.get(path)


def test_keywords_become_the_query(instance: InstanceClient) -> None:
    found = list(instance.list("/contacts", where="LastName='Box 2'", pageSize=1))
    assert [each["LastName"] for each in found] == ["Box 2"]
    assert len(instance.get("/contacts", pageSize=2)) == 2


def test_a_list_is_followed_over_its_pages(instance: InstanceClient, cloudelements_sandbox: Sandbox) -> None:
    # Three records; a full last page has a token, and what follows it is empty.
    for size, pages in ((1, 4), (3, 2), (2, 2)):
        before = len(cloudelements_sandbox.requests())
        assert len(list(instance.list("/contacts", pageSize=size))) == 3
        calls = [call["path"] for call in cloudelements_sandbox.requests()[before:]]
        assert calls.count("/contacts") == pages


def test_a_disabled_instance_says_so(instance: InstanceClient, cloudelements_sandbox: Sandbox) -> None:
    cloudelements_sandbox.set_instance(instance.instance_id, disabled=True)
    for call in (instance.ping, lambda: list(instance.list("/contacts"))):
        with pytest.raises(CloudElementsInstanceDisabledError, match="is disabled: enable it") as caught:
            call()
        assert (caught.value.status, caught.value.method) == (403, "GET")
        assert caught.value.request_id
    assert_hidden(shown(caught.value), instance.token)


def test_an_invalid_instance_is_the_vendors_401(
    instance: InstanceClient, cloudelements_sandbox: Sandbox
) -> None:
    cloudelements_sandbox.set_instance(instance.instance_id, valid=False)
    with pytest.raises(CloudElementsAuthError):
        instance.ping()


def test_a_403_of_an_enabled_instance_is_the_vendors(
    instance: InstanceClient, cloudelements_sandbox: Sandbox
) -> None:
    cloudelements_sandbox.add_fault("status", status=403, path="/contacts", count=2)
    for call in (lambda: instance.get("/contacts"), lambda: list(instance.list("/contacts"))):
        with pytest.raises(CloudElementsForbiddenError) as caught:
            call()
        assert type(caught.value) is CloudElementsForbiddenError
        assert caught.value.path == "/contacts"


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_403_stays_one_when_the_instance_cannot_be_looked_at(
    instance: InstanceClient, cloudelements_sandbox: Sandbox, status: int
) -> None:
    assert instance.token
    cloudelements_sandbox.add_fault("status", status=403, path="/contacts")
    cloudelements_sandbox.add_fault("status", status=status, path="/instances/*", count=None)
    with pytest.raises(CloudElementsForbiddenError) as caught:
        instance.get("/contacts")
    assert (type(caught.value), caught.value.path) == (CloudElementsForbiddenError, "/contacts")


def test_the_token_of_a_deleted_instance_is_401(here: Account, instance: InstanceClient) -> None:
    assert instance.token
    here.client.instances.delete(instance.instance_id)
    with pytest.raises(CloudElementsAuthError) as caught:
        instance.ping()
    assert_hidden(shown(caught.value), instance.token)


def test_an_answer_without_a_token_is_an_error() -> None:
    with Wire(answer({"id": 5, "name": "x"})) as wire:
        with pytest.raises(CloudElementsServerError, match="holds no token") as caught:
            account(wire.url).client.instance(5).ping()
    assert caught.value.path == "/instances/5"


def test_a_post_through_an_instance_is_sent_once(
    here: Account, instance: InstanceClient, cloudelements_sandbox: Sandbox
) -> None:
    assert instance.token
    cloudelements_sandbox.add_fault("drop", when="after", method="POST", path="/contacts", count=None)
    before = len(cloudelements_sandbox.requests())
    with pytest.raises(CloudElementsTransportError):
        instance.request("POST", "/contacts", body={"LastName": "Once"})
    assert len(cloudelements_sandbox.requests()) == before + 1
    assert here.pauses == []


def test_repr_shows_no_token(here: Account) -> None:
    assert repr(here.client.instance(5, TOKEN)) == "InstanceClient(instance_id=5)"
    assert_hidden(repr(here.client), *here.client.settings.secrets)


def test_records_by_their_methods(instance: InstanceClient) -> None:
    made = instance.create("contacts", {"LastName": "Byron"})
    assert instance.update("contacts", made["Id"] if "Id" in made else made["id"], {"FirstName": "Ada"})
    (found,) = instance.records("/contacts", where={"LastName": "Byron"}, fields=["id", "FirstName"])
    assert found["FirstName"] == "Ada"
    assert instance.replace("contacts", found["id"], {"LastName": "King"})["LastName"] == "King"
    instance.delete("contacts", found["id"])
    assert list(instance.records("/contacts", where={"LastName": "King"})) == []
    with pytest.raises(CloudElementsNotFoundError):
        instance.delete("contacts", found["id"])


def test_the_objects_have_names(instance: InstanceClient) -> None:
    assert "contacts" in instance.objects()


def test_the_fields_of_an_object_are_those_of_its_records(instance: InstanceClient) -> None:
    fields = instance.metadata("contacts")
    assert {each.path for each in fields} >= {"LastName"}
    assert all(each.type for each in fields)


def test_records_come_in_order_over_both_ways_of_paging(instance: InstanceClient) -> None:
    names = [
        [
            each["LastName"]
            for each in instance.records(["contacts"], order_by="LastName desc", page_size=1, paging=paging)
        ]
        for paging in ("token", "page")
    ]
    assert names[0] == sorted(names[0], reverse=True) == names[1]
    assert len(names[0]) == 3


@pytest.mark.parametrize("paging", ["token", "page"])
def test_a_list_whose_second_page_is_missing_is_no_shorter_list(
    instance: InstanceClient, cloudelements_sandbox: Sandbox, paging: str
) -> None:
    assert instance.token
    cloudelements_sandbox.add_fault("status", status=404, path="/contacts", skip=1, count=None)
    rows = instance.records("/contacts", page_size=1, paging=paging)
    assert next(rows)
    with pytest.raises(CloudElementsServerError, match="broke off after 1 pages"):
        next(rows)


@pytest.mark.parametrize("paging", ["token", "page"])
def test_a_mistyped_path_is_no_empty_list(instance: InstanceClient, paging: str) -> None:
    with pytest.raises(CloudElementsNotFoundError, match="Is this the path of a list"):
        list(instance.records("/contcats", paging=paging))


def test_a_delete_whose_answer_was_lost_is_done(
    instance: InstanceClient, cloudelements_sandbox: Sandbox
) -> None:
    for kind in ({"action": "drop"}, {"action": "status", "status": 502}):
        made = instance.create("contacts", {"LastName": "Once"})
        path = f"/contacts/{made['id']}"
        cloudelements_sandbox.add_fault(**kind, when="after", method="DELETE", path=path)
        before = len(cloudelements_sandbox.requests())
        instance.delete("contacts", made["id"])
        sent = cloudelements_sandbox.requests()[before:]
        assert [each["method"] for each in sent] == ["DELETE", "DELETE"]
        with pytest.raises(CloudElementsNotFoundError):
            instance.delete("contacts", made["id"])


@pytest.mark.parametrize("kind", [{"action": "status", "status": 429}, {"action": "drop"}], ids=str)
def test_a_404_stays_one_if_no_earlier_delete_can_have_removed_the_record(
    instance: InstanceClient, cloudelements_sandbox: Sandbox, kind: dict[str, Any]
) -> None:
    assert instance.token
    method = "DELETE" if kind["action"] == "status" else "GET"  # a lost answer to a read proves nothing
    cloudelements_sandbox.add_fault(**kind, when="before", method=method, path="/contacts/none")
    with pytest.raises(CloudElementsNotFoundError):
        instance.request(method, "/contacts/none")


class Word(enum.Enum):
    CITY = "Rome"


class Number(int, enum.Enum):
    SEVEN = 7


WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda on: list(on.records("/x", paging="page", first_page="1")), "first_page must be a whole number"),
    (lambda on: list(on.records("/x", paging="page", first_page=None)), "first_page must be"),
    (lambda on: list(on.records("/x", paging="page", first_page=True)), "first_page must be"),
    (lambda on: list(on.records("/x", page_size="9")), "page_size must be a whole number from 1"),
    (lambda on: list(on.records("/x", page_size=0)), "page_size must be"),
    (lambda on: list(on.records("/x", params="a=b")), "params must be a dictionary"),
    (lambda on: list(on.records("/x", params=[("a", "b")])), "params must be a dictionary"),
    (lambda on: list(on.records("/x", paging="page", params={"page": 3})), "page: with paging='page'"),
    (lambda on: list(on.records("/x", fields=[])), "fields must name at least one"),
    (lambda on: list(on.records("/x", where={"a": "\ud83d"})), r"where\['a'\]: the value holds half"),
    (lambda on: on.create("leads", None), "record must be a dictionary"),
    (lambda on: on.create("leads", [("a", 1)]), "record must be a dictionary"),
    (lambda on: on.update("leads", 5, None), "changes must be a dictionary"),
    (lambda on: on.update("leads", 5, "ab"), "changes must be a dictionary"),
    (lambda on: on.replace("leads", 5, None), "record must be a dictionary"),
    (lambda on: on.get(b"leads"), "path must be a text, or a list"),
    (lambda on: on.get(bytearray(b"leads")), "path must be a text, or a list"),
    (lambda on: on.get({"leads", "5"}), "path must be a text, or a list"),
    (lambda on: on.get(range(1, 3)), "path must be a text, or a list"),
    (lambda on: on.get(["leads", -5]), "a text that is not empty, or a whole number above 0"),
]


@pytest.mark.parametrize(("call", "said"), WRONG)
def test_a_wrong_argument_is_named_and_nothing_is_sent(call: Callable[[Any], Any], said: str) -> None:
    with Wire(answer([])) as wire:
        with pytest.raises(CloudElementsValidationError, match=said):
            call(account(wire.url).client.instance(5, TOKEN))
        assert wire.calls == []


def test_a_member_of_an_enumeration_is_its_value() -> None:
    with Wire(answer([], then="keep")) as wire:
        there = account(wire.url).client.instance(5, TOKEN)
        parts: Any = ["x", Word.CITY, Number.SEVEN]
        list(there.records(parts, where={"a": Word.CITY, "b": [Number.SEVEN]}))
        there.get("/x", city=Word.CITY, number=[Number.SEVEN, 8])
    assert [unquote_plus(each.target.partition("/x")[2]) for each in wire.calls] == [
        "/Rome/7?where=a='Rome' AND b IN (7)",
        "?city=Rome&number=7&number=8",
    ]


def test_a_list_that_does_not_heed_the_number_of_the_page_is_an_error() -> None:
    with Wire(answer([{"id": 1}])) as wire:
        rows = account(wire.url).client.instance(5, TOKEN).records("/leads", paging="page")
        assert next(rows) == {"id": 1}
        with pytest.raises(CloudElementsServerError, match="two pages in a row are the same"):
            next(rows)


def test_fields_are_read_with_patience() -> None:
    rows = [{"vendorPath": "Id", "type": "string", "filterable": True}, {"type": "no name"}, 5]
    with Wire(answer({"fields": rows})) as wire:
        (field,) = account(wire.url).client.instance(5, TOKEN).metadata("contacts")
    assert (field.path, field.type, field.filterable, field.updateable) == ("Id", "string", True, False)


@pytest.mark.parametrize("body", [{}, {"fields": 5}, [], None, 5], ids=str)
def test_metadata_of_another_shape_are_an_error(body: Any) -> None:
    with Wire(answer(body)) as wire, pytest.raises(CloudElementsServerError):
        account(wire.url).client.instance(5, TOKEN).metadata("contacts")


def test_without_id_and_token_there_is_no_client() -> None:
    with Wire(answer([])) as wire:
        with pytest.raises(CloudElementsValidationError, match="instance_id must be"):
            account(wire.url).client.instance()
        with pytest.raises(CloudElementsValidationError, match="Give instance_id, token, or both"):
            InstanceClient(account(wire.url).client.instances, None)


def test_by_the_token_alone_a_403_stays_as_it_is() -> None:
    with Wire(answer({"message": "no", "requestId": "a" * 24}, status=403)) as wire:
        with pytest.raises(CloudElementsForbiddenError):
            account(wire.url).client.instance(token=TOKEN).get("/leads")
