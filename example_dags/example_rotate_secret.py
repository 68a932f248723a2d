"""Rotate a vendor's secret over all instances of an element; each instance works at every moment.

1. At the vendor, make a second secret: both are valid now.
2. Put the new one into the element connection.
3. Run this DAG. It gives each instance the new secret and pings it. If a task fails, or you stop the run
   half-way, clear the failed tasks or run it again: it only pings instances that have the new secret.
4. When the run has succeeded, no instance needs the old secret: remove it at the vendor.

The secret itself never travels: every mapped task reads it from the connection. A keyed fingerprint among the
tags of an instance says whether it has the secret.

By default Airflow maps a task over 1,024 instances at most: for more, set ``max_map_length``.

Needs ``cloudelements_default`` and ``hubspot_app``, of type ``cloudelements_element``.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.operators.changes import CloudElementsReauthenticateInstanceOperator
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator

ELEMENT = "hubspotcrm"
NOT_HEALTHY = ("disabled", "invalid", "needs re-authentication", "unreachable")

with DAG(
    "example_rotate_secret",
    description="Rotate a vendor's secret over all instances of an element; each instance works at every "
    "moment.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "operation", "mapping"],
    doc_md=__doc__,
) as dag:
    before = CloudElementsCheckInstancesOperator(task_id="check_before", element=ELEMENT)

    @task
    def those_to_rotate(report: dict) -> list[int]:
        """List the instances, also those that do not work: the new secret may repair them."""
        return [row["id"] for row in report["instances"]]

    rotate = CloudElementsReauthenticateInstanceOperator.partial(
        task_id="rotate",
        element_conn_id="hubspot_app",
        retries=2,
        retry_delay=timedelta(seconds=30),
        max_active_tis_per_dag=4,
    ).expand(instance_id=those_to_rotate(before.output))

    after = CloudElementsCheckInstancesOperator(
        task_id="check_after", element=ELEMENT, report="unhealthy", fail_on=NOT_HEALTHY
    )
    rotate >> after
