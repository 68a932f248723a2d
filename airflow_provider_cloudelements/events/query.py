"""Select events with a query, and return them as small rows.

A query is plain data, so that Airflow can store it with a trigger. A row is one change of one object.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.frozen import maker
from airflow_provider_cloudelements.client.listed import AnyEvent, AnyNotification, AnyObject
from airflow_provider_cloudelements.client.plain import plain_json, plain_text
from airflow_provider_cloudelements.client.tags import canonical_text
from airflow_provider_cloudelements.client.target import Target, checked_name, way_of
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.events.scan import EventFilter, short_id
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

__all__ = ["EventQuery", "EventRow"]

#: Keys of a row that describe the event, and keys that describe the changed object.
EVENT_KEYS = ("id", "date", "instance_id", "element", "notification_id")
OBJECT_KEYS = ("object_type", "object_id", "event_type", "object_date")
#: First part of a path into the vendor's own body.
RAW = "raw"
#: Most characters of a text in a row, because vendors' ids can have any length.
MAX_TEXT = 500
#: Most bytes of one vendor's body in a row, as JSON.
MAX_RAW = 16_384


@dataclass(frozen=True, slots=True)
class EventRow:
    """Hold one change of one object.

    :param key: Short id of its event; an event of many objects has many rows.
    :param date: When the platform took the event in.
    :param data: The row's values: JSON, and small. Never in ``repr``: they are a vendor's.
    """

    key: str
    date: pendulum.DateTime | None
    data: dict[str, Any] = field(repr=False)

    @property
    def size(self) -> int:
        """Its bytes as JSON."""
        return len(json.dumps(self.data))

    @property
    def mark(self) -> str:
        """A short hash of what the row says, without the vendor's body: the same in each reading."""
        said = {name: self.data.get(name) for name in (*EVENT_KEYS, *OBJECT_KEYS)}
        return short_id(json.dumps(said, sort_keys=True))


