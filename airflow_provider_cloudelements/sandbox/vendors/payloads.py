"""Read and write the bodies that vendors send to /events: changes of objects in three forms.

Microsoft Graph sends its own change notification (fact F224). No source shows a body of another vendor, so
the sandbox has a plain form for the others (choice C205): ``{"objectType", "objectId", "eventType",
"date"}`` or a list of such objects. It also accepts the names of a vendor event hook's output,
``event_object_type`` and so on (fact F223). Pollers send the raw form of polling v1 (fact F254):
``{<objectType>: [records], "objectType", "pollDate"}``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from airflow_provider_cloudelements.sandbox.core.dates import iso, iso_milliseconds, read_iso
from airflow_provider_cloudelements.sandbox.core.errors import bad_request
from airflow_provider_cloudelements.sandbox.core.jsontext import parse_body
from airflow_provider_cloudelements.sandbox.elements.catalogue import Element

#: All kinds of changes (fact F218).
CREATED, UPDATED, DELETED, UNKNOWN = "CREATED", "UPDATED", "DELETED", "UNKNOWN"
EVENT_TYPES = (CREATED, UPDATED, DELETED, UNKNOWN)

#: Fields of a record that the poller compares (fact F210); their names are choice C210.
CREATED_FIELD, UPDATED_FIELD = "createdDate", "updatedDate"

_GRAPH_TENANT = "5a9db0c5-0000-4000-8000-000000c0ffee"


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one object, as a vendor reports it.

    :param object_type: name of its resource.
    :param object_id: its id at the vendor.
    :param event_type: one of :data:`EVENT_TYPES`.
    :param date: when it changed, in seconds since 1970, or None when the vendor gives no date.
    """

    object_type: str
    object_id: str
    event_type: str
    date: float | None


