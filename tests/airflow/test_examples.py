"""Every example DAG, whole, against the sandbox, run by Airflow in this process."""

from __future__ import annotations

import importlib
import json
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import requests

from airflow_provider_cloudelements.client.tags import marker_tag
from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.demo_connections import connections
from scripts.seed import Seeder
from scripts.warehouse import CONNECTION, warehouses
from tests.support.platform import EVENTS, WAYS, Person, peoples_tags
from tests.support.programs import needs_postgresql
from tests.support.receiver import receiving
from tests.support.runs import Run
from tests.support.warehouse import ask

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).resolve().parents[2]
#: Those that events start, and no person.
SCHEDULED = {
    "example_events_by_watcher",
    "example_events_by_webhook",
    "example_events_collected",
    "example_load_into_postgresql",
}
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
        "example_download_contacts",
        "example_drift_check",
        "example_events_after_outage",
        "example_events_by_watcher",
        "example_events_by_webhook",
        "example_events_collected",
        "example_instance_per_tenant",
        "example_instances_as_code",
        "example_load_into_postgresql",
        "example_maintenance_window",
        "example_microsoft_graph_events",
        "example_nightly_changes",
        "example_nightly_check",
        "example_refresh_token",
        "example_rotate_secret",
        "example_setup_teardown",
        "example_ten_lines",
        "example_tenants_from_query",
        "example_wait_for_event",
    ]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_parses_without_connections_network_and_the_client(with_airflow_sdk, name):
    with_airflow_sdk.run(f"""
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
if "airflow_provider_cloudelements.assets" in sys.modules:
    heavy -= {{"airflow.triggers.base"}}  # an asset's watcher is a trigger
assert not heavy, heavy
""")


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
    code = sandbox.code(client_id=app["login"], oauth_callback_url=app["extra"]["oauth_callback_url"])
    state, _ = run("example_microsoft_graph_events", authorization_code=code)
    assert state == "success"
    assert [each["presented"] for each in sandbox.codes()] == [1]


def test_ten_lines_find_the_instance_of_the_other_example(sandbox, run):
    # Said, since a DAG object of this process keeps the parameters of its last run.
    params = {"authorization_code": "", "delete_instance": False}
    assert run("example_microsoft_graph_events", **params)[0] == "success"
    assert run("example_ten_lines") == ("success", [("calendars", -1, "success"), ("create", -1, "success")])
    assert len(sandbox.instances()) == len(creates(sandbox)) == 1


def test_basic_authentication(sandbox, run):
    for _ in range(2):
        assert run("example_basic_authentication")[0] == "success"
    assert [each["element"] for each in sandbox.instances()] == ["closeio"]


def test_instances_as_code_and_the_nightly_look_for_drift(sandbox, run):
    assert run("example_drift_check") == ("failed", [("compare", -1, "failed")])
    assert sandbox.instances() == []
    state, tasks = run("example_instances_as_code")
    assert (state, {name: end for name, _, end in tasks}) == (
        "success",
        {
            "apply": "success",
            "approve": "skipped",
            "nobody_is_needed": "success",
            "plan": "success",
            "who_decides": "success",
        },
    )
    names = ["Tenant North", "Tenant South", "Tenant West"]
    assert sorted(each["name"] for each in sandbox.instances()) == names
    assert run("example_drift_check")[0] == "success"
    # Unchanged: there is no part to apply.
    state, tasks = run("example_instances_as_code")
    assert (state, ("apply", -1, "skipped") in tasks) == ("success", True)
    # Changed by hand: the check finds it, and the next run mends it.
    sandbox.set_instance(sandbox.instances()[0]["id"], disabled=True)
    assert run("example_drift_check")[0] == "failed"
    assert run("example_instances_as_code")[0] == "success"
    assert run("example_drift_check")[0] == "success"
    assert len(creates(sandbox)) == 3


def test_tenants_from_a_query_however_often_it_runs(sandbox, run):
    for _ in range(2):
        state, tasks = run("example_tenants_from_query")
        assert state == "success"
    assert ("apply", -1, "skipped") in tasks
    assert sorted(each["name"] for each in sandbox.instances()) == ["Alder", "Birch", "Cedar"]
    assert len(creates(sandbox)) == 3


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


def finished(name, **conf):
    """Run an example; return what is left of its run, which succeeded."""
    done = Run(importlib.import_module(f"example_dags.{name}").dag.test(run_conf=conf or None))
    assert done.state == "success", done.tasks
    return done


@pytest.fixture
def warehouse(monkeypatch):
    """An empty database under the examples' connection; gives a function that reads its table."""
    needs_postgresql()
    with warehouses() as known:
        for conn_id, connection in known.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        yield lambda query: ask(known[CONNECTION], query)


