"""Whatever the client is given: only a CloudElementsError leaves it, and a wrong argument is named."""

from __future__ import annotations

import contextlib
import copy
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.exceptions import CloudElementsError, CloudElementsValidationError
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.platform import Person, client_of
from tests.support.wire import TOKEN, Call, Wire, account, answer

HUGE = 10**4000
#: Python refuses to write it.
TOO_LONG = 10**5000
TEXT = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    ["", " ", ".", "..", "\ud800", "\0", "a/b", "?x=1", "#", "//", "é", "a\r\nb", "x" * 5000]
)
INTEGER = st.integers() | st.sampled_from([0, -1, HUGE, -HUGE, 2**63])
NUMBER = INTEGER | st.floats()
VALUE = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
TEXTS = st.lists(TEXT, max_size=3)
DICTIONARY = st.dictionaries(TEXT, VALUE, max_size=3)
ID = INTEGER | TEXT | st.fixed_dictionaries({"id": VALUE})

#: Calls of the client, each with the Python kinds of its arguments.
CALLS: dict[str, tuple[Callable[..., Any], list[st.SearchStrategy[Any]]]] = {
    "instances.get": (lambda c, a: c.instances.get(a), [ID]),
    "instances.peek": (lambda c, a: c.instances.peek(a), [ID]),
    "instances.token": (lambda c, a: c.instances.token(a), [ID]),
    "instances.delete": (lambda c, a: c.instances.delete(a), [ID]),
    "instances.enable": (lambda c, a: c.instances.enable(a), [ID]),
    "instances.ping": (lambda c, a, b: c.instances.ping(a, b), [ID, TEXT]),
    "instances.list": (
        lambda c, a, b: list(c.instances.list(tags=a, element=b)),
        [TEXTS, st.none() | TEXT],
    ),
    "instances.create": (
        lambda c, a, b, d, e, f: c.instances.create(
            element=a, name=b, configuration=d, provider_data=e, tags=f, external_authentication=a
        ),
        [TEXT, TEXT, DICTIONARY, DICTIONARY, TEXTS],
    ),
    "instances.update": (
        lambda c, a, b, d, e, f: c.instances.update(a, name=b, configuration=d, provider_data=e, tags=f),
        [ID, TEXT, DICTIONARY, DICTIONARY, TEXTS],
    ),
    "elements.get": (lambda c, a: c.elements.get(a), [TEXT | INTEGER]),
    "elements.metadata": (lambda c, a: c.elements.metadata(a), [TEXT | INTEGER]),
    "elements.oauth_url": (
        lambda c, a, b, d, e, f: c.elements.oauth_url(
            a, api_key=b, api_secret=d, oauth_callback_url=b, scope=d, state=b, extra=e, post=f
        ),
        [TEXT | INTEGER, TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=2), st.booleans()],
    ),
    "events.get": (lambda c, a, b: c.events.get(a, b), [TEXT, st.none() | ID]),
    "events.list": (lambda c, a: list(c.events.list(a)), [st.none() | ID]),
    "deliveries.queued": (lambda c, a: list(c.deliveries.queued(a)), [TEXT]),
    "deliveries.subscriptions": (lambda c, a: c.deliveries.subscriptions(a), [TEXT]),
    "deliveries.of_notification": (lambda c, a: c.deliveries.of_notification(a), [TEXT]),
    "deliveries.release": (lambda c, a: c.deliveries.release(a), [TEXT]),
    "deliveries.set_policy": (lambda c, a: c.deliveries.set_policy(a), [TEXT]),
    "instance.request": (
        lambda c, a, b, d, e, f: c.instance(a, TOKEN).request(b, "/x" + d, params=e, body=f),
        [ID, TEXT, TEXT, DICTIONARY, VALUE],
    ),
    "instance.list": (lambda c, a, b: list(c.instance(a, TOKEN).list(b)), [ID, TEXT]),
    "instance.get": (lambda c, a, b: c.instance(a, b).get("/x"), [ID, TEXT]),
    "http.send": (
        lambda c, a, b, d, e: c.http.send("GET", a, headers=b, timeout=d, token=e),
        [TEXT, st.dictionaries(TEXT, TEXT, max_size=2), st.none() | NUMBER, st.none() | TEXT],
    ),
    "http.list_items": (
        lambda c, a, b, d: list(c.http.list_items(a, params=b, page_size=d)),
        [TEXT, DICTIONARY, st.none() | INTEGER],
    ),
}


@pytest.fixture(scope="module")
def client() -> Iterator[CloudElementsClient]:
    """Give a client of a server that always has something to say."""

    def tell(call: Call) -> Any:
        return answer([] if len(call.target) % 2 else {"id": 1, "token": "t", "oauthUrl": "u"}, then="keep")

    with Wire(tell) as wire, account(wire.url).client as made:
        yield made


@pytest.mark.parametrize("name", CALLS)
def test_only_our_own_errors_leave_the_client(name: str, client: CloudElementsClient) -> None:
    call, kinds = CALLS[name]

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.tuples(*kinds))
    def run(arguments: tuple[Any, ...]) -> None:
        with contextlib.suppress(CloudElementsError):
            call(client, *arguments)

    run()


