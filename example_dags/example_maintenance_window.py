"""Switch events off and refuse calls while people work on the vendor, then switch both on again.

Needs ``cloudelements_default`` and ``jira_login``, of type ``cloudelements_element`` with authentication
``basic``, and the callback URL and signature key of the events.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.operators.changes import (
    CloudElementsDisableInstanceOperator,
    CloudElementsEnableInstanceOperator,
)
from airflow_provider_cloudelements.operators.events import (
    CloudElementsDisableEventsOperator,
    CloudElementsEnableEventsOperator,
)
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor

LOGIN = "jira_login"

with DAG(
    "example_maintenance_window",
    description="Switch events off and refuse calls while people work on the vendor, then switch both on "
    "again.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "operation"],
    doc_md=__doc__,
) as dag:
    create = CloudElementsCreateInstanceOperator(
        task_id="create_instance",
        instance_name="Support team",
        element_conn_id=LOGIN,
        configuration={"base.url": "https://support.example.com"},
        push_token=False,
    )
    events_off = CloudElementsDisableEventsOperator(task_id="disable_events", instance_id=create.output)
    off = CloudElementsDisableInstanceOperator(task_id="disable_instance", instance_id=create.output)

    @task
    def work_on_the_vendor() -> None:
        """Do the work that needs quiet."""

    on = CloudElementsEnableInstanceOperator(
        task_id="enable_instance", instance_id=create.output, trigger_rule="all_done"
    )
    ready = CloudElementsInstanceSensor(
        task_id="wait_until_ready", instance_id=create.output, poke_interval=30, timeout=600
    )
    events_on = CloudElementsEnableEventsOperator(
        task_id="enable_events",
        instance_id=create.output,
        element_conn_id=LOGIN,
    )
    events_off >> off >> work_on_the_vendor() >> on >> ready >> events_on
