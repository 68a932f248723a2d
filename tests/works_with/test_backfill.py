"""Backfills by Airflow REST API, on PostgreSQL: on SQLite Airflow refuses to begin one while others write."""

from __future__ import annotations

import pendulum
import pytest
import time_machine

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.local_airflow import PATIENCE
from scripts.postgres import postgres
from tests.support.patience import eventually
from tests.support.platform import EVENTS, WAYS, Person
from tests.support.programs import needs_postgresql

pytestmark = [pytest.mark.processes, pytest.mark.nightly]

DAYS = [pendulum.datetime(2026, 1, day) for day in (2, 3, 4)]
SOURCE = """
import pendulum
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.event_reading import CloudElementsReadEventsOperator

try:
    from airflow.sdk import CronDataIntervalTimetable
except ImportError:  # Airflow 3.1
    from airflow.timetables.interval import CronDataIntervalTimetable

BY_DAY = CronDataIntervalTimetable("@daily", timezone="UTC")
with DAG("daily", schedule=BY_DAY, start_date=pendulum.datetime(2026, 1, 1), catchup=False):
    CloudElementsReadEventsOperator(task_id="read", tag="history")
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def airflow(start_airflow, sandbox, tmp_path_factory):
    needs_postgresql()
    folder = tmp_path_factory.mktemp("dags")
    (folder / "daily.py").write_text(SOURCE)
    with postgres() as address:
        running = start_airflow(folder, sql_alchemy_conn=address)
        running.add_connection("cloudelements_default", **sandbox.connection())
        yield running
        running.stop()


def days_of(airflow):
    found = airflow.rest("GET", "/dags/daily/dagRuns", limit=100)["dag_runs"]
    return [run for run in found if run["run_type"] == "backfill"]


def test_a_backfill_by_rest_returns_the_events_of_each_day(airflow, sandbox):
    configuration = {**WAYS["basic"][1], **EVENTS}
    shop = Person(sandbox).make("basic", configuration=configuration, tags=["history"])
    for day in DAYS:
        with time_machine.travel(day.add(hours=12)):
            sandbox.emit(shop, object_id=f"of {day.date()}")
    sandbox.emit(shop, object_id="of today")
    airflow.wait_dag("daily")
    airflow.rest("PATCH", "/dags/daily", {"is_paused": False})
    span = {"from_date": DAYS[0].to_iso8601_string(), "to_date": DAYS[-1].to_iso8601_string()}
    airflow.rest("POST", "/backfills", {"dag_id": "daily", "max_active_runs": 2, **span})
    ended = ("success", "failed")
    eventually(
        lambda: [run["state"] in ended for run in days_of(airflow)] == [True] * len(DAYS),
        240 * PATIENCE,
        pause=1,
    )
    found = {}
    for run in days_of(airflow):
        assert run["state"] == "success"
        read = airflow.xcom("daily", run["dag_run_id"], "read")
        found[run["data_interval_start"][:10]] = [row["object_id"] for row in read["events"]]
    assert found == {str(day.date()): [f"of {day.date()}"] for day in DAYS}
