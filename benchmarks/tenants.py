"""500 tenants in a real Airflow: plan and apply, against a mapped HttpOperator and a sequential script."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from airflow_provider_cloudelements.sandbox import Sandbox
from benchmarks.figures import Bound, Figure, Ratio
from benchmarks.setting import CONFIGURATION, ELEMENT, authorization, installed
from scripts.local_airflow import LocalAirflow
from scripts.postgres import postgres

SUMMARY = "500 tenants in a real Airflow on PostgreSQL"

TENANTS = 500
#: Changes at once of a mapped apply.
AT_ONCE = 64
#: Seconds that the server takes for a create.
DELAY = 0.25
#: Tasks at once, as Airflow's default for a DAG has it.
PARALLEL = 16
AGAINST_MAPPED = Bound(0.1, most=True)
AGAINST_SEQUENTIAL = Bound(0.05, most=True)
OURS, MAPPED, SEQUENTIAL = "plan_and_apply", "mapped_http_operator", "sequential_script"
CREATE = "/elements/api-v2/instances"

_OURS = """
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.fleet import (
    CloudElementsApplyInstancesOperator,
    CloudElementsPlanInstancesOperator,
)

with DAG({dag_id!r}, schedule=None):
    plan = CloudElementsPlanInstancesOperator(task_id="plan", manifest={manifest!r})
    CloudElementsApplyInstancesOperator.partial(
        task_id="apply", concurrency={at_once}
    ).expand(plan=plan.output)
"""
#: What a user writes without this provider: a task for each tenant.
_MAPPED = """
import json
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG

with DAG({dag_id!r}, schedule=None):
    HttpOperator.partial(
        task_id="create", http_conn_id="platform", endpoint={path!r}, method="POST", headers={headers!r}
    ).expand(data=[json.dumps(body) for body in {bodies!r}])
"""
#: Or one task with a loop.
_SEQUENTIAL = """
from airflow.sdk import DAG, task

with DAG({dag_id!r}, schedule=None):

    @task
    def create():
        import requests

        with requests.Session() as session:
            session.headers.update({headers!r})
            for body in {bodies!r}:
                session.post({url!r}, json=body, timeout=60).raise_for_status()

    create()
"""


def run(quick: bool) -> list[Figure]:
    """Measure: ours three times, and the rivals, which take minutes, once."""
    if not installed("airflow.providers.http"):
        return [Figure("500 tenants", "", "HttpOperator: not installed", None, AGAINST_MAPPED)]
    count = 20 if quick else TENANTS
    with started(count) as (airflow, sandbox):
        ours = statistics.median(wall(airflow, sandbox, OURS, count) for _ in range(1 if quick else 3))
        rivals = {dag_id: wall(airflow, sandbox, dag_id, count) for dag_id in (SEQUENTIAL, MAPPED)}

    def against(rival: str, name: str, bound: Bound) -> Figure:
        return Figure(
            f"{count} tenants, wall time of the DAG run",
            f"{ours:.1f} s",
            f"{name}: {rivals[rival]:.1f} s",
            Ratio.of([ours], [rivals[rival]]),
            None if quick else bound,
        )

    return [
        against(MAPPED, "mapped HttpOperator", AGAINST_MAPPED),
        against(SEQUENTIAL, "a task that posts one after another", AGAINST_SEQUENTIAL),
    ]


@contextmanager
def started(count: int) -> Iterator[tuple[LocalAirflow, Sandbox]]:
    """Start an Airflow with a DAG for each contestant, and the sandbox.

    :param count: Number of tenants.
    """
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tenants-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        sandbox = stack.enter_context(Sandbox(process=True, create_delay=DELAY))
        database = stack.enter_context(postgres())
        write_dags(folder, sandbox, count)
        airflow = stack.enter_context(
            LocalAirflow(folder / "dags", sql_alchemy_conn=database, parallelism=PARALLEL)
        )
        airflow.add_connection("cloudelements_default", **sandbox.connection())
        airflow.add_connection("platform", "http", host=sandbox.url)
        airflow.add_connection(
            "closeio_login",
            "cloudelements_element",
            login=CONFIGURATION["username"],
            password=CONFIGURATION["password"],
            extra={"element": ELEMENT, "authentication": "basic"},
        )
        yield airflow, sandbox


def write_dags(folder: Path, sandbox: Sandbox, count: int) -> None:
    """Write the DAG files and the manifest.

    :param folder: A folder for them.
    :param sandbox: The platform.
    :param count: Number of tenants.
    """
    dags = folder / "dags"
    dags.mkdir()
    manifest = folder / "manifest.json"
    manifest.write_text(
        json.dumps(
            {
                "ownership_tag": "managed-by-airflow",
                "defaults": {"element": ELEMENT, "element_conn_id": "closeio_login", "events_enabled": False},
                "instances": [{"key": f"tenant-{n}", "name": f"Tenant {n}"} for n in range(count)],
            }
        )
    )
    bodies = [
        {"element": {"key": ELEMENT}, "name": f"Tenant {n}", "configuration": CONFIGURATION}
        for n in range(count)
    ]
    headers = authorization(sandbox.connection()) | {"Content-Type": "application/json"}
    for dag_id, text in ((OURS, _OURS), (MAPPED, _MAPPED), (SEQUENTIAL, _SEQUENTIAL)):
        (dags / f"{dag_id}.py").write_text(
            text.format(
                dag_id=dag_id,
                manifest=str(manifest),
                at_once=AT_ONCE,
                path=CREATE,
                url=f"{sandbox.url}{CREATE}",
                headers=headers,
                bodies=bodies,
            )
        )


def wall(airflow: LocalAirflow, sandbox: Sandbox, dag_id: str, count: int) -> float:
    """Return the seconds of a DAG run that makes all instances in an empty account.

    :param airflow: The Airflow.
    :param sandbox: The platform.
    :param dag_id: The DAG.
    :param count: Number of tenants.
    """
    airflow.wait_dag(dag_id)
    sandbox.reset()
    run_id = airflow.trigger(dag_id)
    assert airflow.wait_run(dag_id, run_id, timeout=3600) == "success"
    assert len({each["name"] for each in sandbox.instances()}) == len(sandbox.instances()) == count
    found = airflow.rest("GET", f"/dags/{dag_id}/dagRuns/{run_id}")
    begin, end = (datetime.fromisoformat(found[each]) for each in ("start_date", "end_date"))
    return (end - begin).total_seconds()
