"""A plan that finds nothing to do, against a loop that only fetches and decodes the same pages."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.sandbox import Sandbox
from benchmarks.figures import Bound, Figure, Ratio, in_turns
from benchmarks.fleet import INSTANCES, LIST, PAGE, calls, created, manifest_of, planned
from benchmarks.setting import api_url, authorization, child, client_of, most_resident, served

SUMMARY = "plan of 10,000 unchanged instances"

AGAINST_BARE = Bound(0.8)
BARE = "bare requests, pages fetched and decoded"
#: Most MiB of a process that plans, all that it has loaded included.
PEAK = 150
WITHIN_PEAK = Bound(1.0, most=True)
ONLY_PAGES = Bound(1.0, most=True)


def run(quick: bool) -> list[Figure]:
    """Measure."""
    count = 2_000 if quick else INSTANCES
    with filled(count) as (sandbox, client):
        made, pages = calls_of_plan(sandbox, client, count), -(-count // PAGE)
        rates = in_turns(contestants(sandbox, client, count), 5 if quick else 15)
        peak = child(__name__, json.dumps(sandbox.connection()), str(count))["peak"] / 1024**2
    what = f"plan of {count:,} unchanged instances"
    return [
        Figure(
            f"{what}, instances a second",
            f"{statistics.median(rates['ours']):.0f}/s",
            f"{BARE}: {statistics.median(rates[BARE]):.0f}/s",
            Ratio.of(rates["ours"], rates[BARE]),
            AGAINST_BARE,
        ),
        Figure(
            f"{what}, calls",
            f"{made}",
            f"pages of the list: {pages}",
            Ratio.of([made], [pages]),
            ONLY_PAGES,
        ),
        Figure(
            f"{what}, peak of the process",
            f"{peak:.0f} MiB",
            f"allowed: {PEAK} MiB",
            Ratio.of([peak], [PEAK]),
            WITHIN_PEAK,
        ),
    ]


@contextmanager
def filled(count: int) -> Iterator[tuple[Sandbox, CloudElementsClient]]:
    """Start a sandbox with a fleet.

    :param count: Number of instances.
    """
    with served() as (sandbox, client):
        created(client, manifest_of(count), at_once=8)
        yield sandbox, client


def calls_of_plan(sandbox: Sandbox, client: CloudElementsClient, count: int) -> int:
    """Return how many calls a plan makes. All of them read the list."""
    before = calls(sandbox)
    assert planned(client, manifest_of(count)).empty
    made = calls(sandbox) - before
    assert set(made) == {LIST}, made
    return made.total()


def contestants(sandbox: Sandbox, client: CloudElementsClient, count: int) -> dict[str, Callable[[], float]]:
    """Return functions that go through the whole list once and return the instances a second.

    :param sandbox: A sandbox with a fleet.
    :param client: Its client.
    :param count: Number of instances.
    """
    manifest = manifest_of(count)
    url, header = api_url(sandbox, "/instances"), authorization(sandbox.connection())

    def ours() -> float:
        begin = time.perf_counter()
        made = planned(client, manifest)
        seconds = time.perf_counter() - begin
        assert made.empty
        assert made.unchanged == made.listed == count
        return count / seconds

    def bare() -> float:
        begin = time.perf_counter()
        with requests.Session() as session:
            session.headers.update(header)
            query, rows = {"pageSize": str(PAGE)}, 0
            while True:
                answer = session.get(url, params=query, timeout=60)
                answer.raise_for_status()
                rows += len(answer.json())
                if "Elements-Next-Page-Token" not in answer.headers:
                    break
                query["nextPage"] = answer.headers["Elements-Next-Page-Token"]
        seconds = time.perf_counter() - begin
        assert rows == count
        return count / seconds

    return {"ours": ours, BARE: bare}


def _main(address: str, count: str) -> None:
    """Plan once in this process and print its peak."""
    with client_of(json.loads(address)) as client:
        assert planned(client, manifest_of(int(count))).empty
    print(json.dumps({"peak": most_resident()}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
