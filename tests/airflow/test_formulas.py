"""Formulas in real Airflow processes: kills, time-outs, deferral, and what Airflow keeps of them."""

from __future__ import annotations

import pytest
from airflow import __version__ as airflow_version

from tests.support.killing import kill_process_of, when_running
from tests.support.patience import eventually
from tests.support.platform import Person

pytestmark = [pytest.mark.processes, pytest.mark.lane("shared")]

#: Whether this line of Airflow has the task state store, by which a retry finds its execution.
REMEMBERS = not airflow_version.startswith(("3.1.", "3.2."))
#: Part of the payload. Airflow takes it for secret, so the search at the end looks for it everywhere.
SECRET = "formula/payload+0001="
DAGS = """
from datetime import timedelta
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.formulas import CloudElementsRunFormulaOperator
from airflow_provider_cloudelements.sensors.formulas import CloudElementsFormulaExecutionSensor

common = {"formula_name": "Echo", "payload": {"password": "{{ conn.formula_payload.password }}"}}
common |= {"cloudelements_conn_id": "formulas", "poke_interval": 1}
again = {"retries": 1, "retry_delay": timedelta(seconds=1)}

with DAG("formula_waits", schedule=None, max_active_runs=16):
    CloudElementsRunFormulaOperator(task_id="run", deferrable=False, **again, **common)

with DAG("formula_defers", schedule=None, max_active_runs=16):
    run = CloudElementsRunFormulaOperator(task_id="run", deferrable=True, **common)
    CloudElementsFormulaExecutionSensor(
        task_id="again",
        execution_id=run.output,
        deferrable=True,
        poll_interval=1,
        cloudelements_conn_id="formulas",
    )

with DAG("formula_late", schedule=None):
    CloudElementsRunFormulaOperator(
        task_id="run", deferrable=False, execution_timeout=timedelta(seconds=3), **common
    )
"""


@pytest.fixture(scope="module")
def sandbox(stage):
    return stage.sandbox


@pytest.fixture(scope="module")
def airflow(stage, sandbox):
    Person(sandbox).call("POST", "/formulas/8104/instances", {"name": "One"})
    stage.add_dags({"formulas": DAGS})
    hidden = {"conn_type": "generic", "password": SECRET}
    stage.add_connections({"formulas": sandbox.connection(), "formula_payload": hidden})
    return stage.airflow


@pytest.fixture
def person(sandbox):
    return Person(sandbox)


@pytest.fixture
def begin(airflow, sandbox):
    """Give a function that starts a run whose execution does not end; it returns the ids of both."""

    def start(dag_id):
        sandbox.plan_formula("stay")
        before = {each["id"] for each in sandbox.formula_executions()}

        def made():
            return next(
                (each["id"] for each in sandbox.formula_executions() if each["id"] not in before), None
            )

        run_id = airflow.trigger(dag_id)
        return run_id, eventually(made)

    return start


def status_of(sandbox, execution):
    return next(each["status"] for each in sandbox.formula_executions() if each["id"] == execution)


def log_of(airflow, dag_id, run_id, attempt):
    """Return the log of a try, which may not have begun."""
    try:
        return airflow.task_log(dag_id, run_id, "run", attempt)
    except FileNotFoundError:
        return ""


def takes_up(airflow, dag_id, run_id, execution):
    """Wait until the second try has taken the execution up."""
    said = f"Execution {execution} of an earlier try still runs"
    eventually(lambda: said in log_of(airflow, dag_id, run_id, 2))


def end(person, execution):
    """Let an execution that stays end, as a person can: by a cancel."""
    person.call("PATCH", f"/formulas/instances/executions/{execution}", {"status": "cancelled"})


def test_one_that_is_marked_failed_cancels_its_execution(airflow, sandbox, begin):
    run_id, execution = begin("formula_waits")
    when_running(airflow, "formula_waits", run_id, "run")
    path = f"/dags/formula_waits/dagRuns/{run_id}/taskInstances/run"
    airflow.rest("PATCH", path, {"new_state": "failed"})
    eventually(lambda: status_of(sandbox, execution) == "cancelled")
    assert airflow.task_states("formula_waits", run_id) == {"run": "failed"}
    log = airflow.task_log("formula_waits", run_id, "run")
    assert f"Execution {execution} was cancelled." in log


def test_after_a_killed_worker_the_next_try_takes_the_execution_up(airflow, sandbox, begin, person):
    count = len(sandbox.formula_executions())
    run_id, execution = begin("formula_waits")
    ti = when_running(airflow, "formula_waits", run_id, "run")
    eventually(lambda: f"Execution {execution} of" in log_of(airflow, "formula_waits", run_id, 1))
    eventually(lambda: kill_process_of(ti["id"]))
    if REMEMBERS:
        takes_up(airflow, "formula_waits", run_id, execution)
        end(person, execution)
        assert airflow.wait_run("formula_waits", run_id) == "failed"
        assert len(sandbox.formula_executions()) == count + 1
    else:
        assert airflow.wait_run("formula_waits", run_id) == "success"
        assert len(sandbox.formula_executions()) == count + 2


def test_its_execution_timeout_cancels_the_execution(airflow, sandbox, begin):
    run_id, execution = begin("formula_late")
    assert airflow.wait_run("formula_late", run_id) == "failed"
    assert status_of(sandbox, execution) == "cancelled"


def test_a_deferred_one_ends_and_hands_its_execution_on(airflow, sandbox):
    sandbox.configure(formula_duration=3)
    run_id = airflow.trigger("formula_defers")
    assert airflow.wait_run("formula_defers", run_id) == "success"
    sandbox.configure(formula_duration=0)
    done = airflow.xcom("formula_defers", run_id, "run")
    assert airflow.xcom("formula_defers", run_id, "again") == done
    assert done["status"] == status_of(sandbox, done["execution_id"]) == "success"
    assert SECRET not in str(airflow.rendered_fields("formula_defers", run_id, "run"))
    assert SECRET not in airflow.task_log("formula_defers", run_id, "run")


def test_a_cleared_deferred_one_takes_its_execution_up(airflow, sandbox, begin, person):
    count = len(sandbox.formula_executions())
    run_id, execution = begin("formula_defers")
    eventually(lambda: airflow.task_states("formula_defers", run_id)["run"] == "deferred")
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["run"], "only_failed": False}
    airflow.rest("POST", "/dags/formula_defers/clearTaskInstances", body)
    if REMEMBERS:
        takes_up(airflow, "formula_defers", run_id, execution)
        end(person, execution)
        assert airflow.wait_run("formula_defers", run_id) == "failed"
    else:
        assert airflow.wait_run("formula_defers", run_id) == "success"
        end(person, execution)
    assert len(sandbox.formula_executions()) == count + (1 if REMEMBERS else 2)
