"""Events that a receiver did not get: which are returned, that none is lost or comes twice, what it costs."""

from __future__ import annotations

import json
import random
import tracemalloc

import pytest
import time_machine
from airflow.sdk import ObjectStoragePath

from airflow_provider_cloudelements.client.deliveries import POLICY_SETTING
from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.reconcile import NO_DELIVERY, MissedEvents
from airflow_provider_cloudelements.exceptions import (
    CloudElementsNotFoundError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.operators.event_reading import (
    CloudElementsReadEventsOperator,
    CloudElementsReconcileEventsOperator,
)
from tests.support.context import FakeTi, context_of
from tests.support.patience import wait_for
from tests.support.platform import WAYS, Wire, client_of
from tests.support.receiver import receiving

DELIVERIES = "GET /notifications/subscriptions/deliveries"


@pytest.fixture
def receiver():
    with receiving() as running:
        yield running


@pytest.fixture
def instance(person, receiver):
    """An instance that delivers to the receiver; the account queues what fails."""
    person.call("PATCH", "/accounts/settings", {POLICY_SETTING: "queue"})
    events = {"event.notification.enabled": True, "event.notification.callback.url": receiver.url}
    return person.make("basic", configuration={**WAYS["basic"][1], **events})


@pytest.fixture
def emit(sandbox, receiver, instance):
    """Give a function that lets events happen, and that waits until each was delivered or queued."""

    def happen(count=1, *, arrives=True, **fields):
        receiver.status = 200 if arrives else 503
        made = sandbox.emit(instance, count=count, **fields)
        wait_for(lambda: all(each["status"] != "created" for each in sandbox.deliveries()), seconds=30)
        return made

    return happen


def operator_of(**arguments):
    given = {"task_id": "compare", "settle_time": 0, "since": "earliest", **arguments}
    return CloudElementsReconcileEventsOperator(**given)


def reconcile(ti=None, **arguments):
    return operator_of(**arguments).execute(context_of(ti or FakeTi()))


def ids(rows):
    return [row["id"] for row in rows]


def lines(path):
    return [json.loads(line) for line in ObjectStoragePath(path).open("rb").read().decode().splitlines()]


def test_what_did_not_arrive_is_returned_in_the_form_of_the_other_ways(emit, instance):
    emit(3)
    missed = emit(2, arrives=False)
    ti = FakeTi()
    found = reconcile(ti, instance_id=instance)
    assert ti.xcoms == {"cursor": found["cursor"]}
    read = CloudElementsReadEventsOperator(task_id="read", instance_id=instance, since="earliest")
    rows = read.execute(context_of())["events"]
    assert found["events"] == [row for row in rows if row["id"] in missed]
    assert sorted(ids(found["events"])) == sorted(missed)
    del found["events"], found["cursor"]
    assert found == {
        "listed": 5,
        "delivered": 3,
        "missing": 2,
        "states": {"queued": 2},
        "unattributed": 0,
        "count": 2,
        "path": None,
    }


def test_an_event_of_many_objects_is_one_event_and_many_rows(emit, instance):
    emit(arrives=False, objects=3)
    found = reconcile(instance_id=instance)
    assert (found["missing"], found["count"]) == (1, 3)
    assert len({row["object_id"] for row in found["events"]}) == 3


@pytest.mark.parametrize("way", ["callback_url", "instance_id", "instance_key"])
def test_the_receiver_is_named_in_three_ways_and_its_address_is_kept_nowhere(
    way, sandbox, person, receiver, task_log
):
    from airflow_provider_cloudelements.client.tags import marker_tag

    url = f"{receiver.url}?token=in-the-url"
    events = {"event.notification.enabled": True, "event.notification.callback.url": url}
    made = person.make("basic", tags=[marker_tag("my key")], configuration={**WAYS["basic"][1], **events})
    sandbox.emit(made)
    wait_for(lambda: receiver.taken, seconds=10)
    given = {"callback_url": url, "instance_id": made, "instance_key": "my key"}[way]
    ti = FakeTi()
    found = reconcile(ti, **{way: given})
    assert (found["listed"], found["missing"]) == (1, 0)
    assert "in-the-url" not in json.dumps([found, ti.xcoms]) + task_log.text
    assert "'delivered': 1" in task_log.text


def test_readings_one_behind_the_other_return_each_missed_event_once(emit, instance, receiver):
    """Events come in all states while readings begin where the last one ended, with events still young."""
    rng = random.Random(16)  # noqa: S311 - it picks no secret
    missed, found, listed = [], [], 0
    cursor = EventCursor.start("earliest").as_json()
    with time_machine.travel("2026-11-24T00:00:00Z") as clock:
        for _ in range(30):
            for _ in range(rng.randint(0, 4)):
                arrives = rng.random() < 0.5
                made = emit(rng.randint(1, 5), arrives=arrives)
                missed += [] if arrives else made
                clock.shift(rng.choice([0, 1, 30, 400]))
            outcome = reconcile(instance_id=instance, since=cursor, settle_time=600)
            cursor, listed = outcome["cursor"], listed + outcome["listed"]
            found += ids(outcome["events"])
        clock.shift(700)
        outcome = reconcile(instance_id=instance, since=cursor, settle_time=600)
        found += ids(outcome["events"])
        listed += outcome["listed"]
    assert len(missed) > 20
    assert sorted(found) == sorted(missed)
    assert listed == len(missed) + len(receiver.taken)


def test_a_young_event_is_left_to_a_later_run(emit, instance):
    with time_machine.travel("2026-11-24T00:00:00Z") as clock:
        (young,) = emit(arrives=False)
        clock.shift(500)
        first = reconcile(instance_id=instance, settle_time=600)
        assert (first["listed"], first["events"]) == (0, [])
        clock.shift(200)
        assert ids(reconcile(instance_id=instance, since=first, settle_time=600)["events"]) == [young]


def test_since_and_until_bound_what_is_compared(emit, instance):
    made = []
    with time_machine.travel("2026-11-24T00:00:00Z") as clock:
        for _ in range(3):
            made += emit(arrives=False)
            clock.shift(60)
        span = {"since": "2026-11-24T00:01:00Z", "until": "2026-11-24T00:02:00Z"}
        assert ids(reconcile(instance_id=instance, **span)["events"]) == [made[1]]


def test_many_go_to_a_file_and_without_one_they_are_an_error(emit, instance, tmp_path):
    missed = emit(5, arrives=False)
    path = f"file://{tmp_path}/missed/events.jsonl"
    found = reconcile(instance_id=instance, path=path, max_xcom_events=4)
    assert (found["count"], found["events"], found["path"]) == (5, None, path)
    assert sorted(ids(lines(path))) == sorted(missed)
    with pytest.raises(AirflowFailException, match="more events than go to XCom"):
        reconcile(instance_id=instance, max_xcom_events=4)


def test_what_fails_half_way_leaves_no_file_and_no_place(sandbox, emit, instance, tmp_path):
    emit(5, arrives=False)
    sandbox.add_fault("status", status=500, method="GET", path="/notifications/subscriptions/deliveries")
    ti = FakeTi()
    with pytest.raises(Exception, match="500"):
        reconcile(ti, instance_id=instance, path=f"file://{tmp_path}/events.jsonl", max_xcom_events=0)
    assert ti.xcoms == {}
    assert list(tmp_path.iterdir()) == []


def test_what_the_platform_gave_up_is_returned(sandbox, person, emit, instance):
    (missed,) = emit(arrives=False)
    (delivery,) = sandbox.deliveries()
    person.call("DELETE", f"/notifications/{delivery['notificationId']}")
    found = reconcile(instance_id=instance)
    assert (ids(found["events"]), found["states"]) == ([missed], {NO_DELIVERY: 1})


# -- the cost -----------------------------------------------------------------------------------------------


def test_some_events_are_compared_at_a_time_with_a_reading_of_deliveries_each(
    sandbox, emit, instance, receiver
):
    emit(13)
    missed = emit(10, arrives=False)
    wire = Wire(sandbox)
    with client_of(sandbox) as client:
        stream = MissedEvents(client, receiver.url, EventCursor.start("earliest"), settle_time=0, at_once=6)
        with pytest.raises(RuntimeError, match="not iterated to their end"):
            _ = stream.cursor
        found = [row.data["id"] for row in stream]
    assert sorted(found) == sorted(missed)
    assert (stream.listed, stream.missing, stream.states) == (23, 10, {"queued": 10})
    assert wire.calls().count(DELIVERIES) == 4


@pytest.mark.slow
def test_seven_times_as_many_events_take_no_more_memory(sandbox, emit, instance, receiver):
    peaks = {}
    count = 0

    def peak():
        tracemalloc.start()
        try:
            with client_of(sandbox) as client:
                since = EventCursor.start("earliest")
                stream = MissedEvents(client, receiver.url, since, settle_time=0, at_once=100)
                assert sum(1 for _ in stream) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    receiver.status = 503
    with time_machine.travel("2026-11-24T00:00:00Z") as clock:
        for most in (100, 300, 2_000):
            while count < most:
                sandbox.emit(instance, count=100)
                clock.shift(600)
                count += 100
            wait_for(lambda: {each["status"] for each in sandbox.deliveries()} == {"queued"}, seconds=60)
            peaks[most] = peak()  # the first one also imports and fills caches
    assert peaks[2_000] < 1.15 * peaks[300], peaks


# -- mistakes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1, "600", True, 1.5, 31 * 86_400 + 1])
def test_a_settle_time_that_is_none_is_refused_when_the_dag_is_parsed(value):
    with pytest.raises(ValueError, match="settle_time"):
        operator_of(instance_id=1, settle_time=value)


def test_exactly_one_way_names_the_receiver(sandbox):
    for given in ({}, {"instance_id": 1, "callback_url": "https://x.example"}):
        with pytest.raises(AirflowFailException, match="callback_url") as caught:
            reconcile(**given)
        assert isinstance(caught.value.__cause__, CloudElementsValidationError)


def test_an_address_to_which_nothing_is_delivered_is_an_error(sandbox):
    with pytest.raises(AirflowFailException, match="No subscription brings") as caught:
        reconcile(callback_url="https://nobody.example/?token=in-the-url")
    assert isinstance(caught.value.__cause__, CloudElementsNotFoundError)
    assert "in-the-url" not in str(caught.value)
