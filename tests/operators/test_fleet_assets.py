"""The assets of what is found of a fleet: their names, and the outlets of operators."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.assets import FLEET_FINDINGS, cloudelements_fleet_asset
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.fleet_assets import FLEET_ALIAS
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator


@pytest.mark.parametrize("finding", FLEET_FINDINGS)
def test_the_asset_is_named_by_connection_and_finding(finding):
    asset = cloudelements_fleet_asset(finding, "other account")
    assert asset.name == asset.uri == f"cloudelements/other account/{finding}"
    assert cloudelements_fleet_asset(finding).name == f"cloudelements/cloudelements_default/{finding}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("healthy",), "finding must be one of 'unhealthy', 'drift', 'changed'"),
        (("drift", ""), "cloudelements_conn_id is empty"),
        (("drift", None), "cloudelements_conn_id must be a text"),
    ],
)
def test_what_names_no_asset_is_refused(arguments, message):
    with pytest.raises(CloudElementsValidationError, match=message):
        cloudelements_fleet_asset(*arguments)


def test_nobody_gets_an_outlet_unasked():
    assert CloudElementsCheckInstancesOperator(task_id="check").outlets == []
    (alias,) = CloudElementsCheckInstancesOperator(task_id="check", emit_assets=True).outlets
    assert alias.name == FLEET_ALIAS


def test_a_switch_that_is_no_switch_is_refused():
    with pytest.raises((TypeError, ValueError), match="emit_assets"):
        CloudElementsCheckInstancesOperator(task_id="check", emit_assets="False")
