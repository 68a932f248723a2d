"""Lists: lazy, page after page, and never without an end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsTransportError,
)
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.hidden import assert_hidden, shown
from tests.support.wire import TOKEN, USER, Account, Answer, Call, Wire, account, answer, page


def listing(wire: Wire, **options: Any) -> Iterator[Any]:
    return account(wire.url).client.http.list_items("/x", **options)


def query(call: Call) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(call.target).query))


@pytest.fixture
def here(cloudelements_sandbox: Sandbox) -> Account:
    return account(
        cloudelements_sandbox.url,
        user_secret=cloudelements_sandbox.user_secret,
        organization_secret=cloudelements_sandbox.organization_secret,
    )


def make(here: Account, number: int) -> list[int]:
    login = {"username": "ada", "password": "pass-word"}
    return [
        here.client.instances.create(element="closeio", name=f"i{each}", configuration=login).id
        for each in range(number)
    ]


def test_tokens_are_followed_to_the_last_page() -> None:
    with Wire([page([1, 2], "t/1+="), page([3], "t2"), page([4])]) as wire:
        assert list(listing(wire, params={"q": "a"}, page_size=2)) == [1, 2, 3, 4]
    assert [query(call) for call in wire.calls] == [
        {"pageSize": "2", "q": "a"},
        {"pageSize": "2", "q": "a", "nextPage": "t/1+="},
        {"pageSize": "2", "q": "a", "nextPage": "t2"},
    ]


def test_a_part_that_nobody_asked_for_is_no_list() -> None:
    """A list proves what does not exist, and a part of it does not."""
    with Wire([answer([1], 206)]) as wire, pytest.raises(CloudElementsServerError, match="only a part"):
        list(listing(wire))


def test_a_page_is_asked_for_when_its_first_item_is_wanted() -> None:
    with Wire([page([1, 2], "t1"), page([3, 4], "t2"), page([5])]) as wire:
        items = listing(wire)
        assert wire.calls == []
        assert list(islice(items, 2)) == [1, 2]
        assert len(wire.calls) == 1
        assert next(items) == 3
        assert len(wire.calls) == 2


def test_every_page_carries_the_element_token() -> None:
    with Wire([page([1], "t1"), page([2])]) as wire:
        list(listing(wire, token=TOKEN))
    assert all(call.header("Authorization").endswith(f", Element {TOKEN}") for call in wire.calls)


OWN = {"message": "No instances found", "requestId": "0123456789abcdef01234567"}
#: Pages after one that announced more, though there is nothing.
NOTHING = {
    "empty": page([]),
    "empty, with a token": page([], "t2"),
    "the platform's 404": page(OWN, status=404),
}


@pytest.mark.parametrize("script", [page(OWN, status=404), page({"message": "none"}, status=404), page([])])
def test_nothing_there_is_an_empty_list(script: Answer) -> None:
    with Wire(script) as wire:
        assert list(listing(wire)) == []
    assert len(wire.calls) == 1


def test_an_element_may_give_an_empty_page_with_a_token() -> None:
    with Wire([page([], "t1")]) as wire:
        assert list(listing(wire, token=TOKEN)) == []
    assert len(wire.calls) == 1


def pages_of(there: Account, paging: str) -> Iterator[Any]:
    """Return the list of an element's resource, by its one or its other way of paging."""
    return there.client.instance(5, TOKEN).records("/x", paging=paging)


@pytest.mark.parametrize("last", ["empty", "empty, with a token"])
@pytest.mark.parametrize("paging", ["token", "page"])
def test_an_elements_list_may_end_with_an_empty_page(paging: str, last: str) -> None:
    with Wire([page([1], "t1"), NOTHING[last]]) as wire:
        assert list(pages_of(account(wire.url), paging)) == [1]
    assert len(wire.calls) == 2


@pytest.mark.parametrize("message", ["No contacts found", "The resource could not be found"])
@pytest.mark.parametrize("paging", ["token", "page"])
def test_a_404_after_a_page_is_no_end_of_an_elements_list(paging: str, message: str) -> None:
    with Wire([page([1], "t1"), page({"message": message}, status=404)]) as wire:
        items = pages_of(account(wire.url), paging)
        assert next(items) == 1
        with pytest.raises(
            CloudElementsServerError, match="GET /x: the list broke off after 1 pages"
        ) as caught:
            next(items)
    assert caught.value.retryable
    assert message in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("message", ["No contacts found", "no such thing was found.", "NO\nROWS FOUND"])
@pytest.mark.parametrize("paging", ["token", "page"])
def test_a_404_that_says_none_is_an_elements_empty_list(paging: str, message: str) -> None:
    with Wire(page({"message": message}, status=404)) as wire:
        assert list(pages_of(account(wire.url), paging)) == []


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Not Found"},
        {"message": "The resource could not be found"},
        {"requestId": "0123456789abcdef01234567"},
        {"message": "Nothing to be found, and nothing lost", "providerMessage": "No rows found"},
    ],
    ids=str,
)
@pytest.mark.parametrize("paging", ["token", "page"])
def test_another_404_of_an_elements_list_is_an_error(paging: str, body: Any) -> None:
    with Wire(page(body, status=404)) as wire:
        with pytest.raises(CloudElementsNotFoundError, match="Is this the path of a list"):
            list(pages_of(account(wire.url), paging))


@pytest.mark.parametrize("last", NOTHING.values(), ids=NOTHING)
def test_a_list_of_the_platforms_own_broke_off_if_a_token_leads_to_nothing(last: Answer) -> None:
    with Wire([page([1], "t1"), last]) as wire:
        items = listing(wire)
        assert next(items) == 1
        with pytest.raises(CloudElementsServerError, match="GET /x: the list broke off") as caught:
            next(items)
    assert caught.value.retryable
    assert (caught.value.method, caught.value.path) == ("GET", "/x")


