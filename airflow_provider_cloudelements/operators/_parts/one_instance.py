"""The base of the operators that act on one existing instance."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_cloudelements.client.tags import Identity
from airflow_provider_cloudelements.client.target import Target
from airflow_provider_cloudelements.client.view import returned
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.exceptions import CloudElementsConflictError, concerning
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsElementHook
from airflow_provider_cloudelements.links.instances import CloudElementsInstanceLink, console_link
from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_cloudelements.client import Instance
    from airflow_provider_cloudelements.provisioning.change import Changed


class CloudElementsInstanceOperator(CloudElementsBaseOperator):
    """Base of the operators that change one instance. Subclasses write :meth:`change`.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: Instead of ``instance_id``: as given to the create operator, or its default
        ``element/name``; together with the connection's namespace. Templated.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id", "instance_id", "instance_key")
    operator_extra_links = (CloudElementsInstanceLink(),)
    #: Whether :meth:`change` gets the instance with its token, for a call that it makes at once.
    needs_token: ClassVar[bool] = False
    #: Set by a run, for the link.
    console_link = ""
    #: Set by a run: the instance's identity, if ``instance_key`` names it.
    identity: Identity | None = None

    def __init__(
        self,
        *,
        instance_id: int | str | Mapping[str, Any] | None = None,
        instance_key: str | None = None,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.instance_id = instance_id
        self.instance_key = instance_key

    def perform(self, context: Context) -> dict[str, Any]:
        """Find the instance, change it, and return its new state.

        :return: The fields that the create returns, and ``changed``: names of what the operator wrote.
        """
        self.identity = self._identity()
        target = Target.of(
            self.hook.settings,
            instance_id=self.instance_id,
            instance_key=self.instance_key,
            ways=("instance_id", "instance_key"),
        )
        instance = target.get(self.hook.get_conn().instances, with_token=self.needs_token)
        self.console_link = console_link(self.hook.settings.console_url, instance.id)
        self.found_name = instance.name
        with concerning(instance.id):
            done = self.change(instance, context)
        self.found_name = done.instance.name
        self.log.info(
            "Instance %d (%r, element %s): %s.",
            done.instance.id,
            done.instance.name,
            done.instance.element_key,
            f"written: {', '.join(done.changed)}" if done.changed else "it was as asked already",
        )
        return {**returned(done.instance), "changed": list(done.changed)}

    def _identity(self) -> Identity | None:
        if self.instance_key is None or self.instance_key == "":
            return None
        return Identity.of(self.hook.settings, self.instance_key)

    def change(self, instance: Instance, context: Context) -> Changed:
        """Change the instance.

        :param instance: The instance as it is.
        :param context: The task's context.
        """
        raise NotImplementedError(f"{type(self).__name__} has no change()")


def connection_values(conn_id: str | None, instance: Instance) -> dict[str, Any]:
    """Return the values of an element connection, which must be for the instance's element.

    :param conn_id: The connection's id; without one there are no values.
    :param instance: The instance that gets the values.
    :raises CloudElementsConflictError: The connection names another element.
    """
    if not conn_id:
        return {}
    settings = CloudElementsElementHook(conn_id).get_conn()
    if settings.element and instance.element_key and settings.element != instance.element_key:
        raise CloudElementsConflictError(
            f"Connection {conn_id!r} is for element {settings.element!r}, and instance {instance.id} is of "
            f"element {instance.element_key!r}."
        )
    return dict(settings.configuration)
