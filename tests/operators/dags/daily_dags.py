"""DAGs for the tests of reading day by day: each run goes on where the last successful one ended."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.operators.event_reading import CloudElementsReadEventsOperator
from airflow_provider_cloudelements.sensors.events import CloudElementsEventSensor

try:
    from airflow.sdk import CronDataIntervalTimetable
except ImportError:  # Airflow 3.1
    from airflow.timetables.interval import CronDataIntervalTimetable

START = pendulum.datetime(2026, 1, 1)
INTERVALS = CronDataIntervalTimetable("@daily", timezone="UTC")

with DAG("daily_events", schedule="@daily", start_date=START, catchup=False) as daily:
    CloudElementsReadEventsOperator(task_id="read", tag="Docs")

with DAG("daily_events_with_intervals", schedule=INTERVALS, start_date=START, catchup=False) as intervals:
    CloudElementsReadEventsOperator(task_id="read", tag="Docs")
    CloudElementsEventSensor(task_id="wait", tag="Docs", deferrable=False, timeout=0, soft_fail=True)


@task
def instances(dag_run=None) -> list[int]:
    """Return the instances of the run, in its order."""
    return dag_run.conf["instances"]


with DAG("daily_events_mapped", schedule="@daily", start_date=START, catchup=False) as mapped:
    CloudElementsReadEventsOperator.partial(task_id="read").expand(instance_id=instances())
