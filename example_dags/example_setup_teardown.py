"""Make an instance for one run only, and delete it after the work, whether or not the work fails.

Needs ``cloudelements_default`` and ``pipedrive_login``, of type ``cloudelements_element`` with authentication
``custom``: the element's own key stands in its field Configuration.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators.instances import element_instance

with DAG(
    "example_setup_teardown",
    description="Make an instance for one run only, and delete it after the work, whether or not the work "
    "fails.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "instances"],
    doc_md=__doc__,
) as dag:

    @task
    def copy_deals(instance: dict) -> int:
        """Do the work with the run's own instance."""
        return sum(1 for _ in CloudElementsHook().instance(instance["id"]).list("/deals"))

    # [start: element_instance]
    with element_instance(
        element="pipedrive",
        instance_name="Nightly copy",
        element_conn_id="pipedrive_login",
        events_enabled=False,
        push_token=False,
    ) as create:
        copy_deals(create.output)
    # [end: element_instance]
