"""DAGs for the tests of reading changes: each tenant's copy goes on where its last successful run ended."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.operators.record_changes import CloudElementsDownloadChangesOperator


@task
def instances(dag_run=None) -> list[int]:
    """Return the tenants of the run, in its order."""
    return dag_run.conf["instances"]


with DAG("changes", schedule="@daily", start_date=pendulum.datetime(2026, 1, 1), catchup=False) as changes:
    CloudElementsDownloadChangesOperator.partial(
        task_id="read",
        path="/leads",
        updated_field="date_updated",
        start="2026-01-01",
        output_path="file://{{ dag_run.conf['folder'] }}/{{ ds }}-{{ task.instance_id }}.jsonl",
    ).expand(instance_id=instances())
