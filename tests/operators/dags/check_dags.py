"""DAGs for the tests of CloudElementsCheckInstancesOperator inside Airflow."""

from __future__ import annotations

import datetime

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

START = pendulum.datetime(2026, 1, 1)

with DAG("check_mapped", schedule=None, start_date=START) as mapped:

    @task
    def tenants(dag_run=None) -> list[dict]:
        return [
            {"instance_name": name, "configuration": {"username": name, "password": "a-password-1"}}
            for name in dag_run.conf["tenants"]
        ]

    each = CloudElementsCreateInstanceOperator.partial(
        task_id="create", element="closeio", events_enabled=False, push_token=False, tags=["t"]
    ).expand_kwargs(tenants())

    @task
    def ids_of(created) -> list[int]:
        return [one["id"] for one in created]

    ids = ids_of(each.output)
    CloudElementsCheckInstancesOperator(task_id="check_all", instance_ids=each.output)
    CloudElementsCheckInstancesOperator(task_id="check_ids", instance_ids=ids)
    CloudElementsCheckInstancesOperator.partial(task_id="check_each", report="unhealthy").expand(
        instance_ids=each.output
    )
    by_tag = CloudElementsCheckInstancesOperator.partial(
        task_id="check_by_tag", fail_on=("invalid",), element="{{ dag_run.conf['element'] }}"
    ).expand(tag=["t", "nobody's"])
    ids >> by_tag

with DAG("check_failing", schedule=None, start_date=START) as failing:
    checked = CloudElementsCheckInstancesOperator(
        task_id="check",
        tag="{{ dag_run.conf['tag'] }}",
        fail_on=("disabled",),
        retries=1,
        retry_delay=datetime.timedelta(seconds=0),
    )

    @task(trigger_rule="all_done")
    def repair(report) -> list[int]:
        rows = report["instances"] if report else []
        return [row["id"] for row in rows if row["state"] == "disabled"]

    repair(checked.output)
