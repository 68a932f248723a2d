"""
Crash schedules: operators killed and their answers lost, in random order, then retried.

One process imports everything and makes the operators ready; each try is a fork of it, so that a try costs
what its calls cost and dies as a worker's process does. What Airflow does around a try is played: the try
number rises, XCom is cleared before each try, the task state store is kept (Airflow 3.3) or there is none
(3.1, 3.2), and a retry comes when the server is done with what it had (the default retry delay is five
minutes, a create's time-out one).

Run by hand, all or one::

    python -m tests.crash.harness --schedules 60 --seed 7
    python -m tests.crash.harness --seed 7 --only 31
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from tests.crash import changes
from tests.support.context import FileStore, write_json

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = f"{ROOT / 'airflow_provider_cloudelements'}{os.sep}"
LANES = 4
#: No faults and no kills any more after so many tries, and no try after so many.
LAST_TROUBLE, LAST_TRY = 4, 9
SETTLE = 1.5
#: Lines of the package that a create runs, about.
LINES = 2200
IDLE_SECONDS = 20.0

SUCCESS, RETRYABLE, FINAL = 0, 11, 12

CREATES = ("basic", "refresh", "code", "reauthenticate")
#: In turn, so that each has its share; creates and log-ins have the more to lose.
WAYS = (
    *("basic", "update", "refresh", "new code", "code", "events on", "reauthenticate", "new secret"),
    *("code", "enable", "basic", "new code", "disable", "new secret", "events off"),
)
CALLBACK = "https://hooks.example.com/events"
APP = {"oauth.api.key": "k-1", "oauth.api.secret": "s-1", "oauth.callback.url": "https://app.example.com/cb"}
VENDORS: dict[str, tuple[str, dict[str, Any]]] = {
    "basic": ("closeio", {"username": "ada", "password": "first-password"}),
    "refresh": ("hubspotcrm", {**APP, "oauth.user.refresh_token": "refresh-token-1"}),
    "code": ("microsoftgraph", {**APP, "oauth.scope": "offline_access"}),
    "reauthenticate": ("microsoftgraph", {**APP, "oauth.scope": "offline_access"}),
}
CALLS = (
    ("POST", "/instances"),
    ("POST", "/instances"),
    ("GET", "/instances"),
    ("GET", "/instances/*"),
    ("PATCH", "/instances/*"),
)


def faults() -> dict[str, dict[str, Any]]:
    """Return every kind of fault that a create can meet and a later try can get over."""
    kinds: dict[str, dict[str, Any]] = {"cut": {"action": "cut"}}
    for when in ("before", "after"):
        kinds[f"drop {when}"] = {"action": "drop", "when": when}
        kinds[f"html {when}"] = {"action": "html", "status": 200, "when": when}
        kinds[f"short delay {when}"] = {"action": "delay", "seconds": 0.3, "when": when}
        kinds[f"delay beyond the time-out {when}"] = {"action": "delay", "seconds": 1.3, "when": when}
        for status in (500, 502, 503, 504):
            kinds[f"{status} {when}"] = {"action": "status", "status": status, "when": when}
    kinds["429 with Retry-After"] = {"action": "status", "status": 429, "retry_after": "1"}
    kinds["429 without Retry-After"] = {"action": "status", "status": 429}
    return kinds


FAULTS = faults()


@dataclasses.dataclass
class Schedule:
    """One story of a task, all of it from its number and the seed."""

    number: int
    seed: int

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed}:{self.number}")  # noqa: S311 - not for secrets
        self.way = WAYS[self.number % len(WAYS)]
        self.store = self.number // len(WAYS) % 2 == 0
        self.if_exists = "update"
        if self.way in ("basic", "refresh", "code"):
            self.if_exists = self.random.choice(("update", "update", "fail", "reuse"))
        self.delete_on_failure = self.random.random() < 0.15 and self.way in CREATES
        self.troubled_tries = self.random.randint(1, LAST_TROUBLE)
        self.calls = changes.CALLS.get(self.way, CALLS)
        if self.way == "reauthenticate":
            self.calls = (("PATCH", "/instances/*"), *CALLS)
        lines = LINES if self.way in CREATES else changes.LOG_IN_LINES
        self.lines = changes.LINES.get(self.way, lines)

    def __str__(self) -> str:
        store = "with store" if self.store else "without store"
        deleting = ", deleting on failure" if self.delete_on_failure else ""
        return f"schedule {self.number} (seed {self.seed}: {self.way}, {store}, {self.if_exists}{deleting})"


class FileTi:
    """A task instance whose XComs lie in a file."""

    dag_id, task_id, run_id, map_index = "a_dag", "create", "manual__1", -1

    def __init__(self, path: Path, try_number: int) -> None:
        self.path = path
        self.try_number = try_number

    def xcom_push(self, key: str, value: Any) -> None:
        pushed = json.loads(self.path.read_text()) if self.path.exists() else {}
        write_json(self.path, {**pushed, key: value})


class Broken(AssertionError):
    """A schedule did not end as it must."""


class Lane:
    """Runs schedules one after the other against a sandbox of its own."""

    def __init__(self, folder: Path) -> None:
        from airflow_provider_cloudelements.sandbox import Sandbox

        self.folder = folder
        self.figures: Counter[str] = Counter()
        #: Calls of this schedule that were answered 429, so that no vendor was asked for a code in them.
        self.unasked = 0
        self.sandbox = Sandbox(process=True)

    def run(self, schedules: list[Schedule]) -> list[str]:
        """Run them; return what went wrong, one text for each that failed."""
        broken = []
        with self.sandbox:
            connection = self.sandbox.connection(request_timeout=1, create_timeout=1, max_retries=1)
            os.environ["AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT"] = json.dumps(connection)
            for schedule in schedules:
                try:
                    self._play(schedule)
                except Broken as error:
                    broken.append(f"{schedule}: {error}")
                self.figures["schedules"] += 1
        return broken

    def _play(self, schedule: Schedule) -> None:
        from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

        sandbox, folder = self.sandbox, self.folder / str(schedule.number)
        folder.mkdir()
        sandbox.reset()
        self.unasked = 0
        if schedule.way in changes.KINDS:
            self._play_change(schedule, folder)
            return
        element, configuration = VENDORS[schedule.way]
        arguments: dict[str, Any] = {
            "task_id": "create",
            "element": element,
            "instance_name": f"Instance {schedule.number}",
            "configuration": configuration,
            "event_callback_url": CALLBACK,
        }
        if schedule.way == "reauthenticate":
            first = CloudElementsCreateInstanceOperator(**arguments, authorization_code=sandbox.code(element))
            earlier = first.execute({"ti": FileTi(folder / "earlier.json", 1)})  # type: ignore[arg-type]
            if schedule.random.random() < 0.5:
                sandbox.set_instance(earlier["id"], disabled=True)
        needs_code = schedule.way in ("code", "reauthenticate")
        create = CloudElementsCreateInstanceOperator(
            **arguments,
            authorization_code=sandbox.code(element) if needs_code else None,
            if_exists=schedule.if_exists,
            delete_on_failure=schedule.delete_on_failure,
            settle_time=SETTLE,
        )
        for try_number in range(1, LAST_TRY + 1):
            code = self._try(schedule, create, folder, try_number)
            self.figures["tries"] += 1
            if code == SUCCESS:
                self._check_success(schedule, folder)
                return
            if code == FINAL:
                self._check_final(schedule, create, folder, try_number)
                return
        raise Broken(f"still not done after {LAST_TRY} tries; see {folder}")

    def _play_change(self, schedule: Schedule, folder: Path) -> None:
        story = changes.Story(self.sandbox, schedule.way, schedule.random, folder, SETTLE)
        for try_number in range(1, LAST_TRY + 1):
            code = self._try(schedule, story.operator, folder, try_number)
            self.figures["tries"] += 1
            story.unasked = self.unasked
            try:
                if code == SUCCESS:
                    xcom = json.loads((folder / "xcom.json").read_text())
                    outcome = story.check_success(xcom)
                elif code == FINAL:
                    error = json.loads((folder / "error.json").read_text())
                    log = (folder / f"try-{try_number}.log").read_text()
                    told = "could not be disabled again" in log
                    outcome = story.check_final(error, with_store=schedule.store, told_of_enabled=told)
                else:
                    continue
            except changes.Wrong as error:
                raise Broken(f"{error}; see {folder}") from error
            self.figures[outcome] += 1
            self.figures["codes presented"] += sum(row["presented"] for row in self.sandbox.codes())
            return
        raise Broken(f"still not done after {LAST_TRY} tries; see {folder}")

    # -- one try ------------------------------------------------------------------------------------

    def _try(self, schedule: Schedule, create: Any, folder: Path, try_number: int) -> int:
        """Fork, perhaps kill, wait until the server is done; return how the try ended (-9: killed)."""
        chance = schedule.random
        (folder / "xcom.json").unlink(missing_ok=True)
        kill_after = kill_at_line = None
        if try_number <= schedule.troubled_tries:
            # The first at the call that matters most, as often as not; the others anywhere.
            for number in range(chance.choice((0, 1, 2, 3))):
                first = number == 0 and chance.random() < 0.5
                method, path = schedule.calls[0] if first else chance.choice(schedule.calls)
                skip = 0 if first else chance.choice((0, 0, 1))
                kind = chance.choice(sorted(FAULTS))
                self.sandbox.add_fault(**FAULTS[kind], method=method, path=path, skip=skip)
            dice = chance.random()
            if dice < 0.25:
                # Calls take a few milliseconds each; waiting for an answer, and for an instance to appear, a
                # second and more.
                kill_after = chance.choice((chance.uniform(0, 0.08), chance.uniform(0.05, 1.6)))
            elif dice < 0.5:
                kill_at_line = chance.randint(1, schedule.lines)
        pid = os.fork()
        if pid == 0:
            os._exit(self._child(schedule, create, folder, try_number, kill_at_line))
        status = self._wait(pid, kill_after)
        if status == -signal.SIGKILL:
            self.figures["killed at a moment" if kill_at_line is None else "killed at a line"] += 1
        elif status not in (SUCCESS, RETRYABLE, FINAL):
            raise Broken(f"try {try_number} ended with {status}; see {folder}")
        self._settle_server()
        for rule in self.sandbox.faults():
            if rule["applied"]:
                self.figures[f"fault: {_kind(rule)}"] += rule["applied"]
                if rule["status"] == 429 and rule["method"] in ("POST", "PATCH"):
                    self.unasked += rule["applied"]
                self.figures["faults"] += rule["applied"]
        self.sandbox.clear_faults()
        return status

    @staticmethod
    def _wait(pid: int, kill_after: float | None) -> int:
        end = time.monotonic() + (60.0 if kill_after is None else kill_after)
        while time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if kill_after is None:
            raise Broken("a try hung for a minute")
        return status

    def _settle_server(self) -> None:
        end = time.monotonic() + IDLE_SECONDS
        while self.sandbox.counters()["running"]:
            if time.monotonic() > end:
                raise Broken("the sandbox is still at work")
            time.sleep(0.01)

    @staticmethod
    def _child(
        schedule: Schedule, create: Any, folder: Path, try_number: int, kill_at_line: int | None
    ) -> int:
        log = os.open(folder / f"try-{try_number}.log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        ti = FileTi(folder / "xcom.json", try_number)
        context: dict[str, Any] = {"ti": ti}
        if schedule.store:
            context["task_state_store"] = FileStore(folder / "store.json")
        from airflow_provider_cloudelements.compat import AirflowFailException

        if kill_at_line is not None:
            _die_at_line(kill_at_line)
        try:
            returned = create.execute(context)
            ti.xcom_push("return_value", returned)
        except AirflowFailException as error:
            sys.settrace(None)
            traceback.print_exc()
            write_json(folder / "error.json", str(error))
            return FINAL
        except BaseException:
            sys.settrace(None)
            traceback.print_exc()
            return RETRYABLE
        return SUCCESS

    # -- the end ------------------------------------------------------------------------------------

    def _there(self) -> list[dict[str, Any]]:
        from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook

        there = self.sandbox.instances()
        shown = []
        for each in there:
            with contextlib.closing(CloudElementsHook().get_conn()) as client:
                shown.append({**each, "token": client.instances.token(each["id"])})
        return shown

    def _check_codes(self) -> None:
        rows = self.sandbox.codes()
        if any(row["presented"] > 1 + self.unasked or row["exchanged"] > 1 for row in rows):
            raise Broken(f"a code was presented more than once: {rows}")
        self.figures["codes presented"] += sum(row["presented"] for row in rows)

    def _check_success(self, schedule: Schedule, folder: Path) -> None:
        from airflow_provider_cloudelements.client.tags import marker_tag

        there = self._there()
        if len(there) != 1:
            raise Broken(f"{len(there)} instances instead of one; see {folder}")
        (one,) = there
        xcom = json.loads((folder / "xcom.json").read_text())
        element, _ = VENDORS[schedule.way]
        marker = marker_tag(f"{element}/Instance {schedule.number}")
        fits = (
            marker in one["tags"],
            xcom["id"] == one["id"] == xcom["return_value"]["id"],
            xcom["token"] == one["token"],
            "token" not in xcom["return_value"],
            one["valid"] and not one["disabled"] and one["eventsEnabled"],
        )
        if not all(fits):
            raise Broken(f"the instance or its XCom is not as it must be {fits}; see {folder}")
        self._check_codes()
        if schedule.way in ("code", "reauthenticate") and not all(
            row["exchanged"] == 1 for row in self.sandbox.codes()
        ):
            raise Broken(f"success, but a code was not presented; see {folder}")
        self.figures["ended with one instance"] += 1
        self.figures["creates"] += self._creates()

    def _check_final(self, schedule: Schedule, create: Any, folder: Path, try_number: int) -> None:
        error = json.loads((folder / "error.json").read_text())
        clear = error.startswith("CloudElementsAmbiguousCreateError: ") and "ask for consent again" in error
        if schedule.way not in ("code", "reauthenticate") or not clear:
            raise Broken(f"a final failure that should not be: {error}; see {folder}")
        there = self.sandbox.instances()
        if not schedule.delete_on_failure:
            self._check_id_told(folder, {each["id"] for each in there})
        before = 1 if schedule.way == "reauthenticate" else 0
        if len(there) == before + 1 and "unless the instance has appeared by then" in error:
            # The server outlasted time-out and settle time. Who looks again finds it.
            self.figures["ended before the instance appeared"] += 1
            schedule.troubled_tries = 0
            if self._try(schedule, create, folder, try_number + 1) != SUCCESS:
                raise Broken(f"the late instance was not found; see {folder}")
            self._check_success(schedule, folder)
            return
        if len(there) != before:
            raise Broken(f"{len(there)} instances instead of {before}; see {folder}")
        self._check_codes()
        spent = self.sandbox.codes()[-1]["presented"]
        self.figures["codes spent without effect" if spent else "codes given up unsent"] += 1
        self.figures["creates"] += self._creates()

    @staticmethod
    def _check_id_told(folder: Path, there: set[int]) -> None:
        """Check that a failed try pushed at most the id, and that of an instance that is there."""
        if not (folder / "xcom.json").exists():
            return
        xcom = json.loads((folder / "xcom.json").read_text())
        if xcom.keys() != {"id"} or xcom["id"] not in there:
            raise Broken(f"failed, but XCom holds {xcom}; see {folder}")

    def _creates(self) -> int:
        return int(self.sandbox.counters()["by_call"].get("POST /instances", 0))


def _kind(rule: dict[str, Any]) -> str:
    settable = ("action", "when", "seconds", "status", "retry_after")
    given = {name: rule[name] for name in settable}
    for kind, fault in FAULTS.items():
        defaults = {"when": "before", "seconds": 0.0, "status": 503, "retry_after": None, **fault}
        if defaults == given:
            return kind
    raise Broken(f"unknown rule {given}")


def _die_at_line(number: int) -> None:
    """Kill this process, with no warning, before it runs its ``number``-th line of the package."""
    left = number

    def on_line(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if event == "line":
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return on_line

    def on_call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return on_line if frame.f_code.co_filename.startswith(PACKAGE) else None

    sys.settrace(on_call)


def preload() -> None:
    """Import all that a try needs, so that a fork has nothing left to do but the work."""
    import requests
    import tenacity
    import urllib3.util.retry

    from airflow_provider_cloudelements.hooks import cloudelements as hooks
    from airflow_provider_cloudelements.operators import changes as changing
    from airflow_provider_cloudelements.operators import events, instances

    assert all((requests, tenacity, urllib3, hooks, instances, changing, events))
    logging.disable(logging.DEBUG)


def run(schedules: list[Schedule], lanes: int = LANES) -> tuple[Counter[str], list[str], float]:
    """Run schedules in forked lanes; return figures, what went wrong, and the seconds it took."""
    start = time.monotonic()
    preload()
    folder = Path(tempfile.mkdtemp(prefix="cloudelements-crash-"))
    pids = []
    for number in range(min(lanes, len(schedules))):
        pid = os.fork()
        if pid == 0:
            _lane(folder, number, schedules[number::lanes])
        pids.append(pid)
    figures: Counter[str] = Counter()
    broken: list[str] = []
    for number, pid in enumerate(pids):
        os.waitpid(pid, 0)
        outcome = json.loads((folder / f"lane-{number}.json").read_text())
        figures.update(outcome["figures"])
        broken += outcome["broken"]
    if not broken:
        import shutil

        shutil.rmtree(folder)
    return figures, broken, time.monotonic() - start


def _lane(folder: Path, number: int, schedules: list[Schedule]) -> None:
    lane, broken = None, ["the lane did not run"]
    try:
        lane = Lane(folder)
        broken = lane.run(schedules)
    except BaseException:
        broken = [f"lane {number} broke: {traceback.format_exc()}"]
    finally:
        write_json(
            folder / f"lane-{number}.json",
            {"figures": lane.figures if lane is not None else {}, "broken": broken},
        )
        os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--schedules", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="number of the one schedule to run")
    parser.add_argument("--lanes", type=int, default=LANES)
    given = parser.parse_args()
    numbers = range(given.schedules) if given.only is None else [given.only]
    figures, broken, seconds = run([Schedule(number, given.seed) for number in numbers], given.lanes)
    print(f"crash schedules: seed {given.seed}, {seconds:.1f} s")
    for name, count in sorted(figures.items()):
        print(f"  {count:5d} {name}")
    for text in broken:
        print(f"BROKEN {text}")
    print(json.dumps({"figures": figures, "broken": broken}))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
