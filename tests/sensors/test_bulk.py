"""The sensor that waits for a bulk job: in the worker and in the triggerer."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.sensors.bulk import CloudElementsBulkJobSensor
from tests.support.context import FakeTi, context_of
from tests.support.platform import client_of
from tests.support.triggers import event_of

try:
    from airflow.sdk.exceptions import AirflowSensorTimeout, TaskDeferred
except ImportError:
    from airflow.exceptions import AirflowSensorTimeout, TaskDeferred


@pytest.fixture
def instance(sandbox, person):
    return client_of(sandbox).instance(person.make("basic"))


@pytest.fixture
def start(instance):
    return lambda: instance.bulk.start_download("contacts", file_format="csv")


def sensor_of(instance, job_id, **arguments):
    given = {"task_id": "wait", "instance_id": instance.instance_id, "job_id": job_id}
    return CloudElementsBulkJobSensor(
        **{**given, "poke_interval": 0.05, "timeout": 2, "deferrable": False, **arguments}
    )


async def ended(sensor):
    """Run a sensor to its end, through its trigger if it defers."""
    context = context_of(FakeTi())
    if not sensor.deferrable:
        return sensor.execute(context)
    try:
        return sensor.execute(context)
    except TaskDeferred as deferred:
        deferred.trigger.poll_interval = 0.05
        event = await event_of(deferred.trigger)
        return sensor.resume_execution(deferred.method_name, {"event": event}, context)


@pytest.mark.parametrize("deferrable", [False, True])
async def test_it_waits_and_returns_what_the_job_says(sandbox, instance, start, deferrable):
    sandbox.configure(bulk_duration=0.5)
    job = start()
    assert await ended(sensor_of(instance, {"job_id": job}, deferrable=deferrable)) == {
        "job_id": job,
        "status": "COMPLETED",
        "records": 3,
        "failed": 0,
        "object_name": "contacts",
        "direction": "DOWNLOAD",
    }


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("soft_fail", [False, True])
async def test_a_failed_job_fails_the_task_without_a_retry(sandbox, instance, start, deferrable, soft_fail):
    sandbox.configure(bulk_duration=0.3)
    sandbox.plan_bulk("fail", message="The vendor said no")
    with pytest.raises(AirflowFailException, match=r"ended as ERROR\. The platform says: The vendor said no"):
        await ended(sensor_of(instance, start(), deferrable=deferrable, soft_fail=soft_fail))


def test_a_job_that_goes_on_is_waited_for_to_the_time_out(sandbox, instance, start):
    sandbox.plan_bulk("stay")
    with pytest.raises(AirflowSensorTimeout):
        sensor_of(instance, start(), timeout=0.3).execute(context_of(FakeTi()))


@pytest.mark.parametrize("given", [None, "", "x", 0, -1, {}, {"job_id": None}, True], ids=repr)
def test_what_is_no_id_is_named(instance, given):
    with pytest.raises(AirflowFailException, match="job_id must be a bulk job's id"):
        sensor_of(instance, given).execute(context_of(FakeTi()))


def test_a_job_that_is_not_there_fails_the_task(instance):
    with pytest.raises(AirflowFailException, match="answered 404"):
        sensor_of(instance, 999).execute(context_of(FakeTi()))
