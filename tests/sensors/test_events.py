"""The event sensor by its methods: what it returns, where it begins, what fails."""

from __future__ import annotations

import datetime
import json
import time

import pendulum
import pytest
import time_machine
from airflow.sdk import PokeReturnValue

from airflow_provider_cloudelements.client.tags import marker_tag
from airflow_provider_cloudelements.compat import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
)
from airflow_provider_cloudelements.events.batch import LEAST_BYTES
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.sensors.events import CloudElementsEventSensor
from tests.support.context import FakeTi, context_of
from tests.support.package import HEAVY, PACKAGE
from tests.support.patience import wait_for
from tests.support.platform import EVENTS, WAYS
from tests.support.triggers import VARIABLE, event_of

try:
    from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSensorTimeout, TaskDeferred
except ImportError:
    from airflow.exceptions import AirflowRescheduleException, AirflowSensorTimeout, TaskDeferred

MODES = [{"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}]


class Ti(FakeTi):
    def get_first_reschedule_date(self, context):
        return None


def sensor_of(**arguments):
    given = {"task_id": "wait", "poke_interval": 0.05, "timeout": 0.5, "deferrable": False}
    return CloudElementsEventSensor(**{**given, "since": "earliest", **arguments})


def execute(sensor, ti=None):
    return sensor.execute(context_of(ti or Ti()))


@pytest.fixture
def number(person):
    marker = marker_tag("closeio/Mine")
    return person.make("basic", configuration={**WAYS["basic"][1], **EVENTS}, tags=["Docs", marker])


def ids(value):
    return [row["id"] for row in value["events"]]


# -- success ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_events_that_are_there_are_returned_at_once(sandbox, number, mode):
    wait_for(lambda: time.time() % 1 < 0.5)  # the vendor's date and the arrival are of one second
    (made,) = sandbox.emit(number, object_id="17", object_type="leads", event_type="UPDATED")
    for named in (
        {"instance_id": number},
        {"instance_id": {"id": str(number)}},
        {"instance_key": "closeio/Mine"},
        {"tag": "Docs"},
        {"tag": "Docs", "object_types": ["leads"], "event_types": ["updated"], "where": {"object_id": 17}},
    ):
        ti = Ti()
        value = execute(sensor_of(**named, **mode), ti)
        assert ti.xcoms == {"cursor": value["cursor"]}
        (row,) = value["events"]
        assert row.pop("date") == row.pop("object_date")
        assert row.pop("notification_id").isdigit()
        assert row == {
            "id": made,
            "instance_id": number,
            "element": "closeio",
            "object_type": "leads",
            "object_id": "17",
            "event_type": "UPDATED",
        }
        assert len(json.dumps(value)) < 1000


@pytest.mark.parametrize("named", [{"object_types": ["tasks"]}, {"where": {"object_id": "x"}}], ids=str)
def test_what_does_not_fit_is_not_returned(sandbox, number, named):
    sandbox.emit(number, object_type="leads")
    assert sensor_of(tag="Docs", **named).poke(context_of(Ti())) is False


async def test_a_deferred_one_returns_alike(sandbox, number):
    sensor = sensor_of(tag="Docs", deferrable=True, poll_interval=0.05, min_events=3, include_raw=True)
    sandbox.emit(number)
    with pytest.raises(TaskDeferred) as deferred:
        execute(sensor)
    sandbox.emit(number, count=2)
    event = await event_of(deferred.value.trigger)
    ti = Ti()
    value = sensor.resume_execution(deferred.value.method_name, {"event": event}, context_of(ti))
    again = execute(sensor_of(tag="Docs", include_raw=True))
    assert value["events"] == again["events"]
    assert {row["raw_left_out"] for row in value["events"]} == {False}
    assert ti.xcoms == {"cursor": value["cursor"]}


def test_everything_goes_into_the_trigger(sandbox, number):
    sensor = sensor_of(
        instance_key="k",
        object_types=("b", "a"),
        event_types=["created"],
        where={"raw.x": 1},
        since="2026-11-24",
        until="2026-11-25",
        min_events=2,
        max_events=3,
        max_bytes=40_000,
        max_pages=7,
        include_raw=True,
        deferrable=True,
        poll_interval=9,
    )
    with pytest.raises(TaskDeferred) as deferred:
        execute(sensor)
    assert deferred.value.timeout == datetime.timedelta(seconds=0.5)
    _, arguments = deferred.value.trigger.serialize()
    assert arguments == {
        "cloudelements_conn_id": "cloudelements_default",
        "cursor": EventCursor.start("2026-11-24").as_json(),
        "instance_id": None,
        "instance_key": "k",
        "tag": None,
        "object_types": ["a", "b"],
        "event_types": ["CREATED"],
        "where": [["raw.x", [1]]],
        "min_events": 2,
        "max_events": 3,
        "max_bytes": 40_000,
        "max_pages": 7,
        "include_raw": True,
        "poll_interval": 9,
        "until": "2026-11-25T00:00:00+00:00",
    }


def test_nothing_is_pushed_where_nothing_shall_be(sandbox, number):
    sandbox.emit(number)
    ti = Ti()
    execute(sensor_of(tag="Docs", do_xcom_push=False), ti)
    assert ti.xcoms == {}


# -- where it begins ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_later_one_goes_on_where_an_earlier_one_ended(sandbox, number, mode):
    first = sandbox.emit(number, count=2)
    earlier = execute(sensor_of(tag="Docs", **mode))
    assert set(ids(earlier)) == set(first)
    second = sandbox.emit(number)
    for since in (earlier, earlier["cursor"], json.dumps(earlier["cursor"]), json.dumps(earlier)):
        assert ids(execute(sensor_of(tag="Docs", since=since, **mode))) == second
    late = execute(sensor_of(instance_id=number, since=earlier, max_events=1, **mode))
    assert ids(late) == second


def test_what_is_more_than_may_be_returned_is_left_to_a_later_one(sandbox, number):
    made = sandbox.emit(number, count=5)
    told, since = [], "earliest"
    for count in (2, 2, 1):
        value = execute(sensor_of(tag="Docs", since=since, max_events=2))
        assert len(value["events"]) == count
        told += ids(value)
        since = value
    assert sorted(told) == sorted(made)
    assert sensor_of(tag="Docs", since=since).poke(context_of(Ti())) is False


@pytest.mark.parametrize("bounds", [{"max_bytes": LEAST_BYTES}, {"max_events": 7}], ids=str)
def test_an_event_of_more_rows_than_fit_stops_no_chain(sandbox, number, bounds):
    objects = [
        {"objectType": "leads", "objectId": f"{each:02}", "eventType": "UPDATED", "note": "x" * 500}
        for each in range(20)
    ]
    sandbox.emit(number, body=objects)
    sandbox.emit(number, body=[{"objectType": "leads", "objectId": "later", "eventType": "CREATED"}])
    told, since = [], "earliest"
    while sensor_of(tag="Docs", since=since).poke(context_of(Ti())):
        value = execute(sensor_of(tag="Docs", since=since, include_raw=True, **bounds))
        told += [row["object_id"] for row in value["events"]]
        since = value
        assert len(told) <= 21
    assert sorted(told) == [*(f"{each:02}" for each in range(20)), "later"]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_what_comes_later_than_it_shall_is_left_to_a_later_one(sandbox, number, mode):
    made = []
    with time_machine.travel("2026-11-24T00:00:00Z") as clock:
        for _ in range(3):
            made += sandbox.emit(number)
            clock.shift(60)
    value = execute(sensor_of(tag="Docs", until="2026-11-24T00:01:00Z", **mode))
    assert ids(value) == made[:1]
    value = execute(sensor_of(tag="Docs", since=value, until="2026-11-24T00:01:01Z", **mode))
    assert ids(value) == made[1:2]
    assert ids(execute(sensor_of(tag="Docs", since=value, until="latest", **mode))) == made[2:]


async def test_a_deferred_one_returns_nothing_that_comes_later_than_it_shall(sandbox, number):
    sensor = sensor_of(tag="Docs", until="2026-11-24", deferrable=True, poll_interval=1)
    with pytest.raises(TaskDeferred) as deferred:
        execute(sensor)
    with time_machine.travel("2026-11-25"):
        sandbox.emit(number)
    with time_machine.travel("2026-11-23"):
        (early,) = sandbox.emit(number)
    event = await event_of(deferred.value.trigger)
    assert ids(event["found"]) == [early]
    later = execute(sensor_of(tag="Docs", since=event["found"]))
    assert len(ids(later)) == 1


def test_a_reschedule_or_a_retry_loses_no_event(sandbox, number):
    (first,) = sandbox.emit(number)
    with pytest.raises(AirflowRescheduleException):
        execute(sensor_of(tag="Docs", mode="reschedule", min_events=2, timeout=60))
    (second,) = sandbox.emit(number)
    for _ in range(2):
        assert set(ids(execute(sensor_of(tag="Docs", mode="reschedule", min_events=2)))) == {first, second}


@pytest.mark.parametrize(
    "since", [pendulum.now("UTC").add(days=1), "2999-01-01", "2999-01-01 10:00:00+02:00"]
)
def test_events_of_before_are_not_returned(sandbox, number, since):
    sandbox.emit(number)
    assert sensor_of(tag="Docs", since=since).poke(context_of(Ti())) is False


def test_a_poke_that_finds_too_few_says_how_many(sandbox, number, task_log):
    sandbox.emit(number)
    sensor = sensor_of(tag="Docs", min_events=2)
    assert sensor.poke(context_of(Ti())) is False
    assert "1 of 2 events" in task_log.text
    sandbox.emit(number)
    assert isinstance(sensor.poke(context_of(Ti())), PokeReturnValue)


# -- failures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "since", ["now", None, "", "tomorrow", 7, "{'since': 1}", {"a": 1}, {"cursor": None}], ids=str
)
def test_a_moment_that_is_none_fails_the_task(sandbox, since):
    with pytest.raises(AirflowFailException) as failed:
        execute(sensor_of(tag="Docs", since=since, soft_fail=True))
    assert isinstance(failed.value.__cause__, CloudElementsValidationError)


@pytest.mark.parametrize(
    "named",
    [{}, {"tag": "a", "instance_id": 1}, {"instance_id": "x"}, {"tag": "a", "where": {"x": 1}}],
    ids=str,
)
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_what_is_malformed_fails_and_is_never_a_skip(sandbox, named, mode):
    with pytest.raises(AirflowFailException):
        execute(sensor_of(soft_fail=True, **named, **mode))


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_wrong_secrets_fail_and_are_never_a_skip(sandbox, monkeypatch, mode):
    connection = {**sandbox.connection(max_retries=0), "password": "wrong" * 9}
    monkeypatch.setenv(VARIABLE, json.dumps(connection))
    with pytest.raises(AirflowFailException) as failed:
        execute(sensor_of(tag="Docs", soft_fail=True, **mode))
    assert isinstance(failed.value.__cause__, CloudElementsAuthError)


def test_a_missing_connection_fails(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(AirflowNotFoundException):
        execute(sensor_of(tag="Docs"))


def test_a_passing_fault_is_waited_through(sandbox, number, task_log):
    sandbox.emit(number)
    sandbox.add_fault("status", status=503, count=2)
    assert len(execute(sensor_of(tag="Docs", timeout=20))["events"]) == 1
    assert task_log.text.count("It is not known this time") == 2


def test_a_time_out_fails_or_skips_as_airflow_has_it(sandbox):
    with pytest.raises(AirflowSensorTimeout):
        execute(sensor_of(tag="Docs", timeout=0.2))
    with pytest.raises(AirflowSkipException):
        execute(sensor_of(tag="Docs", timeout=0.2, soft_fail=True))


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_events": 0},
        {"min_events": "1"},
        {"min_events": 2, "max_events": 1},
        {"max_events": True},
        {"max_bytes": 1},
        {"max_pages": 0},
        {"include_raw": "yes"},
        {"no_such": 1},
    ],
    ids=str,
)
def test_a_wrong_argument_is_told_when_the_file_is_read(wrong):
    with pytest.raises((TypeError, ValueError)):
        sensor_of(tag="Docs", **wrong)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["sensors.events", "assets"])
def test_importing_it_loads_nothing_heavy(with_airflow_sdk, module):
    heavy = [one for one in HEAVY if one != "httpx"]
    program = f"""
import sys, airflow.sdk
before = set(sys.modules)
import {PACKAGE}.{module}
loaded = set(sys.modules) - before
print(*sorted(name for name in loaded for heavy in {heavy!r} if (name + ".").startswith(heavy + ".")))
"""
    assert with_airflow_sdk.run(program).split() == []
