"""The harness itself: does it start, watch, kill and clean up a real Airflow?"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from scripts.airflow_rest import LocalAirflowError
from scripts.local_airflow import PARTS, LocalAirflow
from scripts.processes import LOOPBACK, runs
from tests.support.patience import eventually

pytestmark = [pytest.mark.processes, pytest.mark.newest]

ROOT = Path(__file__).resolve().parents[2]
#: Holds what the platform's secrets hold too: characters that a URL quotes.
SECRET = "pa/ss+word=41"
DAGS = """
import time
from airflow.sdk import DAG, task

with DAG("harness", schedule=None):

    @task
    def make(dag_run=None):
        print("printed by the task")
        return {"number": dag_run.conf["number"]}

    @task
    def add(made, more):
        return made["number"] + more

    add.partial(made=make()).expand(more=[1, 2])

with DAG("endless", schedule=None):

    @task
    def wait():
        time.sleep(3600)

    wait()

with DAG("failing", schedule=None):

    @task
    def fail():
        raise RuntimeError("on purpose")

    fail()
"""


@pytest.fixture(scope="module")
def dags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dags")
    (folder / "harness.py").write_text(DAGS)
    return folder


@pytest.fixture(scope="module")
def airflow(start_airflow, dags):
    return start_airflow(dags)


@pytest.fixture(scope="module")
def finished_run(airflow):
    airflow.add_connection("stored", "generic", host="a.host", password=SECRET, extra={"key": "value"})
    run_id = airflow.trigger("harness", conf={"number": 40}, run_id="a_run")
    assert airflow.wait_run("harness", run_id) == "success"
    return run_id


def test_a_run_is_seen_from_all_sides(airflow, finished_run):
    assert airflow.task_states("harness", finished_run) == {
        "make": "success",
        "add[0]": "success",
        "add[1]": "success",
    }
    assert airflow.xcom("harness", finished_run, "make") == {"number": 40}
    assert airflow.xcom("harness", finished_run, "add", map_index=1) == 42
    assert airflow.rendered_fields("harness", finished_run, "add", map_index=1)["op_kwargs"]["more"] == 2
    assert "printed by the task" in airflow.task_log("harness", finished_run, "make")


def test_a_failed_run_is_reported_as_failed(airflow):
    run_id = airflow.trigger("failing")
    assert airflow.wait_run("failing", run_id) == "failed"
    assert airflow.task_states("failing", run_id) == {"fail": "failed"}


def test_the_logs_include_tasks_and_processes(airflow, finished_run):
    logs = {path.relative_to(airflow.home).as_posix(): content for path, content in airflow.log_files()}
    assert {f"processes/{name}.log" for name in PARTS} <= logs.keys()
    with_print = [name for name, content in logs.items() if b"printed by the task" in content]
    assert any(name.startswith("logs/dag_id=harness/") for name in with_print)


def test_the_database_dump_shows_values_but_not_the_encrypted_secret(airflow, finished_run):
    dump = list(airflow.dump_database())
    assert ("connection", "host", "a.host") in dump
    assert ("dag_run", "run_id", finished_run) in dump
    assert any(table == "xcom" and '"number": 40' in str(value) for table, _, value in dump)
    assert [column for table, column, value in dump if SECRET in str(value)] == []
    stored = airflow.rest("GET", "/connections/stored")
    assert stored["host"] == "a.host"


def test_the_dump_finds_a_planted_secret(airflow):
    airflow.rest("POST", "/variables", {"key": "planted", "value": "x", "description": SECRET})
    assert ("variable", "description") in {
        (table, column) for table, column, value in airflow.dump_database() if SECRET in str(value)
    }


def test_an_unknown_dag_is_said_with_the_import_errors(airflow, dags):
    broken = dags / "broken.py"
    # Without the words airflow and DAG in it, Airflow does not even look at a file.
    broken.write_text("from airflow.sdk import DAG\nimport a_module_that_is_not_there\n")
    try:
        with pytest.raises(LocalAirflowError, match=r"no DAG missing(.|\n)*a_module_that_is_not_there"):
            airflow.wait_dag("missing", timeout=10)
    finally:
        broken.unlink()


def test_an_error_of_the_api_carries_its_status(airflow):
    with pytest.raises(LocalAirflowError, match="404") as caught:
        airflow.rest("GET", "/dags/missing")
    assert caught.value.status == 404


def test_one_part_is_killed_and_restarted(airflow):
    before = airflow.processes()
    airflow.kill("triggerer")
    assert "triggerer" not in " ".join(airflow.processes().values())
    airflow.restart("triggerer")
    airflow.wait_healthy()
    after = airflow.processes()
    triggerers = {process for process, command in after.items() if "triggerer" in command}
    assert triggerers
    assert triggerers.isdisjoint(before)


def test_a_part_that_dies_by_itself_is_noticed(airflow):
    (leader,) = (
        process
        for process, command in airflow.processes().items()
        if command.endswith("airflow dag-processor") and os.getsid(process) == process
    )
    os.kill(leader, signal.SIGKILL)
    try:
        with pytest.raises(LocalAirflowError, match="dag-processor ended with -9"):
            airflow.wait_dag("missing", timeout=10)
    finally:
        airflow.restart("dag-processor")
    airflow.wait_healthy()


def test_a_taken_port_is_said_and_nothing_stays(dags):
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        airflow = LocalAirflow(dags, api_port=taken.getsockname()[1])
        with pytest.raises(LocalAirflowError, match="api-server ended with"), airflow:
            pass
    assert airflow.processes() == {}
    assert not airflow.home.exists()


def test_a_killed_caller_leaves_nothing_running(dags, tmp_path):
    """Neither atexit nor a context manager outlives a SIGKILL: the guard does."""
    home = tmp_path / "home"
    program = f"""
        import time
        from scripts.local_airflow import LocalAirflow

        with LocalAirflow({str(dags)!r}, home={str(home)!r}) as airflow:
            run_id = airflow.trigger("endless")
            while airflow.task_states("endless", run_id) != {{"wait": "running"}}:
                time.sleep(0.2)
            print(*airflow.processes(), flush=True)
            time.sleep(600)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as caller:
        started = {int(process) for process in caller.stdout.readline().split()}
        assert len(started) >= len(PARTS) + 1
        caller.kill()
    eventually(lambda: not any(map(runs, started)), 20)
