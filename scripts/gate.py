"""
Run all tests that gate a change: the unit tests, then all longer tests in parallel lanes.

A lane is one pytest process with the tests that share an Airflow, or with a share of the tests that start
none. Lanes mostly wait for a scheduler, so several run at once, those of the older lines of Airflow beside
those of the newest, the longest first. Tests that measure time (marker ``alone``) run after all others.

At the end the gate prints the time of each tier, the ten slowest tests and one line of figures. A test that
pytest selected and did not run counts as failed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NEWEST = "3.3"
#: The tests that are longer than those of ``make unit``. On the older lines: the tests whose result depends
#: on the line of Airflow.
LONGER = {
    True: "(airflow or processes or browser or slow or alone) and not (soak or nightly)",
    False: "(airflow or processes) and not (browser or newest or soak or nightly)",
}
#: Assumed seconds of a test that no run has measured yet.
UNKNOWN = 5.0
#: The file of durations leaves out tests that take fewer seconds.
SHORT = 0.5
DURATIONS = ROOT / "tests" / "durations.json"
#: How often the gate tries to make the environments, because package servers do not always answer.
ATTEMPTS = 4
#: Each local Airflow has only a share of the processor, so it gets more time to start and to answer.
BESIDE_OTHERS = {"LOCAL_AIRFLOW_PATIENCE": "3"}
#: Seconds that lanes get to clean up when the run is interrupted.
PATIENCE = 30.0


@dataclass(frozen=True)
class Selected:
    """
    One test of one line of Airflow.

    :param id: pytest's id of the test
    :param line: line of Airflow
    :param markers: names of its markers
    :param lane: name of its lane, if a marker gives one
    :param seconds: how long it took at the last measurement
    """

    id: str
    line: str
    markers: frozenset[str]
    lane: str | None
    seconds: float

    @property
    def file(self) -> str:
        """The file that holds the test."""
        return self.id.partition("::")[0]


@dataclass
class Lane:
    """The tests that one pytest process runs."""

    line: str
    name: str
    tests: list[Selected] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long its tests took at the last measurement."""
        return sum(test.seconds for test in self.tests)

    @property
    def alone(self) -> bool:
        """Whether no other lane may run at the same time."""
        return any("alone" in test.markers for test in self.tests)


@dataclass
class Outcome:
    """The outcome of a tier or a lane."""

    name: str
    seconds: float
    exit_code: int
    tests: dict[str, dict[str, Any]]

    @property
    def figures(self) -> Counter[str]:
        """The number of tests by outcome. A test that never ran has failed."""
        found = Counter(
            "failed" if test["outcome"] == "selected" else test["outcome"] for test in self.tests.values()
        )
        if self.exit_code and not found["failed"]:
            found["failed"] += 1
        return found


def main(arguments: list[str] | None = None) -> int:
    """Run all tests that gate a change; return 0 when all of them have passed."""
    options = _options(arguments)
    begun = time.monotonic()
    older = [line for line in options.lines if line != NEWEST]
    with tempfile.TemporaryDirectory(prefix="gate-") as folder:
        reports = Path(folder)
        environments = _Environments(older)  # made while the unit tests run
        tiers = [] if options.no_unit else [_unit(reports)]
        environments.wait()
        lanes = list(_lanes(options.lines, reports))
        outcomes = _Runner(lanes, options.at_once, shlex.split(options.pytest_args), reports).run()
    if options.write_durations:
        write_durations(outcomes)
    return report([*tiers, *outcomes.values()], options.lines, time.monotonic() - begun)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", nargs="+", default=[NEWEST], help="lines of Airflow, for example 3.1 3.3")
    parser.add_argument("--no-unit", action="store_true", help="leave the unit tests out")
    parser.add_argument("--at-once", type=int, default=(os.cpu_count() or 2) + 1, help="lanes at once")
    parser.add_argument("--pytest-args", default="", help="further arguments for pytest in the lanes")
    parser.add_argument("--write-durations", action="store_true", help=f"renew {DURATIONS.name}")
    return parser.parse_args(arguments)