WRONG: dict[str, tuple[Callable[[CloudElementsClient], Any], str]] = {
    "tags None": (lambda c: list(c.instances.list(tags=None)), "tags"),  # type: ignore[arg-type]
    "tags a text": (lambda c: list(c.instances.list(tags="shop")), "tags"),
    "tags numbers": (lambda c: list(c.instances.list(tags=[1])), "tags"),  # type: ignore[list-item]
    "element a number": (lambda c: list(c.instances.list(element=5)), "element"),  # type: ignore[arg-type]
    "element blank": (lambda c: list(c.instances.list(element=" ")), "element"),
    "element None": (lambda c: c.instances.create(element=None, name="x"), "element"),  # type: ignore[arg-type]
    "name None": (lambda c: c.instances.create(element="x", name=None), "name"),  # type: ignore[arg-type]
    "configuration a list": (lambda c: c.instances.update(1, configuration=["a"]), "configuration"),  # type: ignore[arg-type]
    "provider_data a text": (lambda c: c.instances.update(1, provider_data="x"), "provider_data"),  # type: ignore[arg-type]
    "keys numbers": (lambda c: c.instances.update(1, configuration={1: "a"}), "configuration"),  # type: ignore[dict-item]
    "a number that cannot be written": (lambda c: c.instances.get(TOO_LONG), "instance_id"),
    "the same in a body": (lambda c: c.http.send("POST", "/x", body={"a": TOO_LONG}), "body"),
    "the same in a query": (lambda c: c.http.send("GET", "/x", params={"a": TOO_LONG}), "cannot be written"),
    "the same as a key": (lambda c: c.elements.get(TOO_LONG), "key_or_id"),
    "a set inside": (lambda c: c.instances.update(1, configuration={"a": {1}}), "body"),
    "no key": (lambda c: c.elements.get(""), "key_or_id"),
    "up": (lambda c: c.elements.get(".."), "key_or_id"),
    "key None": (lambda c: c.elements.get(None), "key_or_id"),  # type: ignore[arg-type]
    "key True": (lambda c: c.elements.get(True), "key_or_id"),
    "api_key None": (
        lambda c: c.elements.oauth_url("x", api_key=None, api_secret="a", oauth_callback_url="b"),  # type: ignore[arg-type]
        "api_key",
    ),
    "path None": (lambda c: c.instance(1, TOKEN).get(None), "path"),  # type: ignore[arg-type]
    "path a number": (lambda c: list(c.instance(1, TOKEN).list(5)), "path"),  # type: ignore[arg-type]
    "an object in the query": (lambda c: c.instance(1, TOKEN).get("/x", a=object()), "'a'"),
    "query a list": (lambda c: c.http.send("GET", "/x", params=["a"]), "params"),  # type: ignore[arg-type]
    "headers": (lambda c: c.http.send("GET", "/x", headers={"X": 1}), "headers"),  # type: ignore[dict-item]
    "token a number": (lambda c: c.http.send("GET", "/x", token=5), "token"),  # type: ignore[arg-type]
    "token of two lines": (lambda c: c.http.send("GET", "/x", token="a\nb"), "token"),
    "verb": (lambda c: c.http.send("GE T", "/x"), "method"),
    "verb None": (lambda c: c.http.send(None, "/x"), "method"),  # type: ignore[arg-type]
    "notification None": (lambda c: c.deliveries.of_notification(None), "notification_id"),  # type: ignore[arg-type]
    "callback a number": (lambda c: c.deliveries.release(5), "callback_url"),  # type: ignore[arg-type]
    "event a number": (lambda c: c.events.get(5), "event_id"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_named_and_is_final(name: str, client: CloudElementsClient) -> None:
    call, argument = WRONG[name]
    with pytest.raises(CloudElementsValidationError, match=argument) as caught:
        call(client)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "value", [0, -1, math.nan, math.inf, -math.inf, pytest.param(10**400, id="huge"), 86_401, "x", True, [1]]
)
def test_a_time_out_that_is_none_is_refused(value: Any, client: CloudElementsClient) -> None:
    with pytest.raises(CloudElementsValidationError, match="timeout must be a number of seconds above 0"):
        client.http.send("GET", "/x", timeout=value)


def test_a_list_of_wrong_arguments_is_refused_when_it_is_asked_for(client: CloudElementsClient) -> None:
    with pytest.raises(CloudElementsValidationError, match="a path starts with '/'"):
        client.http.list_pages("x")


def test_a_body_just_small_enough_in_depth_hides_what_it_cannot_look_through() -> None:
    """The writer of JSON may go deeper than the search for secrets."""
    with Wire(answer({"message": "you sent s3cr3t-value"}, 400)) as wire:
        for depth in (*range(900, 1000, 12), 2_000):
            body: Any = {"password": "s3cr3t-value"}
            for _ in range(depth):
                body = [body]
            with pytest.raises(CloudElementsError) as caught:
                account(wire.url).client.http.send("POST", "/x", body=body)
            assert "s3cr3t-value" not in str(caught.value)


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda given: pickle.loads(pickle.dumps(given))],  # noqa: S301
    ids=["copy", "deep copy", "pickle"],
)
def test_a_client_can_be_copied_and_pickled_after_use(
    again: Callable[[Any], Any], cloudelements_sandbox: Sandbox
) -> None:
    number = Person(cloudelements_sandbox).make("basic")
    with client_of(cloudelements_sandbox) as first:
        bound = first.instance(number)
        assert bound.ping()
        assert first.events is first.events
        assert list(first.deliveries.subscriptions("x")) == []
        for given_one in (first, first.http, first.instances, first.elements, first.events, bound):
            assert type(again(given_one)) is type(given_one)
        assert again(first).instances.get(number).id == number
        assert list(again(first.events).list()) == []
        assert again(bound).ping()
        assert again(first.http).send("GET", "/organizations/me").status == 200
