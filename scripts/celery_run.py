"""
``make celery``: apply a plan of 1,000 instances on a real CeleryExecutor, with Redis and PostgreSQL.

The plan comes in parts, one mapped task for each, and two worker processes share them. The first run goes
through undisturbed. In the second, half-way, one worker is killed with SIGKILL, comes back, and the run is
cleared. Both must end in the same state: an instance for each row, none twice, none missing, and a plan that
finds nothing to do.

The program starts all it needs and leaves nothing behind. It needs Debian's redis-server and postgresql, and
the environment that ``make celery`` makes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.connections import ConnectionSettings, ElementSettings
from airflow_provider_cloudelements.fleet import plan, read_manifest
from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.local_airflow import PATIENCE, LocalAirflow
from scripts.postgres import postgres
from scripts.redis_server import redis

INSTANCES = 1_000
#: Changes of a part.
CHUNK = 50
#: Seconds that the sandbox takes for a create, so that a kill meets tasks at work.
DELAY = 0.2
WORKERS = 2
#: Tasks at once of a worker.
SLOTS = 2
DAG_ID = "fleet"
#: The login of all instances at their vendor.
LOGIN = {"username": "ada", "password": "not-a-real-password"}

_DAG = """
from datetime import timedelta

from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.fleet import (
    CloudElementsApplyInstancesOperator,
    CloudElementsPlanInstancesOperator,
)

# Airflow lets a task that was cleared at work wait like a retry, five minutes by default.
with DAG("{dag_id}", schedule=None, default_args={{"retry_delay": timedelta(seconds=1)}}):
    plan = CloudElementsPlanInstancesOperator(task_id="plan", manifest={manifest!r}, chunk_size={chunk})
    CloudElementsApplyInstancesOperator.partial(
        task_id="apply", checksum="{{{{ ti.xcom_pull('plan', key='checksum') }}}}", concurrency=4
    ).expand(plan=plan.output)
"""


def main() -> int:
    """Run both, print what happened, and return the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=INSTANCES, help=f"default: {INSTANCES}")
    count: int = parser.parse_args().instances
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    failed = 0
    began = time.monotonic()
    with started(count) as (airflow, sandbox):
        for name, disturb in (("undisturbed", None), ("a worker killed, the run cleared", kill_and_clear)):
            sandbox.reset()
            problems = one_run(airflow, sandbox, count, name, disturb)
            for each in problems:
                print(f"  WRONG: {each}", flush=True)
            failed += bool(problems)
    # A summary that the nightly run counts.
    print(f"{2 - failed} passed, {failed} failed in {time.monotonic() - began:.2f}s")
    return min(failed, 1)


def manifest_of(count: int) -> dict[str, Any]:
    """
    Return a manifest.

    :param count: Number of instances.
    """
    return {
        "ownership_tag": "managed-by-airflow",
        "defaults": {"element": "closeio", "element_conn_id": "closeio_login", "events_enabled": False},
        "instances": [{"key": f"tenant-{n}", "name": f"Tenant {n}"} for n in range(count)],
    }


def dag_text(manifest: str) -> str:
    """
    Return the DAG file.

    :param manifest: Path of the manifest.
    """
    return _DAG.format(dag_id=DAG_ID, manifest=manifest, chunk=CHUNK)


