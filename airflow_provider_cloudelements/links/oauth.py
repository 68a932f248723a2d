"""The link from a task's page to the page at which a person consents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class CloudElementsConsentLink(BaseOperatorLink):
    """Leads to the vendor's consent page. It holds the app's id, scopes and the state, no secret."""

    name = "Allow the access"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the link; Airflow asks for it at the end of the task, in the task's own process.

        :param operator: The operator that ran.
        :param ti_key: Unused: the operator itself knows its link.
        :return: Nothing where there is no link.
        """
        return getattr(operator, "consent_link", "")
