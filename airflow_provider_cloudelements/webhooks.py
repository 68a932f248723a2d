"""Turn the platform's deliveries into asset events at Airflow's own API server.

The provider ``airflow-provider-inbound-webhooks`` (extra ``webhooks``) receives them: it checks the signature
of each POST to ``/webhooks/NAME``, drops repetitions, and makes asset events of the rest. This module holds
what that provider has to know of the platform's deliveries: a connection, the names of the assets, and the
way back from an asset event to a notification. Nothing here needs that provider, so DAG files parse and tasks
run without it. Only the API server needs it.

``airflow cloudelements webhook-connection`` (:mod:`airflow_provider_cloudelements.cli`) makes the connection.
That command and DAG files load this module, so it imports inside its functions.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow_provider_cloudelements.exceptions import (
    CloudElementsConnectionError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.keys import is_asterisks

if TYPE_CHECKING:
    from airflow.sdk import Asset, Connection

    from airflow_provider_cloudelements.client.notifications import Notification

__all__ = [
    "DEFAULT_WEBHOOK",
    "DEFAULT_WEBHOOK_CONN_ID",
    "WebhookSettings",
    "notification_of",
    "webhook_asset_of_element",
    "webhook_asset_of_instance",
    "webhook_connection",
]

#: Type of connection that the receiving provider reads, its prefix of connection ids, and its form of a name.
CONN_TYPE = "inbound_webhook"
CONN_ID_PREFIX = "webhook_"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
#: Group of the receiving provider's own asset class. An asset has only one group, so ours must be the same.
_ASSET_GROUP = "webhook"

#: Name of the webhook: the last part of its address, and the first part of its assets' names.
DEFAULT_WEBHOOK = "cloudelements"
#: Id of the connection by which Airflow accepts the deliveries to that webhook.
DEFAULT_WEBHOOK_CONN_ID = CONN_ID_PREFIX + DEFAULT_WEBHOOK

#: How the platform signs (fact F243), and where its notification (F248) holds the values that the receiver
#: reads. With another value it accepts no delivery, or its assets have other names than those below.
SOURCE: dict[str, str] = {
    "source_type": "hmac_json",
    "signature_header": "Elements-Webhook-Signature",
    "signature_prefix": "sha256=",
    "signature_encoding": "base64",
    "event_field": "message.elementKey",
    "path_field": "topic",
    "delivery_id_field": "message.eventId",
}
#: Our own key in that connection, which the receiver does not read.
CALLBACK_URL = "callback_url"
#: The receiver's key for how much of a body it stores: all, which is its default, or nothing. (With
#: ``summary`` it stores all: it knows no summary of the platform's deliveries.)
STORE_PAYLOAD = "store_payload"
STORED_PAYLOADS = ("full", "none")
_PAYLOADS = ", ".join(map(repr, STORED_PAYLOADS))

#: Characters of a key. (Our own keys have letters, digits, ``-`` and ``_``, which a URL does not escape.)
_KEY = re.compile(r"[\x21-\x7e]+")
_KEY_BYTES = 32
#: An element's key in an asset's name. The receiver changes any other character, also a slash.
_ELEMENT = re.compile(r"[\x21-\x29\x2b-\x2e\x30-\x7e]+")
_TOPIC = re.compile(r"instance-(\d{1,19})-(.+)-events")


def webhook_connection(
    *,
    signature_key: str | None = None,
    callback_url: str | None = None,
    store_payload: Literal["full", "none"] = "full",
) -> dict[str, Any]:
    """Return the connection with which Airflow's API server accepts the platform's deliveries.

    As JSON it is the value of ``AIRFLOW_CONN_WEBHOOK_CLOUDELEMENTS``. Airflow's REST API takes it with a
    ``connection_id`` added and ``extra`` as text. The connection's id decides the webhook's address:
    ``webhook_NAME`` is ``/webhooks/NAME``.

    :param signature_key: The key that signs deliveries, printable ASCII without a space. Default: a new
        random one.
    :param callback_url: Address at which the platform reaches the webhook, if it is not ``[api] base_url``
        and ``/webhooks/NAME``, for example behind a proxy.
    :param store_payload: What asset events hold of a delivery's body: ``"full"``: all; or ``"none"``: they
        say only that something happened, and where (:func:`notification_of`). With ``"none"`` Airflow stores
        no vendor's text, which could keep Airflow from handing an event to a task.
    :return: The connection. Its ``password`` is the key.
    :raises CloudElementsValidationError: An argument is malformed. The message never shows it.
    """
    from airflow_provider_cloudelements.client.arguments import one_of, refuse_asterisks
    from airflow_provider_cloudelements.connections import is_web_url

    if signature_key is not None and (
        not isinstance(signature_key, str) or not _KEY.fullmatch(signature_key)
    ):
        raise CloudElementsValidationError(
            "signature_key must be printable ASCII without a space, not empty."
        )
    refuse_asterisks("signature_key", signature_key)
    refuse_asterisks("callback_url", callback_url)
    if callback_url is not None and (not isinstance(callback_url, str) or not is_web_url(callback_url)):
        raise CloudElementsValidationError(
            "callback_url must be an absolute address that begins with https:// or http://."
        )
    one_of("store_payload", store_payload, STORED_PAYLOADS)
    extra = {CALLBACK_URL: callback_url} if callback_url else {}
    if store_payload != "full":
        extra[STORE_PAYLOAD] = store_payload
    return {
        "conn_type": CONN_TYPE,
        "description": "Signed event notifications of Cloud Elements / SAP Open Connectors",
        "password": signature_key or secrets.token_urlsafe(_KEY_BYTES),
        "extra": SOURCE | extra,
    }


def webhook_asset_of_instance(
    instance_id: int | str, element: str, *, webhook: str = DEFAULT_WEBHOOK
) -> Asset:
    """Return the asset whose events are the deliveries of one instance.

    :param instance_id: The instance's id, an integer or its digits.
    :param element: Key of its element, as the platform writes it.
    :param webhook: Name of the webhook that its events are delivered to.
    :raises CloudElementsValidationError: An argument is malformed.
    """
    if isinstance(instance_id, bool) or not re.fullmatch(r"[1-9]\d{0,18}", str(instance_id), re.ASCII):
        raise CloudElementsValidationError("instance_id must be an instance's id, an integer or its digits.")
    return _asset(webhook, f"instance-{instance_id}-{_element(element)}-events", element)


def webhook_asset_of_element(element: str, *, webhook: str = DEFAULT_WEBHOOK) -> Asset:
    """Return the asset whose events are the deliveries of all instances of an element.

    :param element: The element's key, as the platform writes it.
    :param webhook: Name of the webhook that their events are delivered to.
    :raises CloudElementsValidationError: An argument is malformed.
    """
    return _asset(webhook, "*", _element(element))


def _element(element: str) -> str:
    # Jinja writes None for a missing value.
    if not isinstance(element, str) or not _ELEMENT.fullmatch(element) or element == "None":
        raise CloudElementsValidationError("element must be an element's key, such as 'microsoftgraph'.")
    return element


def _asset(webhook: str, scope: str, element: str) -> Asset:
    from airflow.sdk import Asset

    if not isinstance(webhook, str) or not _NAME.fullmatch(webhook):
        raise CloudElementsValidationError(
            "webhook must be the name of a webhook: at most 64 lower-case letters, digits, '-' and '_'."
        )
    return Asset(f"{webhook}/{scope}/{element}", group=_ASSET_GROUP)


def notification_of(asset_event: Any) -> Notification:
    """Return the notification from which the receiver made an asset event.

    The receiver leaves the payload out of an event if its connection says ``store_payload: none``, or if the
    payload is larger than ``[inbound_webhooks] max_event_payload_bytes``. The rest says that something
    happened, and where: ``event_id``, ``topic``, ``instance_id``, ``element_key``. Then ``events`` is empty,
    and only the platform's list of events shows what changed.

    :param asset_event: One of a task's ``triggering_asset_events``; or one as Airflow's REST API has it.
    :raises CloudElementsValidationError: It is not an asset event of a delivery of the platform.
    """
    from airflow_provider_cloudelements.client.notifications import Notification

    extra = (
        asset_event.get("extra") if isinstance(asset_event, Mapping) else getattr(asset_event, "extra", None)
    )
    # This check is no proof of origin: anybody who may create asset events can set the field too.
    if not isinstance(extra, Mapping) or extra.get("from_webhook") is not True:
        raise CloudElementsValidationError("No webhook made this asset event.")
    payload = extra.get("payload")
    if payload is None:
        return _without_payload(extra)
    try:
        return Notification.parse(payload)
    except CloudElementsServerError:
        pass  # raise another error below: this is not the platform's answer to a call
    raise CloudElementsValidationError("The asset event's payload is not a notification of the platform.")


def _without_payload(extra: Mapping[str, Any]) -> Notification:
    """Return the notification of an event without a payload."""
    from airflow_provider_cloudelements.client.notifications import Notification

    event_id, topic = extra.get("delivery_id"), extra.get("path")
    if not isinstance(event_id, str) or not event_id:
        raise CloudElementsValidationError("The asset event holds neither a payload nor an eventId.")
    known = _TOPIC.fullmatch(topic) if isinstance(topic, str) else None
    return Notification(
        event_id=event_id,
        instance_id=int(known[1]) if known else None,
        element_key=known[2] if known else None,
        topic=topic if isinstance(topic, str) else None,
    )


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Hold the settings of a webhook's connection, validated. Turning events on sends them to the platform.

    :param conn_id: The connection's id.
    :param signature_key: The key that signs deliveries. Never in ``repr``.
    :param callback_url: The webhook's public address, if the connection has one. Never in ``repr``: it may
        hold a token.
    """

    conn_id: str
    signature_key: str = field(repr=False)
    callback_url: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The webhook's name."""
        return self.conn_id.removeprefix(CONN_ID_PREFIX)

    @classmethod
    def from_connection(cls, connection: Connection) -> WebhookSettings:
        """Read an Airflow connection.

        :param connection: Of the form that :func:`webhook_connection` makes.
        :raises CloudElementsConnectionError: With this connection the receiver would accept no delivery of
            the platform, or its assets would have other names than :func:`webhook_asset_of_instance` returns.
            The message names the field, never its value.
        """
        from airflow_provider_cloudelements.connections import is_web_url

        conn_id = str(connection.conn_id)

        def fail(name: str, problem: str) -> NoReturn:
            raise CloudElementsConnectionError(f"Connection {conn_id!r}, field {name!r}: {problem}")

        if fault := fault_of_conn_id(conn_id):
            fail("connection_id", fault)
        if connection.conn_type != CONN_TYPE:
            fail("conn_type", f"it must be {CONN_TYPE}.")
        key = connection.password
        if not key:
            fail("password", "it is empty. It must be the signature key.")
        if is_asterisks(key):
            fail("password", "it consists of asterisks, which Airflow shows in place of a key.")
        # It is not known how the platform treats another key (U247). Both sides must use the same key.
        if not _KEY.fullmatch(key):
            fail("password", "it must be printable ASCII without a space.")
        extra: Any = None
        try:
            extra = json.loads(connection.extra or "{}")
        except (ValueError, RecursionError):
            pass  # raise below, outside the handler: the decoder's error holds the text that it read
        if not isinstance(extra, dict):
            fail("extra", "it is not a valid JSON object.")
        for name, needed in SOURCE.items():
            if extra.get(name) != needed:
                fail(name, f"it must be {needed!r} for the platform's deliveries.")
        if (extra.get(STORE_PAYLOAD) or "full") not in (*STORED_PAYLOADS, "summary"):
            fail(STORE_PAYLOAD, f"it must be one of {_PAYLOADS}.")
        url = extra.get(CALLBACK_URL) or None
        if url is not None and not (isinstance(url, str) and is_web_url(url)):
            fail(CALLBACK_URL, "it must be an address that begins with https:// or http://.")
        return cls(conn_id, key, url)

    def address(self) -> str:
        """Return the webhook's address: that of the connection, else the one from Airflow's configuration.

        :raises CloudElementsValidationError: Neither has an address.
        """
        return self.callback_url or _default_address(self.name)


def fault_of_conn_id(conn_id: str) -> str | None:
    """Return what is wrong with the id of a webhook's connection, or ``None``.

    :param conn_id: The id.
    """
    name = conn_id.removeprefix(CONN_ID_PREFIX)
    if name == conn_id or not _NAME.fullmatch(name):
        return (
            f"a webhook's connection is called {CONN_ID_PREFIX}NAME, with a NAME of at most 64 lower-case "
            "letters, digits, '-' and '_'."
        )
    return None


def _default_address(name: str) -> str:
    from airflow.configuration import conf

    from airflow_provider_cloudelements.connections import is_web_url

    base = (conf.get("api", "base_url", fallback="") or "").strip().rstrip("/")
    if not is_web_url(base):
        raise CloudElementsValidationError(
            "Airflow's [api] base_url is not an absolute address here, so the webhook's address is not "
            f"known. Set it, or give the address as {CALLBACK_URL} in the extra of the webhook's connection."
        )
    return f"{base}/webhooks/{name}"
