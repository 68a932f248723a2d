"""Pushes at a real API server that is killed meanwhile: whatever the platform delivers reaches a run.

The sandbox signs, delivers and repeats as the platform does (facts F243, F256), only with shorter pauses.
What receives is Airflow's own API server, what reads is the example DAG, run by time more often.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.airflow_rest import LocalAirflowError
from scripts.local_airflow import PATIENCE, LocalAirflow
from scripts.postgres import postgres
from tests.support.leaks import left_behind, search
from tests.support.platform import WAYS, Person
from tests.support.programs import needs_postgresql
from tests.support.receiving import (
    EXAMPLE,
    EXAMPLE_ID,
    key_of,
    patiently,
    receiving_airflow,
    run,
    runs,
    unpause,
)

pytestmark = [pytest.mark.processes, pytest.mark.newest]

SEED = 20261124
#: Multiplies the pauses of 8, 64, 512 ... seconds before a delivery is tried again: the last try comes
#: 18.7 s after the first, so that some outages outlast the policy.
TIME_FACTOR = 0.0005
#: The example's schedule, and what the test has in its place: the tests cannot wait for a quarter of an hour.
BY_TIME, OFTEN = '"*/15 * * * *"', '"* * * * * */20"'
AFTER_OUTAGE = """
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.deliveries import CloudElementsReleaseDeliveriesOperator

with DAG("after_outage", schedule=None):
    CloudElementsReleaseDeliveriesOperator(task_id="release", callback_url="{{ dag_run.conf['url'] }}")