def read_content(method: str, kind: str, body: bytes, query: Sequence[tuple[str, str]]) -> tuple[Any, str]:
    """Parse what a vendor sent: JSON, form-encoded, or a query; return it and the text to keep (fact F215).

    :param method: the verb; a GET carries everything in its query.
    :param kind: the Content-Type; any other than a form counts as JSON (choice C207).
    :param body: the raw body.
    :param query: pairs of the query.
    """
    if method == "GET":
        fields = dict(query)
        return fields, json.dumps(fields)
    if kind.split(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        return fields, json.dumps(fields)
    try:
        return parse_body(body)
    except ValueError:
        raise bad_request("The body is not valid JSON") from None


def read_changes(element: Element, payload: Any, *, polled: bool) -> list[Change]:
    """Return the changes in a body. A body of an unknown form is one UNKNOWN change (C206).

    :param element: the element whose vendor sent it.
    :param payload: the parsed body.
    :param polled: whether a poller sent it.
    """
    if polled and isinstance(payload, dict):
        name = payload.get("objectType")
        records = payload.get(name) if isinstance(name, str) else None
        if isinstance(name, str) and isinstance(records, list) and records:
            return [_polled(name, record) for record in records]
    if element.key == "microsoftgraph" and isinstance(payload, dict):
        rows = payload.get("value")
        if isinstance(rows, list) and rows:
            return [_graph(row) for row in rows]
    if isinstance(payload, list) and payload:
        return [_plain(item) for item in payload]
    return [_plain(payload)]


def _plain(item: Any) -> Change:
    """Read the sandbox's own form (choice C205; without a date: C209)."""
    fields = item if isinstance(item, dict) else {}

    def field(name: str, hook_name: str) -> Any:
        return fields.get(name, fields.get(hook_name))

    date = read_iso(field("date", "event_date"))
    return Change(
        _text(field("objectType", "event_object_type")) or "unknown",
        _text(field("objectId", "event_object_id")),
        _event_type(field("eventType", "event_type")),
        None if date is None else date.timestamp(),
    )


def _graph(row: Any) -> Change:
    """Read one of Microsoft Graph's change notifications (choice C208); they carry no date (choice C209)."""
    fields = row if isinstance(row, dict) else {}
    data = fields.get("resourceData")
    data = data if isinstance(data, dict) else {}
    path = _text(fields.get("resource")).strip("/").split("/")
    kind = _text(data.get("@odata.type")).rpartition(".")[2]
    name = f"{kind.lower()}s" if kind else path[-2].lower() if len(path) > 1 else ""
    return Change(
        name or "unknown", _text(data.get("id")) or path[-1], _event_type(fields.get("changeType")), None
    )


def _polled(name: str, record: Any) -> Change:
    """Classify a polled record (fact F211): equal dates mean CREATED, created before updated means UPDATED.

    A record may name its ``eventType`` itself (choice C210). Polling finds no deletions (fact F212), but a
    person who makes up an event may want one.
    """
    fields = record if isinstance(record, dict) else {}
    created, updated = read_iso(fields.get(CREATED_FIELD)), read_iso(fields.get(UPDATED_FIELD))
    if "eventType" in fields:
        event_type = _event_type(fields["eventType"])
    elif created is None or updated is None:
        event_type = UNKNOWN
    else:
        event_type = UPDATED if created < updated else CREATED
    return Change(name, _text(fields.get("id")), event_type, None if updated is None else updated.timestamp())


def _event_type(value: Any) -> str:
    """Return the normalised kind of a change, UNKNOWN for any other value."""
    name = _text(value).upper()
    return name if name in EVENT_TYPES else UNKNOWN


def _text(value: Any) -> str:
    """Return a value as text, because ids and types are texts."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, separators=(",", ":"))


def default_object(element: Element) -> str:
    """Return the default resource of a made-up event.

    :param element: the element.
    """
    return "events" if "events" in element.objects else element.objects[0]


def polled_body(name: str, records: list[dict[str, Any]], now: float) -> dict[str, Any]:
    """Return the raw form of polling v1 (fact F254).

    :param name: the object type.
    :param records: the changed objects.
    :param now: seconds since 1970.
    """
    return {name: records, "objectType": name, "pollDate": int(now * 1000)}


def vendor_body(element: Element, changes: Sequence[Change], now: float, *, polled: bool) -> Any:
    """Return the body with which a vendor, or a poller, reports changes.

    :param element: the element whose vendor it is.
    :param changes: the changes; all of one object type when polled.
    :param now: seconds since 1970.
    :param polled: whether a poller sends it; its records are small and made up.
    """
    if polled:
        return polled_body(changes[0].object_type, [_record(change, now) for change in changes], now)
    if element.key == "microsoftgraph":
        return {"value": [_graph_row(change, now) for change in changes]}
    rows = [
        {
            "objectType": change.object_type,
            "objectId": change.object_id,
            "eventType": change.event_type,
            "date": iso(now if change.date is None else change.date),
        }
        for change in changes
    ]
    return rows[0] if len(rows) == 1 else rows


def _record(change: Change, now: float) -> dict[str, Any]:
    """Return a record that a poller classifies as the kind of the change."""
    updated = now if change.date is None else change.date
    created = updated - 1 if change.event_type == UPDATED else updated
    record = {
        "id": change.object_id,
        CREATED_FIELD: iso_milliseconds(created),
        UPDATED_FIELD: iso_milliseconds(updated),
    }
    if change.event_type in (DELETED, UNKNOWN):
        record["eventType"] = change.event_type
    return record


def _graph_row(change: Change, now: float) -> dict[str, Any]:
    """Return a change notification as Microsoft's documentation shows it."""
    kind = change.object_type.removesuffix("s").capitalize()
    path = f"Users/{_GRAPH_TENANT}/{kind}s/{change.object_id}"
    return {
        "subscriptionId": str(uuid.uuid5(uuid.NAMESPACE_URL, change.object_type)),
        "subscriptionExpirationDateTime": iso(now + timedelta(days=2).total_seconds()),
        "changeType": change.event_type.lower(),
        "resource": path,
        "resourceData": {
            "@odata.type": f"#Microsoft.Graph.{kind}",
            "@odata.id": path,
            "@odata.etag": f'W/"{change.object_id}"',
            "id": change.object_id,
        },
        "clientState": "sandbox",
        "tenantId": _GRAPH_TENANT,
    }
