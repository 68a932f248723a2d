"""Take over, by its tag, an instance that a person made elsewhere, such as in the console.

``wait_for_instance`` waits, without holding a worker, until one instance of the element has the tag and its
vendor answers. The next tasks put it in order: they add a tag that says who looks after it, and switch events
on.

Needs ``cloudelements_default`` and ``microsoft_graph_app``, of type ``cloudelements_element``, with the
callback URL and signature key of the events.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param, task

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators.changes import CloudElementsUpdateInstanceOperator
from airflow_provider_cloudelements.operators.events import CloudElementsEnableEventsOperator
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor

with DAG(
    "example_adopt_instance",
    description="Take over, by its tag, an instance that a person made elsewhere, such as in the console.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "instances"],
    doc_md=__doc__,
    params={"tag": Param("ada@example.com", type="string", description="Tag of the instance to take over")},
) as dag:
    wait = CloudElementsInstanceSensor(
        task_id="wait_for_instance",
        tag="{{ params.tag }}",
        element="microsoftgraph",
        until="ready",
        deferrable=True,
        poke_interval=30,
        timeout=24 * 60 * 60,
    )
    # From Airflow 3.2 on, a deferred task counts towards max_active_tis_per_dag. So the limit belongs to the
    # tasks after the wait: on the wait itself it would let four runs wait, and hold up all others.
    adopt = CloudElementsUpdateInstanceOperator(
        task_id="adopt",
        instance_id=wait.output,
        add_tags=["managed by Airflow"],
        max_active_tis_per_dag=4,
    )
    events = CloudElementsEnableEventsOperator(
        task_id="enable_events", instance_id=wait.output, element_conn_id="microsoft_graph_app"
    )

    @task
    def list_calendars(instance: dict) -> list[str]:
        """Use the instance."""
        return [each["name"] for each in CloudElementsHook().instance(instance["id"]).list("/calendars")]

    wait >> adopt >> events >> list_calendars(wait.output)
