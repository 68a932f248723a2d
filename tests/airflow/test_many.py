"""Two hundred watchers and sensors in a real triggerer: one poll stream, and no secret while they wait."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from datetime import datetime

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.local_airflow import PATIENCE
from tests.support.leaks import TRIGGER_ARGUMENTS, left_behind, search
from tests.support.patience import eventually
from tests.support.platform import EVENTS, WAYS, Person
from tests.support.runs import keeps_state

pytestmark = [pytest.mark.processes, pytest.mark.newest]

#: More watchers than sensors: only a sensor's way into the triggerer costs a worker's process.
WATCHERS, SENSORS = 160, 40
#: Sensors that wait for what comes; the others are there to the end.
MATCHING = 10
INTERVAL = 2.0
#: For how long the calls are counted, in seconds.
WINDOW = 30.0
#: More than a page of what happened before.
BEFORE = 250
#: Secrets that a careless author writes where they lie in the arguments of triggers.
PLANTED = {
    "planted for a watcher": "planted/watcher+1=",
    "planted for an event sensor": "planted/event-sensor+2=",
    "planted for an instance sensor": "planted/instance-sensor+3=",
}
PLANTED_NAME = "planted-name-of-a-watcher"
SIGNATURE_KEY = "signature-key/of+an=instance"
#: A file each: a task's process reads its own alone.
WATCHERS_DAG = f"""
from datetime import timedelta
from airflow.sdk import DAG, task
from airflow_provider_cloudelements.assets import cloudelements_event_asset

assets = [
    cloudelements_event_asset(f"orders {{each}}", tag="shop", poll_interval={INTERVAL})
    for each in range({WATCHERS})
]

with DAG("watching_many", schedule=assets):  # a run once each of them has an event

    @task(retries=2, retry_delay=timedelta(seconds=1))
    def told(triggering_asset_events):
        payloads = [event.extra["payload"] for events in triggering_asset_events.values() for event in events]
        return [[payload["watcher"], [row["id"] for row in payload["events"]]] for payload in payloads]

    told()
"""
SENSORS_DAG = f"""
from datetime import timedelta
from airflow.sdk import DAG
from airflow_provider_cloudelements.sensors.events import CloudElementsEventSensor

with DAG("waiting_many", schedule=None, max_active_tasks={SENSORS}):
    CloudElementsEventSensor.partial(
        task_id="wait",
        deferrable=True,
        poll_interval={INTERVAL},
        timeout=900,
        retries=2,
        retry_delay=timedelta(seconds=1),
    ).expand(tag=["shop"] * {MATCHING} + ["another shop"] * {SENSORS - MATCHING})
"""
CARELESS_DAG = f"""
from airflow.sdk import DAG
from airflow_provider_cloudelements.assets import cloudelements_event_asset
from airflow_provider_cloudelements.sensors.events import CloudElementsEventSensor
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor

waiting = {{"deferrable": True, "poll_interval": {INTERVAL}, "timeout": 900}}
careless = cloudelements_event_asset(
    {PLANTED_NAME!r},
    tag="shop",
    poll_interval={INTERVAL},
    where={{"object_id": {PLANTED["planted for a watcher"]!r}}},
)

with DAG("careless", schedule=[careless]):
    CloudElementsEventSensor(
        task_id="wait_for_event",
        tag="shop",
        where={{"object_id": {PLANTED["planted for an event sensor"]!r}}},
        **waiting,
    )
    CloudElementsInstanceSensor(
        task_id="wait_for_instance", tag={PLANTED["planted for an instance sensor"]!r}, **waiting
    )
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(process=True) as running:
        yield running


@pytest.fixture(scope="module")
def shops(sandbox) -> dict[str, int]:
    """Make the instances, one of them with a past, and return their ids by tag."""
    person = Person(sandbox)
    configuration = {**WAYS["basic"][1], **EVENTS, "event.notification.signature.key": SIGNATURE_KEY}
    made = {
        tag: person.make("basic", tag, configuration=configuration, tags=[tag])
        for tag in ("shop", "another shop", "elsewhere")
    }
    sandbox.emit(made["another shop"], count=BEFORE)
    time.sleep(1.1)  # what comes with the first runs has a later date
    return made


@pytest.fixture(scope="module")
def airflow(start_airflow, sandbox, shops, tmp_path_factory):
    """Start an Airflow in which all of them wait."""
    folder = tmp_path_factory.mktemp("dags")
    for number, text in enumerate((WATCHERS_DAG, SENSORS_DAG, CARELESS_DAG)):
        (folder / f"many_{number}.py").write_text(text)
    running = start_airflow(folder)
    running.add_connection("cloudelements_default", **sandbox.connection())
    began = time.monotonic()
    running.wait_dag("watching_many")
    running.rest("PATCH", "/dags/watching_many", {"is_paused": False})
    running.trigger("careless", run_id="first")
    running.trigger("waiting_many", run_id="first")
    # With those of the careless DAG, three of which are planted.
    eventually(lambda: assigned(running) == WATCHERS + SENSORS + 3, 240)
    print(f"all wait after {time.monotonic() - began:.0f} s")
    return running