@contextlib.contextmanager
def started(count: int) -> Iterator[tuple[LocalAirflow, Sandbox]]:
    """
    Start Redis, PostgreSQL, a sandbox, and an Airflow with its workers.

    :param count: Number of instances of the manifest.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="celery-run-")))
        manifest = folder / "manifest.json"
        manifest.write_text(json.dumps(manifest_of(count)))
        dags = folder / "dags"
        dags.mkdir()
        (dags / "fleet.py").write_text(dag_text(str(manifest)))
        database = stack.enter_context(postgres())
        broker = stack.enter_context(redis())
        sandbox = stack.enter_context(Sandbox(process=True, create_delay=DELAY))
        airflow = LocalAirflow(
            dags,
            sql_alchemy_conn=database,
            environment=settings(broker, database),
            parallelism=WORKERS * SLOTS,
            workers=WORKERS,
        )
        stack.enter_context(airflow)
        airflow.add_connection("cloudelements_default", **sandbox.connection())
        airflow.add_connection(
            "closeio_login",
            "cloudelements_element",
            login=LOGIN["username"],
            password=LOGIN["password"],
            extra={"element": "closeio", "authentication": "basic"},
        )
        yield airflow, sandbox


def settings(broker: str, database: str) -> dict[str, str]:
    """
    Return Airflow's settings for Celery.

    :param broker: Address of Redis.
    :param database: SQLAlchemy's address of PostgreSQL, which keeps Celery's results as well.
    """
    return {
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS),
        # Airflow notices a dead worker by the silence of its tasks. The default is five minutes.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        # What the dead worker had fetched and not begun goes out again. The default is ten minutes.
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    }


def one_run(
    airflow: LocalAirflow,
    sandbox: Sandbox,
    count: int,
    name: str,
    disturb: Callable[[LocalAirflow, Sandbox, str, int], None] | None,
) -> list[str]:
    """
    Run the DAG to its end, print figures, and return what is wrong then.

    :param airflow: The Airflow.
    :param sandbox: An account without instances.
    :param count: Number of instances of the manifest.
    :param name: Name of the run, for people.
    :param disturb: Function that disturbs it.
    """
    began = time.monotonic()
    run_id = airflow.trigger(DAG_ID)
    if disturb is not None:
        disturb(airflow, sandbox, run_id, count)
    state = airflow.wait_run(DAG_ID, run_id, timeout=900)
    tasks = airflow.task_instances(DAG_ID, run_id)
    posts = sandbox.counters()["by_call"].get("POST /instances", 0)
    ended = sum(each["task_id"] == "apply" and each["state"] == "success" for each in tasks)
    print(
        f"{name}: {state} after {time.monotonic() - began:.0f} s; {len(sandbox.instances())} instances by "
        f"{posts} creates; {ended} mapped tasks at the end",
        flush=True,
    )
    problems = [] if state == "success" else [f"the run has {state}"]
    if disturb is None and posts != count:
        problems.append(f"{posts} creates for {count} instances")
    return problems + wrong_with(sandbox, count)


def wrong_with(sandbox: Sandbox, count: int) -> list[str]:
    """
    Return what is wrong with an account: what is missing, there twice, or not as the manifest says.

    :param sandbox: The account.
    :param count: Number of instances of the manifest.
    """
    problems = []
    names = Counter(each["name"] for each in sandbox.instances())
    if twice := [name for name, number in names.items() if number > 1]:
        problems.append(f"{len(twice)} instances are there twice, such as {twice[0]!r}")
    if missing := count - len(names):
        problems.append(f"{missing} instances are missing")
    with client_of(sandbox) as client:
        again = plan(client, read_manifest(manifest_of(count)), login)
    if not again.empty or again.unchanged != count:
        problems.append(f"a plan afterwards finds {dict(again.counts)}, and {again.unchanged} unchanged")
    return problems


def client_of(sandbox: Sandbox) -> CloudElementsClient:
    """
    Return a client for an account.

    :param sandbox: The account.
    """
    return CloudElementsClient(
        ConnectionSettings(
            base_url=sandbox.url,
            user_secret=sandbox.user_secret,
            organization_secret=sandbox.organization_secret,
        )
    )


def login(conn_id: str) -> ElementSettings:
    """
    Return the element connection of the instances.

    :param conn_id: Its id.
    """
    return ElementSettings("closeio", "basic", LOGIN, conn_id=conn_id)


def kill_and_clear(airflow: LocalAirflow, sandbox: Sandbox, run_id: str, count: int) -> None:
    """
    Kill a worker half-way with all its processes, start it again, and clear the run.

    :param airflow: The Airflow.
    :param sandbox: The account.
    :param run_id: The run.
    :param count: Number of instances of the manifest.
    """
    deadline = time.monotonic() + 300 * PATIENCE
    while (made := len(sandbox.instances())) < count // 2:
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {made} instances after {300 * PATIENCE:.0f} s")
        airflow.check_alive()
        time.sleep(0.2)
    airflow.kill("worker-1")
    print(f"killed a worker at {made} of {count} instances", flush=True)
    airflow.restart("worker-1")
    airflow.rest("POST", f"/dags/{DAG_ID}/dagRuns/{run_id}/clear", {"dry_run": False})


if __name__ == "__main__":
    sys.exit(main())
