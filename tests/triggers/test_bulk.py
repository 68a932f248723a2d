"""The trigger that waits for a bulk job, in the poll hub, and what it does when its task is ended by hand."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from airflow_provider_cloudelements.triggers import bulk
from airflow_provider_cloudelements.triggers.bulk import CloudElementsBulkJobTrigger
from tests.support.platform import client_of
from tests.support.triggers import CONN_ID, event_of, polls, running, until


@pytest.fixture
def instance(sandbox, person):
    made = person.make("basic")
    return client_of(sandbox).instance(made)


@pytest.fixture
def start(instance):
    """Give a function that starts a download, and returns its id."""
    return lambda: instance.bulk.start_download("contacts", file_format="csv")


def trigger_of(instance, job_id, **arguments):
    return CloudElementsBulkJobTrigger(
        cloudelements_conn_id=CONN_ID,
        instance_id=instance.instance_id,
        job_id=job_id,
        **{"poll_interval": 0.05, **arguments},
    )


def asked(sandbox):
    """Return how often each path was asked for, without ids."""
    return Counter(
        "/".join("N" if part.isdigit() else part for part in each["path"].split("/"))
        for each in sandbox.requests()
    )


async def test_the_event_tells_how_the_job_ended_and_no_secret(sandbox, instance, start):
    for outcome, status in (("complete", "COMPLETED"), ("fail", "ERROR")):
        await asyncio.to_thread(sandbox.plan_bulk, outcome, message="Of Ada Lovelace")
        number = await asyncio.to_thread(start)
        event = await event_of(trigger_of(instance, number, own=True, began_at=5.0))
        job = {"job_id": number, "status": status, "own": True, "began_at": 5.0, "carried": None}
        assert event == {"status": "success", "job": job}
        assert instance.token not in json.dumps(event)
    assert polls() == 0


async def test_it_waits_until_the_job_has_ended(sandbox, instance, start):
    await asyncio.to_thread(sandbox.plan_bulk, "stay")
    number = await asyncio.to_thread(start)
    async with running(trigger_of(instance, number)) as (task,):
        await until(lambda: asked(sandbox)["/bulk/N/status"] > 3)
        assert not task.done()
        assert asked(sandbox)["/instances/N"] <= 2  # its token is fetched once (and once by this test)
        await asyncio.to_thread(instance.bulk.cancel, number)
        assert (await task)["job"]["status"] == "CANCELLED"


async def test_many_jobs_of_one_instance_cost_one_list_a_look(sandbox, instance, start):
    await asyncio.to_thread(sandbox.plan_bulk, "stay", count=30)
    jobs = [await asyncio.to_thread(start) for _ in range(30)]
    async with running(*(trigger_of(instance, each) for each in jobs)) as tasks:
        await until(lambda: asked(sandbox)["/bulk/jobs"] > 3)
        assert asked(sandbox)["/bulk/N/status"] == 0
        assert polls() == 1
        for each in jobs:
            await asyncio.to_thread(instance.bulk.cancel, each)
        events = await asyncio.gather(*tasks)
    assert [each["job"]["job_id"] for each in events] == jobs


async def test_an_instance_that_lists_no_jobs_is_asked_for_each(sandbox, instance, start):
    await asyncio.to_thread(sandbox.add_fault, "status", status=405, path="/bulk/jobs", count=None)
    jobs = [await asyncio.to_thread(start) for _ in range(3)]
    async with running(*(trigger_of(instance, each) for each in jobs)) as tasks:
        events = await asyncio.gather(*tasks)
    assert {each["job"]["status"] for each in events} == {"COMPLETED"}


async def test_what_is_not_there_fails_alone_and_passing_faults_fail_nobody(sandbox, instance, start):
    await asyncio.to_thread(sandbox.add_fault, "status", status=503, path="/bulk/*/status", count=4)
    number = await asyncio.to_thread(start)
    async with running(trigger_of(instance, number), trigger_of(instance, 999)) as tasks:
        good, bad = await asyncio.gather(*tasks)
    assert good["job"]["status"] == "COMPLETED"
    assert (bad["kind"], bad["final"]) == ("CloudElementsNotFoundError", True)


async def test_a_token_that_is_no_longer_good_is_fetched_anew_and_fails_its_instance_alone(
    sandbox, instance, start, person
):
    await asyncio.to_thread(sandbox.plan_bulk, "stay")
    number = await asyncio.to_thread(start)
    other = client_of(sandbox).instance(await asyncio.to_thread(person.make, "basic", "Another"))
    await asyncio.to_thread(sandbox.plan_bulk, "stay")
    others = await asyncio.to_thread(lambda: other.bulk.start_download("contacts", file_format="csv"))
    async with running(trigger_of(instance, number), trigger_of(other, others)) as (first, second):
        await until(lambda: asked(sandbox)["/bulk/N/status"] > 3)
        await asyncio.to_thread(sandbox.add_fault, "status", status=401, path=f"/bulk/{number}/status")
        await asyncio.sleep(0.3)
        assert not first.done()
        await asyncio.to_thread(
            sandbox.add_fault, "status", status=401, path=f"/bulk/{number}/status", count=None
        )
        event = await asyncio.wait_for(first, 10)
        assert (event["status"], "answered 401" in event["message"]) == ("error", True)
        await asyncio.sleep(0.2)
        assert not second.done()


async def test_at_the_end_of_the_wait_it_says_so(sandbox, instance, start):
    await asyncio.to_thread(sandbox.plan_bulk, "stay")
    number = await asyncio.to_thread(start)
    for end_at in (time.time() + 0.3, 5.0):
        event = await event_of(trigger_of(instance, number, end_at=end_at))
        assert event["job"]["status"] == "LATE"


def test_it_is_stored_without_a_token(instance):
    path, arguments = trigger_of(instance, 7, own=True, end_at=5.0, began_at=4.0).serialize()
    assert path == "airflow_provider_cloudelements.triggers.bulk.CloudElementsBulkJobTrigger"
    assert CloudElementsBulkJobTrigger(**arguments).serialize() == (path, arguments)
    assert instance.token not in json.dumps(arguments)


# -- a task that is ended by hand ----------------------------------------------------------------------------


def states(monkeypatch, state):
    async def told(trigger):
        return state

    monkeypatch.setattr(bulk, "atask_state", told)


def status_of(sandbox):
    return [each["status"] for each in sandbox.bulk_jobs()]


@pytest.mark.parametrize(
    ("state", "own", "status"),
    [
        ("failed", True, "CANCELLED"),
        ("success", True, "CANCELLED"),
        ("failed", False, "CREATED"),
        # Cleared: the next try goes on with the job, whatever has become of it by now.
        (None, True, "CREATED"),
        ("running", True, "CREATED"),
        ("deferred", True, "CREATED"),
    ],
)
async def test_only_the_tasks_own_job_is_cancelled_and_only_if_it_will_not_go_on(
    sandbox, instance, start, monkeypatch, state, own, status
):
    states(monkeypatch, state)
    await asyncio.to_thread(sandbox.plan_bulk, "stay")
    await trigger_of(instance, await asyncio.to_thread(start), own=own).on_kill()
    assert status_of(sandbox) == [status]


async def test_a_cancel_that_airflow_breaks_off_goes_on(sandbox, instance, start, monkeypatch):
    states(monkeypatch, "failed")
    await asyncio.to_thread(sandbox.plan_bulk, "stay")
    trigger = trigger_of(instance, await asyncio.to_thread(start), own=True)
    await asyncio.to_thread(sandbox.add_fault, "delay", path="/bulk/*/cancel", seconds=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(trigger.on_kill(), 0.2)
    assert status_of(sandbox) == ["CREATED"]
    await asyncio.wait_for(trigger._cancelling, 10)
    assert status_of(sandbox) == ["CANCELLED"]


async def test_a_cancel_that_fails_raises_nothing(sandbox, instance, monkeypatch):
    states(monkeypatch, "failed")
    await trigger_of(instance, 999, own=True).on_kill()


async def test_without_a_task_its_state_is_not_known():
    trigger = SimpleNamespace(task_instance=None)
    assert await bulk.atask_state(trigger) is None
