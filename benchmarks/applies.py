"""An apply that creates 10,000 instances, 64 at once in one process, at a server that takes 250 ms each."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from airflow_provider_cloudelements.fleet import Progress, apply
from benchmarks.figures import Bound, Figure, Ratio
from benchmarks.fleet import CREATE, INSTANCES, LIST, PAGE, calls, credentials, manifest_of, planned
from benchmarks.setting import child, client_of, resident, served

SUMMARY = "apply of 10,000 creates, 64 at once, server delay 250 ms"

AT_ONCE = 64
DELAY = 0.25
#: Creates a second that the delay alone allows: 256.
ALLOWED = AT_ONCE / DELAY
AGAINST_DELAY = Bound(0.9)
ONE_EACH = Bound(1.0, most=True)
#: Memory of the process when the last create has ended, against a tenth of the way.
FLAT = Bound(1.1, most=True)


@dataclass(frozen=True)
class Applied:
    """What an apply did.

    :param rate: Creates a second, from the first call of the creates to the last answer.
    :param seconds: The whole apply, with its looks at the account before and after.
    :param posts: Calls that create.
    :param lists: Calls that read the list.
    :param early: Bytes of memory of the process after a tenth of the creates.
    :param late: The same after the last one.
    """

    rate: float
    seconds: float
    posts: int
    lists: int
    early: int
    late: int


def run(quick: bool) -> list[Figure]:
    """Measure."""
    count = 2_000 if quick else INSTANCES
    done = applied(count)
    what = f"{count:,} creates, {AT_ONCE} at once"
    return [
        Figure(
            f"{what}, a second",
            f"{done.rate:.0f}/s",
            f"what the delay allows: {ALLOWED:.0f}/s",
            Ratio.of([done.rate], [ALLOWED]),
            AGAINST_DELAY,
        ),
        Figure(
            f"{what}, the whole apply with its looks before and after",
            f"{done.seconds:.1f} s",
            f"what the delay allows: {count / ALLOWED:.1f} s",
            Ratio.of([done.seconds], [count / ALLOWED]),
        ),
        Figure(
            f"{what}, calls that create",
            f"{done.posts}",
            f"instances: {count}",
            Ratio.of([done.posts], [count]),
            ONE_EACH,
        ),
        Figure(f"{what}, other calls, all of them pages of the list", f"{done.lists}"),
        Figure(
            f"{what}, memory of the process after the last one",
            f"{done.late / 1024**2:.0f} MiB",
            f"after a tenth: {done.early / 1024**2:.0f} MiB",
            Ratio.of([done.late], [done.early]),
            FLAT,
        ),
    ]


def applied(count: int) -> Applied:
    """Create instances by an apply in a process of its own, and count the calls by the sandbox's log.

    :param count: Number of instances.
    """
    with served(create_delay=DELAY) as (sandbox, _):
        told = child(__name__, json.dumps(sandbox.connection()), str(count))
        made = calls(sandbox)
        statuses = Counter({str(each["status"]) for each in sandbox.requests()})
        keys = {
            tuple(sorted(t for t in each["tags"] if t.startswith("airflow-key:")))
            for each in sandbox.instances()
        }
    assert set(made) == {CREATE, LIST}, made
    assert set(statuses) == {"200"}, statuses
    # Before the plan and the apply the account is empty: one page each.
    assert made[LIST] <= 2 + count // PAGE + 1, made
    assert len(keys) == count
    return Applied(posts=made[CREATE], lists=made[LIST], **told)


def _measured(connection: dict[str, Any], count: int) -> dict[str, Any]:
    """Plan and apply in this process."""
    marks: list[tuple[float, int, int]] = []

    def note(progress: Progress) -> None:
        if progress.done in (1, count // 10, count):
            marks.append((time.perf_counter(), progress.done, resident()))

    with client_of(connection) as client:
        made = planned(client, manifest_of(count))
        report = apply(client, made, made.checksum, credentials, concurrency=AT_ONCE, on_progress=note)
    assert report.ok, report.markdown()
    (first, _, _), (_, _, early), (last, done, late) = marks
    assert done == count
    # The first answer came one delay after its call.
    return {
        "rate": count / (last - first + DELAY),
        "seconds": report.seconds,
        "early": early,
        "late": late,
    }


if __name__ == "__main__":
    print(json.dumps(_measured(json.loads(sys.argv[1]), int(sys.argv[2]))))
