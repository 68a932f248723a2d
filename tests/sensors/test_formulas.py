"""The sensor that waits for an execution of a formula, by its methods."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import CloudElementsFormulaError
from airflow_provider_cloudelements.sensors.formulas import CloudElementsFormulaExecutionSensor
from tests.support.context import FakeTi, context_of
from tests.support.triggers import event_of

try:
    from airflow.sdk.exceptions import AirflowSensorTimeout, TaskDeferred
except ImportError:
    from airflow.exceptions import AirflowSensorTimeout, TaskDeferred

LENIENT = [{}, {"soft_fail": True}, {"never_fail": True}, {"silent_fail": True}]
MODES = [{"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}]


class Ti(FakeTi):
    def get_first_reschedule_date(self, context):
        return None


@pytest.fixture
def start(person):
    """Give a function that starts an execution, and returns its id."""

    def begin(formula=8104):
        made = person.call("POST", f"/formulas/{formula}/instances", {"name": "One"})["id"]
        return person.call("POST", f"/formulas/instances/{made}/executions", {"a": "x"})[0]["id"]

    return begin


def sensor_of(**arguments):
    return CloudElementsFormulaExecutionSensor(
        **{"task_id": "wait", "poke_interval": 0.05, "timeout": 20, "deferrable": False, **arguments}
    )


def execute(sensor):
    return sensor.execute(context_of(Ti()))


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_one_that_has_succeeded_gives_the_values_of_its_steps(sandbox, start, mode):
    number = start()
    for given in (number, str(number), {"execution_id": number, "status": "pending"}):
        done = execute(sensor_of(execution_id=given, steps=["echo"], **mode))
        assert (done["execution_id"], done["status"]) == (number, "success")
        assert done["outputs"] == {"echo": {"echo.payload": '{"a": "x"}'}}


def test_it_waits_through_passing_faults_until_it_has_ended(sandbox, start, task_log):
    sandbox.configure(formula_duration=0.5)
    number = start()
    sandbox.add_fault("status", status=503, count=2)
    assert execute(sensor_of(execution_id=number))["status"] == "success"
    assert "It is not known this time" in task_log.text
    assert "pending" in task_log.text


@pytest.mark.parametrize("lenient", LENIENT, ids=str)
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_one_that_failed_fails_at_once_and_is_never_a_skip(sandbox, start, mode, lenient):
    number = start(8103)
    with pytest.raises(AirflowFailException, match=f"Execution {number} .* Step 'fail': TypeError") as failed:
        execute(sensor_of(execution_id=number, **mode, **lenient))
    assert isinstance(failed.value.__cause__, CloudElementsFormulaError)


@pytest.mark.parametrize("outcome", ["success", "fail"])
async def test_a_deferred_one_ends_alike(sandbox, start, outcome):
    sandbox.configure(formula_duration=0.5)
    sandbox.plan_formula(outcome)
    sensor = sensor_of(
        execution_id=start(), steps=["echo"], deferrable=True, poll_interval=0.05, soft_fail=True
    )
    with pytest.raises(TaskDeferred) as deferred:
        execute(sensor)
    event = await event_of(deferred.value.trigger)

    def resume():
        return sensor.resume_execution(deferred.value.method_name, {"event": event}, context_of(Ti()))

    if outcome == "success":
        assert resume()["outputs"] == {"echo": {"echo.payload": '{"a": "x"}'}}
    else:
        with pytest.raises(AirflowFailException, match="Step 'echo': The step failed"):
            resume()


def test_its_time_out_is_the_sensors(sandbox, start):
    sandbox.plan_formula("stay")
    with pytest.raises(AirflowSensorTimeout):
        execute(sensor_of(execution_id=start(), timeout=0.2))
    assert sandbox.formula_executions()[0]["status"] == "pending"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"execution_id": None}, "execution_id must be an id"),
        ({"execution_id": {"id": 5}}, "execution_id must be an id"),
        ({"execution_id": 1}, "answered 404"),
        ({"execution_id": 1, "steps": "echo"}, "steps must be a list of texts"),
    ],
    ids=str,
)
def test_a_wrong_argument_fails_at_once(sandbox, arguments, said):
    with pytest.raises(AirflowFailException, match=said):
        execute(sensor_of(**arguments))
