"""
``make nightly``: run the parts that are too long for the gate, one after another; print one line of figures.

A part that fails does not stop the others. The exit code says whether all parts passed. ``reports/nightly/``
keeps the output of each part. With ``--quick`` each part only shows that it can run, and pytest only
collects the tests.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.commands import Done, figures, run
from scripts.gate import BESIDE_OTHERS
from scripts.scratch import ROOT

REPORTS = ROOT / "reports" / "nightly"
HOUR = 3600.0
NEWEST = ".venv/bin/python"
_COLLECT = ("--collect-only", "-q")


@dataclass(frozen=True)
class Part:
    """
    One part.

    :param name: Its name.
    :param proves: What it proves and the gate does not.
    :param command: The command, which runs at the top of the project.
    :param quick: Arguments to add to the command for a quick look.
    :param hours: The most hours that it may take. Then we end it, and it has failed.
    """

    name: str
    proves: str
    command: tuple[str, ...]
    quick: tuple[str, ...] = ()
    hours: float = 3.0


def older_line(line: str) -> Part:
    """
    Return the part that runs, on an older line of Airflow, the tests that the gate does not run there.

    :param line: The line.
    """
    return Part(
        f"airflow-{line}",
        f"the tests that the gate leaves out or runs only on the newest line pass on {line} too",
        (
            *(f".venvs/airflow-{line}/bin/python", "-m", "pytest"),
            *("-m", "(every_line or ((nightly or newest) and not browser)) and not soak"),
        ),
        _COLLECT,
    )


PARTS = (
    Part(
        "planted",
        "the gate still finds twelve faults",
        (NEWEST, "-m", "scripts.planted"),
        ("10",),
    ),
    Part(
        "python-3.13",
        "the demo and the gate of the newest line pass on Python 3.13, and on the older lines the tests of "
        "Airflow in process",
        (NEWEST, "-m", "scripts.python313"),
        ("demo",),
        hours=4.0,
    ),
    Part(
        "explore",
        "properties hold for other examples than those that gate a change",
        (
            *(NEWEST, "-m", "pytest", "-n", "2", "--dist", "loadfile"),
            *("--hypothesis-profile", "explore", "-m", "hypothesis"),
        ),
        (*_COLLECT, "-n", "0"),
    ),
    older_line("3.1"),
    older_line("3.2"),
    Part(
        "celery",
        "a plan that two Celery workers apply ends with each instance once, also if one is killed half-way",
        (".venvs/celery/bin/python", "-m", "scripts.celery_run"),
        ("--instances", "100"),
        hours=1.0,
    ),
    Part(
        "works-with",
        "the tools of docs/works-with.md that the gate does not install still work with ours",
        (".venvs/works/bin/python", "-m", "pytest", "-m", "nightly", "tests/works_with"),
        _COLLECT,
        hours=1.0,
    ),
    Part(
        "works-with-unlisted",
        "so do those that cannot be installed with our list of versions: AWS, and the roles of FAB",
        (
            *(".venvs/works-unlisted/bin/python", "-m", "pytest", "-m", "nightly", "-k", "aws or fab"),
            "tests/works_with",
        ),
        _COLLECT,
        hours=1.0,
    ),
    Part(
        "stores",
        "a file on the disk, S3, Azure and Google Cloud Storage is whole or not there, wherever its download "
        "is cut and its writer killed; so is an upload of one; and no second bulk job begins",
        (".venvs/stores/bin/python", "-m", "pytest", "-m", "nightly", "tests/stores"),
        _COLLECT,
        hours=2.0,
    ),
    Part(
        "soak",
        "the full figures, and the other tests that the gate leaves out, pass on the newest line: hundreds "
        "of crashes, storms in the other orders of listing, hundreds of forgeries",
        (
            *(NEWEST, "-m", "pytest", "--ignore=tests/works_with", "--ignore=tests/stores"),  # see above
            *("-m", "soak or nightly"),
        ),
        _COLLECT,
        hours=6.0,
    ),
)


def all_parts(folder: Path = ROOT / "findings") -> tuple[Part, ...]:
    """
    Return the parts of the table, and one for each script of a folder.

    :param folder: A folder for scripts, each of which shows how a tool of others behaves.
    """
    proves = "a tool of others still behaves as we recorded"
    scripts = sorted(folder.glob("*.sh"))
    return (*PARTS, *(Part(f"findings/{each.stem}", proves, ("bash", str(each))) for each in scripts))


@dataclass(frozen=True)
class Outcome:
    """
    The outcome of a part.

    :param part: The part.
    :param done: The result of its command.
    """

    part: Part
    done: Done

    @property
    def failed(self) -> bool:
        """Whether it failed, or took too long."""
        return self.done.code != 0

    @property
    def counts(self) -> Counter[str]:
        """How many of its tests passed, failed and were skipped, by word."""
        return figures(self.done.text)

    def __str__(self) -> str:
        end = "" if not self.failed else " TOOK TOO LONG" if self.done.code is None else " FAILED"
        return f"{self.part.name}{end} {_told(self.counts, self.done.seconds)}"


def main() -> int:
    """Run the parts and return the process's exit code."""
    parts = {part.name: part for part in all_parts()}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *parts], help="default: all")
    parser.add_argument("--quick", action="store_true", help="only show that each part can be run")
    parser.add_argument("--list", action="store_true", help="say what each part proves, and run nothing")
    arguments = parser.parse_args()
    chosen = [parts[name] for name in arguments.parts or parts]
    if arguments.list:
        for part in chosen:
            print(f"{part.name}: {part.proves}")
        return 0
    os.environ |= BESIDE_OTHERS | os.environ  # a machine that is busy at night is no failure
    began = time.monotonic()
    outcomes = [run_part(part, quick=arguments.quick) for part in chosen]
    line = summary(outcomes, time.monotonic() - began)
    print(f"{line} (a quick look only)" if arguments.quick else line)
    return int(any(each.failed for each in outcomes))


def run_part(part: Part, *, quick: bool = False) -> Outcome:
    """
    Run a part and keep its output.

    :param part: The part.
    :param quick: Whether to take only a quick look.
    """
    command = [*part.command, *(part.quick if quick else ())]
    print(f"\n== {part.name}: {part.proves}", flush=True)
    done = run(command, cwd=ROOT, patience=part.hours * HOUR, show=True)
    log = REPORTS / f"{part.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(done.text)
    return Outcome(part, done)


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """
    Return the one line of figures.

    :param outcomes: The outcomes of the parts.
    :param seconds: The duration of all parts.
    """
    counts = sum((each.counts for each in outcomes), Counter[str]())
    failed = [each.part.name for each in outcomes if each.failed]
    verdict = f"FAILED: {', '.join(failed)}" if failed else "all well"
    parts = " | ".join(map(str, outcomes))
    return f"nightly (passed/failed/skipped): {parts} | in all {_told(counts, seconds)}: {verdict}"


def _told(counts: Counter[str], seconds: float) -> str:
    return f"{'/'.join(str(counts[word]) for word in ('passed', 'failed', 'skipped'))} in {seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
