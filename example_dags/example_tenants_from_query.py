"""Keep an instance for each row of a query: the rows of an upstream task are the manifest.

A row has the create operator's own arguments. Here a function makes the rows. In their place, take a query:
``SQLExecuteQueryOperator`` and a task that makes dictionaries of its rows.

Needs ``cloudelements_default`` and ``closeio_login``, of type ``cloudelements_element``.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.operators.fleet import (
    CloudElementsApplyInstancesOperator,
    CloudElementsPlanInstancesOperator,
)

with DAG(
    "example_tenants_from_query",
    description="Keep an instance for each row of a query: the rows of an upstream task are the manifest.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={"tenants": ["Alder", "Birch", "Cedar"]},
    tags=["cloudelements", "example", "instances", "mapping"],
    doc_md=__doc__,
) as dag:

    @task
    def customers(params: dict) -> list[dict]:
        """Return a row for each customer, as a query would."""
        return [
            {"key": f"customer/{name.lower()}", "name": name, "element_conn_id": "closeio_login"}
            for name in params["tenants"]
        ]

    plan = CloudElementsPlanInstancesOperator(
        task_id="plan", manifest=customers(), ownership_tag="customers-of-airflow", chunk_size=2
    )
    CloudElementsApplyInstancesOperator.partial(
        task_id="apply", checksum="{{ ti.xcom_pull('plan', key='checksum') }}"
    ).expand(plan=plan.output)
