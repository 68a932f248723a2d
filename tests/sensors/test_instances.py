"""The instance sensor by its methods: what is success, what is waited through, what fails and what skips."""

from __future__ import annotations

import datetime
import json

import pytest
from airflow.sdk import PokeReturnValue

from airflow_provider_cloudelements.client.tags import Identity, marker_tag
from airflow_provider_cloudelements.compat import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsConflictError,
    CloudElementsError,
    CloudElementsNotFoundError,
)
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor
from tests.support.context import FakeTi, context_of
from tests.support.package import HEAVY, PACKAGE
from tests.support.triggers import VARIABLE, event_of

try:
    from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSensorTimeout, TaskDeferred
except ImportError:
    from airflow.exceptions import AirflowRescheduleException, AirflowSensorTimeout, TaskDeferred

LENIENT = [{}, {"soft_fail": True}, {"never_fail": True}, {"silent_fail": True}]
MODES = [{"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}]


class Ti(FakeTi):
    def get_first_reschedule_date(self, context):
        return None


def sensor_of(**arguments):
    return CloudElementsInstanceSensor(
        **{"task_id": "wait", "poke_interval": 0.05, "timeout": 0.5, "deferrable": False, **arguments}
    )


def execute(sensor, ti=None):
    return sensor.execute(context_of(ti or Ti()))


async def resumed(sensor, ti=None):
    """Defer, run the trigger as the triggerer does, and resume."""
    with pytest.raises(TaskDeferred) as deferred:
        execute(sensor)
    event = await event_of(deferred.value.trigger)
    return sensor.resume_execution(deferred.value.method_name, {"event": event}, context_of(ti or Ti()))


def refuse_the_secrets(sandbox, monkeypatch):
    connection = {**sandbox.connection(max_retries=0), "password": "wrong" * 9}
    monkeypatch.setenv(VARIABLE, json.dumps(connection))


# -- success ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("until", ["ready", "exists"])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_one_that_is_there_is_returned_at_once(sandbox, person, mode, until):
    number = person.make("basic", "Mine", tags=["Docs", marker_tag("closeio/Mine")])
    for named in (
        {"instance_id": number},
        {"instance_id": str(number)},
        {"instance_id": {"id": number}},
        {"instance_key": "closeio/Mine"},
        {"tag": "Docs"},
        {"tag": "Docs", "element": "closeio"},
    ):
        ti = Ti()
        value = execute(sensor_of(until=until, **named, **mode), ti)
        assert ti.xcoms == {"id": number}
        assert value.pop("created_date").endswith("Z")
        assert value == {
            "id": number,
            "name": "Mine",
            "element": "closeio",
            "tags": ["Docs"],
            "valid": True,
            "disabled": False,
            "events_enabled": False,
        }


def test_the_namespace_goes_before_the_key(sandbox, person, monkeypatch):
    monkeypatch.setenv(VARIABLE, json.dumps(sandbox.connection(namespace="mine")))
    number = person.make("basic", tags=[marker_tag("mine/a key")])
    assert execute(sensor_of(instance_key="a key"))["id"] == number


def test_a_key_of_another_namespace_that_shares_the_marker_is_not_meant(sandbox, person, monkeypatch):
    person.make("basic", tags=[*Identity("", "mine/a key").tags])
    monkeypatch.setenv(VARIABLE, json.dumps(sandbox.connection(namespace="mine\n")))
    assert sensor_of(instance_key="a key").poke(context_of(Ti())) is False
    number = person.make("basic", tags=[*Identity("mine", "a key").tags])
    assert execute(sensor_of(instance_key=" a key"))["id"] == number


def test_nothing_is_pushed_where_nothing_shall_be(sandbox, person):
    number, ti = person.make("basic"), Ti()
    execute(sensor_of(instance_id=number, do_xcom_push=False), ti)
    assert ti.xcoms == {}


def test_it_pokes_until_it_is_there(sandbox, person, wire, monkeypatch):
    sensor = sensor_of(tag="Docs", timeout=20)
    look, looks = sensor.look, []

    def counted(context):
        looks.append(context)
        if len(looks) == 3:
            person.make("basic", tags=["Docs"])
        return look(context)

    sensor.look = counted
    assert execute(sensor)["tags"] == ["Docs"]
    assert len(looks) == 3


def test_in_mode_reschedule_it_gives_the_worker_back(sandbox, person):
    sensor = sensor_of(tag="Docs", mode="reschedule", timeout=60)
    with pytest.raises(AirflowRescheduleException):
        execute(sensor)
    person.make("basic", tags=["Docs"])
    assert execute(sensor_of(tag="Docs", mode="reschedule"))["tags"] == ["Docs"]


def test_what_is_wrong_is_told(sandbox, person, task_log):
    number = person.make("basic")
    sensor = sensor_of(instance_id=number)
    for changes, said in (
        ({"disabled": True}, "is disabled"),
        ({"disabled": False, "valid": False}, "is invalid"),
    ):
        sandbox.set_instance(number, **changes)
        assert sensor.poke(context_of(Ti())) is False
        assert f"Instance {number} {said}" in task_log.text
    sandbox.set_instance(number, valid=True)
    sandbox.add_fault("status", status=502, path="/ping")
    assert sensor.poke(context_of(Ti())) is False
    assert f"Instance {number} is unreachable" in task_log.text
    seen = sensor.poke(context_of(Ti()))
    assert isinstance(seen, PokeReturnValue)
    assert sensor_of(tag="nobody's").poke(context_of(Ti())) is False
    assert 'There is no instance with tag "nobody\'s" yet.' in task_log.text


def test_one_that_is_deleted_before_its_ping_is_not_there(sandbox, person, monkeypatch):
    number = person.make("basic", tags=["Docs"])
    sensor = sensor_of(tag="Docs")
    monkeypatch.setattr(
        "airflow_provider_cloudelements.sensors.instances.check", lambda *_: person.delete(number)
    )
    assert sensor.poke(context_of(Ti())) is False


# -- failures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"action": "drop"}], ids=str)
@pytest.mark.parametrize("lenient", LENIENT, ids=str)
def test_a_passing_fault_is_waited_through(sandbox, person, task_log, fault, lenient):
    number = person.make("basic")
    sandbox.add_fault(fault.pop("action", "status"), count=2, **fault)
    sensor = sensor_of(instance_id=number, timeout=20, **lenient)
    assert execute(sensor)["id"] == number
    assert task_log.text.count("It is not known this time") == 2


def test_a_passing_fault_before_it_defers_defers_it(sandbox, person, task_log):
    number = person.make("basic")
    sandbox.add_fault("status", status=503)
    with pytest.raises(TaskDeferred):
        execute(sensor_of(instance_id=number, deferrable=True))
    assert "It is not known this time" in task_log.text


@pytest.mark.parametrize("lenient", LENIENT, ids=str)
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_wrong_secrets_fail_and_are_never_a_skip(sandbox, monkeypatch, mode, lenient):
    refuse_the_secrets(sandbox, monkeypatch)
    with pytest.raises(AirflowFailException) as failed:
        execute(sensor_of(tag="Docs", **mode, **lenient))
    assert isinstance(failed.value.__cause__, CloudElementsAuthError)
    assert "wrong" not in str(failed.value)


@pytest.mark.parametrize("lenient", LENIENT[:3], ids=str)
async def test_wrong_secrets_fail_a_deferred_one_and_are_never_a_skip(sandbox, monkeypatch, lenient):
    sensor = sensor_of(tag="Docs", deferrable=True, poll_interval=0.05, **lenient)
    with pytest.raises(TaskDeferred) as deferred:
        execute(sensor)
    refuse_the_secrets(sandbox, monkeypatch)
    event = await event_of(deferred.value.trigger)
    with pytest.raises(AirflowFailException) as failed:
        sensor.resume_execution("execute_complete", {"event": event}, context_of(Ti()))
    assert isinstance(failed.value.__cause__, CloudElementsAuthError)


@pytest.mark.parametrize("lenient", LENIENT, ids=str)
def test_other_final_failures_fail_as_well(sandbox, person, monkeypatch, lenient):
    person.make("basic", tags=["twice"])
    person.make("basic", tags=["twice"])
    for named, kind in (
        ({"instance_id": 999}, CloudElementsNotFoundError),
        ({"tag": "twice"}, CloudElementsConflictError),
        ({"instance_id": "no number"}, CloudElementsError),
        ({}, CloudElementsError),
        ({"tag": "a", "instance_key": "b"}, CloudElementsError),
    ):
        with pytest.raises(AirflowFailException) as failed:
            execute(sensor_of(**named, **lenient))
        assert isinstance(failed.value.__cause__, kind)


@pytest.mark.parametrize("lenient", LENIENT[:3], ids=str)
def test_a_missing_connection_fails_and_is_never_a_skip(monkeypatch, lenient):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(AirflowNotFoundException):
        execute(sensor_of(tag="Docs", **lenient))
    event = {"status": "error", "kind": "AirflowNotFoundException", "message": "gone", "final": False}
    with pytest.raises(AirflowNotFoundException):
        sensor_of(tag="Docs", **lenient).resume_execution("execute_complete", {"event": event}, {})


@pytest.mark.parametrize("lenient", LENIENT[:3], ids=str)
def test_a_task_with_a_retry_policy_sees_the_original(sandbox, monkeypatch, lenient):
    refuse_the_secrets(sandbox, monkeypatch)
    for mode in MODES:
        sensor = sensor_of(tag="Docs", **mode, **lenient)
        sensor.retry_policy = object()
        with pytest.raises(CloudElementsAuthError):
            execute(sensor)
    event = {"status": "error", "kind": "CloudElementsAuthError", "message": "no", "final": True}
    with pytest.raises(CloudElementsAuthError):
        sensor.resume_execution("execute_complete", {"event": event}, {})


def test_silent_fail_does_not_swallow_the_original(sandbox, monkeypatch):
    refuse_the_secrets(sandbox, monkeypatch)
    sensor = sensor_of(tag="Docs", silent_fail=True, timeout=30)
    sensor.retry_policy = object()
    with pytest.raises(AirflowFailException):
        execute(sensor)


@pytest.mark.parametrize("mode", MODES[:2], ids=str)
def test_a_time_out_fails_or_skips_as_airflow_has_it(sandbox, mode):
    # The time of mode reschedule is counted in the database; the first poke is over the limit of none.
    limit = 0.2 if mode["mode"] == "poke" else 0
    with pytest.raises(AirflowSensorTimeout):
        execute(sensor_of(tag="Docs", **mode, timeout=limit))
    with pytest.raises(AirflowSkipException):
        execute(sensor_of(tag="Docs", soft_fail=True, **mode, timeout=limit))


def test_a_subclass_s_own_failure_is_a_skip_as_in_any_sensor(sandbox):
    class Own(CloudElementsInstanceSensor):
        def look(self, context):
            raise AirflowFailException("by my own wish")

    with pytest.raises(AirflowSkipException):
        execute(Own(task_id="own", tag="Docs", soft_fail=True, deferrable=False))


# -- deferred -----------------------------------------------------------------------------------------------


def test_everything_goes_into_the_trigger(sandbox):
    sensor = sensor_of(
        instance_key="a key",
        element="closeio",
        deferrable=True,
        timeout=300,
        until="exists",
        poke_interval=60,
    )
    with pytest.raises(TaskDeferred) as raised:
        execute(sensor)
    deferred = raised.value
    assert deferred.timeout == datetime.timedelta(seconds=300)
    assert not deferred.kwargs
    _, arguments = deferred.trigger.serialize()
    assert arguments == {
        "cloudelements_conn_id": "cloudelements_default",
        "name": "instance key 'a key'",
        "instance_id": None,
        "tag": marker_tag("a key"),
        "of_key": True,
        "key_tag": Identity("", "a key").key_tag,
        "former_markers": [],
        "element": "closeio",
        "until": "exists",
        "poll_interval": 60.0,
    }


@pytest.mark.parametrize(
    ("arguments", "interval"),
    [
        ({}, 60),
        ({"poke_interval": 1}, 10),
        ({"poke_interval": 90}, 90),
        ({"poll_interval": 2}, 2),
        ({"poll_interval": 300}, 300),
    ],
    ids=str,
)
def test_a_deferred_one_polls_no_faster_than_it_must(sandbox, arguments, interval):
    sensor = CloudElementsInstanceSensor(task_id="wait", tag="Docs", deferrable=True, **arguments)
    with pytest.raises(TaskDeferred) as deferred:
        execute(sensor)
    assert deferred.value.trigger.poll_interval == interval


async def test_a_deferred_one_returns_alike(sandbox, person):
    number = person.make("basic", "Mine", tags=["Docs"])
    sandbox.set_instance(number, valid=False)
    sensor = sensor_of(tag="Docs", deferrable=True, poll_interval=0.05)
    with pytest.raises(TaskDeferred) as deferred:
        execute(sensor)
    sandbox.set_instance(number, valid=True)
    event = await event_of(deferred.value.trigger)
    ti = Ti()
    value = sensor.resume_execution("execute_complete", {"event": event}, context_of(ti))
    assert value == execute(sensor_of(tag="Docs"))
    assert ti.xcoms == {"id": number}


async def test_a_final_failure_told_by_the_trigger_is_final(sandbox, person):
    number = person.make("basic")
    sandbox.set_instance(number, valid=False)
    sensor = sensor_of(instance_id=number, deferrable=True, poll_interval=0.05, soft_fail=True)
    with pytest.raises(TaskDeferred) as deferred:
        execute(sensor)
    person.delete(number)
    event = await event_of(deferred.value.trigger)
    with pytest.raises(AirflowFailException, match=f"CloudElementsNotFoundError: .*{number}") as failed:
        sensor.resume_execution("execute_complete", {"event": event}, context_of(Ti()))
    assert isinstance(failed.value.__cause__, CloudElementsNotFoundError)


@pytest.mark.parametrize("path", ["/instances/*", "/ping"])
def test_a_gateways_404_is_waited_through(path, sandbox, person):
    number = person.make("basic")
    sandbox.add_fault("html", status=404, method="GET", path=path, count=5)
    sensor = sensor_of(instance_id=number)
    seen = [bool(sensor.poke(context_of(Ti()))) for _ in range(7)]
    assert not seen[0]
    assert seen[-1]


@pytest.mark.parametrize("event", [None, {}, {"status": "new"}, {"status": "success"}, "success", 7], ids=str)
def test_an_event_that_is_missing_or_unknown_is_a_failure(event):
    with pytest.raises(CloudElementsError):
        sensor_of(tag="Docs").resume_execution("execute_complete", {"event": event}, context_of(Ti()))
    with pytest.raises(CloudElementsError):
        sensor_of(tag="Docs").execute_complete(context_of(Ti()))


@pytest.mark.parametrize("kind", ["", "NoSuchError", "AirflowException", "annotations", None])
def test_an_error_of_an_unknown_kind_is_a_failure_of_the_common_kind(kind):
    event = {"status": "error", "kind": kind, "message": "something", "final": False}
    with pytest.raises(CloudElementsError, match="something"):
        sensor_of(tag="Docs").execute_complete(context_of(Ti()), event)
    with pytest.raises(AirflowFailException):
        sensor_of(tag="Docs").execute_complete(context_of(Ti()), {**event, "final": True})


def test_a_wait_that_expires_in_the_triggerer_is_a_sensor_s_time_out():
    expired = {"error": "Trigger timeout"}
    with pytest.raises(AirflowSensorTimeout):
        sensor_of(tag="Docs").resume_execution("__fail__", expired, context_of(Ti()))
    with pytest.raises(AirflowSkipException):
        sensor_of(tag="Docs", soft_fail=True).resume_execution("__fail__", expired, context_of(Ti()))


@pytest.mark.parametrize(
    ("timeout", "execution_timeout", "least", "most"),
    [
        (300, None, 300, 300),
        (300, 0, 300, 300),
        (300, 100, 98, 100),
        (100, 300, 100, 100),
        (100, 100, 98, 100),
    ],
)
def test_a_deferral_ends_with_the_first_of_both_time_outs(sandbox, timeout, execution_timeout, least, most):
    limit = None if execution_timeout is None else datetime.timedelta(seconds=execution_timeout)
    sensor = sensor_of(tag="Docs", deferrable=True, timeout=timeout, execution_timeout=limit)
    with pytest.raises(TaskDeferred) as deferred:
        execute(sensor)
    assert least <= deferred.value.timeout.total_seconds() <= most


def test_the_first_look_counts_towards_the_execution_time_out(sandbox):
    sandbox.configure(delay=0.3)
    limit = datetime.timedelta(seconds=10)
    with pytest.raises(TaskDeferred) as deferred:
        execute(sensor_of(tag="Docs", deferrable=True, timeout=60, execution_timeout=limit))
    assert 5 < deferred.value.timeout.total_seconds() < 9.75


@pytest.mark.parametrize("lenient", LENIENT, ids=str)
def test_an_execution_time_out_in_the_triggerer_is_airflow_s_own(lenient):
    expired = {"error": "Trigger timeout"}
    limit = datetime.timedelta(seconds=6)
    sensor = sensor_of(tag="Docs", timeout=45, execution_timeout=limit, **lenient)
    with pytest.raises(AirflowTaskTimeout, match="execution_timeout of 0:00:06"):
        sensor.resume_execution("__fail__", expired, context_of(Ti()))


def test_a_sensor_s_time_out_stays_one_beside_a_longer_execution_time_out():
    expired = {"error": "Trigger timeout"}
    limit = datetime.timedelta(seconds=60)
    with pytest.raises(AirflowSensorTimeout):
        sensor_of(tag="Docs", execution_timeout=limit).resume_execution("__fail__", expired, context_of(Ti()))
    with pytest.raises(AirflowSkipException):
        sensor_of(tag="Docs", soft_fail=True, execution_timeout=limit).resume_execution(
            "__fail__", expired, context_of(Ti())
        )


def test_an_execution_time_out_of_zero_is_none_as_in_airflows_worker():
    expired = {"error": "Trigger timeout"}
    none = datetime.timedelta(0)
    with pytest.raises(AirflowSensorTimeout):
        sensor_of(tag="Docs", execution_timeout=none).resume_execution("__fail__", expired, context_of(Ti()))


def test_a_trigger_that_fails_is_no_time_out():
    failed = {"error": "Trigger failure"}
    limit = datetime.timedelta(seconds=0.1)
    with pytest.raises(Exception, match="Trigger failure"):
        sensor_of(tag="Docs", execution_timeout=limit).resume_execution("__fail__", failed, context_of(Ti()))


# -- arguments ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": "there"},
        {"until": None},
        {"deferrable": "yes"},
        {"poll_interval": "10"},
        {"poll_interval": -1},
        {"poll_interval": True},
        {"no_such": 1},
    ],
    ids=str,
)
def test_a_wrong_argument_is_told_when_the_file_is_read(wrong):
    with pytest.raises((TypeError, ValueError)):
        sensor_of(tag="Docs", **wrong)


def test_whether_it_defers_is_airflow_s_setting_by_default(monkeypatch):
    assert CloudElementsInstanceSensor(task_id="wait", tag="Docs").deferrable is False
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert CloudElementsInstanceSensor(task_id="wait", tag="Docs").deferrable is True
    assert CloudElementsInstanceSensor(task_id="wait", tag="Docs", deferrable=False).deferrable is False


@pytest.mark.slow
def test_importing_the_sensors_loads_nothing_heavy(with_airflow_sdk):
    heavy = [one for one in HEAVY if one != "httpx"]
    program = f"""
import sys, airflow.sdk
before = set(sys.modules)
import {PACKAGE}.sensors.instances
loaded = set(sys.modules) - before
print(*sorted(name for name in loaded for heavy in {heavy!r} if (name + ".").startswith(heavy + ".")))
"""
    assert with_airflow_sdk.run(program).split() == []