def assigned(airflow) -> int:
    """Return how many triggers a triggerer has taken."""
    time.sleep(1)
    return sum((table, column) == ("trigger", "triggerer_id") for table, column, _ in airflow.dump_database())


def paced(sandbox) -> bool:
    """Return whether the last six readings came an interval apart: nobody new joins any more."""
    readings = [
        datetime.fromisoformat(each["time"])
        for each in sandbox.requests()
        if each["path"] == "/instances/events" and "nextPage" not in each["query"]
    ][-6:]
    pauses = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(readings)]
    return len(pauses) == 5 and min(pauses) > 0.75 * INTERVAL


def settled(airflow, seconds: float) -> Counter[str | None]:
    """Wait until only those are deferred that wait for something else, and all others have ended."""
    deadline = time.monotonic() + seconds * PATIENCE
    while (found := states(airflow))["success"] + found["failed"] < MATCHING:
        assert time.monotonic() < deadline, found
        time.sleep(1)
    return found


def states(airflow) -> Counter[str | None]:
    return Counter(airflow.task_states("waiting_many", "first").values())


def test_all_on_one_connection_share_one_stream(airflow, sandbox, shops):
    assert states(airflow) == {"deferred": SENSORS}
    # Until the last have had their first look: a new watcher begins when it has saved where it begins.
    eventually(lambda: airflow.rest("GET", "/variables", limit=1)["total_entries"] >= WATCHERS, 180)
    sandbox.emit(shops["elsewhere"], count=BEFORE)  # nobody waits for these
    eventually(lambda: paced(sandbox))
    since = sandbox.requests()[-1]["number"]
    time.sleep(WINDOW)
    calls = sandbox.requests(since)
    # A page after the first is part of the same reading. There are two here: all are as new as may change.
    assert any("nextPage" in each["query"] for each in calls)
    readings = Counter(each["path"] for each in calls if "nextPage" not in each["query"])
    print(
        f"{WATCHERS} watchers and {SENSORS} sensors: {readings['/instances/events']} readings of the events "
        f"in {WINDOW:.0f} s, one each {INTERVAL:.0f} s asked for; {len(calls)} calls in all"
    )
    assert WINDOW / INTERVAL / 2 <= readings["/instances/events"] <= WINDOW / INTERVAL + 1
    # The one sensor that waits for an instance has a stream of its own, and there is nothing else.
    assert set(readings) == {"/instances/events", "/instances"}
    assert readings["/instances"] <= WINDOW / INTERVAL + 1


def test_one_event_is_told_to_all_whom_it_concerns(airflow, sandbox, shops):
    made = sandbox.emit(shops["shop"])
    began = time.monotonic()
    assert settled(airflow, 180) == {"success": MATCHING, "deferred": SENSORS - MATCHING}
    tries = Counter(each["try_number"] for each in airflow.task_instances("waiting_many", "first"))
    print(
        f"{MATCHING} sensors have told it after {time.monotonic() - began:.0f} s; "
        f"tries of all {SENSORS}: {dict(tries)}"
    )
    found = airflow.xcom("waiting_many", "first", "wait", map_index=MATCHING - 1)
    assert [row["id"] for row in found["events"]] == made
    (run,) = eventually(lambda: airflow.rest("GET", "/dags/watching_many/dagRuns")["dag_runs"])
    assert airflow.wait_run("watching_many", run["dag_run_id"]) == "success"
    told = airflow.xcom("watching_many", run["dag_run_id"], "told")
    assert sorted(told) == sorted([f"orders {each}", made] for each in range(WATCHERS))


def test_nothing_secret_lies_anywhere_while_they_wait(airflow, sandbox):
    assert assigned(airflow) >= WATCHERS + 3
    person = Person(sandbox)
    secrets = {
        "user secret": sandbox.user_secret,
        "organization secret": sandbox.organization_secret,
        "signature key": SIGNATURE_KEY,
        "password": str(WAYS["basic"][1]["password"]),
    }
    for each in sandbox.instances():
        secrets[f"token of {each['name']}"] = person.show(each["id"])["token"]
    places = list(left_behind(airflow, sandbox))
    # What is searched is there, and what lies in it is found.
    names = Counter(name for name, _ in places)
    assert names[TRIGGER_ARGUMENTS] >= WATCHERS + SENSORS - MATCHING + 3
    findings = {(each.secret, each.place) for each in search(places, {**PLANTED, "name": PLANTED_NAME})}
    assert {(secret, TRIGGER_ARGUMENTS) for secret in PLANTED} <= findings
    if keeps_state():
        assert names["table asset_state_store.value"] == WATCHERS + 1
        assert ("name", "table asset_state_store.key") in findings
    assert not sorted((each.secret, each.place) for each in search(places, secrets))
