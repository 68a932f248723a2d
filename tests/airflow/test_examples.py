"""Every example DAG, whole, against the sandbox, run by Airflow in this process."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
import requests

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.demo_connections import connections
from tests.operators.support import WAYS, Person, peoples_tags

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).resolve().parents[2]
#: Those that events start, and no person.
SCHEDULED = {"example_events_by_webhook"}
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
        "example_adopt_instance",
        "example_basic_authentication",
        "example_consent_by_person",
        "example_events_by_webhook",
        "example_instance_per_tenant",
        "example_maintenance_window",
        "example_microsoft_graph_events",
        "example_nightly_check",
        "example_refresh_token",
        "example_rotate_secret",
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
assert (dag.schedule is None) == ({name!r} not in {SCHEDULED!r}) and dag.dag_id == {name!r}, dag
heavy = {{"requests", "urllib3", "airflow.triggers.base"}} & (set(sys.modules) - before)
if "airflow.providers.standard.operators.hitl" in sys.modules:
    heavy -= {{"airflow.triggers.base"}}  # Airflow's own operator loads it
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


def test_an_instance_made_elsewhere_is_taken_over_by_its_tag(sandbox, run):
    instance_id = Person(sandbox).make("code", tags=["ada@example.com"])
    state, tasks = run("example_adopt_instance")
    assert (state, {state for _, _, state in tasks}) == ("success", {"success"})
    (instance,) = sandbox.instances()
    assert instance["id"] == instance_id
    assert peoples_tags(instance) == ["ada@example.com", "managed by Airflow"]
    assert instance["eventsEnabled"]


def test_a_maintenance_window_switches_off_and_on(sandbox, run):
    assert run("example_maintenance_window")[0] == "success"
    (instance,) = sandbox.instances()
    assert instance["eventsEnabled"]
    assert not instance["disabled"]
    switches = [
        (each["method"], each["path"].rsplit("/", 1)[1])
        for each in sandbox.requests()
        if each["path"].endswith("/enabled")
    ]
    assert switches == [("DELETE", "enabled"), ("PUT", "enabled")]


def test_the_nightly_check_mends_what_it_can(sandbox, run, monkeypatch):
    person = Person(sandbox)
    healthy, broken = (person.make("basic", name, tags=["nightly check"]) for name in ("One", "Two"))
    sandbox.revoke(broken)
    state, tasks = run("example_nightly_check")
    assert state == "success", tasks
    assert {task: state for task, _, state in tasks if task in ("mend", "ask_person", "last_check")} == {
        "mend": "success",
        "ask_person": "skipped",
        "last_check": "success",
    }
    assert {each["id"]: each["valid"] for each in sandbox.instances()} == {healthy: True, broken: True}


def test_the_nightly_check_fails_for_what_nobody_could_mend(sandbox, run):
    Person(sandbox).make("refresh", tags=["nightly check"])
    sandbox.set_instance(sandbox.instances()[0]["id"], disabled=True)
    state, tasks = run("example_nightly_check")
    assert (state, ("last_check", -1, "failed") in tasks) == ("failed", True)


OLD, NEW = "the-old-secret/1+2=", "the-new-secret/3+4="


def test_a_secret_is_rotated_over_all_instances_without_a_moment_off(sandbox, run, monkeypatch):
    person = Person(sandbox)
    element, configuration = WAYS["refresh"]
    made = [
        person.call(
            "POST",
            "/instances",
            {
                "element": {"key": element},
                "name": f"Portal {number}",
                "configuration": {**configuration, "oauth.api.secret": OLD},
                "externalAuthentication": "initial",
            },
        )
        for number in range(6)
    ]
    app = connections("", "", "")["hubspot_app"]
    app |= {"login": configuration["oauth.api.key"], "password": NEW}
    app["extra"]["oauth_user_refresh_token"] = configuration["oauth.user.refresh_token"]
    monkeypatch.setenv("AIRFLOW_CONN_HUBSPOT_APP", json.dumps(app))
    sandbox.vendor_secrets(element, accepted=[OLD, NEW])
    pings = Pings(sandbox, [each["token"] for each in made])
    with pings:
        # It stops half-way: the platform refuses one write.
        sandbox.add_fault(method="PATCH", path=f"/instances/{made[3]['id']}", action="status", status=400)
        assert run("example_rotate_secret")[0] == "failed"
        first = patched(sandbox)
        assert set(first) == {each["id"] for each in made}
        assert run("example_rotate_secret")[0] == "success"
        assert patched(sandbox)[len(first) :] == [made[3]["id"]], "only the one that is left is written"
        # No instance needs the old one any more.
        sandbox.vendor_secrets(element, accepted=[NEW])
        assert run("example_rotate_secret")[0] == "success"
    assert len(patched(sandbox)) == len(first) + 1
    assert pings.answers[200] > 20
    assert set(pings.answers) == {200}


def patched(sandbox):
    return [int(each["path"].rsplit("/", 1)[1]) for each in sandbox.requests() if each["method"] == "PATCH"]


class Pings:
    """Pings instances all the time, as a DAG at work does, and counts the answers."""

    def __init__(self, sandbox, tokens):
        self.answers = Counter()
        self._sandbox, self._tokens = sandbox, tokens
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        url = f"{self._sandbox.url}/elements/api-v2/ping"
        secrets = f"User {self._sandbox.user_secret}, Organization {self._sandbox.organization_secret}"
        while not self._stop.wait(0.02):
            for token in self._tokens:
                headers = {"Authorization": f"{secrets}, Element {token}"}
                self.answers[requests.get(url, headers=headers, timeout=10).status_code] += 1

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
