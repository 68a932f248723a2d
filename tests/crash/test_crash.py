"""Killed at any moment, answers lost in any order, and retried: one instance, as asked, and no code twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from tests.crash.harness import FAULTS, ROOT

#: How a schedule may end. A create makes one instance, or tells of a code that may be spent; a change is
#: done, or tells of such a code, or of a vendor that refuses.
ENDS = (
    "ended with one instance",
    "codes spent without effect",
    "codes given up unsent",
    "changed as asked",
    "new codes lost",
    "new codes given up unsent",
    "a refused code told",
    "a refused secret told",
)


def run_schedules(count: int, seed: int, timeout: float) -> dict:
    """Run the harness in a process of its own: it forks, and must not take our threads along."""
    command = [sys.executable, "-m", "tests.crash.harness", f"--schedules={count}", f"--seed={seed}"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, timeout=timeout, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    assert lines, done.stderr[-3000:]
    outcome = json.loads(lines[-1])
    outcome["text"] = "\n".join(lines[lines.index(next(x for x in lines if x.startswith("crash "))) : -1])
    return outcome


def check(outcome: dict, count: int) -> None:
    figures = outcome["figures"]
    assert outcome["broken"] == [], outcome["text"]
    assert figures["schedules"] == count
    # Each ended in one of the ways that it may, and there was trouble enough to say so.
    ends = [*ENDS, *(f"{end}, left enabled" for end in ENDS)]
    assert sum(figures.get(end, 0) for end in ends) == count
    assert figures["killed at a moment"] + figures["killed at a line"] >= count / 4
    assert figures["faults"] >= count / 4


@pytest.mark.slow
def test_a_hundred_and_twenty_schedules_end_as_asked_or_with_a_clear_error(capsys):
    outcome = run_schedules(120, seed=20261124, timeout=300)
    with capsys.disabled():
        print(f"\n{outcome['text']}")
    check(outcome, 120)


@pytest.mark.soak
def test_five_hundred_schedules_end_as_asked_or_with_a_clear_error(capsys):
    seed = int(os.environ.get("CRASH_SEED") or time.time())
    outcome = run_schedules(500, seed=seed, timeout=1800)
    with capsys.disabled():
        print(f"\n{outcome['text']}")
    check(outcome, 500)
    figures = outcome["figures"]
    assert [kind for kind in FAULTS if not figures.get(f"fault: {kind}")] == []
