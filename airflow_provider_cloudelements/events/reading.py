"""Read the list of events once: for all waiters together, or for one caller that wants very many events.

Each waiter has a cursor of its own. A reading reads the list once, from the oldest cursor. A waiter with a
later cursor gets only the events that are new to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.events import EventsApi
from airflow_provider_cloudelements.client.notifications import Event
from airflow_provider_cloudelements.client.parsing import parse_date
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.events.cursor import EventCursor, PartlyTold
from airflow_provider_cloudelements.events.membership import Members
from airflow_provider_cloudelements.events.query import EventQuery, EventRow, untold_instances
from airflow_provider_cloudelements.events.scan import MAX_PAGES, SETTLE_TIME, EventReader, short_id

__all__ = ["EventBatch", "EventLimits"]

#: Smallest limit of bytes: one row is always smaller.
LEAST_BYTES = 32_768


@dataclass(frozen=True, slots=True)
class EventLimits:
    """Limit the size of one batch and of one reading. Make limits with :meth:`of`.

    :param rows: Most rows.
    :param size: Most bytes of the rows as JSON. A batch has at least one row, which is smaller than the least
        value of this limit.
    :param pages: Most pages (of 200 events) of one reading.
    """

    rows: int
    size: int
    pages: int

    @classmethod
    def of(cls, *, max_events: int, max_bytes: int, max_pages: int) -> EventLimits:
        """Make limits from arguments.

        :raises ValueError: An argument is not an integer, or out of bounds.
        """
        for name, value, least in (
            ("max_events", max_events, 1),
            ("max_bytes", max_bytes, LEAST_BYTES),
            ("max_pages", max_pages, 1),
        ):
            require_count(name, value, least)
        return cls(max_events, max_bytes, max_pages)

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments that make the limits again."""
        return {"max_events": self.rows, "max_bytes": self.size, "max_pages": self.pages}


def require_count(name: str, value: Any, least: int = 1) -> int:
    """Check an argument that is a whole number.

    :raises ValueError: The value is not an integer, or too small.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an integer of {least} or more; it is not templated.")
    return value


@dataclass(frozen=True, slots=True)
class EventLook:
    """Say what to look for, and where to begin.

    :param query: What to look for.
    :param cursor: Where to begin.
    :param max_pages: Most pages (of 200 events) to read.
    :param raw: Whether to keep the vendor's body.
    :param until: Only events before this moment; the cursor after them stays before it. Default: no end.
    :param caught_up: Whether the cursor comes from a reading, so that the next reading is short.
    """

    query: EventQuery
    cursor: EventCursor
    max_pages: int = MAX_PAGES
    raw: bool = False
    caught_up: bool = False
    until: pendulum.DateTime | None = None

    def after(self, batch: EventBatch) -> EventLook:
        """Return the look for the events after a batch."""
        return replace(self, cursor=batch.after, caught_up=True)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Hold the result of a reading for one look, oldest first.

    :param rows: The rows found.
    :param before: Where the reading began.
    :param after: Where the next reading begins, once all rows are handed on.
    """

    rows: tuple[EventRow, ...] = field(repr=False)
    before: EventCursor
    after: EventCursor

    def joined(self, later: EventBatch) -> EventBatch:
        """Return one batch of this batch and that of the next reading."""
        return EventBatch(sorted_rows([*self.rows, *later.rows]), self.before, later.after)

    def take(self, limits: EventLimits) -> tuple[EventBatch, EventBatch]:
        """Return a first part within the limits, of at least one row if there is one, and the rest."""
        count, size = 0, 0
        for row in self.rows[: limits.rows]:
            size += row.size + 2  # the comma between two rows
            if count and size > limits.size:
                break
            count += 1
        if count == len(self.rows):
            return self, EventBatch((), self.after, self.after)
        between = self._cursor_after(count)
        return (
            EventBatch(self.rows[:count], self.before, between),
            EventBatch(self.rows[count:], between, self.after),
        )

    def _cursor_after(self, count: int) -> EventCursor:
        """Return a cursor after the first rows alone: an event is done with its last row."""
        rest = self.rows[count:]
        untold = {row.key for row in rest}
        told = {row.key for row in self.rows[:count]}
        since = self.before.since
        dates = [row.date for row in rest if row.date is not None]
        if len(dates) == len(rest):
            since = max(since, min(self.after.since, *dates))
        seen = (self.before.seen | told | self.after.seen) - untold
        partly = partly_told(self.before, self.rows[:count], rest)
        return EventCursor(since, seen, partly=partly, local=self.before.local and since == self.before.since)

    def as_json(self) -> dict[str, Any]:
        """Return the rows and the cursor to go on from, as JSON for XCom."""
        return {"events": [row.data for row in self.rows], "cursor": self.after.as_json()}


