"""Collect all events, each run those since the last one, into a file for each run.

An asset event of the watcher starts a run, and so does the time. The run does not read the asset event, which
is only a hint: the read operator reads the platform's list, from where its last successful run ended. So it
does not matter if Airflow leaves an asset event to a later run, or if a run fails.

A run that an asset event starts has no logical date and no data interval: the context lacks ``ds``, ``ts``,
``logical_date`` and ``data_interval_start``. So the file has the run's id in its name, and the operator needs
no date. ``dag_run.run_after`` is there in each run.

Airflow gives the asset events of a watcher no partition key. So a DAG with ``PartitionedAssetTimetable``
(Airflow 3.2 and later) does not start on them: use the asset itself, as here.

Needs ``cloudelements_default``, and the instance that ``example_basic_authentication`` makes. Without the
instance there are no events. See ``docs/events.md``.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param, task
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_provider_cloudelements.assets import cloudelements_event_asset

# [start: read]
from airflow_provider_cloudelements.operators.event_reading import CloudElementsReadEventsOperator

# [end: read]

INSTANCE = "closeio/Sales team"
SALES = cloudelements_event_asset("example sales", instance_key=INSTANCE)

with DAG(
    "example_events_collected",
    description="Collect all events, each run those since the last one, into a file for each run.",
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 3 * * *", timezone="UTC"), assets=[SALES]),
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # two at once would read the same events
    tags=["cloudelements", "example", "events"],
    doc_md=__doc__,
    params={"folder": Param("file:///tmp/cloudelements", type="string", description="Where the files go")},
) as dag:
    # [start: read]
    read = CloudElementsReadEventsOperator(
        task_id="read",
        instance_key=INSTANCE,
        start="2026-01-01",  # for the first run
        path="{{ params.folder }}/{{ run_id }}.jsonl",
    )
    # [end: read]

    @task
    def handle(found: dict) -> int:
        """Stand for the work; return the number of events."""
        return found["count"]

    handle(read.output)
