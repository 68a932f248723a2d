"""The cost of a create task that has nothing to do, which is the usual case of a schedule."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import requests

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.provisioning.ensure import ensure
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec
from airflow_provider_cloudelements.sandbox import Sandbox
from benchmarks.figures import Figure, Ratio, in_turns
from benchmarks.setting import CONFIGURATION, ELEMENT, api_url, authorization, served

SUMMARY = "ensure: first time and steady state"

CALLS = 20


SPEC = InstanceSpec(
    element=ELEMENT, name="one", key=f"{ELEMENT}/one", configuration=CONFIGURATION, tags=("production",)
)


def run(quick: bool) -> list[Figure]:
    """Measure."""
    with served() as (sandbox, client), requests.Session() as session:
        first, again = calls_of_ensure(sandbox, client)
        session.headers.update(authorization(sandbox.connection()))
        listing = api_url(sandbox, "/instances")
        instance_id = ensure(client.instances, SPEC).instance.id

        def by_hand() -> None:
            found = session.get(listing, params={"tags[]": SPEC.marker, "pageSize": "200"}, timeout=30)
            found.raise_for_status()
            assert found.json()[0]["id"] == instance_id

        def ours() -> None:
            ensure(client.instances, SPEC)

        times = in_turns(
            {"ours": _milliseconds(ours), "by hand": _milliseconds(by_hand)}, 15 if quick else 60
        )
    return [
        Figure("ensure, first time", f"{first} calls"),
        Figure("ensure, steady state", f"{again} calls"),
        Figure(
            "ensure, steady state",
            f"{statistics.median(times['ours']):.1f} ms",
            f"the same call, bare requests: {statistics.median(times['by hand']):.1f} ms",
            Ratio.of(times["ours"], times["by hand"]),
        ),
    ]


def calls_of_ensure(sandbox: Sandbox, client: CloudElementsClient) -> tuple[int, int]:
    """Return how many calls ``ensure`` makes for a new instance, and when it has nothing to do."""
    assert ensure(client.instances, SPEC).created
    first = sandbox.counters()["total"]
    again = ensure(client.instances, SPEC)
    assert not again.created
    assert not again.changed
    return first, sandbox.counters()["total"] - first


def _milliseconds(call: Callable[[], None]) -> Callable[[], float]:
    """Return a function that makes one turn's calls and returns the milliseconds of each."""

    def turn() -> float:
        begin = time.perf_counter()
        for _ in range(CALLS):
            call()
        return (time.perf_counter() - begin) / CALLS * 1000

    return turn
