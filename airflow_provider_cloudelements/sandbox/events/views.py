"""Events in the form of the API, and in the form that receivers get (facts F247, F282)."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_cloudelements.sandbox.account.store import ACCOUNT, ORGANIZATION, USER
from airflow_provider_cloudelements.sandbox.core.dates import iso, java
from airflow_provider_cloudelements.sandbox.core.jsontext import parse
from airflow_provider_cloudelements.sandbox.elements.catalogue import Element
from airflow_provider_cloudelements.sandbox.events.models import Event, Notification, Recipient
from airflow_provider_cloudelements.sandbox.vendors.payloads import Change, read_changes


def event_view(event: Event, status: str) -> dict[str, Any]:
    """Return an event as the API shows it (fact F282; choice C282).

    :param event: the event.
    :param status: its status.
    """
    payload = parse(event.text) if event.notifications else None
    envelopes = [(one, envelope(one, "message", payload)) for one in event.notifications]
    arrived = iso(event.arrived)
    rows: list[dict[str, Any]] = []
    for recipient in event.recipients:
        own = [
            _row(event, recipient, one.id, json.dumps(view), iso(one.created))
            for one, view in envelopes
            if one.recipient is recipient
        ]
        rows += own or [_row(event, recipient, None, None, arrived)]
    return {
        "id": event.id,
        "eventDate": arrived,
        "status": status,
        "providerData": event.text,
        "notifiedData": [view for _, view in envelopes],
        "eventElementInstances": rows,
    }


def _row(
    event: Event, recipient: Recipient, notification_id: int | None, notified: str | None, updated: str
) -> dict[str, Any]:
    """Return an event's row for one instance; before its notification two fields are null (choice C281)."""
    return {
        "eventId": event.id,
        "elementInstanceId": recipient.id,
        "notificationId": notification_id,
        "notifiedData": notified,
        "createdDate": iso(event.arrived),
        "updatedDate": updated,
    }


def envelope(notification: Notification, form: str, payload: Any = None) -> dict[str, Any]:
    """Return the body that a receiver gets.

    :param notification: the notification.
    :param form: ``message`` (fact F247) or, for an event, ``response`` (fact F252).
    :param payload: the event's parsed body, if the caller has it.
    """
    event, recipient = notification.event, notification.recipient
    if form == "response" and event is not None and recipient is not None:
        return {
            "eventId": event.number,
            "instanceId": recipient.id,
            "response": {"events": [_path(change) for change in _changes(notification, payload)]},
            "notificationId": notification.id,
        }
    return {
        "id": str(notification.id),
        "topic": notification.topic,
        "severity": notification.severity,
        "action": "create",
        "createdDate": java(notification.created),
        "user": notification.sender,
        "message": message_of(notification, payload),
    }


def _path(change: Change) -> dict[str, Any]:
    """Return a change in the older form, whose fields describe files."""
    path = f"/{change.object_type}/{change.object_id}"
    return {
        "path": path,
        "metadata": {"path": path, "name": change.object_id, "type": change.event_type},
    }


def _changes(notification: Notification, payload: Any) -> list[Change]:
    """Return the objects that a notification of an event lists."""
    event = notification.event
    if event is None:
        return []
    parsed = parse(event.text) if payload is None else payload
    return read_changes(event.element, parsed, polled=event.polled)[notification.first : notification.last]


def message_of(notification: Notification, payload: Any = None) -> Any:
    """Return a notification's message: for an event the whole raw body and its own objects (fact F248).

    :param notification: the notification.
    :param payload: the event's parsed body, if the caller has it.
    """
    event, recipient = notification.event, notification.recipient
    if event is None or recipient is None:
        return notification.message
    raw = parse(event.text) if payload is None else payload
    return {
        "elementKey": recipient.element.key,
        "accountId": ACCOUNT["id"],
        "companyId": ORGANIZATION["id"],
        "userId": USER["id"],
        "eventId": event.id,
        "instanceId": recipient.id,
        "instance_id": recipient.id,
        "instanceName": recipient.name,
        "instanceTags": recipient.tags,
        "raw": raw,
        "events": [_object(change, event, recipient) for change in _changes(notification, raw)],
    }


def _object(change: Change, event: Event, recipient: Recipient) -> dict[str, Any]:
    """Return one object of an event, with ``pollDate`` if a poller fetched it (fact F250)."""
    element: Element = recipient.element
    view = {
        "date": iso(event.arrived if change.date is None else change.date),
        "elementKey": element.key,
        "eventType": change.event_type,
        "hubKey": element.hub,
        "objectId": change.object_id,
        "objectType": change.object_type,
    }
    if event.polled:
        view["pollDate"] = iso(event.arrived)
    return view
