"""What became of notifications: the calls, and the events of an outage compared with what was delivered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pendulum
import pytest

from airflow_provider_cloudelements.client.deliveries import POLICY_SETTING, Subscription
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.reading import EventLimits
from airflow_provider_cloudelements.events.reconcile import (
    NO_DELIVERY,
    NOT_LOOKED_UP,
    NOT_NOTIFIED,
    Reconciliation,
    reconcile,
)
from airflow_provider_cloudelements.exceptions import (
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.patience import wait_for
from tests.support.platform import WAYS, Person, client_of
from tests.support.platform import Wire as Log
from tests.support.receiver import Receiver, receiving
from tests.support.wire import Answer, Call, Wire, account, answer

EARLIEST = EventCursor.start("earliest")
LIMITS = EventLimits.of(max_events=100, max_bytes=100_000, max_pages=10)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


class Platform:
    """An account with the policy ``queue`` and one instance that delivers to a receiver."""

    def __init__(self, sandbox: Sandbox, receiver: Receiver) -> None:
        self.sandbox, self.receiver = sandbox, receiver
        self.person = Person(sandbox)
        self.person.call("PATCH", "/accounts/settings", {POLICY_SETTING: "queue"})
        self.client = client_of(sandbox)
        self.instance_id = self.instance(receiver.url)

    def instance(self, url: str | None) -> int:
        events = {"event.notification.enabled": True, "event.notification.callback.url": url}
        return self.person.make("basic", configuration={**WAYS["basic"][1], **events})

    def emit(self, count: int = 1, instance_id: int | None = None, **fields: Any) -> list[str]:
        """Let something happen, and wait until every delivery of it was tried."""
        ids = self.sandbox.emit(instance_id or self.instance_id, count=count, **fields)
        self.settle()
        return ids

    def settle(self) -> None:
        until(lambda: all(each["status"] != "created" for each in self.sandbox.deliveries()))

    def subscribe(self, url: str) -> None:
        topics = [f"instance-{self.instance_id}-closeio-events"]
        self.person.call(
            "POST",
            "/notifications/subscriptions",
            {"channel": "webhook", "topics": topics, "config": {"url": url}},
        )

    def reconcile(self, since: EventCursor = EARLIEST, **arguments: Any) -> Reconciliation:
        return reconcile(self.client, self.receiver.url, since, **arguments)


until = partial(wait_for, seconds=10)


@pytest.fixture
def platform(cloudelements_sandbox: Sandbox, receiver: Receiver) -> Iterator[Platform]:
    made = Platform(cloudelements_sandbox, receiver)
    with made.client:
        yield made


def ids(found: Reconciliation) -> set[str]:
    return {row.data["id"] for row in found.missing.rows}


def test_where_all_was_delivered_nothing_is_missing_and_nothing_is_looked_up(platform):
    platform.emit(5)
    wire = Log(platform.sandbox)
    found = platform.reconcile()
    assert (found.listed, found.undelivered, found.states, found.unattributed) == (5, 0, {}, 0)
    assert wire.calls() == [
        "GET /notifications/subscriptions",
        "GET /instances/N/events",
        "GET /notifications/subscriptions/deliveries",
    ]


def test_without_events_deliveries_are_not_asked_for(platform):
    wire = Log(platform.sandbox)
    assert platform.reconcile().listed == 0
    assert "GET /notifications/subscriptions/deliveries" not in wire.calls()


def test_what_is_queued_is_missing_until_it_is_delivered(platform):
    platform.emit(2)
    platform.receiver.status = 503
    late = platform.emit(3)
    found = platform.reconcile()
    assert (found.listed, found.undelivered, found.states) == (5, 3, {"queued": 3})
    assert ids(found) == set(late)
    platform.receiver.status = 200
    platform.client.deliveries.release(platform.receiver.url)
    until(lambda: len(platform.receiver.taken) == 5)
    assert platform.reconcile().undelivered == 0


def test_a_notification_that_the_platform_has_given_up_is_found_by_one_call(platform):
    platform.receiver.status = 503
    lost, kept = platform.emit(1), platform.emit(1)
    (number,) = {
        each["notificationId"] for each in platform.sandbox.deliveries() if each["eventId"] == lost[0]
    }
    platform.person.call("DELETE", f"/notifications/{number}")
    wire = Log(platform.sandbox)
    found = platform.reconcile()
    assert found.states == {NO_DELIVERY: 1, "queued": 1}
    assert ids(found) == {*lost, *kept}
    assert wire.calls().count("GET /notifications/N/subscriptions/deliveries") == 1


def test_what_nobody_was_notified_of_yet_is_missing(platform):
    platform.sandbox.configure(event_notified_after=3600)
    (event_id,) = platform.sandbox.emit(platform.instance_id)
    found = platform.reconcile()
    assert (found.listed, found.states) == (1, {NOT_NOTIFIED: 1})
    (row,) = found.missing.rows
    assert (row.data["id"], row.data["instance_id"]) == (event_id, platform.instance_id)
    assert row.data["notification_id"] is None


def test_what_another_receiver_got_is_missing_all_the_same(platform):
    with receiving() as other:
        platform.subscribe(other.url)
        platform.receiver.status = 503
        platform.emit(2)
        assert len(other.taken) == 2
        assert platform.reconcile().states == {"queued": 2}
        assert reconcile(platform.client, other.url, EARLIEST).undelivered == 0


def test_one_of_several_subscriptions_to_the_same_address_is_enough(platform):
    platform.subscribe(platform.receiver.url)
    platform.receiver.failures = 1
    platform.emit()
    assert sorted(each["status"] for each in platform.sandbox.deliveries()) == ["delivered", "queued"]
    assert platform.reconcile().undelivered == 0


def test_an_event_of_which_one_notification_is_missing_is_missing_with_that_part(platform):
    platform.sandbox.configure(split_events="shared")
    platform.receiver.failures = 1
    platform.emit(objects=45)
    found = platform.reconcile()
    assert (found.listed, found.undelivered, found.states) == (1, 1, {"queued": 1})
    assert 0 < len(found.missing.rows) <= 20
    assert len({row.data["notification_id"] for row in found.missing.rows}) == 1


def test_all_instances_of_the_receiver_are_meant_and_no_other(platform):
    second = platform.instance(platform.receiver.url)
    with receiving() as other:
        third = platform.instance(other.url)
        other.status = platform.receiver.status = 500
        for number in (platform.instance_id, second, third):
            platform.emit(1, number)
        found = platform.reconcile()
    assert {row.data["instance_id"] for row in found.missing.rows} == {platform.instance_id, second}


def test_it_keeps_to_its_window(platform):
    platform.receiver.status = 500
    platform.emit(2)
    now = pendulum.now("UTC")
    assert platform.reconcile(EventCursor.start(now.add(minutes=1))).listed == 0
    assert platform.reconcile(until=now.subtract(minutes=1)).listed == 0
    assert platform.reconcile(EventCursor.start(now.subtract(minutes=1))).listed == 2


def test_the_list_of_deliveries_is_read_until_all_is_found(platform):
    platform.subscribe(platform.receiver.url)  # so there are two deliveries
    platform.emit()
    platform.sandbox.configure(max_page_size=1)
    wire = Log(platform.sandbox)
    assert platform.reconcile().undelivered == 0
    assert wire.calls().count("GET /notifications/subscriptions/deliveries") == 1


def test_a_list_of_deliveries_that_is_too_long_is_made_up_for_by_calls_within_bounds(platform):
    platform.subscribe(platform.receiver.url)  # so there are twice as many deliveries as events
    platform.emit(2)
    platform.sandbox.configure(max_page_size=2)
    found = platform.reconcile(max_pages=1, max_calls=0)
    assert (found.listed, found.states) == (2, {NOT_LOOKED_UP: 1})
    assert platform.reconcile(max_pages=1, max_calls=1).undelivered == 0
    platform.emit(1)
    with pytest.raises(CloudElementsValidationError, match="more than max_pages=1 pages") as caught:
        platform.reconcile(max_pages=1)
    assert not caught.value.retryable


@pytest.mark.parametrize("what", ["/notifications/subscriptions", "/notifications/subscriptions/deliveries"])
def test_nothing_is_concluded_from_a_list_that_broke_off(platform, what):
    platform.subscribe(platform.receiver.url)
    platform.emit(2)
    platform.sandbox.configure(max_page_size=1)
    platform.sandbox.add_fault("status", status=404, method="GET", path=what, skip=1)
    with pytest.raises(CloudElementsServerError, match=f"GET {what}: the list broke off"):
        platform.reconcile()
    assert platform.reconcile().undelivered == 0


def test_rows_that_cannot_be_read_end_no_comparison():
    answers = {
        "/notifications/subscriptions": [None, subscription(7, OURS)],
        "/instances/5/events": [event(1), 5, event(2)],
        "/notifications/subscriptions/deliveries": ["x", delivery(1, 7, "delivered")],
    }
    with Wire(answering(answers)) as wire:
        found = reconcile(account(wire.url).client, OURS, EARLIEST)
    assert (found.listed, found.undelivered) == (2, 1)


def test_many_are_told_in_parts_and_the_rest_from_its_cursor(platform):
    platform.receiver.status = 500
    every = set(platform.emit(5))
    two = EventLimits.of(max_events=2, max_bytes=100_000, max_pages=10)
    told, cursor = [], EARLIEST
    for _ in range(3):
        part = json.loads(json.dumps(platform.reconcile(cursor).as_json(two)))
        told += [row["id"] for row in part["events"]]
        cursor = part["rest"] and EventCursor.given(part["rest"])
    assert cursor is None
    assert len(told) == 5
    assert set(told) == every
    assert part == {
        "listed": 1,
        "delivered": 0,
        "missing": 1,
        "states": {"queued": 1},
        "unattributed": 0,
        "events": part["events"],
        "rest": None,
    }


def test_a_receiver_that_nobody_delivers_to_is_no_receiver_that_got_everything(platform):
    with pytest.raises(CloudElementsNotFoundError, match="No subscription brings") as caught:
        reconcile(platform.client, "http://127.0.0.1:9/?token=secret", EARLIEST)
    assert "secret" not in str(caught.value)


# --- a platform that does otherwise -----------------------------------------------------------------------

OURS, THEIRS = "https://ours.example.com/", "https://theirs.example.com/"


def answering(answers: dict[str, Any]) -> Callable[[Call], Answer]:
    def told(call: Call) -> Answer:
        path = call.target.partition("?")[0].removeprefix("/elements/api-v2")
        if path not in answers:
            return answer({"message": "none"}, 404)
        return answer(answers[path])

    return told


def subscription(number: int, url: str, topic: str = "instance-5-closeio-events") -> dict[str, Any]:
    return {"id": number, "channel": "webhook", "topics": [topic], "config": {"url": url}, "active": True}


def delivery(notification: int, subscription_id: int, status: str) -> dict[str, Any]:
    return {"notificationId": notification, "subscriptionId": subscription_id, "status": status}


def event(number: int, instance_id: int | None = 5, **fields: Any) -> dict[str, Any]:
    message = {"eventId": f"event-{number}", "instanceId": instance_id, "events": []}
    return {
        "id": f"event-{number}",
        "eventDate": f"2026-11-24T08:00:{number:02}Z",
        "status": "NOTIFIED",
        "providerData": "{}",
        "notifiedData": [{"id": str(number), "message": message}],
        **fields,
    }


def test_a_platform_that_heeds_no_condition_makes_nobody_elses_deliveries_ours():
    deliveries = [
        delivery(1, 8, "delivered"),
        delivery(1, 7, "retry"),
        delivery(2, 7, "DELIVERED"),
        delivery(3, 7, "notified"),  # what the word means is not documented
        delivery(4, 8, "delivered"),
        delivery(99, 7, "delivered"),
    ]
    answers = {
        "/notifications/subscriptions": [
            subscription(7, OURS),
            subscription(8, THEIRS),
            subscription(9, OURS, "a topic of our own"),
            {**subscription(10, OURS, "instance-6-closeio-events"), "channel": "email"},
        ],
        "/instances/5/events": [event(number) for number in (1, 2, 3, 4)],
        "/notifications/subscriptions/deliveries": deliveries,
    }
    with Wire(answering(answers)) as wire:
        found = reconcile(account(wire.url).client, OURS, EARLIEST)
    assert (found.listed, found.states) == (4, {"retry": 1, "notified": 1, NO_DELIVERY: 1})
    assert ids(found) == {"event-1", "event-3", "event-4"}


def test_an_event_of_nobody_knows_whom_is_counted_and_one_without_a_number_is_missing():
    no_number = event(2)
    del no_number["notifiedData"][0]["id"]
    answers = {
        "/notifications/subscriptions": [
            subscription(7, OURS),
            subscription(8, OURS, "instance-6-closeio-events"),
        ],
        "/instances/events": [event(1, None, status="NEW", notifiedData=[]), no_number],
    }
    with Wire(answering(answers)) as wire:
        found = reconcile(account(wire.url).client, OURS, EARLIEST)
    assert (found.listed, found.unattributed, found.states) == (1, 1, {NOT_LOOKED_UP: 1})
    assert ids(found) == {"event-2"}


def test_what_failed_again_no_longer_waits(platform):
    platform.receiver.status = 503
    platform.emit()
    deliveries, url = platform.client.deliveries, platform.receiver.url
    (queued,) = deliveries.queued(url)
    assert deliveries.waiting(url, queued.updated_date)
    assert deliveries.waiting(url, None)
    time.sleep(1.1)  # the platform's dates are whole seconds
    deliveries.release(url)
    until(lambda: not deliveries.waiting(url, queued.updated_date))
    assert len(list(deliveries.queued(url))) == 1
    assert deliveries.waiting(url, None)


@pytest.mark.parametrize("notification_id", ["", "../1", "1/2", "¹"])
def test_a_notification_is_named_by_a_number(platform, notification_id):
    with pytest.raises(CloudElementsValidationError, match="must be digits"):
        platform.client.deliveries.of_notification(notification_id)


def test_a_subscription_shows_no_address():
    made = Subscription.parse(subscription(7, "https://ours.example.com/?token=secret"))
    assert (made.id, made.channel, made.active) == ("7", "webhook", True)
    assert made.instance_ids == {5}
    assert "secret" not in repr(made)
    strange = Subscription.parse({"topics": "instance-5-x", "config": None, "active": "false"})
    assert (strange.instance_ids, strange.url, strange.active) == (frozenset(), None, False)
