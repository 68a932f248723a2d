"""The scan reports events that the list lacks for a while or hides in passing."""

from __future__ import annotations

import json
from typing import Any

import pendulum
import pytest

from airflow_provider_cloudelements.events import reconcile as reconciling
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.query import EventQuery
from airflow_provider_cloudelements.events.reading import EventLook, EventStream, read_events
from airflow_provider_cloudelements.events.reconcile import reconcile
from airflow_provider_cloudelements.exceptions import CloudElementsServerError
from tests.support.wire import Answer, Call, Wire, account, answer

ID = "AAAAAAAAAAAAAAAAAAAA"


def moment(ago: float) -> str:
    return pendulum.now("UTC").subtract(seconds=ago).format("YYYY-MM-DD[T]HH:mm:ss[Z]")


def listed(
    noted: list[int], status: str = "NOTIFIED", instances: tuple[int, ...] = (5, 6), ago: float = 30
) -> dict[str, Any]:
    """Return an event of some instances, of which some were notified."""
    changed = {"objectId": "1", "objectType": "orders", "eventType": "CREATED"}
    return {
        "id": ID,
        "eventDate": moment(ago),
        "status": status,
        "providerData": "{}",
        "notifiedData": [
            json.dumps(
                {"message": {"eventId": ID, "instanceId": each, "elementKey": "x", "events": [changed]}}
            )
            for each in noted
        ],
        "eventElementInstances": [{"elementInstanceId": each} for each in instances],
    }


def told(states: list[dict[str, Any]], *looks: EventLook) -> list[list[Any]]:
    """Read the list in each of its states; return for each look the kinds of object that it was told."""
    now: list[dict[str, Any]] = []
    following = list(looks)
    found: list[list[Any]] = [[] for _ in looks]
    with Wire(lambda _: answer(now)) as wire:
        http = account(wire.url).client.http
        for state in states:
            now[:] = [state]
            batches = read_events(http, following)
            following = [look.after(batch) for look, batch in zip(following, batches, strict=True)]
            for kinds, batch in zip(found, batches, strict=True):
                kinds += [row.data["object_type"] for row in batch.rows]
    return found


def look_of(**query: Any) -> EventLook:
    return EventLook(EventQuery.of(**query), EventCursor.start("earliest"))


def look_at(*instance_ids: int, **query: Any) -> list[EventLook]:
    return [look_of(instance_id=each, **query) for each in instance_ids]


@pytest.mark.parametrize("ago", [30, 3600])
def test_an_instance_that_is_not_notified_is_told_of_its_event(ago: float) -> None:
    """One vendor's call may be for several instances (fact F214), each with its own callback or none."""
    assert told([listed([5], ago=ago)], *look_at(5, 6)) == [["orders"], [None]]


def test_one_that_may_still_be_notified_is_waited_for_where_its_objects_matter() -> None:
    states = [listed([], "DISPATCHED"), listed([5], "DISPATCHED"), listed([5, 6])]
    assert told(states, *look_at(5, 6, object_types=["orders"])) == [["orders"], ["orders"]]
    assert told([listed([5], ago=3600)], *look_at(6, object_types=["orders"])) == [[]]


def test_several_instances_with_a_tag_are_each_told() -> None:
    members = [{"id": each, "name": "a", "tags": ["shop"]} for each in (5, 6, 7)]

    def both(call: Call) -> Answer:
        return answer([listed([], ago=3600)] if "events" in call.target else members)

    with Wire(both) as wire:
        (batch,) = read_events(account(wire.url).client.http, [look_of(tag="shop")])
    assert [row.data["instance_id"] for row in batch.rows] == [5, 6]


def test_an_event_whose_instances_are_named_later_is_waited_for() -> None:
    states = [listed([], "DISPATCHED", instances=()), listed([5, 6])]
    assert told(states, *look_at(5, 6)) == [["orders"], ["orders"]]


def test_who_has_a_tag_is_not_asked_for_an_event_that_is_waited_for() -> None:
    with Wire(answer([listed([], "DISPATCHED")])) as wire:
        (batch,) = read_events(account(wire.url).client.http, [look_of(tag="shop", object_types=["orders"])])
    assert batch.rows == ()
    assert [each.partition("?")[0] for each in wire.targets()] == ["GET /elements/api-v2/instances/events"]


GONE = {
    "a gateway's 404": answer(b"<html>Not Found</html>", 404),
    "a page that announces more": answer([], headers={"Elements-Next-Page-Token": "t2"}),
}