def test_contacts_are_downloaded_and_loaded_however_often_it_runs(
    sandbox, airflow_database, warehouse, tmp_path, monkeypatch
):
    from airflow import settings

    # Only then dag.test() stores events of assets.
    monkeypatch.setattr(settings, "DAGS_FOLDER", str(ROOT / "example_dags"))
    folder = {"folder": f"file://{tmp_path}"}
    sandbox.configure(records=1_000)
    load = "example_load_into_postgresql"
    assert finished(load).xcoms["new_files", -1, "return_value"] == [], "there is no file yet"
    story = finished("example_download_contacts", **folder)
    assert story.xcoms["compare", -1, "return_value"] == 1_000
    assert sandbox.instances() == Person(sandbox).call("GET", "/formulas/instances") == []
    loaded = finished(load)
    file = story.xcoms["download_contacts", -1, "return_value"]
    assert loaded.names == {("load", 0): Path(file["path"]).name}
    assert loaded.xcoms["load", 0, "return_value"] == 1_000
    whole = "SELECT count(*), min(id), count(DISTINCT name) > 1 FROM contacts"
    assert warehouse(whole) == [(1_000, "cont_000000000001", True)]

    # A row that is newer than the file stays; one that is older, or is gone, becomes as in the file.
    warehouse("UPDATE contacts SET name = 'newer', date_updated = now() WHERE id = 'cont_000000000001'")
    warehouse("UPDATE contacts SET name = 'older', date_updated = 'epoch' WHERE id = 'cont_000000000002'")
    warehouse("DELETE FROM contacts WHERE id = 'cont_000000000003'")
    assert finished(load).xcoms["load", 0, "return_value"] == 999
    assert warehouse("SELECT count(*), count(*) FILTER (WHERE name = 'newer') FROM contacts") == [(1_000, 1)]
    assert warehouse("SELECT id FROM contacts WHERE name = 'older'") == []

    # Another file under the name that the event says: nothing of it arrives.
    written = Path(file["path"].removeprefix("file://"))
    written.write_bytes(written.read_bytes().replace(b"cont_000000000009", b"cont_999999999999"))
    dag = importlib.import_module(f"example_dags.{load}").dag
    assert Run(dag.test()).states()["load", 0] == "failed"
    assert warehouse("SELECT id FROM contacts WHERE id = 'cont_999999999999'") == []


def test_each_night_the_leads_that_changed_come_of_each_tenant(sandbox, airflow_database, tmp_path):
    folder = {"folder": f"file://{tmp_path}"}
    first = finished("example_nightly_changes", **folder)
    assert [first.xcoms["download_changes", copy, "return_value"]["count"] for copy in range(2)] == [3, 3]
    assert [first.names["count_by_status", copy] for copy in range(2)] == ["Leads Ash", "Leads Elm"]
    by_status = first.xcoms["count_by_status", 1, "return_value"]
    assert by_status == {"Qualified": 1, "Customer": 1, "Potential": 1}
    person = Person(sandbox)
    (elm,) = (each["id"] for each in sandbox.instances() if each["name"] == "Leads Elm")
    person.session.headers["Authorization"] += f", Element {person.show(elm)['token']}"
    person.call("POST", "/leads", {"name": "Ada", "status_label": "Potential"})
    second = finished("example_nightly_changes", **folder)
    counts = [second.xcoms["count_by_status", copy, "return_value"] for copy in range(2)]
    assert counts == [{}, {"Potential": 1}]
    assert len(creates(sandbox)) == 2


def test_what_make_up_puts_into_the_sandbox_is_enough_to_adopt_and_to_rotate(sandbox, run):
    known = connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret)
    seeder = Seeder(sandbox.url, known)
    adopted = seeder.adopted()
    seeder.rotated()
    assert run("example_adopt_instance")[0] == "success"
    assert run("example_rotate_secret")[0] == "success"
    (instance,) = (each for each in sandbox.instances() if each["id"] == adopted)
    assert peoples_tags(instance) == ["ada@example.com", "managed by Airflow"]
    sandbox.vendor_secrets("hubspotcrm", [known["hubspot_app"]["password"]])
    assert {each["valid"] for each in sandbox.instances()} == {True}


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


