"""A DAG of runs without a logical date, with native templates: operators that use an instance or plan."""

from __future__ import annotations

import datetime

from airflow.sdk import DAG

from airflow_provider_cloudelements.operators.bulk import CloudElementsDownloadBulkOperator
from airflow_provider_cloudelements.operators.event_reading import (
    CloudElementsReadEventsOperator,
    CloudElementsReconcileEventsOperator,
)
from airflow_provider_cloudelements.operators.fleet import CloudElementsPlanInstancesOperator
from airflow_provider_cloudelements.operators.record_changes import CloudElementsDownloadChangesOperator
from airflow_provider_cloudelements.operators.records import CloudElementsCallResourceOperator

INSTANCE = "{{ dag_run.conf['instance'] }}"
FILE = "file://{{ dag_run.conf['folder'] }}/{{ task.task_id }}"

with DAG(
    "undated",
    schedule=None,
    render_template_as_native_obj=True,
    default_args={"retries": 1, "retry_delay": datetime.timedelta(0)},
) as undated:
    CloudElementsDownloadChangesOperator(
        task_id="changes",
        instance_id=INSTANCE,
        path="/leads",
        updated_field="date_updated",
        query="{'pageSize': {{ dag_run.conf['size'] }}}",
        output_path=FILE,
    )
    CloudElementsReadEventsOperator(task_id="events", instance_id=INSTANCE)
    CloudElementsReconcileEventsOperator(task_id="missed", instance_id=INSTANCE)
    CloudElementsCallResourceOperator(
        task_id="records",
        instance_id=INSTANCE,
        path=["leads"],
        where={"name": "{{ dag_run.conf['name'] }}"},
        paginate=True,
    )
    CloudElementsDownloadBulkOperator(
        task_id="bulk",
        instance_id=INSTANCE,
        object_name="leads",
        where={"name": "{{ dag_run.conf['name'] }}"},
        path=FILE,
        deferrable=False,
    )
    CloudElementsPlanInstancesOperator(task_id="plan", manifest="{{ dag_run.conf['rows'] }}")