@pytest.mark.parametrize("fault", GONE.values(), ids=GONE)
def test_members_of_a_tag_that_could_not_be_asked_for_pass_over_no_event(fault: Answer) -> None:
    """However old it is: a reader that was away for long reads old events."""
    script = [fault]

    def both(call: Call) -> Answer:
        if "events" in call.target:
            return answer([listed([], ago=3600, instances=(5,))])
        return script.pop() if script else answer([None, {"id": 5, "tags": ["shop"]}])

    with Wire(both) as wire:
        http, look = account(wire.url).client.http, look_of(tag="shop")
        with pytest.raises(CloudElementsServerError) as caught:
            read_events(http, [look])
        assert caught.value.retryable
        (batch,) = read_events(http, [look])
    assert [row.data["id"] for row in batch.rows] == [ID]


def test_members_of_a_tag_that_are_hidden_in_passing_are_waited_for() -> None:
    hidden = True

    def both(call: Call) -> Answer:
        if "events" in call.target:
            return answer([listed([], "DISPATCHED", instances=(5,))])
        return answer({"message": "none"}, 404) if hidden else answer([{"id": 5, "tags": ["shop"]}])

    with Wire(both) as wire:
        http, look = account(wire.url).client.http, look_of(tag="shop")
        (batch,) = read_events(http, [look])
        assert batch.rows == ()
        hidden = False
        (batch,) = read_events(http, [look.after(batch)])
    assert [row.data["id"] for row in batch.rows] == [ID]


class Torn:
    """A list of 300 events, newest first, whose second page is there or not."""

    def __init__(self, instead: Answer) -> None:
        self.instead: Answer | None = instead
        self.events = [
            {**listed([], ago=60 + 10 * each, instances=(5,)), "id": f"event-{each:04}"}
            for each in range(300)
        ]

    def __call__(self, call: Call) -> Answer:
        if "subscriptions" in call.target:
            hook = {"channel": "webhook", "topics": ["instance-5-x-events"], "config": {"url": "https://x"}}
            return answer([{"id": "1", **hook}])
        if "nextPage" not in call.target:
            return answer(self.events[:200], headers={"Elements-Next-Page-Token": "t2"})
        return self.instead or answer(self.events[200:])


@pytest.fixture(params=["404", "empty", "empty, and more to come"])
def torn(request: pytest.FixtureRequest) -> Torn:
    """Give a list whose second page is gone, in each way."""
    instead = {
        "404": answer({"message": "none"}, 404),
        "empty": answer([]),
        "empty, and more to come": answer([], headers={"Elements-Next-Page-Token": "t3"}),
    }
    return Torn(instead[request.param])


def test_a_list_that_breaks_off_moves_no_cursor_past_what_was_not_read(torn: Torn) -> None:
    found: list[str] = []
    with Wire(torn) as wire:
        http, look = account(wire.url).client.http, look_of(instance_id=5)
        for each in (torn.instead, torn.instead, None, None):
            torn.instead = each
            if each is not None:
                with pytest.raises(CloudElementsServerError, match="broke off"):
                    read_events(http, [look])
                continue
            (batch,) = read_events(http, [look])
            look = look.after(batch)
            found += [row.data["id"] for row in batch.rows]
    assert set(found) == {event["id"] for event in torn.events}
    assert look.cursor.since > EventCursor.start("earliest").since


def test_a_stream_that_breaks_off_has_no_cursor_and_reads_all_again(torn: Torn) -> None:
    with Wire(torn) as wire:
        stream = EventStream(account(wire.url).client.http, look_of(instance_id=5))
        with pytest.raises(CloudElementsServerError, match="broke off"):
            list(stream)
        with pytest.raises(RuntimeError, match="not iterated to its end"):
            _ = stream.cursor
        torn.instead = None
        assert {row.data["id"] for row in stream} == {event["id"] for event in torn.events}


def test_a_list_that_breaks_off_is_read_again_before_it_is_compared(
    torn: Torn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        torn.instead = None

    monkeypatch.setattr("time.sleep", sleep)
    with Wire(torn) as wire:
        assert reconcile(account(wire.url).client, "https://x", EventCursor.start("earliest")).listed == 300


def test_one_that_always_does_is_not_compared(
    torn: Torn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    with Wire(torn) as wire:
        with pytest.raises(CloudElementsServerError, match="broke off") as caught:
            reconcile(account(wire.url).client, "https://x", EventCursor.start("earliest"))
    assert caught.value.retryable
    assert pauses == list(reconciling._PAUSES)
    assert "is read again in 8 s" in caplog.text


@pytest.mark.parametrize("levels", [*range(900, 1000, 4), 100_000])
def test_a_body_that_is_too_deep_is_nobodys_failure(levels: int) -> None:
    """Who posts to the platform's inbound address needs no login (fact F213)."""
    deep = {**listed([], ago=3600, instances=(5,)), "providerData": "[" * levels + "]" * levels}
    looks = [*look_at(5, where={"raw.x": "y"}), *look_at(5)]
    assert told([deep], *looks) == [[], [None]]
