"""Look every night whether the instances are still as the file says.

If not, the run fails, and its log says what differs. Nothing is written here: ``example_instances_as_code``
makes them so again.

Needs ``cloudelements_default`` and ``closeio_login``, of type ``cloudelements_element``.
"""

from __future__ import annotations

from pathlib import Path

import pendulum
from airflow.sdk import DAG

from airflow_provider_cloudelements.operators.fleet import CloudElementsPlanInstancesOperator

with DAG(
    "example_drift_check",
    description="Look every night whether the instances are still as the file says.",
    schedule=None,  # "@daily"
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "operation"],
    doc_md=__doc__,
) as dag:
    CloudElementsPlanInstancesOperator(
        task_id="compare",
        manifest=str(Path(__file__).with_name("example_tenants.yaml")),
        prune=True,
        fail_on_changes=True,
    )
