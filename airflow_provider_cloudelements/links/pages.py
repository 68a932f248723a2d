"""Link a task's page to the page of all instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class CloudElementsInstancesPageLink(BaseOperatorLink):
    """
    Link to ``/cloudelements/instances``, with the instances of the task's connection.

    Where ``[cloudelements] pages`` is off, there is none.
    """

    name = "All instances"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """
        Return the link; Airflow asks for it at the end of the task, in the task's own process.

        :param operator: The operator that ran.
        :param ti_key: Unused: the operator itself knows its connection.
        :return: The link: absolute if Airflow's ``[api] base_url`` is, else from the server's root. An empty
            string if there is no such page.
        """
        from airflow.configuration import conf

        from airflow_provider_cloudelements.connections import is_web_url
        from airflow_provider_cloudelements.plugin import PREFIX, pages_are_on

        if not pages_are_on():
            return ""
        base = (conf.get("api", "base_url", fallback="") or "").strip().rstrip("/")
        query = urlencode({"connection": getattr(operator, "cloudelements_conn_id", "")})
        return f"{base if is_web_url(base) else ''}{PREFIX}/instances?{query}"
