"""Every example DAG, whole, against the sandbox, run by Airflow in this process."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.demo_connections import connections

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "example_dags").glob("example_*.py"))


@pytest.fixture
def sandbox(monkeypatch):
    with Sandbox() as running:
        known = connections(running.url, running.user_secret, running.organization_secret)
        for conn_id, connection in known.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        yield running


@pytest.fixture
def run(airflow_database, monkeypatch):
    """Run an example DAG; returns the states of its tasks."""

    def run_example(name, **conf):
        dag = importlib.import_module(f"example_dags.{name}").dag
        result = dag.test(run_conf=conf or None)
        states = [(ti.task_id, ti.map_index, str(ti.state)) for ti in result.get_task_instances()]
        return str(result.state), sorted(states)

    return run_example


def creates(sandbox):
    return [each for each in sandbox.requests() if (each["method"], each["path"]) == ("POST", "/instances")]


def test_there_is_an_example_for_each_way_in():
    assert EXAMPLES == [
        "example_basic_authentication",
        "example_instance_per_tenant",
        "example_microsoft_graph_events",
        "example_refresh_token",
        "example_setup_teardown",
    ]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_parses_without_connections_network_and_the_client(name):
    code = f"""
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("a DAG file went to the network")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from airflow.sdk import DAG, task
before = set(sys.modules)
from example_dags.{name} import dag
assert dag.schedule is None and dag.dag_id == {name!r}, dag
heavy = {{"requests", "urllib3", "airflow.triggers.base"}} & (set(sys.modules) - before)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_microsoft_graph_from_consent_to_delete(sandbox, run):
    state, tasks = run("example_microsoft_graph_events")
    assert state == "success"
    assert ("delete_instance", -1, "skipped") in tasks
    (instance,) = sandbox.instances()
    assert instance["name"] == "My calendar"
    assert instance["tags"][:2] == ["My calendar", "Docs"]

    state, tasks = run("example_microsoft_graph_events", delete_instance=True)
    assert {state for _, _, state in tasks} == {"success"}
    assert sandbox.instances() == []
    assert len(creates(sandbox)) == 1, "the second run found the instance of the first"


def test_microsoft_graph_takes_a_code_that_a_person_gives(sandbox, run):
    app = connections("", "", "")["microsoft_graph_app"]
    code = sandbox.code(client_id=app["login"], callback_url=app["extra"]["oauth_callback_url"])
    state, _ = run("example_microsoft_graph_events", authorization_code=code)
    assert state == "success"
    assert [each["presented"] for each in sandbox.codes()] == [1]


def test_basic_authentication(sandbox, run):
    for _ in range(2):
        assert run("example_basic_authentication")[0] == "success"
    assert [each["element"] for each in sandbox.instances()] == ["closeio"]


def test_refresh_token(sandbox, run):
    assert run("example_refresh_token")[0] == "success"
    (instance,) = sandbox.instances()
    assert instance["element"] == "hubspotcrm"


def test_an_instance_for_each_tenant_however_often_it_runs(sandbox, run):
    for _ in range(2):
        state, tasks = run("example_instance_per_tenant")
        assert state == "success"
        assert sum(task == "check" for task, _, _ in tasks) == 3
    names = sorted(each["name"] for each in sandbox.instances())
    assert names == ["acme_freshdesk", "globex_freshdesk", "initech_freshdesk"]
    assert len(creates(sandbox)) == 3


def test_setup_and_teardown_leave_nothing(sandbox, run):
    state, tasks = run("example_setup_teardown")
    assert state == "success"
    assert [task for task, _, state in tasks if state == "success"] == [
        "copy_deals",
        "create_instance",
        "create_instance_work_done",
        "delete_instance",
    ]
    assert len(creates(sandbox)) == 1
    assert sandbox.instances() == []
