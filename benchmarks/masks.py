"""The cost of handing out tokens: for each new mask, Airflow's masker compiles one expression over all masks.

The benchmark counts processor time. The rival masks each token only as it is. This provider's
``compat.mask_secret`` also masks it as it stands in a URL.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from base64 import b64encode

from benchmarks.figures import Figure, Ratio
from benchmarks.setting import CONFIGURATION, ELEMENT, child, client_of, resident, served

SUMMARY = "Airflow's masker, by tokens handed out"

_LINE = "Instance 410001 is as asked: event.notification.enabled is true, nothing was written. " * 2
_LINES = 50


def run(quick: bool) -> list[Figure]:
    """Measure."""
    steps = [25, 50, 100] if quick else [50, 100, 200, 400]
    ours = child(__name__, "every form", *map(str, steps))
    raw = child(__name__, "raw", *map(str, steps))
    figures = [
        Figure(
            f"{step} tokens handed out: {ours[str(step)]['masks']:,} masks",
            f"{ours[str(step)]['seconds']:.2f} s",
            f"each as it is, {raw[str(step)]['masks']:,} masks: {raw[str(step)]['seconds']:.2f} s",
            Ratio.of([ours[str(step)]["seconds"]], [raw[str(step)]["seconds"]]),
        )
        for step in steps
    ]
    for step in steps:
        found = ours[str(step)]
        figures.append(
            Figure(
                f"after {step} tokens",
                f"{found['line'] * 1000:.2f} ms a log line",
                f"the process has {found['rss']:.0f} MiB",
            )
        )
    return [*figures, _handed_out_by_lists(steps[-1])]


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


def _main(forms: str, steps: list[int]) -> None:
    """Mask tokens in this process and print the processor time up to each step."""
    from airflow.sdk.log import _secrets_masker, redact  # type: ignore[attr-defined]
    from airflow.sdk.log import mask_secret as mask_raw

    from airflow_provider_cloudelements.compat import mask_secret as mask_every_form

    mask = mask_raw if forms == "raw" else mask_every_form
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