"""
#: Until so long after an outage tasks may not have got through.
AFTERMATH = timedelta(seconds=10)
#: By default Airflow takes a task for dead that gave no sign of life for five minutes.
IMPATIENT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
}


@dataclass(frozen=True)
class Plan:
    """How much comes, how fast, and how often the API server is killed.

    :param events: how many events in all
    :param instances: whose
    :param rate: events a second that the vendors tell of
    :param most_kills: how often at most: none comes when all was told
    :param up: seconds between two outages, at least and at most
    :param down: seconds from a kill to the start, which itself takes some, at least and at most
    :param patience: seconds for what is left when the vendors are silent
    """

    events: int
    instances: int
    rate: float
    most_kills: int
    up: tuple[float, float]
    down: tuple[float, float]
    patience: float


GATE = Plan(events=200, instances=5, rate=10, most_kills=1, up=(4, 8), down=(0, 3), patience=90)
SOAK = Plan(events=10_000, instances=20, rate=10, most_kills=20, up=(20, 45), down=(0, 20), patience=900)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(process=True, time_factor=TIME_FACTOR, delivery_timeout=30) as running:
        yield running


@pytest.fixture(scope="module")
def airflow(sandbox, tmp_path_factory):
    """Start an Airflow on a database as production has one."""
    needs_postgresql()
    folder = tmp_path_factory.mktemp("dags")
    text = EXAMPLE.read_text()
    assert text.count(BY_TIME) == 1
    (folder / EXAMPLE.name).write_text(text.replace(BY_TIME, OFTEN))
    (folder / "after_outage.py").write_text(AFTER_OUTAGE)
    with (
        postgres() as database,
        receiving_airflow(folder, environment=IMPATIENT, sql_alchemy_conn=database) as running,
    ):
        running.add_connection("cloudelements_default", **sandbox.connection())
        unpause(running, EXAMPLE_ID, "after_outage")
        yield running


@dataclass
class Vendors:
    """Tell of events at a steady rate, in a thread of their own: no outage holds them up.

    :param emitted: ids of the events, as the platform has them.
    :param objects: ids of the objects that they are about, each another.
    :param given_up: how many deliveries the platform gave up and was asked to make again.
    """

    sandbox: Sandbox
    numbers: list[int]
    plan: Plan
    name: str
    emitted: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    given_up: int = 0

    def __enter__(self) -> Vendors:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    @property
    def silent(self) -> bool:
        """Whether all was told."""
        return not self._thread.is_alive()

    def _tell(self) -> None:
        begun = time.monotonic()
        for number in range(self.plan.events):
            if self._stop.wait(max(0, begun + number / self.plan.rate - time.monotonic())):
                return
            name = f"{self.name}-{number}"
            instance = self.numbers[number % len(self.numbers)]
            self.emitted += self.sandbox.emit(instance, object_type="events", object_id=name)
            self.objects.append(name)


def instances(sandbox: Sandbox, airflow: LocalAirflow, count: int) -> list[int]:
    """Make instances whose events this Airflow receives."""
    element, configuration = WAYS["code"]
    events = {
        "event.notification.enabled": True,
        "event.notification.callback.url": callback(airflow),
        "event.notification.signature.key": key_of(airflow),
    }
    assert element == "microsoftgraph"
    person = Person(sandbox)
    return [
        person.make("code", f"Calendar {each}", configuration={**configuration, **events})
        for each in range(count)
    ]


def callback(airflow: LocalAirflow) -> str:
    return f"{airflow.url}/webhooks/cloudelements"


@dataclass(frozen=True)
class Outage:
    """When the API server was away."""

    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.begin).total_seconds()

    def meets(self, task: dict[str, Any]) -> bool:
        """Say whether a task that failed was on its way or at work in that time, or soon after."""
        begin = datetime.fromisoformat(task["start_date"] or task["queued_when"])
        end = datetime.fromisoformat(task["end_date"])
        return begin <= self.end + AFTERMATH and end >= self.begin


def outages(airflow: LocalAirflow, vendors: Vendors, rng: random.Random) -> list[Outage]:
    """Kill the API server at random moments while events come; return when it was away."""
    seen: list[Outage] = []
    time.sleep(rng.uniform(*vendors.plan.up))
    while not vendors.silent and len(seen) < vendors.plan.most_kills:
        killed = datetime.now(UTC)
        airflow.kill("api-server")
        time.sleep(rng.uniform(*vendors.plan.down))
        airflow.restart("api-server")
        airflow.wait_healthy(240)
        seen.append(Outage(killed, datetime.now(UTC)))
        # What an outage outlasted is queued, and with it all that follows, until somebody releases it.
        vendors.given_up += release(airflow)
        time.sleep(rng.uniform(*vendors.plan.up))
    return seen


@dataclass
class Platform:
    """What the platform knows of its deliveries."""

    sandbox: Sandbox
    emitted: set[str]

    def rows(self) -> list[dict[str, Any]]:
        """Return the deliveries of our events."""
        return [
            each for each in self.sandbox.control("GET", "/deliveries") if each["eventId"] in self.emitted
        ]

    def settled(self, patience: float) -> Counter[str]:
        """Wait until nothing is under way or planned; return how many deliveries have which status."""
        deadline = time.monotonic() + patience * PATIENCE
        while True:
            rows = self.rows()
            states = Counter(each["status"] for each in rows)
            # What was released is still called queued until it is brought; its subscription is active.
            if not any(
                each["status"] in ("created", "retry") or (each["status"] == "queued" and each["active"])
                for each in rows
            ):
                return states
            assert time.monotonic() < deadline, f"still under way after {patience} s: {states}"
            time.sleep(1)


def release(airflow: LocalAirflow) -> int:
    """Have delivered what the platform gave up, as after an outage; return how much it was."""
    run_id = f"release-{time.monotonic()}"
    assert run(airflow, "after_outage", run_id, {"url": callback(airflow)}) == "success"
    return int(patiently(lambda: airflow.xcom("after_outage", run_id, "release")["queued"]))


def stored(airflow: LocalAirflow) -> Counter[str]:
    """Return how many asset events there are of each delivery, by its eventId."""
    from sqlalchemy import create_engine, text

    engine = create_engine(airflow.sql_alchemy_conn)
    try:
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT extra ->> 'delivery_id' FROM asset_event"))
            return Counter(row[0] for row in rows)
    finally:
        engine.dispose()


@dataclass
class Handled:
    """What the runs of the example were given, and which of them did the work."""

    airflow: LocalAirflow
    given: dict[str, list[str]] = field(default_factory=dict)
    worked: dict[str, bool] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    #: Of each failed run the task that failed, as Airflow's REST API has it.
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)

    def look(self) -> None:
        """Learn of the runs that have ended meanwhile."""
        for each in runs(self.airflow, EXAMPLE_ID):
            run_id, state = each["dag_run_id"], each["state"]
            if run_id in self.states or state not in ("success", "failed"):
                continue
            of_run = self.airflow.task_instances(EXAMPLE_ID, run_id)
            tasks = {each["task_id"]: each["state"] for each in of_run}
            changes = []
            if tasks["what_changed"] == "success":
                changes = self.airflow.xcom(EXAMPLE_ID, run_id, "what_changed")["changes"]
            self.given[run_id] = [change["object_id"] for change in changes]
            self.worked[run_id] = tasks["handle"] == "success"
            if state == "failed":
                self.failed[run_id] = next((each for each in of_run if each["state"] == "failed"), of_run[0])
            self.states[run_id] = state

    def worked_on(self) -> Counter[str]:
        """Return how often the work was done for each object, as far as was looked."""
        return Counter(each for run_id, ids in self.given.items() if self.worked[run_id] for each in ids)

    def wait(self, objects: list[str], patience: float) -> Counter[str]:
        """Wait until every object has been worked on."""
        deadline = time.monotonic() + patience * PATIENCE
        while True:
            with contextlib.suppress(OSError, LocalAirflowError):  # a busy API server may be too slow
                self.look()
            done = self.worked_on()
            if not (missing := set(objects) - set(done)):
                return done
            assert time.monotonic() < deadline, (
                f"{len(missing)} of {len(objects)} events are in no run: {Counter(self.states.values())}"
            )
            time.sleep(2)

    def why_failed(self) -> Counter[str]:
        """Count the failed runs by what they failed of."""
        return Counter(
            f"in {task['task_id']}: {self._last_error(run_id, task)}" for run_id, task in self.failed.items()
        )

    def without_cause(self, seen: list[Outage]) -> list[str]:
        """Return the runs that failed beside no outage."""
        return [
            run_id for run_id, task in self.failed.items() if not any(outage.meets(task) for outage in seen)
        ]

    def _last_error(self, run_id: str, task: dict[str, Any]) -> str:
        """Return the last error in a task's log."""
        if task["start_date"] is None:
            return "it was not let begin"
        try:
            log = self.airflow.task_log(EXAMPLE_ID, run_id, task["task_id"], task["try_number"])
        except OSError:
            return "no log"
        errors = [each for line in log.splitlines() if (each := json.loads(line)).get("level") == "error"]
        if not errors:
            return "no error in its log"
        what = errors[-1].get("error_detail") or [{"exc_type": "", "exc_value": errors[-1]["event"]}]
        return f"{what[-1]['exc_type']} {what[-1]['exc_value']}"[:100].strip()

    def unexplained(self, done: Counter[str]) -> dict[str, list[str]]:
        """Return objects worked on again although an earlier run that had them had come to its end."""
        where: dict[str, list[str]] = {}
        for run_id, ids in self.given.items():
            for each in ids:
                if done[each] > 1 and self.worked[run_id]:
                    where.setdefault(each, []).append(run_id)
        return {
            each: run_ids
            for each, run_ids in where.items()
            if sum(self.states[run_id] == "success" for run_id in run_ids) > 1
        }


