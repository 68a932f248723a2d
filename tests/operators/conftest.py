"""A sandbox for the operators, known to Airflow as ``cloudelements_default``."""

from __future__ import annotations

import json
import logging

import pytest

from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.platform import known_to_airflow


@pytest.fixture
def sandbox(cloudelements_sandbox, monkeypatch) -> Sandbox:
    return known_to_airflow(
        cloudelements_sandbox, monkeypatch, request_timeout=5, create_timeout=1, max_retries=1
    )


@pytest.fixture
def element_connection(monkeypatch):
    """Give a function that makes a connection of type ``cloudelements_element`` known to Airflow."""

    def make(conn_id: str = "vendor_login", **fields):
        connection = {"conn_type": "cloudelements_element", **fields}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        return conn_id

    return make


@pytest.fixture
def task_log(monkeypatch, caplog):
    """Collect what operators log: Airflow's own logger writes past pytest's."""
    monkeypatch.setattr(CloudElementsBaseOperator, "log", logging.getLogger("tests.operators"))
    caplog.set_level(logging.INFO, "tests.operators")
    return caplog