class _Environments:
    """Makes the environments of the older lines while the unit tests run."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.command = [_make(), *(f".venvs/airflow-{line}/.made-from" for line in lines)]
        self.making = self._start() if len(self.command) > 1 else None

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command, cwd=ROOT, stdin=subprocess.DEVNULL)

    def wait(self) -> None:
        """Wait until the environments are ready. Try again if making them fails."""
        for attempt in range(1, ATTEMPTS + 1):
            if self.making is None or self.making.wait() == 0:
                return
            print(f"attempt {attempt} failed: {shlex.join(self.command)}", file=sys.stderr, flush=True)
            time.sleep(5 * attempt)
            self.making = self._start()
        raise SystemExit("the environments of the older lines cannot be made")


def _make() -> str:
    """Return the path of make. The Makefile stays the one place for each command."""
    return shutil.which("make") or "make"


def _unit(reports: Path) -> Outcome:
    """Run the unit tests with the command that a person uses for them."""
    begun = time.monotonic()
    done = subprocess.run(
        [_make(), "unit", "PYTEST_ARGS=-p scripts.gate_plugin"],
        cwd=ROOT,
        env=os.environ | {"GATE_REPORT": str(reports / "unit.json")},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Outcome("unit", time.monotonic() - begun, done.returncode, _read(reports / "unit.json"))


def _python(line: str) -> str:
    """Return the interpreter of the environment with a line of Airflow."""
    return sys.executable if line == NEWEST else str(ROOT / ".venvs" / f"airflow-{line}" / "bin" / "python")


def _pytest(line: str, file: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return a pytest command that writes its report to a file, and the environment for it."""
    command = [_python(line), "-m", "pytest", "-p", "scripts.gate_plugin", *arguments]
    return command, os.environ | {"GATE_REPORT": str(file)}


def _read(file: Path) -> dict[str, dict[str, Any]]:
    """Return the tests that a pytest process reported, none if it died before its report."""
    found: dict[str, dict[str, Any]] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _lanes(lines: Iterable[str], reports: Path) -> Iterator[Lane]:
    """Let pytest collect the tests of all lines at once, and yield their lanes."""
    asked = []
    for line in lines:
        selected = ("--collect-only", "-q", "-m", LONGER[line == NEWEST])
        command, environment = _pytest(line, reports / f"tests-{line}.json", *selected)
        asked.append(
            (line, subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True))
        )
    durations = json.loads(DURATIONS.read_text()) if DURATIONS.exists() else {}
    for line, process in asked:
        printed, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"{line}: the tests cannot be collected\n{printed}")
        measured = durations.get(line, {})
        tests = [
            Selected(name, line, frozenset(found["markers"]), found["lane"], measured.get(name, UNKNOWN))
            for name, found in _read(reports / f"tests-{line}.json").items()
        ]
        yield from lanes_of(tests)


def lanes_of(tests: Iterable[Selected]) -> list[Lane]:
    """
    Return the lanes of the tests of one line.

    Tests with real processes share a lane with those of their file, or with all tests whose marker names the
    same lane. The other tests fill two lanes, file by file, the longest first.

    :param tests: all tests of the line
    """
    lanes: dict[str, Lane] = {}
    files: dict[str, list[Selected]] = defaultdict(list)
    line = ""
    for test in tests:
        line = test.line
        if test.lane or test.markers & {"processes", "browser", "alone"}:
            name = test.lane or Path(test.file).stem
            lanes.setdefault(name, Lane(line, name)).tests.append(test)
        else:
            files[test.file].append(test)
    rest = [Lane(line, f"in-process {number}") for number in (1, 2)]
    for some in sorted(files.values(), key=lambda each: -sum(test.seconds for test in each)):
        min(rest, key=lambda lane: lane.seconds).tests.extend(some)
    return [*lanes.values(), *(lane for lane in rest if lane.tests)]


