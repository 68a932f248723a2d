"""A thousand tasks that wait for bulk jobs in one triggerer, beside a thousand of the dbt-cloud provider.

Both sides wait as in :mod:`benchmarks.waiting`. The jobs are those of one instance: a look lists the jobs of
each instance for which somebody waits.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.figures import Bound, Figure, Ratio
from benchmarks.setting import CONFIGURATION, ELEMENT, served
from benchmarks.waiting import (
    DBT,
    FULL,
    OURS,
    QUICK,
    Scale,
    Waited,
    environment_of,
    rival_installed,
    wait_for_all,
    wait_with_dbt,
    waited_of_ours,
)

SUMMARY = "triggers that wait for bulk jobs on one event loop and one connection"

AGAINST_DBT_CALLS = Bound(0.02, most=True)
AGAINST_DBT_GAP = Bound(0.1, most=True)
#: Seconds that a job takes while all wait: longer than any run.
_ENDLESS = 86_400.0
_MAKERS = 8


def run(quick: bool) -> list[Figure]:
    """Measure."""
    scale = QUICK if quick else FULL
    ours = wait_for_jobs(scale)
    dbt = wait_with_dbt(scale) if rival_installed() else None

    def against(
        what: str, value: Callable[[Waited], float], form: Callable[[float], str], bound: Bound | None = None
    ) -> Figure:
        if dbt is None:
            return Figure(what, form(value(ours)), f"{DBT}: not installed", None, bound)
        theirs = value(dbt)
        ratio = Ratio.of([value(ours)], [theirs]) if theirs else None
        return Figure(what, form(value(ours)), f"{DBT}: {form(theirs)}", ratio, bound)

    def milliseconds(seconds: float) -> str:
        return f"{seconds * 1000:.0f} ms"

    waiting = f"{scale.count:,} wait, every {scale.interval:g} s"
    return [
        against(
            f"{waiting}: calls a minute", lambda side: side.calls, lambda n: f"{n:,.0f}", AGAINST_DBT_CALLS
        ),
        against(f"{waiting}: longest gap of the loop", lambda side: side.gap, milliseconds, AGAINST_DBT_GAP),
        Figure("for comparison: a loop with nothing to do, beside ours", "", milliseconds(ours.idle_gap)),
        against("all end at once: longest gap", lambda side: side.answered_gap, milliseconds),
        against(
            "warnings of Airflow's watchdog, in all",
            lambda side: side.warnings + side.answered_warnings,
            lambda n: f"{n:.0f}",
        ),
        against(f"{waiting}: processor time a minute", lambda side: side.busy, lambda n: f"{n:.2f} s"),
    ]


def wait_for_jobs(scale: Scale) -> Waited:
    """Let triggers wait for the jobs of one instance, then let all jobs end at once.

    :param scale: How large the wait is.
    :raises TooBusyError: The machine was too busy.
    """
    with served(bulk_duration=_ENDLESS) as (sandbox, client):
        made = client.instances.create(element=ELEMENT, name="one", configuration=CONFIGURATION)
        bulk = client.instance(made.id, made.token).bulk
        with ThreadPoolExecutor(_MAKERS) as pool:
            ids = list(
                pool.map(lambda _: bulk.start_download("contacts", file_format="csv"), range(scale.count + 1))
            )

        def end(go: Callable[[], None]) -> None:
            go()
            sandbox.configure(bulk_duration=0.0)

        reports = wait_for_all(OURS, scale, environment_of(sandbox), "job", end, (made.id, ids))
        return waited_of_ours(scale, sandbox, "/bulk/jobs", *reports)
