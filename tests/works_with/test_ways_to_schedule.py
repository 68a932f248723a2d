"""Ways to start and run tasks that only real processes show: one Airflow with three triggerers, for them all.

``queues_enabled`` is on. Two triggerers take no queue, the third one takes ``default``.
"""

from __future__ import annotations

import re
import sqlite3
import time
from pathlib import Path

import airflow.sdk
import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.airflow_rest import LocalAirflowError
from scripts.local_airflow import PATIENCE
from tests.support.patience import eventually
from tests.support.platform import EVENTS, WAYS, Person

pytestmark = [pytest.mark.processes, pytest.mark.nightly]

ROOT = Path(__file__).resolve().parents[2]
#: Airflow 3.1 has neither triggers with a queue nor partitions.
HAS_QUEUES = hasattr(airflow.sdk, "CronPartitionTimetable")
HAS_PARTITIONS = hasattr(airflow.sdk, "PartitionedAtRuntime")
QUEUED = ["triggerer", "--skip-serve-logs", "--queues", "default"]
SECONDS = 240 * PATIENCE
#: What a triggerer prints when it begins to take triggers.
STARTS = "Starting the triggerer"

WATCHED = """
from airflow.sdk import DAG, task
from airflow_provider_cloudelements.assets import cloudelements_event_asset

orders = cloudelements_event_asset("orders", tag="shop", start="earliest", poll_interval=2)

with DAG("watching", schedule=[orders]):

    @task
    def collect(triggering_asset_events):
        events = triggering_asset_events[orders]
        return [row["id"] for event in events for row in event.extra["payload"]["events"]]

    collect()
"""
WAITS = """
from airflow.sdk import DAG
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor

with DAG("waits", schedule=None):
    CloudElementsInstanceSensor(task_id="wait", tag="awaited", deferrable=True, poke_interval=10)
"""
PARTITIONS = """
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, PartitionedAtRuntime, task
from airflow_provider_cloudelements.assets import cloudelements_event_asset
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

tenants = Asset("tenants")
unkeyed = cloudelements_event_asset("unkeyed", tag="shop", start="earliest", poll_interval=2)

with DAG("make_tenant", schedule=PartitionedAtRuntime()):
    CloudElementsCreateInstanceOperator(
        task_id="create",
        element="closeio",
        instance_name="Tenant {{ dag_run.partition_key }}",
        tags=["{{ dag_run.partition_key }}"],
        configuration={"username": "ada", "password": "of-a/partition+here="},
        events_enabled=False,
        outlets=[tenants],
    )

with DAG("check_tenant", schedule=PartitionedAssetTimetable(assets=tenants)):
    CloudElementsCheckInstancesOperator(task_id="check", tag="{{ dag_run.partition_key }}")

with DAG("never", schedule=PartitionedAssetTimetable(assets=unkeyed)):

    @task
    def collect():
        pass

    collect()

with DAG("unkeyed_events", schedule=[unkeyed]):

    @task
    def collect_too():
        pass

    collect_too()
"""
DEADLINE = """
from datetime import timedelta
from airflow.sdk import DAG
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
try:
    from airflow.sdk.definitions.callback import AsyncCallback
except ImportError:  # Airflow 3.1
    from airflow.sdk.definitions.deadline import AsyncCallback
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor

alert = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT,
    interval=timedelta(seconds=5),
    callback=AsyncCallback("late_runs.write_down", kwargs={{"file": {file!r}}}),
)
with DAG("late", schedule=None, deadline=alert):
    CloudElementsInstanceSensor(task_id="wait", tag="late", deferrable=True, poke_interval=10)
"""
LATE_RUNS = """
from pathlib import Path
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook

async def write_down(file, **context):
    connection = await CloudElementsHook.aget_connection("cloudelements_default")
    with Path(file).open("a") as lines:
        lines.write(connection.conn_type + "\\n")
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def person(sandbox):
    return Person(sandbox)


@pytest.fixture(scope="module")
def late_file(tmp_path_factory):
    return tmp_path_factory.mktemp("late") / "late.txt"


@pytest.fixture(scope="module")
def airflow(start_airflow, sandbox, late_file, tmp_path_factory):
    folder, modules = tmp_path_factory.mktemp("dags"), tmp_path_factory.mktemp("modules")
    (modules / "late_runs.py").write_text(LATE_RUNS)
    sources = {
        "watching": WATCHED,
        "waits": WAITS,
        "late": DEADLINE.format(file=str(late_file)),
        "fleet": block_of("docs/fleet.md", "call_somebody"),
    }
    if HAS_PARTITIONS:
        sources["partitions"] = PARTITIONS
    for name, text in sources.items():
        (folder / f"{name}.py").write_text(text)
    further = {"triggerer-2": ["triggerer", "--skip-serve-logs"]}
    environment = {"PYTHONPATH": str(modules)}
    if HAS_QUEUES:
        environment["AIRFLOW__TRIGGERER__QUEUES_ENABLED"] = "True"
        further["triggerer-of-queue"] = QUEUED
    running = start_airflow(folder, environment=environment, further=further)
    running.add_connection("cloudelements_default", **sandbox.connection())
    return running


def block_of(page, word):
    """Return the block of code of a page of ours that holds a word."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    (found,) = [each for each in blocks if word in each]
    return found


