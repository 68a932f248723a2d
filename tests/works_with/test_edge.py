"""EdgeExecutor: a worker that reaches Airflow by HTTP alone runs a create."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.processes import free_port

pytestmark = [pytest.mark.processes, pytest.mark.nightly]

WORKER = "edge-of-the-tests"
SOURCE = """
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

with DAG("at_the_edge", schedule=None):
    made = CloudElementsCreateInstanceOperator(
        task_id="create",
        element="closeio",
        instance_name="At the edge",
        configuration={"username": "ada", "password": "of-an/edge+worker="},
        events_enabled=False,
    )
    made >> CloudElementsCreateInstanceOperator(
        task_id="create_again",
        element="closeio",
        instance_name="At the edge",
        configuration={"username": "ada", "password": "of-an/edge+worker="},
        events_enabled=False,
    )
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(process=True) as running:
        yield running


@pytest.fixture(scope="module")
def airflow(start_airflow, sandbox, tmp_path_factory):
    pytest.importorskip("airflow.providers.edge3")
    folder = tmp_path_factory.mktemp("dags")
    (folder / "edge.py").write_text(SOURCE)
    port = free_port()
    home = tmp_path_factory.mktemp("home")
    running = start_airflow(
        folder,
        api_port=port,
        home=home,
        environment={
            "AIRFLOW__CORE__EXECUTOR": "airflow.providers.edge3.executors.EdgeExecutor",
            "AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS": "airflow.providers.edge3.models.db.EdgeDBManager",
            "AIRFLOW__EDGE__API_ENABLED": "True",
            "AIRFLOW__EDGE__API_URL": f"http://127.0.0.1:{port}/edge_worker/v1/rpcapi",
            "AIRFLOW__EDGE__JOB_POLL_INTERVAL": "1",
        },
        further={"edge-worker": ["edge", "worker", "-H", WORKER, "--pid", str(home / "edge.pid")]},
    )
    running.add_connection("cloudelements_default", **sandbox.connection())
    return running


def test_an_edge_worker_creates_one_instance(airflow, sandbox):
    run_id = airflow.trigger("at_the_edge")
    assert airflow.wait_run("at_the_edge", run_id, timeout=300) == "success"
    (made,) = sandbox.instances()
    assert made["name"] == "At the edge"
    assert airflow.xcom("at_the_edge", run_id, "create_again")["id"] == made["id"]
    for task in airflow.task_instances("at_the_edge", run_id):
        assert task["hostname"] == WORKER
    printed = airflow.process_log("edge-worker")
    for secret in (sandbox.user_secret, sandbox.organization_secret, "of-an/edge+worker="):
        assert secret not in printed
