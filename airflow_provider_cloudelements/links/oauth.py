"""Link a task's page to the page where a person consents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class CloudElementsConsentLink(BaseOperatorLink):
    """Link to the vendor's consent page. The link holds the app's id, scopes and the state, no secret."""

    name = "Allow the access"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the link; Airflow asks for it at the end of the task, in the task's own process.

        :param operator: The operator that ran.
        :param ti_key: Unused: the operator itself knows its link.
        :return: The link, or an empty string if there is none.
        """
        return getattr(operator, "consent_link", "")
