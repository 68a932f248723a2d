"""The ten lines of the README: an instance, and a task that uses it.

Needs ``cloudelements_default`` and ``microsoft_graph_app``, and the instance that
``example_microsoft_graph_events`` makes, or the code of a consent as the parameter ``code``.
"""

from __future__ import annotations

# [start: dag]
import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

with DAG("example_ten_lines", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:
    create = CloudElementsCreateInstanceOperator(
        task_id="create",
        element="microsoftgraph",
        instance_name="My calendar",
        element_conn_id="microsoft_graph_app",
        authorization_code="{{ params.get('code', '') }}",
    )

    @task
    def calendars(instance_id, token):
        return [each["name"] for each in CloudElementsHook().instance(instance_id, token).list("/calendars")]

    calendars(instance_id=create.output["id"], token=create.output["token"])
# [end: dag]
