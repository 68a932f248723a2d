"""The memory of a long list of instances: during an iteration, and for each kept instance."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from airflow_provider_cloudelements.client import CloudElementsClient
from benchmarks.figures import Bound, Figure, Ratio
from benchmarks.setting import CONFIGURATION, ELEMENT, authorization, child, client_of, resident, served

SUMMARY = "memory of 10,000 listed instances"

INSTANCES = 10_000
AT_ONCE = 8
#: The peak of the last part of the list against that of the first.
FLAT = Bound(1.1, most=True)
#: Instances of such a part: three pages, because a page stays in memory while the client reads the next one.
PART = 600
#: The bytes of an ``Instance`` against those of the row from which it was parsed.
SMALLER_THAN_ROW = Bound(1.0, most=True)
_TAGS = ("production", "calendar")


def run(quick: bool) -> list[Figure]:
    """Measure."""
    count = 2_000 if quick else INSTANCES
    with served() as (sandbox, client):
        fill(client, count)
        before = sandbox.counters()["total"]
        assert sum(1 for _ in client.instances.list()) == count
        pages = sandbox.counters()["total"] - before
        address = json.dumps(sandbox.connection())
        flow, kept, rows = (child(__name__, mode, address) for mode in ("iterate", "keep", "rows"))
    assert flow["count"] == kept["count"] == rows["count"] == count
    name = f"{count:,} instances"
    return [
        Figure(f"{name}, iterated", f"{pages} calls"),
        Figure(
            f"{name}, iterated: peak in the last {PART}",
            f"{flow['last'] / 1024:.0f} KiB",
            f"peak in the first {PART}: {flow['first'] / 1024:.0f} KiB",
            Ratio.of([flow["last"]], [flow["first"]]),
            FLAT,
        ),
        Figure(
            f"{name}, iterated: growth of the process",
            f"{flow['rss'] / 1024**2:.1f} MiB",
            f"all of them kept: {kept['rss'] / 1024**2:.1f} MiB",
        ),
        Figure(
            f"{name}, kept: bytes of each",
            f"{kept['held'] / count:.0f}",
            f"bare requests, rows kept: {rows['held'] / count:.0f}",
            Ratio.of([kept["held"]], [rows["held"]]),
            SMALLER_THAN_ROW,
        ),
    ]


def fill(client: CloudElementsClient, count: int) -> None:
    """Make instances, each with a name, two tags and two configuration keys."""

    def create(number: int) -> None:
        client.instances.create(
            element=ELEMENT, name=f"instance {number}", configuration=CONFIGURATION, tags=_TAGS
        )

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(create, range(count)))


def peaks(items: Callable[[], Iterator[Any]], part: int = PART) -> dict[str, int]:
    """Iterate and keep nothing; return the peak of memory in the first and in the last part, in bytes.

    :param items: Starts the iteration.
    :param part: Instances of a part.
    """
    count = sum(1 for _ in items())  # so that the figures leave out what the first run loads and caches
    tracemalloc.start()
    try:
        found = {"count": count}
        for number, _ in enumerate(items(), start=1):
            if number == part:
                found["first"] = tracemalloc.get_traced_memory()[1]
            elif number == count - part:
                tracemalloc.reset_peak()
        found["last"] = tracemalloc.get_traced_memory()[1]
        return found
    finally:
        tracemalloc.stop()


def held(items: Callable[[], Iterator[Any]]) -> dict[str, int]:
    """Keep everything; return the number of items and their bytes.

    :param items: Starts the iteration.
    """
    next(items())
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = list(items())
        return {"count": len(kept), "held": tracemalloc.get_traced_memory()[0] - before}
    finally:
        tracemalloc.stop()


def _rows(connection: dict[str, Any]) -> Iterator[Any]:
    """Yield the rows of all pages, read with bare requests."""
    with requests.Session() as session:
        session.headers.update(authorization(connection))
        query = {"pageSize": "200"}
        while True:
            answer = session.get(f"{connection['host']}/elements/api-v2/instances", params=query, timeout=30)
            answer.raise_for_status()
            yield from answer.json()
            if "Elements-Next-Page-Token" not in answer.headers:
                return
            query["nextPage"] = answer.headers["Elements-Next-Page-Token"]


def _main(mode: str, address: str) -> None:
    """Measure in this process and print the result."""
    connection = json.loads(address)
    client = client_of(connection)

    def items() -> Iterator[Any]:
        return client.instances.list() if mode != "rows" else _rows(connection)

    next(items())
    before = resident()
    kept = [None for _ in items()] if mode == "iterate" else list(items())
    growth = resident() - before
    del kept
    print(json.dumps({"rss": growth, **(peaks(items) if mode == "iterate" else held(items))}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
