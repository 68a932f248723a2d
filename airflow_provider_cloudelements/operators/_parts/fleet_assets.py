"""The asset events of operators that look at a fleet: something is unhealthy, has drifted, was changed.

The operator has an asset alias as outlet, and not the asset. For an asset, Airflow would store an event after
each success, and so start DAGs although all is well. And the asset's name holds the connection's id, which is
known when the fields are rendered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_cloudelements.operators._parts.base import require_bool

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Name of the alias that these operators have as outlet.
FLEET_ALIAS = "cloudelements/fleet"


class FleetAssets(BaseOperator):
    """Declare the argument, and record the event. The classes that have it document it.

    This base comes before the one of the operator. Airflow finds an argument of ``partial`` and ``expand`` in
    any base that is an operator.

    :param emit_assets: Whether the task updates the asset of its connection.
    """

    cloudelements_conn_id: str

    def __init__(self, *, emit_assets: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.emit_assets = require_bool("emit_assets", emit_assets)
        if emit_assets:
            from airflow.sdk import AssetAlias

            # For a mapped task as well: the worker reports the outlets of the copy.
            self.outlets = [*self.outlets, AssetAlias(FLEET_ALIAS)]

    def record(self, context: Context, finding: str, counts: Mapping[str, Any]) -> None:
        """Record an event of the connection's asset, which Airflow stores if the task succeeds.

        :param context: The context that ``execute`` received.
        :param finding: ``unhealthy``, ``drift`` or ``changed``.
        :param counts: Numbers alone: everybody who may read assets sees them.
        """
        if not self.emit_assets:
            return
        from airflow.sdk import AssetAlias

        from airflow_provider_cloudelements.assets import cloudelements_fleet_asset

        asset = cloudelements_fleet_asset(finding, self.cloudelements_conn_id)
        context["outlet_events"][AssetAlias(FLEET_ALIAS)].add(
            asset, extra={"connection": self.cloudelements_conn_id, **counts}
        )
