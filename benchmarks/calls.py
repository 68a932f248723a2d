"""Calls a second of one caller: our client, a bare session, and Airflow's HttpHook."""

from __future__ import annotations

import importlib
import json
import os
import statistics
import time
from collections.abc import Callable

import requests

from benchmarks.figures import Bound, Figure, Ratio, in_turns
from benchmarks.setting import CONFIGURATION, ELEMENT, api_url, authorization, installed, served

SUMMARY = "client.instances.get in a loop"

#: Calls of one turn. Turns are short, so that other load of the machine meets every contestant.
CALLS = 40
AGAINST_BARE = Bound(0.9)
AGAINST_HTTP_HOOK = Bound(1.2)

BARE = "bare requests.Session"
_NO_ENVIRONMENT = "bare session, trust_env off"
_HTTP_HOOK = "HttpHook"


def run(quick: bool) -> list[Figure]:
    """Measure."""
    rates = rates_of(25 if quick else 120)

    def against(rival: str, bound: Bound | None) -> Figure:
        if rival not in rates:
            return Figure("get, calls a second", "", f"{rival}: not installed", None, bound)
        return Figure(
            "get, calls a second",
            f"{statistics.median(rates['ours']):.0f}/s",
            f"{rival}: {statistics.median(rates[rival]):.0f}/s",
            Ratio.of(rates["ours"], rates[rival]),
            bound,
        )

    figures = [
        against(BARE, AGAINST_BARE),
        against(_NO_ENVIRONMENT, None),
        against(_HTTP_HOOK, AGAINST_HTTP_HOOK),
    ]
    if _HTTP_HOOK in rates:
        bare, hook = rates[BARE], rates[_HTTP_HOOK]
        figures.append(
            Figure(
                "for comparison: bare requests.Session",
                f"{statistics.median(bare):.0f}/s",
                f"{_HTTP_HOOK}: {statistics.median(hook):.0f}/s",
                Ratio.of(bare, hook),
            )
        )
    return figures


def rates_of(rounds: int, *, with_http_hook: bool = True) -> dict[str, list[float]]:
    """Return each contestant's calls a second, round by round.

    :param rounds: Number of rounds.
    :param with_http_hook: Whether Airflow's hook takes part, if it is installed.
    """
    with served() as (sandbox, client), requests.Session() as session, requests.Session() as apart:
        instance = client.instances.create(element=ELEMENT, name="one", configuration=CONFIGURATION)
        path = f"/elements/api-v2/instances/{instance.id}"
        url = api_url(sandbox, f"/instances/{instance.id}")
        header = authorization(sandbox.connection())
        session.headers.update(header)
        apart.headers.update(header)
        apart.trust_env = False

        def bare(caller: requests.Session) -> None:
            answer = caller.get(url, timeout=30)
            answer.raise_for_status()
            assert answer.json()["id"] == instance.id

        def ours() -> None:
            assert client.instances.get(instance.id).id == instance.id

        contestants = {
            "ours": _rate(ours),
            BARE: _rate(lambda: bare(session)),
            _NO_ENVIRONMENT: _rate(lambda: bare(apart)),
        }
        if with_http_hook and installed("airflow.providers.http"):
            os.environ["AIRFLOW_CONN_BENCHMARK"] = json.dumps({"conn_type": "http", "host": sandbox.url})
            hook_class = importlib.import_module("airflow.providers.http.hooks.http").HttpHook
            hook = hook_class(method="GET", http_conn_id="benchmark")

            def by_hook() -> None:
                answer = hook.run(path, headers=header, extra_options={"timeout": 30})
                assert answer.json()["id"] == instance.id

            contestants[_HTTP_HOOK] = _rate(by_hook)
        return in_turns(contestants, rounds)


def _rate(call: Callable[[], None]) -> Callable[[], float]:
    """Return a function that makes one turn's calls and returns the calls a second."""

    def turn() -> float:
        begin = time.perf_counter()
        for _ in range(CALLS):
            call()
        return CALLS / (time.perf_counter() - begin)

    return turn
