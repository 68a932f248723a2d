"""The cost of handing out tokens: for each new mask, Airflow's masker compiles one expression over all masks.

The benchmark counts processor time. The rival registers each token once with Airflow's masker.
"""

from __future__ import annotations

import functools
import json
import secrets
import statistics
import sys
import time
from base64 import b64encode
from typing import Any

from benchmarks.figures import Bound, Figure, Ratio, in_turns
from benchmarks.setting import CONFIGURATION, ELEMENT, child, client_of, resident, served

SUMMARY = "Airflow's masker, by tokens handed out"

RIVAL = "each once with Airflow's masker"
#: A token travels in a header and never in a URL, so its one mask is all that it costs.
AGAINST_AIRFLOW = Bound(1.1, most=True)

_LINE = "Instance 410001 is as asked: event.notification.enabled is true, nothing was written. " * 2
_LINES = 50


def run(quick: bool) -> list[Figure]:
    """Measure."""
    steps = [25, 50, 100] if quick else [50, 100, 200, 400]
    found: dict[str, list[Any]] = {"ours": [], RIVAL: []}

    def contestant(name: str) -> float:
        found[name].append(child(__name__, name, *map(str, steps)))
        return float(found[name][-1][str(steps[-1])]["seconds"])

    in_turns({name: functools.partial(contestant, name) for name in found}, 3 if quick else 7)
    figures = []
    for step in steps:
        ours, rival = (
            [each[str(step)] for each in found[name][1:]] for name in found
        )  # the first is a warm-up
        figures.append(
            Figure(
                f"{step} tokens handed out: {ours[0]['masks']:,} masks",
                f"{_median(ours):.2f} s",
                f"{RIVAL}: {_median(rival):.2f} s",
                Ratio.of(*([each["seconds"] for each in side] for side in (ours, rival))),
                AGAINST_AIRFLOW if step == steps[-1] else None,  # fewer are over too soon to be compared
            )
        )
    for step in steps:
        last = found["ours"][-1][str(step)]
        figures.append(
            Figure(
                f"after {step} tokens",
                f"{last['line'] * 1000:.2f} ms a log line",
                f"the process has {last['rss']:.0f} MiB",
            )
        )
    return [*figures, _handed_out_by_lists(steps[-1])]


def _median(results: list[dict[str, float]]) -> float:
    return statistics.median(each["seconds"] for each in results)


def _handed_out_by_lists(count: int) -> Figure:
    """Count the tokens that creates and a list of instances hand to the masker."""
    masked: list[str] = []
    with served() as (sandbox, _), client_of(sandbox.connection(), masked.append) as client:
        for number in range(count):
            client.instances.create(element=ELEMENT, name=f"instance {number}", configuration=CONFIGURATION)
        created = len(masked)
        masked.clear()
        assert sum(1 for _ in client.instances.list()) == count
        listed = len(masked)
    return Figure(f"tokens handed out by a list of {count}", str(listed), f"by as many creates: {created}")


def _main(name: str, steps: list[int]) -> None:
    """Mask tokens in this process and print the processor time up to each step."""
    from airflow.sdk.log import _secrets_masker, mask_secret, redact  # type: ignore[attr-defined]

    from airflow_provider_cloudelements.compat import mask_token

    mask = mask_token if name == "ours" else mask_secret
    mask("the-first-one-imports-everything")
    found = {}
    spent = 0.0
    for number in range(1, max(steps) + 1):
        token = b64encode(secrets.token_bytes(32)).decode()  # the shape of the platform's
        begin = time.process_time()
        mask(token)
        spent += time.process_time() - begin
        if number in steps:
            begin = time.process_time()
            for _ in range(_LINES):
                redact(_LINE)
            found[number] = {
                "seconds": spent,
                "masks": len(_secrets_masker().patterns),
                "line": (time.process_time() - begin) / _LINES,
                "rss": resident() / 1024**2,
            }
    print(json.dumps(found))


if __name__ == "__main__":
    _main(sys.argv[1], [int(step) for step in sys.argv[2:]])
