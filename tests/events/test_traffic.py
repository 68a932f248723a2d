"""Events an hour and queued deliveries of each instance: what the platform counts, and what it leaves."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest

from airflow_provider_cloudelements.client.deliveries import POLICY_SETTING, Delivery
from airflow_provider_cloudelements.events import traffic
from airflow_provider_cloudelements.events.traffic import read_traffic
from airflow_provider_cloudelements.exceptions import CloudElementsServerError
from tests.support.patience import wait_for
from tests.support.platform import WAYS, Person, Wire, client_of
from tests.support.receiver import receiving
from tests.support.wire import Wire as Scripted
from tests.support.wire import account, answer

NOW = pendulum.datetime(2026, 11, 24, 12, 30)
ANALYTICS = "/elements/api-v2/instances/events/analytics/instances"


@pytest.fixture
def platform(cloudelements_sandbox):
    """Give a sandbox, a client of it, and two instances whose receiver takes nothing."""
    person = Person(cloudelements_sandbox)
    person.call("PATCH", "/accounts/settings", {POLICY_SETTING: "queue"})
    with receiving() as receiver, client_of(cloudelements_sandbox) as client:
        receiver.status = 500
        events = {"event.notification.enabled": True, "event.notification.callback.url": receiver.url}
        made = [person.make("basic", configuration={**WAYS["basic"][1], **events}) for _ in range(2)]
        yield cloudelements_sandbox, client, made


def emit(sandbox, instance_id, count):
    sandbox.emit(instance_id, count=count)
    wait_for(lambda: all(each["status"] == "queued" for each in sandbox.deliveries()))


def test_each_instance_has_its_own_numbers_by_one_call_each(platform):
    sandbox, client, (one, other) = platform
    emit(sandbox, one, 5)
    emit(sandbox, other, 2)
    log = Wire(sandbox)
    found = read_traffic(client)
    assert found.queued == {one: 5, other: 2}
    assert found.whole
    # Since the beginning of an hour, so 24 hours and up to one more.
    assert 5 / 25 <= found.events_per_hour[one] <= 5 / 24
    assert found.events_per_hour[one] / found.events_per_hour[other] == pytest.approx(2.5)
    assert log.calls() == [
        "GET /instances/events/analytics/instances",
        "GET /notifications/subscriptions/deliveries",
    ]


def test_what_was_long_ago_is_no_event_of_the_hour_but_still_queued(platform):
    sandbox, client, (one, _) = platform
    emit(sandbox, one, 3)
    later = read_traffic(client, pendulum.now("UTC").add(hours=26))
    assert later.events_per_hour == {}
    assert later.queued == {one: 3}


@pytest.mark.parametrize("part", ["/instances/events/analytics", "/notifications/subscriptions/deliveries"])
def test_what_the_platform_refuses_is_not_known_and_the_rest_is(platform, part, caplog):
    sandbox, client, (one, _) = platform
    emit(sandbox, one, 1)
    sandbox.add_fault("status", status=403, path=f"{part}*", count=None)
    found = read_traffic(client)
    known = (found.events_per_hour is not None, found.queued is not None)
    assert known == ("deliveries" in part, "analytics" in part)
    assert "are not known: " in caplog.text


def answers(analytics: Any, deliveries: Any):
    return lambda call: answer(analytics if ANALYTICS in call.target else deliveries)


def hour(text, *records):
    rows = [
        {"instanceId": number, "success": count, "failed": 0, "count": count} for number, count in records
    ]
    return {"timestamp": text, "total": 0, "records": rows}


def test_all_hours_count_whether_they_are_of_the_clock_or_not():
    hours = [hour("2026-11-23T12:00:00Z", (7, 24)), hour("2026-11-24T12:00:00Z", (7, 25), (8, 49))]
    with Scripted(answers(hours, [])) as wire:
        found = read_traffic(account(wire.url).client, NOW)
    assert {key: round(value, 2) for key, value in found.events_per_hour.items()} == {7: 2.0, 8: 2.0}
    asked = next(call.target for call in wire.calls if ANALYTICS in call.target)
    assert "from=2026-11-23T12%3A00%3A00Z&to=2026-11-24T12%3A30%3A01Z&interval=hour" in asked


@pytest.mark.parametrize(
    "body", [{"count": 3}, "3", None, [3], [{"timestamp": "x", "count": 3}], [{"records": {"7": 3}}]]
)
def test_an_answer_that_is_no_list_of_counts_is_no_zero(body):
    with Scripted(answers(body, [])) as wire:
        client = account(wire.url).client
        assert read_traffic(client, NOW).events_per_hour is None
        with pytest.raises(CloudElementsServerError):
            client.events.count_by_instance(NOW.subtract(hours=1), NOW)


def test_records_that_name_no_instance_or_no_number_are_left_out():
    rows = [{"count": 2}, {"instanceId": "x", "count": 2}, {"instanceId": 7, "count": "many"}, 5]
    rows += [
        {"instanceId": 7, "count": True},
        {"instanceId": 7, "count": -1},
        {"instanceId": "7", "count": 4},
    ]
    with Scripted(answers([{"records": rows}], [])) as wire:
        counts = account(wire.url).client.events.count_by_instance(NOW.subtract(hours=1), NOW)
    assert counts == {7: 4}


def delivery(status, topic):
    return {"notificationId": 1, "subscriptionId": 2, "status": status, "notification": {"topic": topic}}


def test_only_queued_deliveries_of_instances_count_if_the_platform_heeds_no_condition():
    rows = [
        delivery("queued", "instance-7-closeio-events"),
        delivery("QUEUED", "instance-7-closeio-events"),
        delivery("delivered", "instance-7-closeio-events"),
        delivery("queued", "a topic of our own"),
        {**delivery("queued", None), "notification": "none"},
        {"status": "queued"},
    ]
    with Scripted(answers([], rows)) as wire:
        assert read_traffic(account(wire.url).client, NOW).queued == {7: 2}


def test_a_queue_without_end_is_read_in_part_and_called_so(monkeypatch):
    monkeypatch.setattr(traffic, "MAX_PAGES", 3)
    calls = []

    def told(call):
        calls.append(call)
        more = {"Elements-Next-Page-Token": f"token-{len(calls)}"}
        return answer([delivery("queued", "instance-7-x-events")], headers=more)

    with Scripted(told) as wire:
        found = read_traffic(account(wire.url).client, NOW)
    assert (found.queued, found.whole) == ({7: 3}, False)


def test_a_delivery_names_its_instance_if_the_row_shows_the_notification():
    assert Delivery.parse(delivery("queued", "instance-41-jira-events")).instance_id == 41
    assert Delivery.parse({"status": "queued"}).instance_id is None
