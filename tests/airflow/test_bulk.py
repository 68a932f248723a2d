"""Bulk downloads in real Airflow processes: deferral, kills, clears, and what Airflow keeps of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version

from tests.support.killing import kill_process_of, when_running
from tests.support.patience import eventually
from tests.support.platform import Person

pytestmark = [pytest.mark.processes, pytest.mark.nightly, pytest.mark.lane("shared")]

#: Whether this line of Airflow has the task state store and a trigger's ``on_kill``.
NEWEST = not airflow_version.startswith(("3.1.", "3.2."))
DAGS = """
from datetime import timedelta
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.bulk import CloudElementsDownloadBulkOperator

common = {
    "cloudelements_conn_id": "bulk",
    "object_name": "contacts",
    "where": {"name !=": "{{ conn.bulk_filter.password }}"},
    "path": "{{ dag_run.conf['folder'] }}/{{ ti.task_id }}-{{ ti.map_index }}.csv",
    "poke_interval": 1,
    "retries": 1,
    "retry_delay": timedelta(seconds=1),
}
instance = "{{ dag_run.conf['instance'] }}"

with DAG("bulk_waits", schedule=None, max_active_runs=16):
    CloudElementsDownloadBulkOperator(task_id="run", instance_id=instance, deferrable=False, **common)

with DAG("bulk_defers", schedule=None, max_active_runs=16):
    CloudElementsDownloadBulkOperator(task_id="run", instance_id=instance, deferrable=True, **common)

with DAG("bulk_mapped", schedule=None, max_active_runs=16):
    once = common | {"deferrable": True, "retries": 0}
    mapped = CloudElementsDownloadBulkOperator.partial(task_id="run", **once)
    mapped.expand(instance_id=[instance, instance])