def with_events(person, tag):
    return person.make("basic", configuration={**WAYS["basic"][1], **EVENTS}, tags=[tag])


def unpause(airflow, dag_id):
    airflow.wait_dag(dag_id)
    airflow.rest("PATCH", f"/dags/{dag_id}", {"is_paused": False})


def runs_of(airflow, dag_id):
    return airflow.rest("GET", f"/dags/{dag_id}/dagRuns", limit=100)["dag_runs"]


def triggers(airflow):
    """Return classes, queues and triggerers of the triggers in Airflow's database."""
    queue = "queue" if HAS_QUEUES else "NULL"
    with sqlite3.connect(airflow.home / "airflow.db", timeout=60) as database:
        rows = database.execute(f"SELECT classpath, {queue}, triggerer_id FROM trigger").fetchall()
    return {path.rpartition(".")[2]: (queue, triggerer) for path, queue, triggerer in rows}


def collected(airflow):
    found = []
    for run in runs_of(airflow, "watching"):
        if run["state"] == "success":
            found += airflow.xcom("watching", run["dag_run_id"], "collect")
    return found


def reach_runs(airflow, events):
    """Wait until each event is in a run."""
    wait_long(lambda: set(events) <= set(collected(airflow)))


def wait_long(condition):
    def checked():
        try:
            return condition()
        except (OSError, LocalAirflowError):  # the machine is busy, or the task has not ended
            return None

    return eventually(checked, SECONDS, pause=1)


def test_a_sensor_s_trigger_has_a_queue_and_a_watcher_s_has_none(airflow, sandbox, person):
    if not HAS_QUEUES:
        pytest.skip("Airflow 3.1 has no queues of triggers")
    shop = with_events(person, "shop")
    unpause(airflow, "watching")
    run_id = airflow.trigger("waits")
    sensor, watcher = "CloudElementsInstanceTrigger", "CloudElementsEventTrigger"
    wait_long(lambda: all(triggers(airflow).get(each, ("", None))[1] for each in (sensor, watcher)))
    seen = triggers(airflow)
    assert (seen[sensor][0], seen[watcher][0]) == ("default", None)
    assert seen[sensor][1] != seen[watcher][1]
    reach_runs(airflow, sandbox.emit(shop))
    person.make("basic", tags=["awaited"])
    assert airflow.wait_run("waits", run_id, timeout=SECONDS) == "success"


def test_without_the_triggerer_of_its_queue_a_sensor_waits_and_a_watcher_goes_on(airflow, sandbox, person):
    if not HAS_QUEUES:
        pytest.skip("Airflow 3.1 has no queues of triggers")
    shop = with_events(person, "shop")
    person.make("basic", tags=["awaited"])  # found at once, so the run before the next takes no trigger
    for instance in sandbox.instances():
        if "awaited" in instance["tags"]:
            person.call("DELETE", f"/instances/{instance['id']}")
    airflow.kill("triggerer-of-queue")
    run_id = airflow.trigger("waits")
    wait_long(lambda: task_state(airflow, "waits", run_id) == "deferred")
    person.make("basic", tags=["awaited"])
    reach_runs(airflow, sandbox.emit(shop))
    assert task_state(airflow, "waits", run_id) == "deferred"
    airflow.restart("triggerer-of-queue")
    assert airflow.wait_run("waits", run_id, timeout=SECONDS) == "success"


