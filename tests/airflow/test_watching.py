"""An asset's watcher in real Airflow processes: what is emitted reaches a run, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import time
from collections import Counter

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from airflow_provider_cloudelements.triggers.events import SAVE_AFTER
from tests.airflow.test_waiting import eventually, quiet
from tests.operators.support import EVENTS, WAYS, Person

pytestmark = pytest.mark.processes

DAG_ID = "watching"
DAGS = """
from airflow.sdk import DAG, task
from airflow_provider_cloudelements.assets import cloudelements_event_asset

orders = cloudelements_event_asset("orders", tag="shop", start={start!r}, poll_interval=2)

with DAG("watching", schedule=[orders], max_active_runs=4):

    @task
    def collect(triggering_asset_events):
        payloads = [event.extra["payload"] for event in triggering_asset_events[orders]]
        return [row["id"] for payload in payloads for row in payload["events"]]

    collect()
"""
#: Airflow takes a triggerer for dead after half a minute.
IMPATIENT = {
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3",
}


def keeps_state() -> bool:
    """Say whether this line of Airflow has state stores (3.3)."""
    try:
        import airflow.models.asset_state_store  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(process=True) as running:
        running.configure(event_visible_spread=2, event_notified_after=0.5)
        yield running


@pytest.fixture(scope="module")
def airflow(start_airflow, sandbox, tmp_path_factory):
    """Start an Airflow with the watcher at work."""
    # Without a store nothing but a date keeps what came while nobody watched.
    begin = "now" if keeps_state() else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    folder = tmp_path_factory.mktemp("dags")
    (folder / "watching.py").write_text(DAGS.format(start=begin))
    running = start_airflow(folder, environment=IMPATIENT)
    running.add_connection("cloudelements_default", **sandbox.connection())
    running.wait_dag(DAG_ID)
    unpause(running)
    eventually(lambda: watched(sandbox))
    return running


@pytest.fixture
def collected(airflow):
    return Collected(airflow)


def watched(sandbox) -> bool:
    """Say whether the list of events was asked for just now."""
    before = len(sandbox.requests())
    time.sleep(2.5)
    return any(each["path"] == "/instances/events" for each in sandbox.requests()[before:])


def unpause(airflow) -> None:
    # The watcher is registered when its DAG is parsed next.
    airflow.rest("PATCH", f"/dags/{DAG_ID}", {"is_paused": False})


def shops(sandbox, count: int) -> list[int]:
    person = Person(sandbox)
    configuration = {**WAYS["basic"][1], **EVENTS}
    return [
        person.make("basic", f"Shop {each}", configuration=configuration, tags=["shop"])
        for each in range(count)
    ]


class Collected:
    """What the runs have collected so far."""

    def __init__(self, airflow) -> None:
        self.airflow = airflow
        self.by_run: dict[str, list[str]] = {}

    def ids(self) -> Counter[str]:
        offset, total = 0, 1
        while offset < total:
            page = self.airflow.rest("GET", f"/dags/{DAG_ID}/dagRuns", limit=100, offset=offset)
            offset, total = offset + 100, page["total_entries"]
            for run in page["dag_runs"]:
                run_id = run["dag_run_id"]
                if run["state"] == "success" and run_id not in self.by_run:
                    self.by_run[run_id] = self.airflow.xcom(DAG_ID, run_id, "collect")
        return Counter(each for ids in self.by_run.values() for each in ids)

    def wait(self, made: list[str], patience: float = 60) -> None:
        """Wait until every event has reached a run."""
        deadline = time.monotonic() + patience
        missing = set(made)
        while missing:
            assert time.monotonic() < deadline, f"{len(missing)} of {len(made)} events are in no run"
            time.sleep(1)
            with contextlib.suppress(OSError):  # a busy API server may be too slow
                missing = set(made) - set(self.ids())


def report(name: str, made: list[str], collected: Collected) -> None:
    ids = collected.ids()
    told = sum(ids[each] for each in made)
    print(f"{name}: {len(made)} events, {len(collected.by_run)} runs in all, {told - len(made)} repeated")


def test_one_that_is_unpaused_finds_what_came_meanwhile(airflow, sandbox, collected):
    numbers = shops(sandbox, 2)
    made = sandbox.emit(numbers[0])
    collected.wait(made)
    time.sleep(SAVE_AFTER + 3)
    airflow.rest("PATCH", f"/dags/{DAG_ID}", {"is_paused": True})
    eventually(lambda: quiet(sandbox))
    made += sandbox.emit(numbers[1], count=5)
    unpause(airflow)
    collected.wait(made)
    report("paused", made, collected)
    if keeps_state():
        assert collected.ids().total() == len(made)


@pytest.mark.parametrize(
    ("count", "instances", "patience"),
    [(200, 5, 90), pytest.param(10_000, 20, 900, marks=pytest.mark.soak)],
)
def test_every_event_reaches_a_run_though_the_triggerer_is_killed(
    airflow, sandbox, collected, count, instances, patience
):
    numbers = shops(sandbox, instances)
    made: list[str] = []

    def emit(upto: int, seconds: float) -> None:
        pause = seconds / max(1, (upto - len(made)) * 10 // count)
        while len(made) < upto:
            for number in numbers:
                made.extend(sandbox.emit(number, count=max(1, count // 10 // instances)))
            time.sleep(pause)

    emit(count // 5, 4)
    collected.wait(made, patience)
    emit(2 * count // 5, 4)
    airflow.kill("triggerer")  # in the midst of it: some is told and not stored, some told and not saved
    emit(3 * count // 5, 4)
    airflow.restart("triggerer")
    emit(4 * count // 5, 8)
    airflow.kill("triggerer")
    airflow.restart("triggerer")
    emit(count, 4)
    collected.wait(made, patience)
    report("killed triggerer", made, collected)
    assert "exited with error" not in airflow.process_log("triggerer")
    for _, content in airflow.log_files():
        assert sandbox.user_secret.encode() not in content