def test_a_first_page_of_nothing_that_announces_more_is_no_empty_list() -> None:
    with Wire([page([], "t1")]) as wire, pytest.raises(CloudElementsServerError, match="broke off"):
        list(listing(wire))


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize(
    "body", [b"<html>Not Found</html>", b"", b"null", b"[]", b"{}", b'{"message": null}', b'{"error": "x"}']
)
def test_a_gateways_404_is_no_page_of_anybodys_list(number: int, token: str | None, body: bytes) -> None:
    script = [page([1], "t1"), page(body, status=404)]
    with Wire(script[-number:]) as wire:
        with pytest.raises(CloudElementsServerError, match="not the platform's own") as caught:
            list(listing(wire, token=token))
    assert caught.value.retryable
    assert caught.value.status == 404


def test_a_gateways_404_in_passing_is_asked_again() -> None:
    with Wire([page(b"<html>", status=404), page([1], "t1"), page(b"<html>", status=404), page([2])]) as wire:
        there = account(wire.url, max_retries=1)
        assert list(there.client.http.list_items("/x")) == [1, 2]
    assert len(there.pauses) == 2


def test_rows_that_cannot_be_read_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    rows = [5, {"id": 1}, None, {"id": "x"}, {"id": 2}]
    with Wire(page(rows)) as wire:
        client = account(wire.url).client
        assert [each.id for each in client.instances.list()] == [1, 2]
    assert "3 rows of a list of instances cannot be read" in caplog.text


BAD = {"name": "an instance without an id", "tags": ["shop"]}
DOUBTFUL = {"the tag": BAD, "no list of tags": {"id": None, "tags": "shop"}, "no object": "x"}


@pytest.mark.parametrize("row", DOUBTFUL.values(), ids=DOUBTFUL)
def test_that_no_instance_has_a_tag_is_not_concluded_from_a_row_that_cannot_be_read(row: Any) -> None:
    with Wire(page([row])) as wire:
        with pytest.raises(CloudElementsServerError, match="1 rows of the list cannot be read") as caught:
            list(account(wire.url).client.instances.list(tags=["shop"]))
    assert caught.value.retryable


@pytest.mark.parametrize("rows", [[BAD, {"id": 7, "tags": ["shop"]}], [{**BAD, "tags": ["another"]}]])
def test_one_that_was_found_or_has_another_tag_is_no_doubt(rows: list[Any]) -> None:
    with Wire(page(rows)) as wire:
        found = [each.id for each in account(wire.url).client.instances.list(tags=["shop"])]
    assert found == [7][: len(rows) - 1]


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]])
def test_a_token_that_comes_twice_is_an_error_and_not_a_list_without_end(tokens: list[str]) -> None:
    with Wire([page([number], token) for number, token in enumerate(tokens)]) as wire:
        items = listing(wire)
        assert list(islice(items, len(tokens))) == list(range(len(tokens)))
        with pytest.raises(CloudElementsServerError, match="came twice") as caught:
            next(items)
    assert (caught.value.method, caught.value.path) == ("GET", "/x")
    assert len(wire.calls) == len(tokens)


@pytest.mark.parametrize("body", [{}, {"items": []}, "text", 5, None, True])
def test_what_is_no_array_is_an_error(body: Any) -> None:
    with (
        Wire(page(body)) as wire,
        pytest.raises(CloudElementsServerError, match="not a JSON array") as caught,
    ):
        list(listing(wire))
    assert (caught.value.status, caught.value.method, caught.value.path) == (200, "GET", "/x")


def test_an_empty_answer_is_no_array() -> None:
    with Wire(page(b"")) as wire, pytest.raises(CloudElementsServerError, match="not a JSON array"):
        list(listing(wire))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (page({}, status=401), CloudElementsAuthError),
        (page({}, status=500), CloudElementsServerError),
        (Answer(b""), CloudElementsTransportError),
    ],
)
def test_a_failure_half_way_is_raised_after_what_came(given: Answer, kind: type[Exception]) -> None:
    with Wire([page([1], "t1"), given]) as wire:
        items = listing(wire)
        assert next(items) == 1
        with pytest.raises(kind):
            next(items)


def test_a_token_of_a_page_is_shown_nowhere() -> None:
    with Wire([page([1], USER), page({}, status=400)]) as wire:
        with pytest.raises(Exception, match="answered 400") as caught:
            list(listing(wire))
    assert_hidden(shown(caught.value), USER)


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_sandboxes_instances_come_once_each_whatever_the_page(
    here: Account, cloudelements_sandbox: Sandbox, order: str, size: int
) -> None:
    cloudelements_sandbox.configure(max_page_size=size, order=order)
    ids = make(here, 6)
    before = len(cloudelements_sandbox.requests())
    listed = [each.id for each in here.client.instances.list()]
    assert listed == sorted(ids, reverse=order == "descending")
    assert len(cloudelements_sandbox.requests()) - before == -(-6 // size)


@pytest.mark.parametrize("empty", ["empty", "missing"])
def test_no_instances_are_an_empty_list(here: Account, cloudelements_sandbox: Sandbox, empty: str) -> None:
    cloudelements_sandbox.configure(empty_list=empty)
    assert list(here.client.instances.list()) == []
    assert list(here.client.instances.list(element="closeio")) == []
    assert list(here.client.instances.list(tags=["none"])) == []


def test_the_catalogue_is_listed(here: Account, cloudelements_sandbox: Sandbox) -> None:
    cloudelements_sandbox.configure(max_page_size=4)
    keys = [each.key for each in here.client.elements.list()]
    assert len(keys) == len(set(keys)) >= 11
    assert {"microsoftgraph", "sfdc", "closeio"} <= set(keys)
