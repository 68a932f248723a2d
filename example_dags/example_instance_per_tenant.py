"""One instance for each tenant, by dynamic task mapping over a list of any length.

The next run makes an instance for a tenant that you add to the list. It finds and keeps those of the others,
whatever their place in the list. A mapped flow passes only ids, since Airflow maps over returned values and
not over custom XCom keys.

Needs ``cloudelements_default``, and for each tenant a connection ``freshdesk_<tenant>`` of type
``cloudelements_element`` with authentication ``basic``.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

with DAG(
    "example_instance_per_tenant",
    description="One instance for each tenant, by dynamic task mapping over a list of any length.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "instances", "mapping"],
    doc_md=__doc__,
) as dag:

    @task
    def tenants() -> list[dict]:
        """List the tenants; yours come from a database or a file."""
        return [
            {
                "instance_name": f"{tenant}_freshdesk",
                "element_conn_id": f"freshdesk_{tenant}",
                "configuration": {"subdomain": tenant},
                "tags": [tenant],
            }
            for tenant in ("acme", "globex", "initech")
        ]

    create = CloudElementsCreateInstanceOperator.partial(
        task_id="create_instance",
        element="freshdesk",
        event_callback_url="https://hooks.example.com/cloudelements",
        push_token=False,
        # The platform does not publish its rate limits, so this sends it few calls at once.
        max_active_tis_per_dag=4,
    ).expand_kwargs(tenants())

    @task(max_active_tis_per_dag=4)
    def check(instance: dict) -> str:
        """Do a tenant's work, with the tenant's own instance."""
        CloudElementsHook().instance(instance["id"]).ping()
        return f"{instance['name']} answers"

    check.expand(instance=create.output)