class _Runner:
    """Runs lanes, several at once."""

    def __init__(self, lanes: list[Lane], at_once: int, arguments: list[str], reports: Path) -> None:
        self.waiting = sorted(lanes, key=lambda lane: (lane.alone, -lane.seconds))
        self.at_once = at_once
        self.arguments = arguments
        self.reports = reports
        self.running: list[tuple[Lane, subprocess.Popen[bytes], float, Path]] = []
        self.outcomes: dict[str, Outcome] = {}
        self.count = len(lanes)

    def run(self) -> dict[str, Outcome]:
        """Run all lanes and return the outcome of each."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            while self.waiting or self.running:
                self._start_what_may()
                self._collect()
                time.sleep(0.2)
        except BaseException:
            self._end()
            raise
        return self.outcomes

    def _start_what_may(self) -> None:
        while self.waiting and len(self.running) < self.at_once:
            if self.running and (self.waiting[0].alone or self.running[0][0].alone):
                return
            self._start(self.waiting.pop(0))

    def _start(self, lane: Lane) -> None:
        file = self.reports / f"lane-{len(self.outcomes) + len(self.running)}-{lane.line}.json"
        arguments = [*self.arguments, *(test.id for test in lane.tests)]
        command, environment = _pytest(lane.line, file, "-v", "--durations=0", *arguments)
        with file.with_suffix(".txt").open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment | BESIDE_OTHERS,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.running.append((lane, process, time.monotonic(), file))

    def _collect(self) -> None:
        for each in [one for one in self.running if one[1].poll() is not None]:
            self.running.remove(each)
            lane, process, begun, file = each
            found = _read(file)
            tests = {
                test.id: found.get(test.id, {"outcome": "selected", "seconds": 0}) for test in lane.tests
            }
            name = f"{lane.line} {lane.name}"
            outcome = Outcome(name, time.monotonic() - begun, process.returncode, tests)
            self.outcomes[name] = outcome
            if process.returncode:
                print(file.with_suffix(".txt").read_text(errors="replace"))
            print(
                f"[{len(self.outcomes)}/{self.count}] {name}: {told(outcome.figures)} "
                f"in {clock(outcome.seconds)}",
                flush=True,
            )

    def _end(self) -> None:
        """Interrupt the lanes that run, so that they clean up, and kill those that take too long."""
        for _, process, _, _ in self.running:
            process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + PATIENCE
        for _, process, _, _ in self.running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()


def write_durations(outcomes: dict[str, Outcome]) -> None:
    """
    Write the durations of the tests to a file, for the next run's lanes.

    :param outcomes: the outcome of each lane, by a name that begins with its line
    """
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for name, outcome in outcomes.items():
        for test, result in outcome.tests.items():
            if result["seconds"] >= SHORT:
                found[name.split()[0]][test] = round(result["seconds"], 1)
    DURATIONS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def told(figures: Counter[str]) -> str:
    """
    Return the number of tests by outcome as a text, in pytest's words.

    :param figures: number of tests by outcome
    """
    return ", ".join(
        f"{figures[each]} {each}"
        for each in ("passed", "failed", "skipped")
        if figures[each] or each != "skipped"
    )


def clock(seconds: float) -> str:
    """
    Return a duration as minutes and seconds.

    :param seconds: the duration in seconds
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def report(outcomes: list[Outcome], lines: Iterable[str], seconds: float) -> int:
    """
    Print the time of each tier, the slowest tests and the figures; return the exit code.

    :param outcomes: the outcomes of all tiers and lanes
    :param lines: the tested lines of Airflow
    :param seconds: duration of the whole run
    """
    slowest = sorted(
        (
            (test["seconds"], outcome.name, name)
            for outcome in outcomes
            for name, test in outcome.tests.items()
        ),
        reverse=True,
    )[:10]
    print("\nThe ten slowest tests:")
    for seconds_of, where, name in slowest:
        print(f"  {seconds_of:7.1f} s  {where.split()[0]:5} {name}")
    print("Tiers (lanes run beside each other: their times overlap):")
    for tier in ("unit", *lines):
        those = [each for each in outcomes if each.name.split()[0] == tier]
        if those:
            figures = sum((each.figures for each in those), Counter[str]())
            print(
                f"  {tier:5} {told(figures)}; {clock(sum(each.seconds for each in those))} in all its lanes"
            )
    total = sum((each.figures for each in outcomes), Counter[str]())
    print(f"All of it took {clock(seconds)}, and {clock(_processor_seconds())} of processor time.")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped", flush=True)
    return 1 if total["failed"] or not total["passed"] else 0


def _processor_seconds() -> float:
    """Return the processor time of all ended child processes: comparable between runs under any load."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
