"""Link a task's page to its instance in the platform's console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class CloudElementsInstanceLink(BaseOperatorLink):
    """
    Link to the instance in the console, if the connection has a ``console_url``.

    No source gives the path of that page (unknown U4), so there is no default.
    """

    name = "Instance in the console"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """
        Return the link; Airflow asks for it at the end of the task, in the task's own process.

        :param operator: The operator that ran.
        :param ti_key: Unused: the operator itself knows its instance.
        :return: The link, or an empty string if there is none.
        """
        return getattr(operator, "console_link", "")


def console_link(console_url: str | None, instance_id: int) -> str:
    """
    Return the address of an instance's page.

    :param console_url: Template with ``{id}``, or ``None``.
    :param instance_id: The instance's id.
    """
    return console_url.replace("{id}", str(instance_id)) if console_url else ""