@pytest.mark.parametrize(
    "plan", [GATE, pytest.param(SOAK, marks=pytest.mark.soak)], ids=lambda plan: str(plan.events)
)
def test_every_delivery_reaches_a_run_though_the_api_server_is_killed(airflow, sandbox, plan):
    begun = time.monotonic()
    rng = random.Random(SEED)  # noqa: S311  moments, not secrets
    print(f"\npushes, seed {SEED}: {plan.events} events over {plan.instances} instances", flush=True)
    numbers = instances(sandbox, airflow, plan.instances)
    with Vendors(sandbox, numbers, plan, f"soak{plan.events}") as vendors:
        seen = outages(airflow, vendors, rng)
        while not vendors.silent:
            airflow.check_alive()
            time.sleep(0.5)
    assert len(vendors.emitted) == len(vendors.objects) == plan.events
    platform = Platform(sandbox, set(vendors.emitted))
    while (states := platform.settled(plan.patience))["queued"]:
        vendors.given_up += release(airflow)
    assert states == {"delivered": plan.events}, "what the platform was told it had delivered"

    stored_of = stored(airflow)
    assert [each for each in vendors.emitted if not stored_of[each]] == [], "answered with 2xx, and lost"
    assert [each for each in vendors.emitted if stored_of[each] > 1] == [], "stored twice"
    handled = Handled(airflow)
    worked = handled.wait(vendors.objects, plan.patience)
    report(plan, seen, vendors.given_up, platform.rows(), handled, time.monotonic() - begun)
    assert handled.without_cause(seen) == []
    assert handled.unexplained(worked) == {}, "worked on again though the cursor had moved on"
    assert set(search(left_behind(airflow, sandbox), {"key": key_of(airflow)})) == set()


def report(
    plan: Plan,
    seen: list[Outage],
    given_up: int,
    deliveries: list[dict[str, Any]],
    handled: Handled,
    seconds: float,
) -> None:
    """Print what was seen, each repetition with its cause."""
    answers = Counter(each["outcome"] for each in deliveries)
    lasted = [each.seconds for each in seen]
    ended = Counter(handled.states.values())
    again = sum(handled.worked_on().values()) - len(handled.worked_on())
    print(
        f"  API server killed {len(lasted)} times, away for {min(lasted):.0f} to {max(lasted):.0f} s; "
        f"{seconds:.0f} s in all, {plan.events / seconds:.1f} events/s\n"
        f"  platform: {len(deliveries)} delivered; {given_up} times it gave one up and was asked for it\n"
        f"  receiver: {answers['answered 202']} taken; {answers['answered 200']} known already: stored "
        "before, but the answer did not arrive; none lost, none stored twice\n"
        f"  example: every event reached a run; {ended['success']} runs succeeded, {ended['failed']} failed; "
        f"{again} events were worked on again, since a run had failed after the work and before the cursor "
        "moved on",
        *(f"  {count} failed {why}" for why, count in handled.why_failed().most_common()),
        sep="\n",
        flush=True,
    )
