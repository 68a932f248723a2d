"""Run every example as ``make up`` does, print how each ended, and take its picture: ``make pictures``.

The pictures go to ``docs/images``: for each example the graph of its run, and the sandbox's start page. A run
that waits for a person or an event is at its point when it waits. It takes some minutes, a real Airflow, and
Debian's chromium; ``example_load_into_postgresql`` also needs Debian's postgresql. ``--no-pictures`` only
runs the examples, ``--only NAME`` one of them.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scripts import up
from scripts.browser import open_browser
from scripts.examples import ROOT, examples
from scripts.local_airflow import TERMINAL_RUN_STATES, LocalAirflow
from scripts.processes import LOOPBACK, free_port
from scripts.seed import Seeder
from scripts.warehouse import LOADS, is_installed, warehouses

PICTURES = ROOT / "docs" / "images"
#: Those that other examples prepare for run later.
LATER = (
    "example_drift_check",
    "example_events_after_outage",
    LOADS,
    "example_ten_lines",
    "example_wait_for_event",
)
#: Parameters that spare a wait which the sandbox does not need.
CONF = {"example_events_after_outage": {"settle_seconds": 0}}
#: Examples whose point is to wait, with the task that waits.
WAITS = {
    "example_consent_by_person": "consent.ask_person",
    "example_nightly_check": "ask_person",
    "example_wait_for_event": "wait_for_event",
}
WAITING_STATES = ("deferred", "awaiting_input", "up_for_reschedule")
#: Seconds for a run.
PATIENCE = 300.0


def main(arguments: list[str] | None = None) -> int:
    """
    Run the examples and return the exit code: 1 if one of them did not end as it should.

    :param arguments: the command line's arguments
    """
    parser = argparse.ArgumentParser(description="Run every example, and take its picture.")
    parser.add_argument("--no-pictures", action="store_true", help="only run them")
    parser.add_argument("--only", metavar="NAME", help="run and take one of them")
    options = parser.parse_args(arguments)
    names = [each.dag_id for each in examples() if options.only in (None, each.dag_id)]
    names = sorted((name for name in names if name != LOADS or is_installed()), key=LATER.__contains__)
    with _running() as (airflow, sandbox), _page(airflow, wanted=not options.no_pictures) as page:
        if options.only in LATER:
            for before in (up.MAKES_INSTANCE, "example_instances_as_code", "example_download_contacts"):
                airflow.wait_run(before, airflow.trigger(before))
        ends = {name: _run(airflow, name) for name in names}
        for name, (run_id, end) in ends.items():
            print(f"{name}: {end}", flush=True)
            if page:
                _take(page, airflow, name, run_id)
        if page and not options.only:
            page.goto(sandbox["url"])
            page.screenshot(path=PICTURES / "sandbox.png")
    return int(any(end.startswith("failed") for _, end in ends.values()))


@contextlib.contextmanager
def _running() -> Iterator[tuple[LocalAirflow, dict[str, str]]]:
    """Run a seeded sandbox and an Airflow with the examples and their connections."""
    dags, port = ROOT / "example_dags", free_port()
    with up.sandbox(Path(sys.executable)) as sandbox, warehouses() as database:
        connections = up.connections_of(sandbox, f"http://{LOOPBACK}:{port}") | database
        Seeder(sandbox["url"], connections).seed()
        with LocalAirflow(dags, api_port=port, environment=up.webhook_settings(up.WEBHOOK)) as airflow:
            for connection_id, connection in connections.items():
                airflow.add_connection(connection_id, **connection)
            yield airflow, sandbox


@contextlib.contextmanager
def _page(airflow: LocalAirflow, *, wanted: bool) -> Iterator[Any]:
    """
    Open a browser that shows graphs first; ``None`` if no pictures are wanted.

    :param airflow: the running Airflow
    :param wanted: whether to open one
    """
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder, open_browser(Path(folder), 1200, 560) as browser:
        browser.add_init_script("localStorage.setItem('default_dag_view', JSON.stringify('graph'))")
        page = browser.new_page()
        page.goto(airflow.url)  # the first page sets the cookie
        yield page


def _run(airflow: LocalAirflow, dag_id: str) -> tuple[str, str]:
    """
    Trigger an example with the values of its form, wait for its end or its wait, and return its id and end.

    :param airflow: the running Airflow
    :param dag_id: the example
    """
    run_id = airflow.trigger(dag_id, CONF.get(dag_id))
    deadline = time.monotonic() + PATIENCE
    waits = WAITS.get(dag_id)
    while time.monotonic() < deadline:
        state = airflow.rest("GET", f"/dags/{dag_id}/dagRuns/{quote(run_id)}")["state"]
        tasks = airflow.task_states(dag_id, run_id)
        if state in TERMINAL_RUN_STATES:
            return run_id, state if state == "success" else f"failed: {tasks}"
        waiting = [name for name, of in tasks.items() if of in WAITING_STATES]
        if waits and any(name.partition("[")[0] == waits for name in waiting):
            return run_id, f"waits in {', '.join(waiting)}"
        airflow.check_alive()
        time.sleep(1)
    return run_id, f"failed: {state} after {PATIENCE:g} s: {tasks}"


def _take(page: Any, airflow: LocalAirflow, dag_id: str, run_id: str) -> None:
    """
    Take the picture of a run's graph.

    :param page: the browser's page
    :param airflow: the running Airflow
    :param dag_id: the example
    :param run_id: its run
    """
    page.goto(f"{airflow.url}/dags/{dag_id}/runs/{quote(run_id)}")
    graph = page.locator(".react-flow")
    graph.wait_for()
    page.locator(".react-flow__node").first.wait_for()
    if (collapse := page.get_by_label("Collapse Details Panel")).count():
        collapse.click()
    page.wait_for_timeout(1000)  # the page moves its parts
    page.get_by_label("Fit View").click()
    page.wait_for_timeout(1000)
    graph.screenshot(path=PICTURES / f"{dag_id}.png")


if __name__ == "__main__":
    raise SystemExit(main())
