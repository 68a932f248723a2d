"""A task that downloads by bulk jobs, plain and mapped, and one that reads its file."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_provider_cloudelements.operators.bulk import (
    CloudElementsDownloadBulkOperator,
    CloudElementsUploadBulkOperator,
)
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.sensors.bulk import CloudElementsBulkJobSensor

with DAG("bulk", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as bulk:
    create = CloudElementsCreateInstanceOperator(
        task_id="create",
        element="closeio",
        instance_name="Bulk",
        element_conn_id="vendor_login",
        events_enabled=False,
    )
    download = CloudElementsDownloadBulkOperator(
        task_id="download",
        instance_id=create.output,
        object_name="leads",
        path="{{ dag_run.conf['folder'] }}/leads.csv",
        where={"name !=": "{{ dag_run.conf['name'] }}"},
        fields=["id", "name"],
        poke_interval=1,
    )
    mapped = CloudElementsDownloadBulkOperator.partial(
        task_id="mapped",
        token=create.output["token"],
        file_format="jsonl",
        poke_interval=1,
    ).expand_kwargs(
        [
            {"object_name": "leads", "path": "{{ dag_run.conf['folder'] }}/leads.jsonl"},
            {"query": "select id from contacts", "path": "{{ dag_run.conf['folder'] }}/contacts.jsonl"},
        ]
    )

    @task
    def lines(done):
        """Read the file."""
        return ObjectStoragePath(done["path"]).read_text().splitlines()

    lines(download.output)

with DAG("bulk_deferred", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as bulk_deferred:
    deferred = CloudElementsDownloadBulkOperator(
        task_id="deferred",
        instance_id="{{ dag_run.conf['instance'] }}",
        object_name="contacts",
        path="{{ dag_run.conf['folder'] }}/deferred.csv",
        where={"name !=": "{{ dag_run.conf['name'] }}"},
        poke_interval=1,
        deferrable=True,
    )
    CloudElementsBulkJobSensor(
        task_id="wait",
        instance_id="{{ dag_run.conf['instance'] }}",
        job_id=deferred.output,
        deferrable=True,
        poke_interval=1,
    )

with DAG("bulk_upload", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as bulk_upload:
    fetched = CloudElementsDownloadBulkOperator(
        task_id="fetched",
        instance_id="{{ dag_run.conf['instance'] }}",
        object_name="contacts",
        path="{{ dag_run.conf['folder'] }}/contacts.csv",
        poke_interval=1,
    )
    sent = CloudElementsUploadBulkOperator(
        task_id="sent",
        token="{{ dag_run.conf['token'] }}",
        object_name="leads",
        path="{{ ti.xcom_pull(task_ids='fetched')['path'] }}",
        identifier_field="{{ dag_run.conf['field'] }}",
        errors_path="{{ dag_run.conf['folder'] }}/errors.jsonl",
        poke_interval=1,
    )
    changed = CloudElementsUploadBulkOperator.partial(
        task_id="changed",
        instance_id="{{ dag_run.conf['instance'] }}",
        path="{{ dag_run.conf['folder'] }}/contacts.csv",
        identifier_field="id",
        deferrable=True,
        poke_interval=1,
    ).expand(object_name=["contacts", "leads"])
    fetched >> sent >> changed
