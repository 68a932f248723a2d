"""How soon the page of 10,000 instances is there, beside Airflow's list of 100 DAGs on the same server."""

from __future__ import annotations

import json
import re
import statistics
import time
from pathlib import Path

import pytest

from benchmarks.fleet import created, manifest_of
from benchmarks.setting import served
from scripts.demo_connections import connections
from scripts.local_airflow import LocalAirflow
from tests.support.browsing import open_browser

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.nightly]

INSTANCES, DAGS, ROUNDS = 10_000, 100, 10
#: Of the time of Airflow's own list, the median of the rounds.
MOST_RATIO = 1.5
#: MiB by which the API server may grow for it.
MOST_GROWTH = 50
#: A frame's work while the rows scroll; 60 frames a second leave 16, and a busy machine three times as long.
MOST_MILLISECONDS = 50

SOURCE = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator

with DAG("look", schedule=None, catchup=False):
    CloudElementsCheckInstancesOperator(task_id="check", concurrency=32)
for number in range({dags}):
    with DAG(f"dag_{{number}}", schedule=None, catchup=False) as dag:
        EmptyOperator(task_id="nothing")
    globals()[dag.dag_id] = dag
"""


@pytest.fixture
def airflow(tmp_path):
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "many.py").write_text(SOURCE.format(dags=DAGS))
    with served() as (sandbox, client):
        created(client, manifest_of(INSTANCES), at_once=8)
        known = connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret)
        environment = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in known.items()}
        with LocalAirflow(tmp_path / "dags", environment=environment) as started:
            run = started.trigger("look")
            assert started.wait_run("look", run, timeout=300) == "success"
            yield started


def resident(airflow: LocalAirflow) -> float:
    """Return the MiB that all processes of the API server hold."""
    held = 0.0
    for pid, command in airflow.processes().items():
        if "api-server" in command or "airflow api" in command:
            status = Path(f"/proc/{pid}/status").read_text()
            held += int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024
    assert held
    return held


def test_it_is_there_about_as_soon_as_airflows_own_list(airflow, tmp_path):
    ours, theirs = [], []
    with open_browser(tmp_path / "browser") as browser:
        page = browser.new_page()

        def seconds_until(address: str, text: str) -> float:
            begun = time.perf_counter()
            page.goto(airflow.url + address)
            page.get_by_text(text, exact=True).first.wait_for()
            return time.perf_counter() - begun

        def theirs_once() -> float:
            return seconds_until("/dags?limit=100", "dag_0")

        def ours_once() -> float:
            return seconds_until("/cloudelements/instances", f"{INSTANCES:,} instances")

        seconds_until("/", "Dags")  # every caller is an administrator here; the first page sets the cookie
        for _ in range(ROUNDS):
            theirs_once()
        before = resident(airflow)
        for _ in range(ROUNDS):
            ours_once()
        grown = resident(airflow) - before
        for _ in range(ROUNDS):
            theirs.append(theirs_once())
            ours.append(ours_once())
        costs = page.evaluate(
            """async () => {
                const box = document.getElementById("window"), costs = [];
                for (let at = 0; at < 60; at += 1) {
                    const begun = performance.now();
                    box.scrollTop = at * 4000;
                    box.dispatchEvent(new Event("scroll"));
                    box.getBoundingClientRect();
                    costs.push(performance.now() - begun);
                    await new Promise(requestAnimationFrame);
                }
                return costs.sort((one, other) => one - other);
            }"""
        )
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(
        f"page of {INSTANCES:,} instances: {statistics.median(ours):.2f} s; "
        f"Airflow's list of {DAGS} DAGs: {statistics.median(theirs):.2f} s; ratio {ratio:.2f}; "
        f"the API server grew by {grown:.0f} MiB; a frame: {statistics.median(costs):.1f} ms"
    )
    assert ratio < MOST_RATIO
    assert grown < MOST_GROWTH
    assert statistics.median(costs) < MOST_MILLISECONDS
