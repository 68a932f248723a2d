"""An asset's watcher in real Airflow processes: what is emitted reaches a run, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_cloudelements.triggers.place import SAVE_AFTER
from scripts.local_airflow import PATIENCE
from tests.support.leaks import left_behind, search
from tests.support.patience import eventually, quiet
from tests.support.platform import EVENTS, WAYS, Person
from tests.support.runs import keeps_state

pytestmark = [pytest.mark.processes, pytest.mark.lane("shared")]

DAG_ID = "watching"
INTERVAL = 2.0
#: Of a busy Airflow a task may fail by no fault of its own, and whoever wants the events has retries.
DAGS = """
from datetime import timedelta
from airflow.sdk import DAG, task
from airflow_provider_cloudelements.assets import cloudelements_event_asset

orders = cloudelements_event_asset("orders", tag="shop", start={start!r}, poll_interval={interval})

with DAG("watching", schedule=[orders], max_active_runs=4):

    @task(retries=3, retry_delay=timedelta(seconds=1))
    def collect(triggering_asset_events):
        return [
            [event.timestamp.isoformat(), [row["id"] for row in event.extra["payload"]["events"]]]
            for event in triggering_asset_events[orders]
        ]

    collect()
"""
#: Seconds that a watcher may take to save what it told, once that is due; a busy machine may need them.
SAVING = 20.0
SEED = 20261124


@dataclass(frozen=True)
class Storm:
    """
    Events, and a triggerer that is killed while they come.

    :param count: How many events.
    :param instances: Of how many instances.
    :param seconds: In which time.
    :param kills: How often the triggerer is killed.
    :param order: The order of the platform's list.
    :param spread: Seconds within which an event becomes visible.
    """

    count: int
    instances: int
    seconds: float
    kills: int
    order: str
    spread: float

    def moments(self, seed: int) -> list[tuple[float, float]]:
        """Return when the triggerer is killed, and when it is started again: once in each equal stretch.

        Late in it, so that it mostly has come to watch again.
        """
        chance = random.Random(seed)  # noqa: S311 - not for secrets
        stretch = self.seconds / self.kills
        begins = [(each + chance.uniform(0.4, 0.9)) * stretch for each in range(self.kills)]
        return [(begin, begin + chance.uniform(0, 0.2) * stretch) for begin in begins]


GATE = Storm(count=200, instances=5, seconds=40, kills=2, order="newest", spread=2)
SOAKS = [
    Storm(count=10_000, instances=20, seconds=360, kills=6, order=order, spread=30)
    for order in ("newest", "oldest")
]


@pytest.fixture(scope="module")
def sandbox(stage):
    stage.sandbox.configure(event_visible_spread=2, event_notified_after=0.5)
    return stage.sandbox


@pytest.fixture(scope="module")
def airflow(stage, sandbox):
    """Have the watcher at work."""
    # The date is only for the first watcher of this name: its place outlives it on all lines.
    begin = "now" if keeps_state() else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    stage.add_connections({"cloudelements_default": sandbox.connection()})
    stage.add_dags({"watching": DAGS.format(start=begin, interval=INTERVAL)})
    stage.airflow.wait_dag(DAG_ID)
    unpause(stage.airflow)
    eventually(lambda: watched(sandbox))
    return stage.airflow


@pytest.fixture
def collected(airflow):
    return Collected(airflow)


def watched(sandbox) -> bool:
    """Say whether the list of events was asked for just now."""
    before = len(sandbox.requests())
    time.sleep(2.5)
    return any(each["path"] == "/instances/events" for each in sandbox.requests()[before:])


def forget_state(airflow) -> None:
    """Delete all that Airflow keeps of its assets' state."""
    for asset in airflow.rest("GET", "/assets")["assets"]:
        airflow.rest("DELETE", f"/assets/{asset['id']}/state-store")


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
        #: Of each run the asset events: when they were made, and what is in them.
        self.by_run: dict[str, list[tuple[datetime, list[str]]]] = {}

    def update(self) -> None:
        offset, total = 0, 1
        while offset < total:
            page = self.airflow.rest("GET", f"/dags/{DAG_ID}/dagRuns", limit=100, offset=offset)
            offset, total = offset + 100, page["total_entries"]
            for run in page["dag_runs"]:
                run_id = run["dag_run_id"]
                assert run["state"] != "failed", self.airflow.task_log(DAG_ID, run_id, "collect", attempt=4)
                if run["state"] == "success" and run_id not in self.by_run:
                    told = self.airflow.xcom(DAG_ID, run_id, "collect")
                    self.by_run[run_id] = [(datetime.fromisoformat(when), ids) for when, ids in told]

    def moments(self) -> dict[str, list[datetime]]:
        """Return of each event when it was told, in order; what several runs got is told several times."""
        found = defaultdict(list)
        for when, ids in sorted(itertools.chain(*self.by_run.values())):
            for each in ids:
                found[each].append(when)
        return found

    def wait(self, made: list[str], patience: float = 120) -> None:
        """Wait until every event has reached a run."""
        deadline = time.monotonic() + patience * PATIENCE
        missing = set(made)
        while missing:
            assert time.monotonic() < deadline, f"{len(missing)} of {len(made)} events are in no run"
            time.sleep(1)
            with contextlib.suppress(OSError):  # a busy API server may be too slow
                self.update()
            missing = set(made).difference(self.moments())


