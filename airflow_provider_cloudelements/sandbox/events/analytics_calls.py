"""Handlers of /instances/events/analytics and /dispositions (facts F285, F286).

The form of dispositions, but for F289, is choice C287, and so is that a
call without from and to covers the last day.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.account.store import ACCOUNT, check_account
from airflow_provider_cloudelements.sandbox.core.dates import iso, read_iso
from airflow_provider_cloudelements.sandbox.core.errors import bad_request
from airflow_provider_cloudelements.sandbox.core.paging import RETURNED_HEADER, cut_page
from airflow_provider_cloudelements.sandbox.core.web import json_reply, to_id
from airflow_provider_cloudelements.sandbox.events.models import Delivery, Event, Recipient
from airflow_provider_cloudelements.sandbox.state import Call

_MONTHS = {"year": 12, "quarter": 3, "month": 1}
_STEPS = {
    "week": timedelta(weeks=1),
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
}
INTERVALS = (*_MONTHS, *_STEPS)

#: The sandbox refuses more rows (choice C287): ten thousand are a week by the minute.
_MOST_ROWS = 10_100


def count_all(call: Call) -> Response:
    """GET /instances/events/analytics: counts the arrived events, by interval."""
    starts = _starts(call)
    return _reply([{"timestamp": _text(start), "count": count} for start, count in _count(call, starts)])


def count_by_account(call: Call) -> Response:
    """GET /instances/events/analytics/accounts: returns the same by account, of which there is one."""
    starts = _starts(call)
    counts = {ACCOUNT["id"]: [count for _, count in _count(call, starts)]}
    return _reply(_rows(call, starts, "accountId", counts))


def count_by_instance(call: Call) -> Response:
    """GET /instances/events/analytics/instances: returns the same by instance."""
    starts = _starts(call)
    counts = {
        number: [count for _, count in _count(call, starts, number)]
        for number in sorted(call.state.events.instances())
    }
    return _reply(_rows(call, starts, "instanceId", counts))


def _rows(
    call: Call, starts: Sequence[datetime], name: str, counts: dict[Any, list[int]]
) -> list[dict[str, Any]]:
    """Return a row for each interval, with a record for each account or instance (fact F288).

    All events count as a success, since the sandbox takes what arrives (choice C287).
    """
    rows: list[dict[str, Any]] = []
    for place, start in enumerate(starts):
        found = [(key, each[place]) for key, each in counts.items() if each[place]]
        records = [{name: key, "success": count, "failed": 0, "count": count} for key, count in found]
        rows.append(
            {"timestamp": _text(start), "total": sum(count for _, count in found), "records": records}
        )
    return rows


def _text(start: datetime) -> str:
    return start.isoformat()


def list_dispositions(call: Call) -> Response:
    """GET /instances/events/dispositions: lists outcomes of events; ``from``, ``to``, pages."""
    begin, end = _span(call)
    found = call.state.events.visible()
    first = bisect_left(found, begin.timestamp(), key=_arrived)
    last = bisect_left(found, end.timestamp(), key=_arrived)
    page, headers = cut_page(call, call.state.behaviour, found[first:last], lambda event: event.number)
    rows = [_disposition(call, event, recipient) for event in page for recipient in event.recipients]
    return json_reply(rows, headers)


def _disposition(call: Call, event: Event, recipient: Recipient) -> dict[str, Any]:
    """Return the outcome of an event for one instance."""
    own = [one for one in event.notifications if one.recipient is recipient]
    return {
        "eventId": event.id,
        "elementInstanceId": recipient.id,
        "eventDate": iso(event.arrived),
        "status": call.state.events.status(event),
        "notificationIds": [one.id for one in own],
        "deliveries": [delivery.status for one in own for delivery in one.deliveries],
        "notificationData": [_told(delivery) for one in own for delivery in one.deliveries],
    }


def _told(delivery: Delivery) -> dict[str, str]:
    """Return what a disposition tells of a delivery (fact F289)."""
    failed = delivery.status in ("retry", "queued") and delivery.attempts > 0
    return {
        "message": f"Error delivering event: {delivery.outcome}" if failed else f"Event {delivery.status}"
    }


def _reply(rows: list[dict[str, Any]]) -> Response:
    """Return all rows, without pages."""
    return json_reply(rows, {RETURNED_HEADER: str(len(rows))})


def _arrived(event: Event) -> float:
    return event.arrived


def _span(call: Call) -> tuple[datetime, datetime]:
    """Return from and to; an end before the beginning gets 400 (fact F286)."""
    dates: dict[str, datetime] = {}
    for name in ("from", "to"):
        text = call.value(name)
        if text:
            date = read_iso(text)
            if date is None:
                raise bad_request(f"Query parameter {name} must be an ISO date")
            dates[name] = date
    end = dates.get("to") or datetime.now(UTC)
    try:
        begin = dates.get("from") or end - timedelta(days=1)
    except OverflowError:
        begin = end
    if end < begin:
        raise bad_request("Query parameter to must not be before from")
    return begin, end


def _starts(call: Call) -> list[datetime]:
    """Return the beginnings of all intervals, with the one at the end: 61 minutes in an hour (fact F287)."""
    for text in call.values("accountIds[]"):
        check_account(to_id(text))
    begin, end = _span(call)
    interval = call.value("interval") or "hour"
    if interval not in INTERVALS:
        raise bad_request(f"Query parameter interval must be one of {', '.join(INTERVALS)}")
    starts: list[datetime] = []
    current = begin
    try:
        while current <= end:
            starts.append(current)
            if len(starts) > _MOST_ROWS:
                raise bad_request(f"This would be more than {_MOST_ROWS} rows")
            if interval in _STEPS:
                current += _STEPS[interval]
            else:
                current = _month(begin, _MONTHS[interval] * len(starts))
    except (OverflowError, ValueError):
        pass  # the calendar ends here
    return starts


def _month(begin: datetime, months: int) -> datetime:
    """Return the same moment so many months later, on the 28th at the latest, as every month has that day."""
    index = begin.year * 12 + begin.month - 1 + months
    return begin.replace(year=index // 12, month=index % 12 + 1, day=min(begin.day, 28))


def _count(
    call: Call, starts: Sequence[datetime], instance_id: int | None = None
) -> list[tuple[datetime, int]]:
    """Return how many visible events arrived in each interval."""
    events = call.state.events.visible(instance_id)
    edges = [bisect_left(events, start.timestamp(), key=_arrived) for start in starts]
    if starts:
        _, end = _span(call)
        edges.append(bisect_left(events, end.timestamp() + 1, key=_arrived))
    return [(start, after - before) for start, before, after in zip(starts, edges, edges[1:], strict=False)]
