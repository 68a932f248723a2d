"""
``make planted``: plant faults, one at a time, and check that the gate's tests find each of them.

The script plants each fault in a copy of the working tree, never in the checkout. It fails if the tests do
not find a fault, if it can no longer plant one, or if the tests do not pass without the fault.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts import commands
from scripts.gate import LONGER, NEWEST
from scripts.planted_faults import FAULTS, Edit, Fault
from scripts.scratch import ROOT, copy_project

#: Folders whose code gets the faults.
PLACES = ("airflow_provider_cloudelements", "example_dags")
#: The tests that the gate runs, on the newest line and on the older ones. A fault that only other tests find
#: counts as not found.
GATE = {True: "not (nightly or soak)", False: LONGER[False]}
#: Seconds for the tests of one fault.
PATIENCE = 900

_OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR|SKIPPED) (\S+::\w+)", re.MULTILINE)


class PlantedError(RuntimeError):
    """A fault that the script cannot plant, or whose tests it cannot run."""


def main() -> int:
    """Plant the faults and return the process's exit code."""
    numbers = _arguments().only or range(1, len(FAULTS) + 1)
    began = time.monotonic()
    failed = without_faults([FAULTS[number - 1] for number in numbers])
    found = 0
    for number in numbers if not failed else ():
        fault, started = FAULTS[number - 1], time.monotonic()
        try:
            what = "found by " + "; ".join(found_by(fault))
            found += 1
        except PlantedError as error:
            what = "NOT FOUND"
            failed.append(f"{number}. {fault.name}: {error}")
        seconds = time.monotonic() - started
        print(f"{number}. {fault.name} (Airflow {fault.line}, {seconds:.0f} s): {what}", flush=True)
    for each in failed:
        print(f"FAILED {each}")
    # In the form of pytest's last line, because make nightly reads it.
    print(f"{found} passed, {len(failed)} failed in {time.monotonic() - began:.2f}s")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    numbers = range(1, len(FAULTS) + 1)
    parser.add_argument("only", nargs="*", type=int, choices=[[], *numbers], help="numbers of faults")
    return parser.parse_args()


def without_faults(faults: Sequence[Fault]) -> list[str]:
    """
    Run the tests without a fault, once for each line of Airflow.

    :param faults: The faults whose tests to run.
    :return: The problems: tests that fail, are skipped, or do not belong to the gate.
    """
    trouble = []
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        tree = copy_project(Path(folder) / "project")
        for line in sorted({fault.line for fault in faults}, reverse=True):
            tests = list(dict.fromkeys(test for each in faults if each.line == line for test in each.tests))
            try:
                outcome = run(tree, line, tests)
            except PlantedError as error:
                trouble.append(f"with nothing planted, Airflow {line}: {error}")
                continue
            trouble += [
                f"with nothing planted, Airflow {line}: {test} had {dict(outcome.of(test))}"
                for test in tests
                if outcome.of(test).keys() != {"PASSED"}
            ]
            print(f"nothing planted, Airflow {line}: {outcome.last_line}", flush=True)
    return trouble


def found_by(fault: Fault) -> list[str]:
    """
    Plant a fault in a new copy, and check that each of its tests finds it.

    :param fault: The fault.
    :return: For each test, how many of its cases failed.
    :raises PlantedError: A test found nothing, or could not run.
    """
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        tree = copy_project(Path(folder) / "project")
        for edit in fault.edits:
            plant(tree, edit)
        outcome = run(tree, fault.line, fault.tests)
    told = []
    for test in fault.tests:
        counted = outcome.of(test)
        if counted["ERROR"] or not counted["FAILED"]:
            raise PlantedError(f"{test} had {dict(counted)}: {outcome.last_line}")
        told.append(f"{outcome.path(test)}::{test} ({counted['FAILED']} of {counted.total()})")
    return told


