"""Calls through an instance: ping, objects and small resources at the vendor (facts F321 to F327).

The platform ignores the hub in the path: the Element token decides (fact F321).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.ceql import field_value, parse_where
from airflow_provider_cloudelements.sandbox.core.errors import ApiError, bad_request, not_found
from airflow_provider_cloudelements.sandbox.core.paging import (
    NEXT_PAGE_HEADER,
    RETURNED_HEADER,
    TOTAL_HEADER,
    decode_token,
    encode_token,
    page_size,
)
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply
from airflow_provider_cloudelements.sandbox.elements.catalogue import Element
from airflow_provider_cloudelements.sandbox.instances.store import Instance, now_text
from airflow_provider_cloudelements.sandbox.state import Call
from airflow_provider_cloudelements.sandbox.vendors.payloads import CREATED, DELETED, UPDATED
from airflow_provider_cloudelements.sandbox.vendors.store import refusal

Record = dict[str, Any]


def through(call: Call) -> Instance:
    """Return the instance that a call goes through, or raise when its vendor refuses it.

    An expired or revoked session returns 401 here (fact F137).

    :param call: the request.
    """
    instance = call.instance
    if instance is None:
        raise RuntimeError("a resource call was routed without its token")
    problem = call.state.sessions.problem(instance)
    if problem is not None:
        raise refusal(instance.element, problem, 401)
    return instance


def ping(call: Call) -> Response:
    """GET /ping: returns ``dateTime`` and ``endpoint``, after a round trip to the vendor (fact F327)."""
    return json_reply({"dateTime": now_text(), "endpoint": through(call).element.key})


def list_objects(call: Call) -> Response:
    """GET /objects: lists the resources' names, or objects with ``Elements-Version: Helium`` (fact F326)."""
    if call.instance is None:
        raise RuntimeError("a resource call was routed without its token")
    element = call.instance.element
    helium = call.headers.get("elements-version", "").lower() == "helium"
    rows: list[Any] = object_rows(element) if helium else list(element.objects)
    return json_reply(rows, {RETURNED_HEADER: str(len(rows))})


def object_rows(element: Element) -> list[dict[str, Any]]:
    """Return an element's resources with their origin (fact F326).

    :param element: the element.
    """
    return [{"name": name, "vendorName": name, "type": "vendor", "vdr": False} for name in element.objects]


def list_records(call: Call) -> Response:
    """GET /{object}: lists records, with ``where``, ``fields``, ``orderBy`` and pages (fact F324).

    A full page carries a page token even when no page follows (C321), as vendors' pages may (fact F52).
    """
    rows = list(_table(call).values())
    if where := call.value("where"):
        predicate = parse_where(where)
        rows = [row for row in rows if predicate(row)]
    if order := call.value("orderBy"):
        name, _, direction = order.partition(" ")
        rows.sort(key=lambda row: str(field_value(row, name)), reverse=direction.strip().lower() == "desc")
    size = page_size(call, call.state.behaviour)
    token, number = call.value("nextPage"), call.value("page")
    if token:
        start = max(decode_token(token), 0)
    elif number:
        if not number.isascii() or not number.isdigit() or not 0 < len(number) <= 9:
            raise bad_request("Query parameter page must be a number")
        start = max(int(number) - 1, 0) * size
    else:
        start = 0
    page = rows[start : start + size]
    if fields := call.value("fields"):
        names = [name.strip() for name in fields.split(",")]
        page = [{name: row[name] for name in names if name in row} for row in page]
    headers = {RETURNED_HEADER: str(len(page)), TOTAL_HEADER: str(len(rows))}
    if len(page) == size:
        headers[NEXT_PAGE_HEADER] = encode_token(start + size)
    return json_reply(page, headers)


def create_record(call: Call) -> Response:
    """POST /{object}: creates a record and returns it with 200 (facts F58, F323)."""
    table = _table(call)
    record = {**call.json_object(), "id": uuid.uuid4().hex}
    table[record["id"]] = record
    _changed(call, record, CREATED)
    return json_reply(record)


def get_record(call: Call) -> Response:
    """GET /{object}/{id}: returns one record."""
    return json_reply(_record(call))


def patch_record(call: Call) -> Response:
    """PATCH /{object}/{id}: changes the fields that the body names."""
    record = _record(call)
    record.update({**call.json_object(), "id": record["id"]})
    _changed(call, record, UPDATED)
    return json_reply(record)


def put_record(call: Call) -> Response:
    """PUT /{object}/{id}: replaces a record."""
    record = _record(call)
    body = call.json_object()
    record_id = record["id"]
    record.clear()
    record.update({**body, "id": record_id})
    _changed(call, record, UPDATED)
    return json_reply(record)


def delete_record(call: Call) -> Response:
    """DELETE /{object}/{id}: deletes a record; 200 and no body."""
    record = _record(call)
    del _table(call)[record["id"]]
    _changed(call, record, DELETED)
    return empty_reply()


def _changed(call: Call, record: Record, event_type: str) -> None:
    """Report the change of a record to the poller, which makes an event of it now or at the next poll."""
    call.state.poller.record_changed(through(call), call.params["object"], record, event_type)


def _record(call: Call) -> Record:
    """Return the record in the path."""
    record = _table(call).get(call.params["record"])
    if record is None:
        raise ApiError(404, "No record with this id found", "The resource could not be found.")
    return record


def _table(call: Call) -> dict[str, Record]:
    """Return the records of the resource in the path. The first call for a resource makes them up."""
    instance = through(call)
    name = call.params["object"]
    if name not in instance.element.objects:
        raise not_found("resource with this name")
    if name not in instance.records:
        rows = [sample_record(instance.element, name, number) for number in (1, 2, 3)]
        instance.records[name] = {row["id"]: row for row in rows}
    return instance.records[name]


def sample_record(element: Element, name: str, number: int = 1) -> Record:
    """Return one of the records that a resource begins with (choice C322).

    :param element: the element.
    :param name: the resource's name.
    :param number: 1, 2 or 3.
    """
    return _SEEDS.get((element.key, name), _anything)(number)


def _anything(number: int) -> Record:
    return {"id": str(number), "name": f"Record {number}"}


def _calendar(number: int) -> Record:
    return {
        "id": f"AAMk-calendar-{number}",
        "name": ("Calendar", "Birthdays", "Team")[number - 1],
        "canEdit": True,
    }


def _event(number: int) -> Record:
    return {
        "id": f"AAMk-event-{number}",
        "subject": f"Meeting {number}",
        "start": {"dateTime": f"2030-01-0{number}T09:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": f"2030-01-0{number}T10:00:00.0000000", "timeZone": "UTC"},
    }


def _account(number: int) -> Record:
    return {"id": f"00100000000000{number}AAA", "Name": f"Account {number}", "Industry": "Energy"}


def _contact(number: int) -> Record:
    return {
        "id": f"00300000000000{number}AAA",
        "FirstName": "Sandy",
        "LastName": f"Box {number}",
        "Email": f"sandy{number}@example.com",
    }


_SEEDS: dict[tuple[str, str], Callable[[int], Record]] = {
    ("microsoftgraph", "calendars"): _calendar,
    ("microsoftgraph", "events"): _event,
    ("sfdc", "accounts"): _account,
    ("sfdc", "contacts"): _contact,
}