def test_what_is_waited_for_comes_and_the_next_run_begins_behind_it(sandbox, airflow_database):
    from example_dags.example_wait_for_event import dag

    number = Person(sandbox).make(
        "code",
        "Ada's calendar",
        tags=[marker_tag("microsoftgraph/Ada's calendar")],
        configuration={**WAYS["code"][1], **EVENTS},
    )
    sandbox.emit(number, object_type="events", object_id="before")
    time.sleep(1.1)  # the platform's dates are whole seconds

    def vendor():
        while not any(each["path"] == "/instances/events" for each in sandbox.requests()):
            time.sleep(0.05)
        sandbox.emit(number, object_type="calendars", object_id="no meeting")
        sandbox.emit(number, object_type="events", object_id="meeting-1")

    def handled():
        done = Run(dag.test(run_conf={"instance_name": "Ada's calendar"}))
        assert done.state == "success", done.tasks
        return done.xcoms["handle", -1, "return_value"]

    thread = threading.Thread(target=vendor, daemon=True)
    thread.start()
    assert handled() == ["CREATED meeting-1"]
    thread.join(60)
    # While nobody waits.
    sandbox.emit(number, object_type="events", object_id="meeting-2", event_type="UPDATED")
    time.sleep(1.1)
    sandbox.emit(number, object_type="events", object_id="meeting-3", event_type="DELETED")
    assert handled() == ["UPDATED meeting-2", "DELETED meeting-3"]


def test_the_watching_example_finds_nothing_to_do_without_events(run):
    state, tasks = run("example_events_by_watcher")
    assert (state, {state for _, _, state in tasks}) == ("success", {"success"})


def test_each_run_collects_the_events_since_the_last_one(sandbox, run, tmp_path):
    from example_dags.example_events_collected import dag

    assert run("example_basic_authentication")[0] == "success"
    (instance,) = sandbox.instances()
    for count in (2, 0, 3):
        if count:
            sandbox.emit(instance["id"], count=count)
        done = Run(dag.test(run_conf={"folder": f"file://{tmp_path}"}))
        assert done.state == "success", done.tasks
        assert done.xcoms["handle", -1, "return_value"] == count


def test_after_an_outage_what_was_queued_comes_and_what_never_came_is_processed(sandbox, run, monkeypatch):
    from example_dags import example_events_after_outage as example

    def after_outage():
        time.sleep(1.1)  # the platform's dates are whole seconds, and the release comes after them
        conf = {"instance_key": "closeio/Sales team", "settle_seconds": 0, "wait_seconds": 60}
        done = Run(example.dag.test(run_conf=conf))
        assert "in-the-url" not in json.dumps([*done.xcoms.values(), *done.rendered.values()], default=str)
        return done

    def reach(*statuses):
        deadline = time.monotonic() + 20
        while sorted(each["status"] for each in sandbox.deliveries()) != sorted(statuses):
            assert time.monotonic() < deadline, sandbox.deliveries()
            time.sleep(0.02)

    with receiving() as receiver:
        login = connections("", "", "")["closeio_login"]
        login["extra"]["event_callback_url"] = receiver.url
        monkeypatch.setenv("AIRFLOW_CONN_CLOSEIO_LOGIN", json.dumps(login))
        assert run("example_basic_authentication")[0] == "success"
        person = Person(sandbox)
        person.call("PATCH", "/accounts/settings", {"notification.webhook.failure.policy": "queue"})
        (instance,) = sandbox.instances()
        before = sandbox.emit(instance["id"])
        reach("delivered")
        receiver.status = 500
        queued, lost = sandbox.emit(instance["id"], count=3), sandbox.emit(instance["id"], count=2)
        reach("delivered", *["queued"] * 5)
        for each in sandbox.deliveries():
            if each["eventId"] in lost:  # the platform gives it up
                person.call("DELETE", f"/notifications/{each['notificationId']}")
        receiver.status = 200

        first = after_outage()
        assert first.state == "success", first.tasks
        assert sorted(receiver.taken) == sorted(before + queued)
        found = first.xcoms["compare", -1, "return_value"]
        assert sorted(row["id"] for row in found.pop("events")) == sorted(lost)
        assert found.pop("cursor")
        assert found == {
            "listed": 6,
            "delivered": 4,
            "missing": 2,
            "states": {"no delivery": 2},
            "unattributed": 0,
            "count": 2,
            "path": None,
        }
        assert first.xcoms["process", -1, "return_value"] == 2

        # Once more, with a later event: nothing comes twice.
        later = sandbox.emit(instance["id"])
        reach(*["delivered"] * 5)
        again = after_outage()
        assert again.state == "success", again.tasks
        assert again.xcoms["compare", -1, "return_value"]["listed"] == 1
        assert again.xcoms["process", -1, "return_value"] == 0
        assert sorted(receiver.taken) == sorted(before + queued + later)


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