_make_row = maker(EventRow)


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Select events. Make a query with :meth:`of`.

    :param instance_id: Events of this instance;
    :param instance_key: or of the instance with this key, without the connection's namespace;
    :param tag: or of all instances that have this tag.
    :param types: Only events of these kinds.
    :param where: Paths, each with accepted values. One of these must be there.
    """

    instance_id: int | None = None
    instance_key: str | None = None
    tag: str | None = None
    types: EventFilter = field(default_factory=EventFilter)
    where: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    @classmethod
    def of(
        cls,
        *,
        instance_id: int | str | Mapping[str, Any] | None = None,
        instance_key: str | None = None,
        tag: str | None = None,
        object_types: Collection[str] | None = None,
        event_types: Collection[str] | None = None,
        where: Mapping[str, Any] | Collection[Collection[Any]] | None = None,
    ) -> EventQuery:
        """Make a query from arguments.

        :raises CloudElementsValidationError: Not exactly one of the first three is given, or an argument is
            malformed.
        """
        given = {"instance_id": instance_id, "instance_key": instance_key, "tag": tag}
        way = way_of(given)
        return cls(
            **{way: checked_name(way, given[way])},
            types=EventFilter.of(object_types, event_types),
            where=_where(where),
        )

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments that make the query again, as JSON, the same for the same query."""
        return {
            "instance_id": self.instance_id,
            "instance_key": self.instance_key,
            "tag": self.tag,
            "object_types": None if self.types.object_types is None else sorted(self.types.object_types),
            "event_types": None if self.types.event_types is None else sorted(self.types.event_types),
            # No dictionary: Airflow 3.2 stores one of a watcher in a form that it cannot read back.
            "where": [[path, list(values)] for path, values in self.where] or None,
        }

    def selection(self) -> dict[str, Any]:
        """Return what the query selects, as JSON: the same for two queries that select the same events.

        Unlike :meth:`as_arguments`, it holds the instance key in canonical form.
        """
        key = self.instance_key
        return {
            **self.as_arguments(),
            "instance_key": None if key is None else canonical_text(key),
            "where": {path: _comparable(values) for path, values in self.where} or None,
        }

    def target(self, settings: ConnectionSettings) -> Target:
        """Return the target whose events the query selects; the connection's settings know the namespace."""
        return Target.of(settings, instance_id=self.instance_id, instance_key=self.instance_key, tag=self.tag)

    @property
    def needs_objects(self) -> bool:
        """Whether the query can judge an event only after the platform has worked out its objects."""
        types = self.types.object_types is not None or self.types.event_types is not None
        return types or any(path in (*OBJECT_KEYS, "notification_id") for path, _ in self.where)

    @property
    def needs_raw(self) -> bool:
        """Whether the query looks into the vendor's body."""
        return any(path.partition(".")[0] == RAW for path, _ in self.where)

    def rows(self, event: AnyEvent, instance_ids: Collection[int], *, raw: bool = False) -> list[EventRow]:
        """Return the selected rows of an event.

        If an instance has no notification of the event, its row says only that there is an event.

        :param event: The event.
        :param instance_ids: The selected instances.
        :param raw: Whether the rows hold the vendor's body.
        """
        key = short_id(event.id)
        rows = []
        told: set[tuple[int, AnyObject | None]] = set()
        parts = _parts(event, instance_ids)
        for instance_id, notification in parts:
            found = self.types.told(() if notification is None else (notification,))
            if found is None:
                continue
            for one in found or (None,):
                if len(parts) > 1:
                    if (instance_id, one) in told:
                        continue  # a notification that is listed twice
                    told.add((instance_id, one))
                data = _row(event, instance_id, notification, one)
                if self.where or raw:
                    body = _body(event, notification) if raw or self.needs_raw else None
                    if not self._fits(data, body):
                        continue
                    if raw:
                        data |= _raw_part(body)
                rows.append(_make_row(key, event.date, data))
        return rows

    def _fits(self, row: Mapping[str, Any], body: Any) -> bool:
        for path, values in self.where:
            head, *rest = path.split(".")
            found = _found_at(body, rest) if head == RAW else [row.get(path)]
            if not any(_same(each, value) for each in found for value in values):
                return False
        return True


def _where(where: Any) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    if where is None:
        return ()
    if isinstance(where, list) and all(isinstance(each, list) and len(each) == 2 for each in where):
        where = {str(path): values for path, values in where}  # as a trigger stores it
    if not isinstance(where, Mapping):
        raise CloudElementsValidationError("where must be a dictionary of paths to values.")
    checked = []
    for path, value in where.items():
        head = path.split(".")[0] if isinstance(path, str) else None
        if path not in (*EVENT_KEYS, *OBJECT_KEYS) and (head != RAW or "" in str(path).split(".")):
            raise CloudElementsValidationError(
                f"A path in where must be one of {', '.join((*EVENT_KEYS, *OBJECT_KEYS))}, or lead into the "
                "vendor's body, such as raw.resource.id."
            )
        values = tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)
        if not values or not all(isinstance(each, str | int | float | bool | None) for each in values):
            raise CloudElementsValidationError(f"where[{path!r}] must be a value or a list of values.")
        checked.append((str(path), values))
    return tuple(sorted(checked, key=lambda each: each[0]))


def untold_instances(event: AnyEvent, meant: Collection[int]) -> list[int]:
    """Return the selected instances of an event that have no notification of it (yet).

    :param event: The event.
    :param meant: The selected instances.
    """
    if len(event.notifications) == 1 and event.instance_ids == (event.notifications[0].instance_id,):
        return []
    told = {each.instance_id for each in event.notifications}
    # A notification that names no instance may belong to any of them.
    return [] if None in told else [each for each in event.instance_ids if each in meant and each not in told]


