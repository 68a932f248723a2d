"""DAGs for the test of lineage: each way to write a file, with an outlet."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Asset, AssetAlias

from airflow_provider_cloudelements.operators.bulk import (
    CloudElementsDownloadBulkOperator,
    CloudElementsUploadBulkOperator,
)
from airflow_provider_cloudelements.operators.event_reading import CloudElementsReadEventsOperator
from airflow_provider_cloudelements.operators.record_changes import CloudElementsDownloadChangesOperator
from airflow_provider_cloudelements.operators.records import CloudElementsCallResourceOperator

INSTANCE = "{{ dag_run.conf['instance'] }}"
FOLDER = "file://{{ dag_run.conf['folder'] }}"


def outlets(name: str) -> list[Asset | AssetAlias]:
    """Return an asset, and an alias that no task resolves."""
    return [Asset(f"lineage {name}"), AssetAlias("lineage alias")]


with DAG("lineage_files", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as files:
    call = CloudElementsCallResourceOperator(
        task_id="call",
        instance_id=INSTANCE,
        path=["leads"],
        where={"name": "{{ dag_run.conf['secret'] }}"},
        paginate=True,
        max_xcom_records=0,
        output_path=f"{FOLDER}/call.jsonl",
        outlets=outlets("call"),
    )
    CloudElementsCallResourceOperator(
        task_id="few",
        token="{{ dag_run.conf['token'] }}",
        path="/leads",
        paginate=True,
        outlets=outlets("few"),
    )
    CloudElementsDownloadChangesOperator(
        task_id="changes",
        instance_id=INSTANCE,
        path="/leads",
        updated_field="date_updated",
        where={"name": "{{ dag_run.conf['secret'] }}"},
        output_path=f"{FOLDER}/changes.jsonl",
        outlets=outlets("changes"),
    )
    CloudElementsDownloadBulkOperator(
        task_id="bulk",
        instance_id=INSTANCE,
        object_name="leads",
        where={"name": "{{ dag_run.conf['secret'] }}"},
        path=f"{FOLDER}/bulk.csv",
        poke_interval=1,
        outlets=outlets("bulk"),
    )
    CloudElementsReadEventsOperator(
        task_id="events",
        instance_id=INSTANCE,
        max_xcom_events=0,
        path=f"{FOLDER}/events.jsonl",
        outlets=outlets("events"),
    )
    call >> CloudElementsUploadBulkOperator(
        task_id="upload",
        instance_id=INSTANCE,
        object_name="contacts",
        path=f"{FOLDER}/call.jsonl",
        file_format="jsonl",
        poke_interval=1,
        outlets=outlets("upload"),
    )