class Kills:
    """Kills the triggerer, and remembers when."""

    def __init__(self, airflow, sandbox) -> None:
        self.airflow = airflow
        self.sandbox = sandbox
        self.times: list[datetime] = []
        #: How often it was watching at that moment, not still on its way to it.
        self.watching = 0

    def kill(self) -> None:
        readings = [each for each in self.sandbox.requests() if each["path"] == "/instances/events"]
        since = max([*self.times, datetime.now(UTC) - timedelta(seconds=5 * INTERVAL)])
        self.watching += datetime.fromisoformat(readings[-1]["time"]) > since
        self.airflow.kill("triggerer")
        self.times.append(datetime.now(UTC))

    def after(self, moment: datetime) -> datetime | None:
        """Return the first kill after a moment."""
        return next((each for each in self.times if each > moment), None)


def play(acts: list[tuple[float, Callable[[], object]]]) -> None:
    """Do things at their moments, given in seconds from now."""
    begin = time.monotonic()
    for moment, act in sorted(acts, key=lambda each: each[0]):
        time.sleep(max(0.0, begin + moment - time.monotonic()))
        act()


def repetitions(made: list[str], collected: Collected, kills: Kills) -> list[float]:
    """
    Explain what was told more than once: after a kill, in place of what was told and not saved.

    :return: For each repetition how long before the kill the event had been told, in seconds.
    """
    found = []
    moments = collected.moments()
    for each in made:
        for first, second in itertools.pairwise(moments[each]):
            kill = kills.after(first)
            assert kill is not None, f"told at {first} and {second}, after the last kill"
            assert kill < second, f"told at {first} and {second}, with no kill between"
            found.append((kill - first).total_seconds())
    return found


def test_one_that_is_unpaused_finds_what_came_meanwhile(airflow, sandbox, collected):
    numbers = shops(sandbox, 2)
    made = sandbox.emit(numbers[0])
    collected.wait(made)
    time.sleep(SAVE_AFTER + 3)
    airflow.rest("PATCH", f"/dags/{DAG_ID}", {"is_paused": True})
    eventually(lambda: quiet(sandbox))
    if keeps_state():
        # As Airflow's scheduler does while no DAG file names the asset: the copy of the place remains.
        forget_state(airflow)
    made += sandbox.emit(numbers[1], count=5)
    unpause(airflow)
    collected.wait(made)
    told = Counter(len(each) for each in collected.moments().values())
    print(f"paused: {len(made)} events; so many told so often: {dict(told)}")
    if keeps_state():
        assert told == {1: len(made)}


@pytest.mark.parametrize(
    ("storm", "seed", "patience"),
    [
        pytest.param(GATE, SEED, 180, id="gate", marks=pytest.mark.newest),
        *(
            pytest.param(
                each,
                int(os.environ.get("WATCH_SEED") or time.time()),
                900,
                id=f"soak-{each.order}",
                marks=pytest.mark.soak,
            )
            for each in SOAKS
        ),
    ],
)
def test_every_event_reaches_a_run_though_the_triggerer_is_killed(
    airflow, sandbox, collected, storm, seed, patience
):
    print(f"seed {seed}: {storm}")  # first, lest a failure hide it
    sandbox.reset()  # a watcher reads at most 20,000 events, of all tests
    sandbox.configure(
        event_order=storm.order, event_visible_spread=storm.spread, event_notified_after=storm.spread / 4
    )
    eventually(lambda: watched(sandbox))
    numbers = shops(sandbox, storm.instances)
    kills = Kills(airflow, sandbox)
    made: list[str] = []

    def emit() -> None:
        for number in numbers:
            made.extend(sandbox.emit(number, count=2))

    steps = storm.count // (2 * storm.instances)
    acts: list[tuple[float, Callable[[], object]]]
    acts = [(each * storm.seconds / steps, emit) for each in range(steps)]
    for killed, started in storm.moments(seed):
        acts += [(killed, kills.kill), (started, lambda: airflow.restart("triggerer"))]
    play(acts)
    collected.wait(made, patience)
    assert len(made) == storm.count
    assert 2 * kills.watching >= storm.kills
    repeated = repetitions(made, collected, kills)
    print(
        f"killed triggerer: {len(made)} events, none missed, in {len(collected.by_run)} runs; "
        f"{len(kills.times)} kills, {kills.watching} while it watched; {len(repeated)} repetitions, "
        f"each after a kill, of what was told up to {max(repeated, default=0):.0f} s before it"
    )
    if keeps_state():
        assert max(repeated, default=0) <= SAVE_AFTER + SAVING
    assert "exited with error" not in airflow.process_log("triggerer")
    secrets = {"user secret": sandbox.user_secret, "organization secret": sandbox.organization_secret}
    assert not list(search(left_behind(airflow, sandbox), secrets))
