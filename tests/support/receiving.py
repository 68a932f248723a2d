"""A real Airflow that receives the platform's deliveries by ``airflow-provider-inbound-webhooks``."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from scripts.airflow_rest import LocalAirflowError
from scripts.local_airflow import PATIENCE, LocalAirflow
from scripts.up import webhook_settings
from tests.support.programs import needs

T = TypeVar("T")

EXAMPLE_ID = "example_events_by_webhook"
EXAMPLE = Path(__file__).resolve().parents[2] / "example_dags" / f"{EXAMPLE_ID}.py"


@contextlib.contextmanager
def receiving_airflow(
    folder: Path, *, environment: Mapping[str, str] | None = None, **options: Any
) -> Iterator[LocalAirflow]:
    """Run an Airflow with the webhook's connection made by our command; skip where the extra is missing.

    :param folder: folder with the DAG files
    :param environment: further variables for every process
    :param options: what :class:`LocalAirflow` takes besides
    """
    import airflow

    needs(
        "airflow-provider-inbound-webhooks (the extra 'webhooks')",
        Path(sys.prefix).glob("lib/python*/site-packages/airflow_inbound_webhooks"),
    )
    settings = webhook_settings("cloudelements", "another", "terse")
    on_31 = airflow.__version__.startswith("3.1.")
    with LocalAirflow(folder, environment={**settings, **(environment or {})}, **options) as running:
        said = in_module(running) if on_31 else running.command("cloudelements", "webhook-connection")
        assert "Made the connection 'webhook_cloudelements'" in said
        yield running


def unpause(airflow: LocalAirflow, *dag_ids: str) -> None:
    """Wait for DAGs and unpause them."""
    for dag_id in dag_ids:
        airflow.wait_dag(dag_id, 180)
        patiently(lambda each=dag_id: airflow.rest("PATCH", f"/dags/{each}", {"is_paused": False}))


def patiently(call: Callable[[], T], seconds: float = 180) -> T:
    """Return what a call of Airflow's REST API returns, asked again while Airflow is too busy."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        try:
            return call()
        except (OSError, LocalAirflowError):
            if time.monotonic() > deadline:
                raise
        time.sleep(2)


def run(airflow: LocalAirflow, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> str:
    """Start a run, however busy Airflow is, and return the state that it ends with."""

    def start() -> None:
        try:
            airflow.trigger(dag_id, conf, run_id)
        except LocalAirflowError as error:
            if error.status != 409:  # the one before was answered too late
                raise

    patiently(start)
    return patiently(lambda: airflow.wait_run(dag_id, run_id, timeout=180))


def runs(airflow: LocalAirflow, dag_id: str) -> list[dict[str, Any]]:
    """Return all runs of a DAG."""
    return list(airflow.pages(f"/dags/{dag_id}/dagRuns", "dag_runs"))


def in_module(airflow: LocalAirflow, *arguments: str) -> str:
    """Run the command as Airflow 3.1 has to."""
    done = subprocess.run(
        [str(airflow.python), "-m", "airflow_provider_cloudelements", "webhook-connection", *arguments],
        env=airflow.environment,
        cwd=airflow.home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    with (airflow.home / "processes" / "commands.log").open("a") as log:
        log.write(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr
    return done.stdout


def key_of(airflow: LocalAirflow, conn_id: str = "webhook_cloudelements") -> str:
    """Return the key that the command made, as the database has it: it was shown nowhere."""
    program = (
        "import sys\n"
        "from airflow.models.connection import Connection\n"
        "from airflow.utils.session import create_session\n"
        "from sqlalchemy import select\n"
        "with create_session() as session:\n"
        "    query = select(Connection).where(Connection.conn_id == sys.argv[1])\n"
        "    print('KEY', session.scalars(query).one().password)\n"
    )
    done = subprocess.run(
        [str(airflow.python), "-c", program, conn_id],
        env=airflow.environment,
        cwd=airflow.home,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    (key,) = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("KEY ")]
    return key
