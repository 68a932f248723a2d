"""Operators that switch an existing instance's events on and off."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.arguments import refuse_asterisks
from airflow_provider_cloudelements.client.tags import named_text
from airflow_provider_cloudelements.compat import mask_secret
from airflow_provider_cloudelements.events.settings import (
    EventSettings,
    PollerResource,
    VendorType,
    unsupported,
)
from airflow_provider_cloudelements.exceptions import (
    CloudElementsNotFoundError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.keys import (
    EVENT_CALLBACK_URL,
    EVENT_POLLER_CONFIGURATION,
    EVENT_POLLER_URLS,
    EVENT_SIGNATURE_KEY,
    EVENTS_ENABLED,
)
from airflow_provider_cloudelements.operators._parts.base import mask_given, require_bool
from airflow_provider_cloudelements.operators._parts.one_instance import (
    CloudElementsInstanceOperator,
    connection_values,
)
from airflow_provider_cloudelements.provisioning.arguments import NOT_GIVEN
from airflow_provider_cloudelements.provisioning.change import Change, Changed, differs, update

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_cloudelements.client import ElementMetadata, Instance

__all__ = ["CloudElementsDisableEventsOperator", "CloudElementsEnableEventsOperator"]


#: The operator's arguments that :class:`EventSettings` calls otherwise.
_ARGUMENTS = {
    "callback_url": "event_callback_url",
    "signature_key": "event_signature_key",
    "objects": "event_objects",
}


class CloudElementsEnableEventsOperator(CloudElementsInstanceOperator):
    """Switch an instance's events on, and verify the settings by reading them back.

    The operator writes only what differs, in one ``PATCH`` of the configuration (fact F208). Before it
    writes, it checks in the element's metadata whether the element has such events.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: Instead of ``instance_id``: as given to the create operator. Templated.
    :param event_callback_url: Address to which the platform sends notifications. Default: the element
        connection's, else the instance's own. ``None`` gives none: the platform then keeps events, and you
        can only read them. A changed URL makes a new subscription on the platform (fact F209). Templated.
    :param event_signature_key: Key with which the platform signs notifications. Default: the element
        connection's, where a secret belongs, else the instance's own. Templated.
    :param vendor_type: How the platform learns of events: ``polling``, or ``webhook``, which some elements
        spell ``webhooks``. Default: the element's own way.
    :param poller_interval: Time between two polls, whole minutes: an integer or a ``timedelta``.
    :param poller_configuration: What the platform polls, and how: name of a resource to a dictionary of
        ``url``, ``idField``, ``filterByUpdatedDate``, ``datesConfiguration``, ``createdCheckTolerance``
        (seconds), ``pageSize``, ``pollDelay`` (seconds); see
        :class:`~airflow_provider_cloudelements.events.settings.PollerResource`. The platform recommends
        that you change it only with the help of its support. Templated.
    :param poller_urls: Names of resources, for older pollers. Templated.
    :param event_objects: Names of resources, for newer pollers. Templated.
    :param element_conn_id: Connection of type ``cloudelements_element``, for callback URL and signature key.
        Templated.
    :param webhook_conn_id: Connection of the webhook of this Airflow that shall receive the events
        (:func:`~airflow_provider_cloudelements.webhooks.webhook_connection`). It holds the signature key. The
        callback URL is ``event_callback_url``, or ``callback_url`` in the connection's extra, or else
        ``[api] base_url`` and ``/webhooks/NAME``. Templated.
    :param verify_callback: Whether to send a test notification to the callback first, signed as the platform
        signs, and to write nothing unless the callback answers with 2xx. Default: ``False``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: The fields that the create returns, and ``changed``: names of what the operator wrote.
    :raises CloudElementsValidationError: An argument is malformed, two of them contradict each other, the
        element has no such events, there is no callback URL, or the callback refused the test.
    :raises CloudElementsConnectionError: With the webhook's connection, the webhook would accept no delivery.
    :raises CloudElementsConflictError: The element connection is for another element.
    :raises CloudElementsServerError: The platform shows other values after the write, or the callback failed.
    :raises CloudElementsError: Any other failure of a call.
    """

    template_fields: Collection[str] = (
        *CloudElementsInstanceOperator.template_fields,
        "event_callback_url",
        "event_signature_key",
        "poller_configuration",
        "poller_urls",
        "event_objects",
        "element_conn_id",
        "webhook_conn_id",
    )
    template_fields_renderers = {"poller_configuration": "json"}
    secret_fields = ("event_callback_url", "event_signature_key", "poller_configuration", "poller_urls")
    fields_of_keys = {
        "event_callback_url": EVENT_CALLBACK_URL,
        "event_signature_key": EVENT_SIGNATURE_KEY,
        "poller_configuration": EVENT_POLLER_CONFIGURATION,
        "poller_urls": EVENT_POLLER_URLS,
    }

    def __init__(
        self,
        *,
        event_callback_url: str | None = NOT_GIVEN,
        event_signature_key: str | None = None,
        vendor_type: VendorType | None = None,
        poller_interval: int | timedelta | None = None,
        poller_configuration: Mapping[str, PollerResource] | None = None,
        poller_urls: Sequence[str] | None = None,
        event_objects: Sequence[str] | None = None,
        element_conn_id: str | None = None,
        webhook_conn_id: str | None = None,
        verify_callback: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.event_callback_url = event_callback_url
        self.event_signature_key = event_signature_key
        self.poller_configuration = poller_configuration
        self.poller_urls = poller_urls
        self.event_objects = event_objects
        self.element_conn_id = element_conn_id
        self.webhook_conn_id = webhook_conn_id
        self.verify_callback = require_bool("verify_callback", verify_callback)
        EventSettings(vendor_type=vendor_type, poller_interval=poller_interval)  # checks both at parse time
        self.vendor_type = vendor_type
        self.poller_interval = poller_interval

    def change(self, instance: Instance, context: Context) -> Changed:
        """Check the arguments, test the callback if ``verify_callback`` is set, write, and read back."""
        settings = self._settings(instance)
        callback = settings.callback_url or instance.event_callback_url
        if self.event_callback_url is not None and not callback:
            raise CloudElementsValidationError(
                "There is no event_callback_url: not as an argument, not in the element connection, and not "
                "in the instance. If the platform shall keep events for reading and deliver them nowhere, "
                "give event_callback_url=None."
            )
        if self.event_callback_url is None and instance.event_callback_url:
            self.log.warning("The instance keeps the event callback URL that it has.")
        instances, wanted = self.hook.get_conn().instances, Change(configuration=settings.configuration())
        if self.verify_callback or differs(instances, instance, wanted):
            self._check(settings, callback, instance)
        return update(instances, instance, wanted, identity=self.identity)

    def _check(self, settings: EventSettings, callback: str | None, instance: Instance) -> None:
        """Check what only other calls show, before anything is written."""
        if reason := unsupported(settings, self._metadata(instance)):
            raise CloudElementsValidationError(reason)
        if self.verify_callback:
            self._try_callback(callback, settings.signature_key, instance)

    def _settings(self, instance: Instance) -> EventSettings:
        """Return the settings of the arguments or, if an argument is not given, of the element connection."""
        url, key = self.secret("event_callback_url"), self.secret("event_signature_key")
        refuse_asterisks("event_signature_key", key)
        inherited = connection_values(self.element_conn_id, instance)
        if self.webhook_conn_id is not None:
            named_text("webhook_conn_id", self.webhook_conn_id)
            url, key = self._webhook(self.webhook_conn_id, url, key, inherited)
        url = inherited.get(EVENT_CALLBACK_URL) if url == NOT_GIVEN else url
        key = key or inherited.get(EVENT_SIGNATURE_KEY)
        settings = EventSettings(
            enabled=True,
            callback_url=url or None,
            signature_key=key or None,
            vendor_type=self.vendor_type,
            poller_interval=self.poller_interval,
            poller_configuration=self.secret("poller_configuration") or None,
            poller_urls=self.secret("poller_urls") or None,
            objects=self.event_objects or None,
            named=_ARGUMENTS,
        )
        mask_given(settings.configuration())
        return settings

    def _webhook(
        self, conn_id: str, url: str | None, key: str | None, inherited: Mapping[str, Any]
    ) -> tuple[str, str]:
        """Return callback URL and signature key of a webhook of this Airflow.

        :param conn_id: The webhook's connection.
        :param url: ``event_callback_url``.
        :param key: ``event_signature_key``.
        :param inherited: The values of the element connection.
        :raises CloudElementsValidationError: An argument or the element connection contradicts the webhook's
            connection, so that nobody would receive the events.
        """
        from airflow.sdk import BaseHook

        from airflow_provider_cloudelements.webhooks import CALLBACK_URL, WebhookSettings

        if key:
            raise CloudElementsValidationError(
                "The webhook's connection holds the signature key: give webhook_conn_id or "
                "event_signature_key, not both."
            )
        if url is None:
            raise CloudElementsValidationError(
                "event_callback_url=None means that the platform delivers events nowhere, but "
                "webhook_conn_id names a receiver. Give only one of them."
            )
        webhook = WebhookSettings.from_connection(BaseHook.get_connection(conn_id))
        mask_secret(webhook.signature_key)
        said = {
            "event_callback_url": None if url == NOT_GIVEN else url,
            f"{CALLBACK_URL} of connection {conn_id!r}": webhook.callback_url,
            f"connection {self.element_conn_id!r}": inherited.get(EVENT_CALLBACK_URL),
        }
        said = {where: each for where, each in said.items() if each}
        if len(set(said.values())) > 1:
            raise CloudElementsValidationError(f"The callback URL differs between {' and '.join(said)}.")
        other_key = inherited.get(EVENT_SIGNATURE_KEY)
        if other_key and other_key != webhook.signature_key:
            raise CloudElementsValidationError(
                f"Connections {conn_id!r} and {self.element_conn_id!r} say two signature keys."
            )
        return next(iter(said.values()), None) or webhook.address(), webhook.signature_key

    def _metadata(self, instance: Instance) -> ElementMetadata | None:
        """Return what the element can do; ``None`` if the platform has no metadata of it."""
        try:
            return self.hook.get_conn().elements.metadata(instance.element_id or instance.element_key)
        except CloudElementsNotFoundError:
            self.log.warning("The platform has no metadata of element %r.", instance.element_key)
            return None

    def _try_callback(self, url: str | None, key: str | None, instance: Instance) -> None:
        from airflow_provider_cloudelements.events.callback import notify_test

        if not url:
            raise CloudElementsValidationError("verify_callback=True, but there is no callback URL to try.")
        if key is None and instance.configuration.get(EVENT_SIGNATURE_KEY):
            raise CloudElementsValidationError(
                "verify_callback=True, but the instance has a signature key that cannot be read: give it as "
                "event_signature_secret of the element connection."
            )
        notify_test(
            url,
            instance=instance,
            signature_key=key,
            timeout=self.hook.settings.request_timeout,
            proxy=self.hook.settings.proxy,
        )
        self.log.info("The callback answered a test notification%s.", " that was signed" if key else "")


class CloudElementsDisableEventsOperator(CloudElementsInstanceOperator):
    """Switch an instance's events off, and verify that by reading the instance back.

    Callback URL, signature key and poller settings stay, so you need none of them to switch on again.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: Instead of ``instance_id``: as given to the create operator. Templated.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: The fields that the create returns, and ``changed``: names of what the operator wrote.
    :raises CloudElementsServerError: The platform shows other values after the write.
    :raises CloudElementsError: Any other failure of a call.
    """

    def change(self, instance: Instance, context: Context) -> Changed:
        """Switch the events off, unless they are off."""
        return update(
            self.hook.get_conn().instances,
            instance,
            Change(configuration={EVENTS_ENABLED: False}),
            identity=self.identity,
        )