def _parts(event: AnyEvent, instance_ids: Collection[int]) -> list[tuple[int, AnyNotification | None]]:
    """Return each selected instance with its notifications, or with ``None`` if it has none."""
    if len(event.notifications) == 1 and event.instance_ids == (event.notifications[0].instance_id,):
        # The most common case, in short: one notification of one instance.
        return (
            [(event.instance_ids[0], event.notifications[0])] if event.instance_ids[0] in instance_ids else []
        )
    meant = frozenset(instance_ids).intersection(event.instance_ids)
    parts: list[tuple[int, AnyNotification | None]] = []
    for each in event.notifications:
        if each.instance_id in meant:
            parts.append((each.instance_id, each))
        elif each.instance_id is None and meant:
            parts.append((next(one for one in event.instance_ids if one in meant), each))
    return [*parts, *((number, None) for number in untold_instances(event, meant))]


def _row(
    event: AnyEvent, instance_id: int, notification: AnyNotification | None, one: AnyObject | None
) -> dict[str, Any]:
    number, element = (None, None) if notification is None else (notification.id, notification.element_key)
    kind = object_id = change = at = None
    if one is not None:
        kind, object_id, change, at = one.object_type, one.object_id, one.event_type, one.date_text
        element = one.element_key or element
    event_id = event.id
    texts = f"{event_id}{element}{number}{kind}{object_id}{change}"
    if (
        len(texts) > MAX_TEXT or not texts.isascii() or "\x00" in texts
    ):  # one look at all: most are as they should be
        event_id, element, number = str(_text(event_id)), _text(element), _text(number)
        kind, object_id, change = _text(kind), _text(object_id), _text(change)
    return {
        "id": event_id,
        "date": event.date_text,
        "instance_id": instance_id,
        "element": element,
        "notification_id": number,
        "object_type": kind,
        "object_id": object_id,
        "event_type": change,
        "object_date": at,
    }


def _text(value: Any) -> Any:
    return None if value is None else plain_text(value[:MAX_TEXT])


def _body(event: AnyEvent, notification: AnyNotification | None) -> Any:
    """Return the vendor's body: as the notification repeats it, else as the vendor sent it."""
    if notification is not None and notification.raw is not None:
        return notification.raw
    try:
        return json.loads(event.provider_data or "null")
    except (ValueError, RecursionError):
        return event.provider_data  # a form, or another format of a vendor


def _raw_part(body: Any) -> dict[str, Any]:
    try:
        plain = plain_json(body)
        if len(json.dumps(plain, allow_nan=False)) <= MAX_RAW:  # other JSON parsers refuse NaN
            return {"raw": plain, "raw_left_out": False}
    except ValueError:
        pass  # left out as well
    return {"raw": None, "raw_left_out": True}


def _found_at(body: Any, path: list[str]) -> list[Any]:
    """Return the values at a path; none if the path is deeper than Python's recursion limit."""
    try:
        return list(_at(body, path))
    except RecursionError:
        return []


def _at(body: Any, path: list[str]) -> Iterator[Any]:
    """Yield the values at a path. In a list, a number selects an item; any other part searches all items."""
    if not path:
        yield from body if isinstance(body, list) else [body]
        return
    head, *rest = path
    if isinstance(body, Mapping):
        if head in body:
            yield from _at(body[head], rest)
    elif isinstance(body, list):
        if head.isascii() and head.isdigit():
            if int(head) < len(body):
                yield from _at(body[int(head)], rest)
        else:
            for each in body:
                yield from _at(each, path)


def _comparable(values: tuple[Any, ...]) -> list[str]:
    """Return accepted values so that equal ones are alike, by :func:`_same`: their order does not count."""
    plain = (bool, type(None))
    return sorted({repr(each) if isinstance(each, plain) else f"={each}" for each in values})


def _same(found: Any, wanted: Any) -> bool:
    """Return whether two values are equal; a number equals its digits."""
    if isinstance(found, Mapping | list):
        return False
    if found is None or wanted is None or isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return str(found) == str(wanted)
