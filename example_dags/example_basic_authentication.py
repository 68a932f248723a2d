"""An instance for a vendor that takes a user name and a password: it needs no person, and no token in XCom.

Needs the connections ``cloudelements_default`` and ``closeio_login``, of type ``cloudelements_element`` with
authentication ``basic``. The connection holds the login and password of an account at the vendor.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

with DAG(
    "example_basic_authentication",
    description="An instance for a vendor that takes a user name and a password: it needs no person, and "
    "no token in XCom.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "instances"],
    doc_md=__doc__,
) as dag:
    create = CloudElementsCreateInstanceOperator(
        task_id="create_instance",
        element="closeio",
        instance_name="Sales team",
        element_conn_id="closeio_login",
        push_token=False,
    )

    # [start: decorator]
    @task.cloudelements(instance_id=create.output)
    def count_leads(instance) -> int:
        """Get a client bound to the instance. It fetches the token where it is used."""
        return sum(1 for _ in instance.records("/leads", fields=["id"]))

    # [end: decorator]

    count_leads()
