"""Calls through an instance: ping, and the resources at its vendor (facts F321 to F331).

The platform ignores the hub in the path: the Element token decides (fact F321).
"""

from __future__ import annotations

from itertools import islice

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.ceql import Condition, parse_where
from airflow_provider_cloudelements.sandbox.core.errors import ApiError, bad_request, not_emulated
from airflow_provider_cloudelements.sandbox.core.paging import (
    NEXT_PAGE_HEADER,
    RETURNED_HEADER,
    TOTAL_HEADER,
    decode_token,
    encode_token,
    page_size,
)
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply
from airflow_provider_cloudelements.sandbox.elements.catalogue import NULLS_FILTER
from airflow_provider_cloudelements.sandbox.instances.store import Instance, now_text
from airflow_provider_cloudelements.sandbox.state import Call
from airflow_provider_cloudelements.sandbox.vendors.payloads import CREATED, DELETED, UPDATED
from airflow_provider_cloudelements.sandbox.vendors.records import Table, without_nulls
from airflow_provider_cloudelements.sandbox.vendors.resources import nested_of
from airflow_provider_cloudelements.sandbox.vendors.shapes import Record
from airflow_provider_cloudelements.sandbox.vendors.store import refusal

#: The elements whose ping says ``valid`` (fact F330).
_PING_TELLS_VALID = frozenset({"sfdc", "zendesk", "box"})
#: Of a longer list with a condition the platform does not tell the total (choice C324).
_MOST_COUNTED = 10_000


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
    """GET /ping: returns ``dateTime`` and ``endpoint``, after a round trip to the vendor (F327, F330)."""
    key = through(call).element.key
    valid = {"valid": True} if key in _PING_TELLS_VALID else {}
    return json_reply({"dateTime": now_text(), "endpoint": key, **valid})


def list_records(call: Call) -> Response:
    """GET /{object}: lists records, with ``where``, ``fields``, ``orderBy`` and pages (fact F324).

    A full page carries a page token even when no page follows (C321), as vendors' pages may (fact F52).
    """
    table = table_of(call)
    size = page_size(call, call.state.behaviour)
    text, order = call.value("where"), call.value("orderBy")
    condition = parse_where(text) if text else None
    page = _ordered(call, table, condition, order, size) if order else _listed(call, table, condition, size)
    numbers, after, total = page
    records = [record for number in numbers if (record := table.at(number)) is not None]
    headers = {RETURNED_HEADER: str(len(records))}
    if total is not None:
        headers[TOTAL_HEADER] = str(total)
    if len(numbers) == size and call.state.behaviour.record_paging == "token":
        headers[NEXT_PAGE_HEADER] = encode_token(after)
    return json_reply([_shown(call, record) for record in records], headers)


def _listed(
    call: Call, table: Table, condition: Condition | None, size: int
) -> tuple[list[int], int, int | None]:
    """Return a page in the vendor's order: its numbers, what its token names, the total if it is told."""
    after, skipped = _start(call, size)
    if condition is None:
        numbers = list(islice(table.numbers(after or table.place(skipped) - 1), size))
        total: int | None = len(table)
    else:
        matching = (number for number, _ in table.matching(condition, after))
        numbers = list(islice(matching, skipped, skipped + size))
        counted = len(table) <= _MOST_COUNTED
        total = sum(1 for _ in table.matching(condition)) if counted else None
    return numbers, numbers[-1] if numbers else 0, total


def _ordered(
    call: Call, table: Table, condition: Condition | None, order: str, size: int
) -> tuple[list[int], int, int]:
    """Return a page in the order of a field."""
    name, _, direction = order.strip().partition(" ")
    found = table.ordered(condition, name, descending=direction.strip().lower() == "desc")
    after, skipped = _start(call, size)
    start = after or skipped
    return found[start : start + size], start + size, len(found)


def _start(call: Call, size: int) -> tuple[int, int]:
    """Return behind what a page begins: what its token names, or how many records its number skips."""
    token, number = call.value("nextPage"), call.value("page")
    if token:
        return max(decode_token(token), 0), 0
    if not number:
        return 0, 0
    if not number.isascii() or not number.isdigit() or not 0 < len(number) <= 9:
        raise bad_request("Query parameter page must be a number")
    return 0, max(int(number) - 1, 0) * size


def _shown(call: Call, record: Record) -> Record:
    """Return a record with the asked-for fields, and with nulls if its instance shows them (fact F334)."""
    record = call.asked_for(record)
    instance = call.instance
    hidden = instance is None or (instance.configuration.get(NULLS_FILTER) or "").lower() != "false"
    return without_nulls(record) if hidden else record


def create_record(call: Call) -> Response:
    """POST /{object}: creates a record and returns it with 200 (facts F58, F323, F333)."""
    table = table_of(call)
    body = call.json_object()
    if table.shape.required and not body:
        raise ApiError(400, "The vendor refused the record", "At least one field is required.")
    record = table.add(body)
    _changed(call, record, CREATED)
    return json_reply(_shown(call, record))


def get_record(call: Call) -> Response:
    """GET /{object}/{id}: returns one record."""
    table = table_of(call)
    return json_reply(_shown(call, table.at(_number(call, table)) or {}))


def patch_record(call: Call) -> Response:
    """PATCH /{object}/{id}: changes the fields that the body names."""
    return _change(call, replace=False)


def put_record(call: Call) -> Response:
    """PUT /{object}/{id}: replaces a record."""
    return _change(call, replace=True)


def _change(call: Call, *, replace: bool) -> Response:
    table = table_of(call)
    record = table.change(_number(call, table), call.json_object(), replace=replace)
    _changed(call, record, UPDATED)
    return json_reply(_shown(call, record))


def delete_record(call: Call) -> Response:
    """DELETE /{object}/{id}: deletes a record; 200 and no body."""
    table = table_of(call)
    number = _number(call, table)
    record = table.at(number) or {}
    table.remove(number)
    _changed(call, record, DELETED)
    return empty_reply()


def _changed(call: Call, record: Record, event_type: str) -> None:
    """Report the change of a record to the poller, which makes an event of it now or at the next poll."""
    name = call.params.get("inner") or call.params["object"]
    call.state.poller.record_changed(through(call), name, record, event_type)


def _number(call: Call, table: Table) -> int:
    """Return the number of the record in the path."""
    own = call.params["inner_record"] if "inner" in call.params else call.params["record"]
    number = table.number_of(own)
    if number is None:
        raise _no_record()
    return number


def _no_record() -> ApiError:
    return ApiError(404, "No record with this id found", "The resource could not be found.")


def table_of(call: Call) -> Table:
    """Return the records of the resource in the path.

    :param call: the request.
    :raises ApiError: 404 if the sandbox has none of this name, which says nothing of the platform (C46).
    """
    instance = through(call)
    element, name, count = instance.element, call.params["object"], call.state.behaviour.records
    table = instance.tables.of(element, name, count)
    if table is None:
        raise not_emulated("a resource of this name at this element")
    if "inner" not in call.params:
        return table
    record, inner = call.params["record"], call.params["inner"]
    if inner not in nested_of(element, name):
        raise not_emulated("a resource of this name below this one")
    nested = instance.tables.within(element, name, record, inner, count)
    if nested is None:
        raise _no_record()
    return nested