def task_state(airflow, dag_id, run_id):
    (task,) = airflow.task_instances(dag_id, run_id)
    return task["state"]


def test_of_two_triggerers_each_may_be_killed_and_no_event_is_lost(airflow, sandbox, person):
    shop = with_events(person, "shop")
    unpause(airflow, "watching")
    watcher = "CloudElementsEventTrigger"
    wait_long(lambda: triggers(airflow).get(watcher, ("", None))[1])
    holders, events = [triggers(airflow)[watcher][1]], []

    def emit():
        events.extend(sandbox.emit(shop, count=3))

    # One of the two has the trigger, so one of the two kills moves it.
    for name in ("triggerer", "triggerer-2"):
        emit()
        airflow.kill(name)
        emit()
        reach_runs(airflow, events)
        holders.append(triggers(airflow)[watcher][1])
        begun = airflow.process_log(name).count(STARTS)
        airflow.restart(name)
        wait_long(lambda name=name, begun=begun: airflow.process_log(name).count(STARTS) > begun)
    emit()
    reach_runs(airflow, events)
    told = collected(airflow)
    again = len([each for each in told if each in events]) - len(events)
    print(f"two triggerers: {len(events)} events, none lost, {again} came again; held by {holders}")
    assert len(events) == 15
    assert len(set(holders)) > 1


def test_a_partition_s_key_names_its_instance_and_starts_its_check(airflow, sandbox, person):
    if not HAS_PARTITIONS:
        pytest.skip("Airflow 3.1 and 3.2 have no runs with a key of one's own")
    for dag_id in ("check_tenant", "make_tenant", "never", "unkeyed_events"):
        unpause(airflow, dag_id)
    for key in ("emea", "apac"):
        body = {"dag_run_id": key, "logical_date": None, "partition_key": key}
        airflow.rest("POST", "/dags/make_tenant/dagRuns", body)
        assert airflow.wait_run("make_tenant", key, timeout=SECONDS) == "success"
    keyed = wait_long(lambda: ended_runs(airflow, "check_tenant", 2))
    found = {}
    for run in keyed:
        (row,) = airflow.xcom("check_tenant", run["dag_run_id"], "check")["instances"]
        found[run["partition_key"]] = row["name"]
    assert found == {"emea": "Tenant emea", "apac": "Tenant apac"}
    # An event of a watcher has no key.
    sandbox.emit(with_events(person, "shop"))
    wait_long(lambda: ended_runs(airflow, "unkeyed_events", 1))
    assert runs_of(airflow, "never") == []


def ended_runs(airflow, dag_id, count):
    ended = [run for run in runs_of(airflow, dag_id) if run["state"] == "success"]
    return ended if len(ended) >= count else None


def test_a_missed_deadline_calls_back_and_the_sensor_waits_on(airflow, late_file, person):
    run_id = airflow.trigger("late")
    wait_long(lambda: late_file.exists() and late_file.read_text())
    assert late_file.read_text() == "cloudelements\n"
    assert task_state(airflow, "late", run_id) == "deferred"
    person.make("basic", tags=["late"])
    assert airflow.wait_run("late", run_id, timeout=SECONDS) == "success"


def test_the_docs_dag_starts_only_on_unhealthy(airflow, sandbox, person):
    unpause(airflow, "call_somebody")
    tenant = person.make("basic", tags=["tenants"])

    def check():
        run_id = airflow.trigger("watch_tenants")
        assert airflow.wait_run("watch_tenants", run_id, timeout=SECONDS) == "success"

    check()
    sandbox.set_instance(tenant, disabled=True)
    check()
    (called,) = wait_long(lambda: ended_runs(airflow, "call_somebody", 1))
    told = airflow.task_log("call_somebody", called["dag_run_id"], "call")
    assert "'disabled': 1" in told
    sandbox.set_instance(tenant, disabled=False)
    check()
    time.sleep(10)  # a run of it would have begun by then
    assert len(runs_of(airflow, "call_somebody")) == 1
    events = airflow.rest("GET", "/assets/events", source_dag_id="watch_tenants")["asset_events"]
    assert len({each["source_run_id"] for each in events}) == 1