"""


@pytest.fixture(scope="module")
def airflow(stage):
    stage.add_dags({"bulk": DAGS})
    # A value that Airflow takes for secret, and that selects records: it may lie nowhere.
    hidden = {"conn_type": "generic", "password": "bulk/condition+0008="}
    stage.add_connections({"bulk": stage.sandbox.connection(), "bulk_filter": hidden})
    return stage.airflow


@pytest.fixture(scope="module")
def instance(stage, airflow):
    return Person(stage.sandbox).make("basic")


@pytest.fixture
def begin(airflow, stage, instance, tmp_path):
    """Give a function that starts a run whose jobs do not end; it returns the ids of the run and the jobs."""

    def start(dag_id, count=1):
        before = {each["id"] for each in stage.sandbox.bulk_jobs()}
        stage.sandbox.plan_bulk("stay", count=count)
        run_id = airflow.trigger(dag_id, {"instance": instance, "folder": f"file://{tmp_path}"})

        def made():
            found = sorted({each["id"] for each in stage.sandbox.bulk_jobs()} - before)
            return found if len(found) == count else None

        return run_id, eventually(made)

    return start


def status_of(stage, job):
    return next(each["status"] for each in stage.sandbox.bulk_jobs() if each["id"] == job)


def mark(airflow, dag_id, run_id, state, copy=""):
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/run{copy}"
    airflow.rest("PATCH", path, {"new_state": state})


def clear(airflow, dag_id, run_id):
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["run"], "only_failed": False}
    airflow.rest("POST", f"/dags/{dag_id}/clearTaskInstances", body)


def takes_up(airflow, dag_id, run_id, job):
    """Wait until the second try has taken the job up."""
    said = f"An earlier try started bulk job {job}; this one goes on with it."
    eventually(lambda: said in try_log(airflow, dag_id, run_id, 2))


def until_the_triggerer_waits(stage, run_id, dag_id, jobs):
    """Wait until tasks are deferred and the triggerer looks at their jobs: before, it kills nothing."""
    count = len(jobs)
    eventually(lambda: list(stage.airflow.task_states(dag_id, run_id).values()).count("deferred") == count)
    begun = len(stage.sandbox.requests())

    def looked_at():
        paths = [each["path"] for each in stage.sandbox.requests()[begun:]]
        return "/bulk/jobs" in paths or all(f"/bulk/{job}/status" in paths for job in jobs)

    eventually(looked_at)


def cancel(stage, instance, job):
    """Let a job that stays end, as a person can."""
    person = Person(stage.sandbox)
    person.session.headers["Authorization"] += f", Element {person.show(instance)['token']}"
    person.call("PUT", f"/bulk/{job}/cancel")


def triggerer_log(airflow, run_id):
    """Return what the triggerer says, in its own log or in that of the task."""
    files = (airflow.home / "logs").glob(f"*/run_id={run_id}/**/*.trigger.*.log")
    return airflow.process_log("triggerer") + "".join(file.read_text() for file in files)


def try_log(airflow, dag_id, run_id, number):
    """Return the log of a try, which may not have begun."""
    try:
        return airflow.task_log(dag_id, run_id, "run", number)
    except FileNotFoundError:
        return ""


def test_a_deferred_download_ends_with_a_whole_file(airflow, stage, instance, tmp_path):
    stage.sandbox.configure(bulk_duration=3)
    folder = {"instance": instance, "folder": f"file://{tmp_path}"}
    run_id = airflow.trigger("bulk_defers", folder)
    assert airflow.wait_run("bulk_defers", run_id) == "success"
    stage.sandbox.configure(bulk_duration=0)
    assert "Pausing task as DEFERRED" in airflow.task_log("bulk_defers", run_id, "run")
    told = airflow.xcom("bulk_defers", run_id, "run")
    data = Path(told["path"].removeprefix("file://")).read_bytes()
    assert (told["rows"], told["sha256"]) == (3, hashlib.sha256(data).hexdigest())
    assert airflow.rendered_fields("bulk_defers", run_id, "run")["where"] == {"name !=": "***"}
    assert [path.name for path in tmp_path.iterdir()] == ["run--1.csv"]


def test_a_running_one_that_is_marked_failed_cancels_its_job(airflow, stage, begin, tmp_path):
    run_id, (job,) = begin("bulk_waits")
    when_running(airflow, "bulk_waits", run_id, "run")
    mark(airflow, "bulk_waits", run_id, "failed")
    eventually(lambda: status_of(stage, job) == "CANCELLED")
    assert airflow.wait_run("bulk_waits", run_id) == "failed"
    assert list(tmp_path.iterdir()) == []


def test_after_a_killed_worker_the_next_try_goes_on_with_the_job(airflow, stage, instance, begin):
    run_id, (job,) = begin("bulk_waits")
    ti = when_running(airflow, "bulk_waits", run_id, "run")
    eventually(lambda: f"Bulk job {job} began" in try_log(airflow, "bulk_waits", run_id, 1))
    eventually(lambda: kill_process_of(ti["id"]))
    if NEWEST:
        takes_up(airflow, "bulk_waits", run_id, job)
        cancel(stage, instance, job)
        assert airflow.wait_run("bulk_waits", run_id) == "failed"
        assert max(each["id"] for each in stage.sandbox.bulk_jobs()) == job
    else:
        assert airflow.wait_run("bulk_waits", run_id) == "success"
        assert airflow.xcom("bulk_waits", run_id, "run")["job_id"] > job


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_deferred_one_that_is_marked_cancels_its_job(airflow, stage, instance, begin, state):
    run_id, (job,) = begin("bulk_defers")
    until_the_triggerer_waits(stage, run_id, "bulk_defers", [job])
    mark(airflow, "bulk_defers", run_id, state)
    if NEWEST:
        eventually(lambda: status_of(stage, job) == "CANCELLED")
        eventually(lambda: f"Bulk job {job} is cancelled." in triggerer_log(airflow, run_id))
    else:
        assert airflow.wait_run("bulk_defers", run_id) == state
        assert status_of(stage, job) != "CANCELLED"
        cancel(stage, instance, job)


def test_of_deferred_copies_only_the_one_that_is_marked_cancels_its_job(airflow, stage, instance, begin):
    run_id, jobs = begin("bulk_mapped", 2)
    until_the_triggerer_waits(stage, run_id, "bulk_mapped", jobs)
    mark(airflow, "bulk_mapped", run_id, "failed", "/1")
    if NEWEST:
        eventually(lambda: "CANCELLED" in [status_of(stage, job) for job in jobs])
    left = [job for job in jobs if status_of(stage, job) != "CANCELLED"]
    assert len(left) == (1 if NEWEST else 2)
    assert airflow.task_states("bulk_mapped", run_id)["run[0]"] == "deferred"
    for job in left:
        cancel(stage, instance, job)
    assert airflow.wait_run("bulk_mapped", run_id) == "failed"


def test_a_cleared_deferred_one_goes_on_with_its_job(airflow, stage, instance, begin):
    run_id, (job,) = begin("bulk_defers")
    until_the_triggerer_waits(stage, run_id, "bulk_defers", [job])
    clear(airflow, "bulk_defers", run_id)
    if NEWEST:
        takes_up(airflow, "bulk_defers", run_id, job)
        # The trigger of before asks for the task's state, and leaves the job alone.
        said = f"Bulk job {job} goes on: the task is "
        eventually(lambda: said in triggerer_log(airflow, run_id))
        assert status_of(stage, job) != "CANCELLED"
        assert max(each["id"] for each in stage.sandbox.bulk_jobs()) == job
        cancel(stage, instance, job)
        assert airflow.wait_run("bulk_defers", run_id) == "success"  # a retry starts another job
    else:
        assert airflow.wait_run("bulk_defers", run_id) == "success"
        assert airflow.xcom("bulk_defers", run_id, "run")["job_id"] > job
        cancel(stage, instance, job)
