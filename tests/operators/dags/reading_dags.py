"""DAGs for the tests of reading events inside Airflow: each run goes on where the last one ended."""

from __future__ import annotations

import json

import pendulum
from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_provider_cloudelements.operators.event_reading import (
    CloudElementsReadEventsOperator,
    CloudElementsReconcileEventsOperator,
)

START = pendulum.datetime(2026, 1, 1)


@task
def objects(found: dict) -> list[str]:
    """Return the objects of all events, wherever those are."""
    if found["path"] is None:
        return [row["object_id"] for row in found["events"]]
    with ObjectStoragePath(found["path"]).open("rb") as lines:
        return [json.loads(line)["object_id"] for line in lines]


with DAG("read_events", schedule=None, start_date=START) as reading:
    read = CloudElementsReadEventsOperator(
        task_id="read",
        tag="{{ dag_run.conf['tag'] }}",
        since=(
            "{{ ((ti.xcom_pull('read', map_indexes=-1, include_prior_dates=True) or {}).get('cursor') "
            "or dag_run.conf['first']) | tojson }}"
        ),
        path="{{ dag_run.conf['folder'] }}/{{ ti.task_id }}.jsonl",
        max_xcom_events=2,
    )
    rest = CloudElementsReadEventsOperator(task_id="rest", tag="{{ dag_run.conf['tag'] }}", since=read.output)
    default = CloudElementsReadEventsOperator(task_id="default", tag="{{ dag_run.conf['tag'] }}")
    objects(read.output)
    read >> [rest, default]

with DAG("reconcile_events", schedule=None, start_date=START) as reconciling:
    compare = CloudElementsReconcileEventsOperator(
        task_id="compare",
        instance_id="{{ dag_run.conf['instance'] }}",
        path="{{ dag_run.conf['folder'] }}/{{ run_id }}.jsonl",
        max_xcom_events=2,
        settle_time=0,
    )
    mapped = CloudElementsReconcileEventsOperator.partial(task_id="mapped", settle_time=0).expand(
        instance_id=["{{ dag_run.conf['instance'] }}"]
    )
    objects(compare.output)
