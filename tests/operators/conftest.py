"""A sandbox for the operators, known to Airflow as ``cloudelements_default``."""

from __future__ import annotations

import json
import logging

import pytest
import time_machine

from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.platform import known_to_airflow
from tests.support.runs import Run


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


@pytest.fixture
def nightly(monkeypatch):
    """Give a function that prepares nightly runs: by the DAGs' folder, the pattern of their ids, and day 0.

    It returns a function that runs a DAG as of midnight of a day; dag.test() itself makes manual runs only.
    """
    from airflow import settings
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete, event

    def prepare(folder, pattern, first):
        with create_session() as session:
            session.execute(delete(DagRun).where(DagRun.dag_id.like(pattern)))
        monkeypatch.setattr(settings, "DAGS_FOLDER", str(folder))

        def run_of(dag, day, kind="scheduled", conf=None, late=5):
            due = first.add(days=day)

            def as_kind(mapper, connection, target):
                target.run_type = kind

            event.listen(DagRun, "before_insert", as_kind)
            try:
                with time_machine.travel(due.add(seconds=late)):
                    return Run(dag.test(logical_date=due, run_after=due, run_conf=conf))
            finally:
                event.remove(DagRun, "before_insert", as_kind)

        return run_of

    return prepare
