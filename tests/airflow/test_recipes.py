"""The recipes of the docs, in real Airflow processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.demo_connections import connections
from tests.support.leaks import search

pytestmark = [pytest.mark.processes, pytest.mark.newest]

ROOT = Path(__file__).resolve().parents[2]
DAG_ID = "example_microsoft_graph_events"


def test_an_encrypting_xcom_backend_keeps_the_token_out_of_the_database(start_airflow):
    key = Fernet.generate_key().decode()
    with Sandbox(process=True) as sandbox:
        airflow = start_airflow(
            ROOT / "example_dags",
            environment={
                "AIRFLOW__CORE__XCOM_BACKEND": "encrypting_xcom.EncryptingXCom",
                "ENCRYPTING_XCOM_KEY": key,
                "PYTHONPATH": str(ROOT / "docs" / "recipes"),
            },
        )
        for conn_id, connection in connections(
            sandbox.url, sandbox.user_secret, sandbox.organization_secret
        ).items():
            airflow.add_connection(conn_id, **connection)
        run_id = airflow.trigger(DAG_ID)
        # list_calendars uses the token, so it was pulled in clear.
        assert airflow.wait_run(DAG_ID, run_id) == "success"

        stored = airflow.xcom(DAG_ID, run_id, "create_instance", key="token")
        token = Fernet(key.encode()).decrypt(stored["encrypted_xcom"].encode()).decode()
        assert len(token) > 20
        tables = ((f"{table}.{column}", value) for table, column, value in airflow.dump_database())
        assert not list(search(tables, {"token": token}))
