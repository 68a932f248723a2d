"""The arguments that say which receiver of events is meant, of the operators for its deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_cloudelements.client.deliveries import callback_url_of
from airflow_provider_cloudelements.client.tags import named_text
from airflow_provider_cloudelements.client.target import Target, way_of

if TYPE_CHECKING:
    from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook


class ReceiverArguments(BaseOperator):
    """Declare the arguments, and find the address once they are rendered.

    The classes that have them document them. This base comes before the one of the operator. Airflow finds an
    argument of ``partial`` and ``expand`` in any base that is an operator.

    :param callback_url: Address of the receiver. Templated.
    :param instance_id: An instance that has it. Templated.
    :param instance_key: Its key. Templated.
    """

    receiver_fields = ("callback_url", "instance_id", "instance_key")

    def __init__(
        self,
        *,
        callback_url: str | None = None,
        instance_id: int | str | Mapping[str, Any] | None = None,
        instance_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.callback_url = callback_url
        self.instance_id = instance_id
        self.instance_key = instance_key

    def receiver(self, hook: CloudElementsHook) -> str:
        """Return the receiver's address, which may hold a secret.

        :param hook: The hook of the connection.
        :raises CloudElementsValidationError: Arguments are missing, too many or malformed, or the instance
            has no callback URL.
        :raises CloudElementsError: The look-up failed, or there is no such instance.
        """
        by_instance = {"instance_id": self.instance_id, "instance_key": self.instance_key}
        if way_of({"callback_url": self.callback_url, **by_instance}) == "callback_url":
            return named_text("callback_url", self.callback_url)
        target = Target.of(hook.settings, instance_id=self.instance_id, instance_key=self.instance_key)
        return callback_url_of(target, hook.get_conn().instances)