def plant(tree: Path, edit: Edit) -> Path:
    """
    Replace an edit's old text by the new one.

    :param tree: A copy of the project.
    :param edit: The edit.
    :return: The file.
    :raises PlantedError: The old text does not occur exactly once.
    """
    path = find_place(tree, edit)
    path.write_text(path.read_text().replace(edit.old, edit.new))
    return path


def find_place(tree: Path, edit: Edit) -> Path:
    """
    Return the file that an edit changes.

    :param tree: The project, or a copy.
    :param edit: The edit.
    :raises PlantedError: The old text does not occur exactly once.
    """
    return _only_place(edit.old, (path for place in PLACES for path in (tree / place).rglob("*.py")), tree)


def find_test(tree: Path, name: str) -> str:
    """
    Return the id of a test function.

    :param tree: The project, or a copy.
    :param name: The function's name.
    :raises PlantedError: There is not exactly one function of this name.
    """
    path = _only_place(f"def {name}(", (tree / "tests").rglob("test_*.py"), tree)
    return f"{path.relative_to(tree)}::{name}"


def _only_place(text: str, paths: Iterable[Path], tree: Path) -> Path:
    """Return the file that holds a text, which must occur exactly once."""
    counts = Counter({path: path.read_text().count(text) for path in paths})
    if counts.total() != 1:
        places = [f"{path.relative_to(tree)} ({count})" for path, count in counts.items() if count]
        raise PlantedError(f"this must stand in one place, and stands in {places or 'none'}: {text!r}")
    return next(path for path, count in counts.items() if count)


@dataclass(frozen=True)
class Outcome:
    """
    The outcome of a run of tests.

    :param text: The run's output, with a line for each case.
    """

    text: str

    @property
    def last_line(self) -> str:
        """The last line of the output."""
        return self.text.rstrip().rpartition("\n")[2]

    def of(self, test: str) -> Counter[str]:
        """Return how many cases of a test function passed, failed and so on."""
        return Counter(word for word, name in self._lines() if name.endswith(f"::{test}"))

    def path(self, test: str) -> str:
        """Return the file of a test function that has run."""
        return next(name.partition("::")[0] for _, name in self._lines() if name.endswith(f"::{test}"))

    def _lines(self) -> list[tuple[str, str]]:
        return [(found[1], found[2]) for found in _OUTCOME.finditer(self.text)]


def run(tree: Path, line: str, tests: Sequence[str]) -> Outcome:
    """
    Run tests of a copy as the gate does.

    :param tree: The copy.
    :param line: Line of Airflow.
    :param tests: Names of test functions.
    :raises PlantedError: There is no such environment or test, or the tests do not run to their end.
    """
    python = interpreter(line)
    command = [
        *(str(python), "-m", "pytest", "-q", "-rpfEs", "--no-fold-skipped", "-p", "no:cacheprovider"),
        *("-m", GATE[line == NEWEST]),
        *(find_test(tree, test) for test in tests),
    ]
    # Write no bytecode: an edit may change neither a file's size nor the second of its date.
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    done = commands.run(
        command, cwd=tree, environment=environment | {"PYTHONDONTWRITEBYTECODE": "1"}, patience=PATIENCE
    )
    # 1 means that some failed. Any other code is no outcome of tests: pytest selected none, one has a syntax
    # error ...
    if done.code not in (0, 1):
        raise PlantedError(f"the tests did not run to the end (exit code {done.code}):\n{done.text[-3000:]}")
    return Outcome(done.text)


def interpreter(line: str) -> Path:
    """
    Return the interpreter of the environment of a line of Airflow.

    :param line: The line.
    :raises PlantedError: The environment does not exist.
    """
    folder = ".venv" if line == NEWEST else f".venvs/airflow-{line}"
    python = ROOT / folder / "bin" / "python"
    if not python.exists():
        raise PlantedError(f"there is no {folder}: make {folder}/.made-from")
    return python


if __name__ == "__main__":
    sys.exit(main())