def partly_told(
    before: EventCursor, told: Sequence[EventRow], rest: Sequence[EventRow]
) -> dict[str, PartlyTold]:
    """Return the events that are cut: some of their rows were returned, some were not.

    :param before: Where the reading of the rows began.
    :param told: The rows that were returned, sorted.
    :param rest: The other rows, sorted.
    """
    waiting = {row.key for row in rest}
    cut = {key: each for key, each in before.partly.items() if key in waiting}
    if rest:
        # Rows of one event are sorted to stand together, so the limits cut one event at most.
        key, date = rest[0].key, rest[0].date
        marks = set()
        for row in reversed(told):
            if row.key != key:
                break
            marks.add(row.mark)
        if marks:
            earlier = cut[key].rows if key in cut else frozenset()
            cut[key] = PartlyTold(date, earlier | marks)
    return cut


class ListOrders:
    """Remember the order of lists from their last whole readings: the account's, and instances' own.

    A cursor does not hold this knowledge, because it lives longer and may be used with another list.
    """

    def __init__(self) -> None:
        self._known: dict[int | None, EventCursor] = {}

    def learn(self, instance_id: int | None, cursor: EventCursor) -> None:
        """Remember what a reading has shown.

        :param instance_id: The instance whose list was read; ``None``: the account's list.
        :param cursor: Where the reading ended.
        """
        self._known[instance_id] = cursor

    def reached(self, instance_id: int | None) -> pendulum.DateTime | None:
        """Return the date down to which the next reading of a list goes, if it may stop early."""
        known = self._known.get(instance_id)
        return known.stop if known is not None and known.trusted(pendulum.now("UTC")) else None

    def merged(self, instance_id: int | None, looks: Sequence[EventLook]) -> EventCursor:
        """Return one cursor that serves all looks."""
        cursors = [look.cursor for look in looks]
        # Looks that took part in the same ticks have the same set.
        seen = frozenset.intersection(*{cursor.seen for cursor in cursors})
        since = min(cursor.since for cursor in cursors)
        stop = min(cursor.reach for cursor in cursors)
        local = any(cursor.local for cursor in cursors)
        known = self._known.get(instance_id)
        if known is None:
            return EventCursor(since, seen, stop=stop, local=local)
        return EventCursor(since, seen, known.newest_first, stop, known.whole, local=local)


def only_instance(looks: Iterable[EventLook]) -> int | None:
    """Return the instance whose own list serves all looks, if there is one."""
    ids = {look.query.instance_id for look in looks}
    return ids.pop() if len(ids) == 1 else None


def read_events(
    http: HttpSession, looks: Sequence[EventLook], orders: ListOrders | None = None
) -> list[EventBatch]:
    """Read the list once, and return for each look the events that are new to it.

    :param http: Sends the calls.
    :param looks: The looks to serve; one at least.
    :param orders: The known orders of lists; the reading adds what it learns. Default: none, so that it reads
        the whole list.
    :raises CloudElementsValidationError: A look is malformed, or the list has more pages than the limit.
    :raises CloudElementsError: A call failed. All cursors then stay where they were.
    """
    orders = ListOrders() if orders is None else orders
    reading = _Reading(http, looks, orders)
    found: list[list[EventRow]] = [[] for _ in looks]
    for event in reading:
        key = short_id(event.id)
        for reader, rows in zip(reading.readers, found, strict=True):
            rows.extend(reader.wanted(event, key))
    orders.learn(reading.instance_id, reading.reached)
    return [
        EventBatch(sorted_rows(rows), look.cursor, reader.after(reading.reached))
        for look, reader, rows in zip(looks, reading.readers, found, strict=True)
    ]


class EventStream:
    """Yield what is new to one look, a row at a time, however many rows there are.

    Iterate it to its end, then take :attr:`cursor`. Rows come in the order of the list, which is not known
    (unknown U281). To sort them, the stream would have to keep all. It keeps two pages in memory, and twelve
    characters for each event of ``SETTLE_TIME``.

    :param http: Sends the calls.
    :param look: What to look for, and where to begin.
    """

    def __init__(self, http: HttpSession, look: EventLook) -> None:
        self._http = http
        self._look = look
        self._cursor: EventCursor | None = None

    @property
    def cursor(self) -> EventCursor:
        """Where the next reading begins.

        :raises RuntimeError: The stream has not come to its end.
        """
        if self._cursor is None:
            raise RuntimeError("the stream was not iterated to its end")
        return self._cursor

    def __iter__(self) -> Iterator[EventRow]:
        """Yield the rows. Each iteration is a reading of its own.

        :raises CloudElementsValidationError: The look is malformed, or the list has more pages than the
            limit.
        :raises CloudElementsError: A call failed.
        """
        self._cursor = None
        reading = _Reading(self._http, [self._look], ListOrders())
        (reader,) = reading.readers
        for event in reading:
            yield from reader.wanted(event, short_id(event.id))
        self._cursor = reader.after(reading.reached)


