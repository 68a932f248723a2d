"""The parser of events as it was before msgspec: what every input must still give.

Nothing here is kept in step with the package. It reads dates, notifications, events and rows as version 0.1.0
began to, and the tests compare.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.models import parse_tags
from airflow_provider_cloudelements.client.notifications import Event, Notification, ObjectEvent
from airflow_provider_cloudelements.client.parsing import optional_id, parse_text
from airflow_provider_cloudelements.client.plain import plain_text

_JAVA_DATE = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\S+) (\d{4})")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBERS = {name: f"{number:02}" for number, name in enumerate(_MONTHS, start=1)}
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")


class Unreadable(Exception):
    """It is no event, or no notification."""


def date(value: Any) -> pendulum.DateTime | None:
    """Read a date."""
    if isinstance(value, str) and len(value) in (20, 28) and (usual := _usual_date(value)) is not None:
        return usual
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float) or (isinstance(value, str) and value.isascii() and value.isdigit()):
            return pendulum.from_timestamp(int(value) / 1000)
        if not isinstance(value, str):
            return None
        value = value.strip()
        if java := _JAVA_DATE.fullmatch(value):
            month, day, hour, minute, second, zone, year = java.groups()
            moment = pendulum.datetime(
                int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tz=zone
            )
            return moment.in_timezone("UTC")
        if _ISO_DATE.fullmatch(value):
            parsed = pendulum.parse(value)
            return parsed.in_timezone("UTC") if isinstance(parsed, pendulum.DateTime) else None
    except Exception:
        return None
    return None


def _usual_date(value: str) -> pendulum.DateTime | None:
    if len(value) == 20 and value[19] == "Z":
        iso = value[:19]
    elif value[19:24] == " UTC ":
        iso = f"{value[24:]}-{_MONTH_NUMBERS.get(value[4:7])}-{value[8:10]}T{value[11:19]}"
    else:
        return None
    if not (iso[4:5] == iso[7:8] == "-" and iso[13:14] == iso[16:17] == ":"):
        return None
    try:
        at = datetime.datetime.fromisoformat(iso)
    except ValueError:
        return None
    return pendulum.DateTime(at.year, at.month, at.day, at.hour, at.minute, at.second, 0, pendulum.UTC)


def event(body: Any) -> Event:
    """Read an event of a list."""
    if not isinstance(body, Mapping):
        raise Unreadable
    event_id = _id(body.get("id"))
    if not event_id:
        raise Unreadable
    concerned = [each for each in _items(body.get("eventElementInstances")) if isinstance(each, Mapping)]
    told = [body.get("notifiedData"), *(each.get("notifiedData") for each in concerned)]
    notifications = tuple(dict.fromkeys(_notifications(told, 4)))
    ids = [optional_id(each.get("elementInstanceId")) for each in concerned]
    ids += [each.instance_id for each in notifications]
    return Event(
        id=event_id,
        date=date(body.get("eventDate")),
        status=_word(body.get("status")),
        notifications=notifications,
        instance_ids=tuple(dict.fromkeys(each for each in ids if each is not None)),
        provider_data=_as_text(body.get("providerData")),
    )


def notification(body: Any) -> Notification:
    """Read a notification of either shape."""
    if not isinstance(body, Mapping):
        raise Unreadable
    message = _from_json(body.get("message"))
    if not isinstance(message, Mapping):
        if isinstance(body.get("response"), Mapping):
            return _older(body, body["response"])
        message = body
    event_id = _id(message.get("eventId"))
    if not event_id:
        raise Unreadable
    element = parse_text(message.get("elementKey"))
    return Notification(
        event_id=event_id,
        instance_id=optional_id(message.get("instanceId")) or optional_id(message.get("instance_id")),
        element_key=element,
        events=tuple(
            _change(each, element) for each in _items(message.get("events")) if isinstance(each, Mapping)
        ),
        id=_id(body.get("id")),
        topic=parse_text(body.get("topic")),
        instance_name=parse_text(message.get("instanceName")),
        instance_tags=parse_tags(message.get("instanceTags")),
        created_date=date(body.get("createdDate")),
        raw=message.get("raw"),
    )


def rows(
    read: Event, instance_ids: Collection[int], kinds: Collection[str] = (), changes: Collection[str] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the rows of an event: of these instances, kinds of objects and kinds of change."""
    meant = [each for each in read.instance_ids if each in instance_ids]
    parts: list[tuple[int, Notification | None]] = []
    for each in read.notifications:
        if each.instance_id in meant:
            parts.append((each.instance_id, each))
        elif each.instance_id is None and meant:
            parts.append((meant[0], each))
    told_ids = {each.instance_id for each in read.notifications}
    if None not in told_ids:
        parts += [(number, None) for number in meant if number not in told_ids]
    told = set()
    for number, one in parts:
        changed = [] if one is None else one.events
        fit = [each for each in changed if _fits(each.object_type, kinds) and _fits(each.event_type, changes)]
        if not fit and (kinds or changes):
            continue
        for change in dict.fromkeys(fit) or (None,):
            if (number, change) not in told:
                told.add((number, change))
                yield _row(read, number, one, change)


def _row(read: Event, number: int, one: Notification | None, change: ObjectEvent | None) -> dict[str, Any]:
    element = None if change is None else change.element_key
    if element is None and one is not None:
        element = one.element_key
    return {
        "id": _cut(read.id),
        "date": _iso(read.date),
        "instance_id": number,
        "element": _cut(element),
        "notification_id": None if one is None else _cut(one.id),
        "object_type": None if change is None else _cut(change.object_type),
        "object_id": None if change is None else _cut(change.object_id),
        "event_type": None if change is None else _cut(change.event_type),
        "object_date": None if change is None else _iso(change.date),
    }


def _fits(value: str, wanted: Collection[str]) -> bool:
    return not wanted or value in wanted


def _cut(value: str | None) -> str | None:
    return None if value is None else plain_text(value[:500])


def _iso(moment: pendulum.DateTime | None) -> str | None:
    return None if moment is None else f"{moment.isoformat().removesuffix('+00:00')}Z"


def _change(body: Mapping[str, Any], element: str | None) -> ObjectEvent:
    return ObjectEvent(
        object_id=_id(body.get("objectId")) or "",
        object_type=parse_text(body.get("objectType")) or "",
        event_type=_word(body.get("eventType")) or "UNKNOWN",
        date=date(body.get("date")),
        poll_date=date(body.get("pollDate")),
        element_key=parse_text(body.get("elementKey")) or element,
        hub_key=parse_text(body.get("hubKey")),
    )


def _older(body: Mapping[str, Any], response: Mapping[str, Any]) -> Notification:
    event_id = _id(body.get("eventId"))
    if not event_id:
        raise Unreadable
    changes = [ObjectEvent.parse_older(each) for each in _items(response.get("events"))]
    return Notification(
        event_id=event_id,
        instance_id=optional_id(body.get("instanceId")),
        events=tuple(each for each in changes if each is not None),
        id=_id(body.get("notificationId")),
        raw=response,
    )


def _notifications(told: Any, wrappings: int) -> Iterator[Notification]:
    told = _from_json(told)
    if isinstance(told, list):
        if wrappings:
            for each in told:
                yield from _notifications(each, wrappings - 1)
        return
    try:
        read = notification(told)
    except Unreadable:
        return
    yield read


def _from_json(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            pass
    return value


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    try:
        return json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None


def _id(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if -(10**20) < value < 10**20 else None
    return None


def _word(value: Any) -> str:
    return (parse_text(value) or "").strip().upper()


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
