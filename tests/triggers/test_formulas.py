"""The trigger that waits for an execution of a formula, in the poll hub."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

import pytest

from airflow_provider_cloudelements.triggers.formulas import CloudElementsFormulaExecutionTrigger
from tests.support.triggers import CONN_ID, event_of, polls, running, until

EXECUTIONS = "/formulas/instances/executions"


@pytest.fixture
def start(person):
    """Give a function that starts an execution of the formula that echoes, and returns its id."""
    made = person.call("POST", "/formulas/8104/instances", {"name": "One"})["id"]
    return lambda: person.call("POST", f"/formulas/instances/{made}/executions", {})[0]["id"]


def trigger_of(execution_id, **arguments):
    return CloudElementsFormulaExecutionTrigger(
        cloudelements_conn_id=CONN_ID, execution_id=execution_id, **{"poll_interval": 0.05, **arguments}
    )


def reads(sandbox):
    """Return how often each execution was read."""
    found = [each["path"].removeprefix(f"{EXECUTIONS}/") for each in sandbox.requests()]
    return Counter(int(each) for each in found if each.isdigit())


async def test_the_event_tells_how_the_execution_ended(sandbox, start):
    for outcome, status in (("success", "success"), ("fail", "failed")):
        sandbox.plan_formula(outcome)
        number = start()
        event = await event_of(trigger_of(number))
        assert (event["status"], event["execution"]["status"]) == ("success", status)
        assert event["execution"]["execution_id"] == number
        assert json.loads(json.dumps(event)) == event
    assert polls() == 0


async def test_it_waits_until_the_execution_has_ended(sandbox, start, person):
    sandbox.plan_formula("stay")
    number = start()
    async with running(trigger_of(number)) as (task,):
        await until(lambda: reads(sandbox)[number] > 3)
        assert not task.done()
        await asyncio.to_thread(person.call, "PATCH", f"{EXECUTIONS}/{number}", {"status": "cancelled"})
        assert (await task)["execution"]["status"] == "cancelled"


async def test_those_who_wait_for_one_share_its_reads_and_others_end_by_themselves(sandbox, start):
    sandbox.plan_formula("stay")
    shared = start()
    ended = start()
    async with running(*(trigger_of(shared) for _ in range(20)), trigger_of(ended)) as tasks:
        assert (await tasks[-1])["execution"]["execution_id"] == ended
        await until(lambda: reads(sandbox)[shared] > 5)
        assert polls() == 1
        looks = reads(sandbox)[shared]
        assert not any(task.done() for task in tasks[:-1])
    await asyncio.sleep(0.2)
    assert reads(sandbox)[shared] <= looks + 2  # who has left costs no calls
    assert polls() == 0


async def test_at_the_end_of_the_wait_it_says_so(sandbox, start):
    sandbox.plan_formula("stay")
    number = start()
    for end_at in (time.time() + 0.3, 5.0):
        assert await event_of(trigger_of(number, end_at=end_at)) == {"status": "success", "late": number}


async def test_passing_faults_fail_nobody_and_one_that_is_gone_fails_alone(sandbox, start, person):
    sandbox.configure(formula_duration=1)
    number = start()
    sandbox.add_fault("status", status=503, path=f"{EXECUTIONS}/{number}", count=3)
    async with running(trigger_of(number), trigger_of(1)) as (waits, gone):
        event = await gone
        assert (event["status"], event["kind"], event["final"]) == (
            "error",
            "CloudElementsNotFoundError",
            True,
        )
        assert (await waits)["execution"]["status"] == "success"


async def test_while_the_platform_is_down_few_calls_go_out(sandbox, start):
    sandbox.plan_formula("stay", count=None)
    numbers = [start() for _ in range(60)]
    sandbox.add_fault("status", status=503, path=f"{EXECUTIONS}/*", count=None)
    async with running(*(trigger_of(number, poll_interval=30) for number in numbers)):
        await until(lambda: reads(sandbox))
        await asyncio.sleep(0.5)
        assert sum(reads(sandbox).values()) < 30


async def test_a_connection_that_is_not_there_is_told(sandbox):
    trigger = CloudElementsFormulaExecutionTrigger(cloudelements_conn_id="nowhere", execution_id=5)
    event = await event_of(trigger)
    assert (event["kind"], event["final"]) == ("AirflowNotFoundException", False)


def test_it_survives_the_database():
    trigger = trigger_of(5, end_at=7.5)
    path, arguments = trigger.serialize()
    assert path.endswith("triggers.formulas.CloudElementsFormulaExecutionTrigger")
    again = CloudElementsFormulaExecutionTrigger(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (path, arguments)
