"""DAGs for the tests of asset events: what operators find of a fleet starts other DAGs."""

from __future__ import annotations

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_provider_cloudelements.assets import FLEET_FINDINGS, cloudelements_fleet_asset
from airflow_provider_cloudelements.operators.fleet import (
    CloudElementsApplyInstancesOperator,
    CloudElementsPlanInstancesOperator,
)
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator

START = pendulum.datetime(2026, 1, 1)
ROWS = [{"key": f"asset-{n}", "name": f"Asset {n}", "element_conn_id": "asset_login"} for n in range(2)]

with DAG("fleet_assets", schedule=None, start_date=START) as watched:
    plan = CloudElementsPlanInstancesOperator(
        task_id="plan",
        manifest=ROWS,
        ownership_tag="of the assets",
        emit_assets=True,
        # Airflow renders it after it made the outlets.
        cloudelements_conn_id="{{ 'cloudelements_default' }}",
    )
    apply = CloudElementsApplyInstancesOperator.partial(task_id="apply", emit_assets=True).expand(
        plan=plan.output
    )
    check = CloudElementsCheckInstancesOperator.partial(
        task_id="check", emit_assets=True, trigger_rule="none_failed"
    ).expand(tag=["watched", "of nothing"])
    silent = CloudElementsCheckInstancesOperator(task_id="silent", trigger_rule="none_failed")
    apply >> [check, silent]

with DAG("fleet_assets_failing", schedule=None, start_date=START) as failing:
    CloudElementsCheckInstancesOperator(task_id="check", emit_assets=True, fail_on=["disabled"])

# Airflow takes an asset for active, and so stores its events without a warning, if a DAG names it.
with DAG("on_findings", schedule=[*map(cloudelements_fleet_asset, FLEET_FINDINGS)], start_date=START):
    EmptyOperator(task_id="nothing")