class _Reading:
    """Read the list once, from the oldest cursor on.

    :param http: Sends the calls.
    :param looks: The looks to serve; one at least.
    :param orders: The known orders of lists.
    """

    def __init__(self, http: HttpSession, looks: Sequence[EventLook], orders: ListOrders) -> None:
        each_tag = [look.query.target(http.settings).tag for look in looks]
        members = Members(http, {tag for tag in each_tag if tag is not None})
        self.instance_id = only_instance(looks)
        self._reader = EventReader(
            EventsApi(http),
            orders.merged(self.instance_id, looks),
            instance_id=self.instance_id,
            settle_time=SETTLE_TIME,
            max_pages=max(look.max_pages for look in looks),
            until=_common_end(looks),
        )
        self.readers = [
            _LookReader(look, tag, members, self._reader) for look, tag in zip(looks, each_tag, strict=True)
        ]

    def __iter__(self) -> Iterator[Event]:
        """Yield the events that are new to any of the looks."""
        yield from self._reader

    @property
    def reached(self) -> EventCursor:
        """Where the reading ended."""
        return self._reader.cursor


def _common_end(looks: Iterable[EventLook]) -> pendulum.DateTime | None:
    """Return the moment from which on no look wants events; ``None`` if there is none."""
    ends = [look.until for look in looks]
    return None if None in ends else max(ends)  # type: ignore[type-var]


class _LookReader:
    """Select from the common reading the events that are new to one look and that it wants.

    :param look: The look.
    :param tag: The tag of the selected instances, if the look does not name an id.
    :param members: Says which instances have which tag.
    :param reader: The common reading. Once it has begun, it knows the platform's clock.
    """

    def __init__(self, look: EventLook, tag: str | None, members: Members, reader: EventReader) -> None:
        self._look = look
        self._tag = tag
        self._members = members
        self._reader = reader
        self._held: dict[str, pendulum.DateTime] = {}

    @cached_property
    def _before(self) -> EventCursor:
        return self._look.cursor.on_platform(self._reader.ahead)

    def wanted(self, event: Event, key: str) -> Iterable[EventRow]:
        """Return the wanted rows of an event, and remember an event that must be read again."""
        cursor, query, until = self._before, self._look.query, self._look.until
        if (event.date is not None and event.date < cursor.since) or key in cursor.seen:
            return ()
        if until is not None and event.date is not None and event.date >= until:
            return self._hold(event, key)
        # The platform adds later which instances the event concerns, or what changed. Until then there is no
        # need to ask which instances have the tag.
        unfinished = not event.instance_ids or (query.needs_objects and not event.notifications)
        if unfinished and self._is_young(event):
            return self._hold(event, key)
        if query.instance_id is not None:
            ids: Collection[int] = (query.instance_id,)
        else:
            ids = self._members.of(str(self._tag), event)
        # The list of instances with the tag is empty when its call fails in passing.
        unfinished = not ids or (query.needs_objects and bool(untold_instances(event, ids)))
        if unfinished and self._is_young(event):
            return self._hold(event, key)
        rows = query.rows(event, ids, raw=self._look.raw)
        if key not in cursor.partly:
            return rows
        told = cursor.partly[key].rows
        return (row for row in rows if row.mark not in told)

    def _hold(self, event: Event, key: str) -> Iterable[EventRow]:
        """Return no rows of an event now, so that a later reading returns it again."""
        self._held[key] = event.date or self._reader.now
        return ()

    def _is_young(self, event: Event) -> bool:
        """Return whether parts of an event may still come; not for a wrong date, far in the future."""
        return event.date is not None and abs((self._reader.now - event.date).total_seconds()) < SETTLE_TIME

    def after(self, reached: EventCursor) -> EventCursor:
        """Return the cursor from which this look goes on, after the end of the list.

        :param reached: Where the reading ended.
        """
        before = self._before
        # Not past an event that is held back, so that a later reading returns it again.
        since = max(before.since, min([reached.since, *self._held.values()]))
        # As long as the cursor does not move, keep what was read before.
        seen = reached.seen if since > before.since else before.seen | reached.seen
        seen = seen.difference(self._held)
        return EventCursor(since, seen, stop=reached.stop, partly=before.partly_after(since, seen))


def sorted_rows(rows: Iterable[EventRow]) -> tuple[EventRow, ...]:
    """Sort rows by date, oldest first, and keep the rows of one event together; rows without a date first."""
    first = parse_date("1970-01-01")
    return tuple(sorted(rows, key=lambda row: (row.date or first, row.key)))
