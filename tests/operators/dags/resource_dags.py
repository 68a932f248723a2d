"""Tasks that use an instance: by the operator and by the decorator, plain and mapped."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.operators.records import CloudElementsCallResourceOperator

with DAG("resources", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as resources:
    create = CloudElementsCreateInstanceOperator(
        task_id="create",
        element="closeio",
        instance_name="Used",
        element_conn_id="vendor_login",
        events_enabled=False,
    )
    make = CloudElementsCallResourceOperator(
        task_id="make",
        instance_id=create.output,
        method="POST",
        path="/leads",
        json={"name": "{{ params.get('name', 'Ada') }}", "external_id": "{{ run_id }}"},
        idempotent_by="external_id",
        response_filter=lambda lead: lead["id"],
    )

    @task.cloudelements(instance_id=create.output)
    def name_of(instance, lead, ti=None):
        """Read a lead."""
        return [ti.task_id, instance.get(["leads", lead])["name"]]

    @task
    def leads(lead):
        return [lead, lead]

    name_of(make.output)
    name_of.override(task_id="mapped").expand(lead=leads(make.output))
    by_token = CloudElementsCallResourceOperator(
        task_id="by_token",
        token=create.output["token"],
        path="/leads",
        where={"external_id": "{{ run_id }}"},
        paginate=True,
        response_filter=lambda lead: lead["id"],
    )
    make >> by_token

    @task.cloudelements(instance_id=create.output)
    def unfit(instance):
        """Return what no JSON column takes."""
        return {
            "half": "x\ud83d",
            "nul": "a\0b",
            "list": [float("inf"), 2**70],
            "nan": float("nan"),
        }

    CloudElementsCallResourceOperator(
        task_id="filtered_unfit",
        instance_id=create.output,
        path="/leads",
        response_filter=lambda _: {"half": "x\ud83d", "nul": "a\0b", "list": [float("inf"), 2**70]},
    )
    unfit()
