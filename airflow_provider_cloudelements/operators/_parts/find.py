"""The first task of a consent group: look for an instance that needs no consent."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.plain import plain_text
from airflow_provider_cloudelements.client.target import Target
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsElementHook
from airflow_provider_cloudelements.operators._parts.arguments import arguments_of
from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator
from airflow_provider_cloudelements.provisioning.arguments import checked_name

if TYPE_CHECKING:
    from airflow.sdk import Context


class FindInstanceOperator(CloudElementsBaseOperator):
    """Look up the instance of a key, and decide whether a person has to consent.

    A person has to consent if there is no instance. A new consent also repairs an instance that is disabled
    or invalid, provided that the create may update it.

    :param instance_name: Name of the instance. Templated.
    :param element: Key of the element. Default: the element connection's. Templated.
    :param instance_key: Key of the instance. Default: element and name. Templated.
    :param element_conn_id: Connection of type ``cloudelements_element``. Templated.
    :param repairs: Whether the create repairs an instance that does not work.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``id`` of the instance or ``None``, ``name`` as given, and ``consent_needed``.
    """

    template_fields: Collection[str] = (
        "cloudelements_conn_id",
        "instance_name",
        "element",
        "instance_key",
        "element_conn_id",
    )

    def __init__(
        self,
        *,
        instance_name: str,
        element: str | None = None,
        instance_key: str | None = None,
        element_conn_id: str,
        repairs: bool = True,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.instance_name = instance_name
        self.element = element
        self.instance_key = instance_key
        self.element_conn_id = element_conn_id
        self.repairs = repairs

    def perform(self, context: Context) -> dict[str, Any]:
        """Look it up."""
        credentials = CloudElementsElementHook(self.element_conn_id).get_conn()
        identity = arguments_of(self).identity(self.hook.settings, credentials)
        instance = Target.of_identity(identity).look_up(self.hook.get_conn().instances)
        needed = instance is None or (self.repairs and not instance.healthy)
        if instance is None:
            self.log.info("No instance has the key %r.", identity.key)
        else:
            state = "works" if instance.healthy else "is disabled" if instance.disabled else "is invalid"
            self.log.info("Instance %d has the key %r and %s.", instance.id, identity.key, state)
        self.log.info("A person has to allow the access." if needed else "Nobody is asked.")
        return {
            "id": None if instance is None else instance.id,
            "name": plain_text(checked_name("instance_name", self.instance_name)),
            "consent_needed": needed,
        }
