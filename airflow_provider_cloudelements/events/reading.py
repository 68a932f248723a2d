"""One reading of the list of events: for all who wait for some, or for one who wants very many.

Each has a cursor of its own. The list is read once, from the oldest of them; whoever is further on is told
only what is new to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.events import EventsApi
from airflow_provider_cloudelements.client.notifications import Event
from airflow_provider_cloudelements.client.parsing import parse_date
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.membership import Members
from airflow_provider_cloudelements.events.query import EventQuery, EventRow, untold_instances
from airflow_provider_cloudelements.events.scan import MAX_PAGES, SETTLE_TIME, EventReader, short_id
from airflow_provider_cloudelements.exceptions import (
    CloudElementsServerError,
    CloudElementsValidationError,
)

#: Least bound of bytes: one row is always smaller.
LEAST_BYTES = 32_768


@dataclass(frozen=True, slots=True)
class EventLimits:
    """How much is told at once, and read for it. Make it with :meth:`of`.

    :param rows: Most rows.
    :param size: Most bytes of them as JSON; one row is told in any case, and is smaller than the least of it.
    :param pages: Most pages (of 200 events) of one reading.
    """

    rows: int
    size: int
    pages: int

    @classmethod
    def of(cls, *, max_events: int, max_bytes: int, max_pages: int) -> EventLimits:
        """Make limits of arguments.

        :raises ValueError: One is no integer, or out of bounds.
        """
        for name, value, least in (
            ("max_events", max_events, 1),
            ("max_bytes", max_bytes, LEAST_BYTES),
            ("max_pages", max_pages, 1),
        ):
            require_count(name, value, least)
        return cls(max_events, max_bytes, max_pages)


def require_count(name: str, value: Any, least: int = 1) -> int:
    """Check an argument that is a whole number.

    :raises ValueError: It is something else, or too small.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an integer of {least} or more; it is not templated.")
    return value


@dataclass(frozen=True, slots=True)
class EventLook:
    """What somebody looks for, and from where on.

    :param query: What.
    :param cursor: From where on.
    :param max_pages: Most pages (of 200 events) that are read.
    :param raw: Whether to keep the vendor's body.
    :param caught_up: Whether the cursor comes from a reading, so that the next one is short.
    """

    query: EventQuery
    cursor: EventCursor
    max_pages: int = MAX_PAGES
    raw: bool = False
    caught_up: bool = False

    def after(self, batch: EventBatch) -> EventLook:
        """Return the look for what comes after a batch."""
        return replace(self, cursor=batch.after, caught_up=True)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """What a reading found for one look, oldest first.

    :param rows: What was found.
    :param before: Where the reading began.
    :param after: Where the next one begins, once all rows are told.
    """

    rows: tuple[EventRow, ...] = field(repr=False)
    before: EventCursor
    after: EventCursor

    def joined(self, later: EventBatch) -> EventBatch:
        """Return this batch and the one of the next reading as one."""
        return EventBatch(sorted_rows([*self.rows, *later.rows]), self.before, later.after)

    def take(self, limits: EventLimits) -> tuple[EventBatch, EventBatch]:
        """Return a first part that keeps within bounds, though of one row at least, and the rest."""
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
        """Return a cursor behind the first rows alone: an event counts as told with its last row."""
        rest = self.rows[count:]
        untold = {row.key for row in rest}
        told = {row.key for row in self.rows[:count]}
        since = self.before.since
        dates = [row.date for row in rest if row.date is not None]
        if len(dates) == len(rest):
            since = max(since, min(self.after.since, *dates))
        return EventCursor(since, (self.before.seen | told | self.after.seen) - untold)

    def as_json(self) -> dict[str, Any]:
        """Return what is found and where to go on, fit for XCom."""
        return {"events": [row.data for row in self.rows], "cursor": self.after.as_json()}


class ListOrders:
    """What is known of the order of lists from their last whole readings: the account's, and instances' own.

    It is no business of a cursor's, which outlives it and may be used with another list.
    """

    def __init__(self) -> None:
        self._known: dict[int | None, EventCursor] = {}

    def learn(self, instance_id: int | None, cursor: EventCursor) -> None:
        """Remember what a reading has shown.

        :param instance_id: Whose list was read; ``None``: the account's.
        :param cursor: Where the reading ended.
        """
        self._known[instance_id] = cursor

    def reached(self, instance_id: int | None) -> pendulum.DateTime | None:
        """Return down to where the next reading of a list goes, where it may stop early."""
        known = self._known.get(instance_id)
        return known.stop if known is not None and known.trusted(pendulum.now("UTC")) else None

    def merged(self, instance_id: int | None, looks: Sequence[EventLook]) -> EventCursor:
        """Return the cursor from which all looks are served."""
        cursors = [look.cursor for look in looks]
        # Those who have taken ticks together have one and the same set.
        seen = frozenset.intersection(*{cursor.seen for cursor in cursors})
        since = min(cursor.since for cursor in cursors)
        stop = min(cursor.reach for cursor in cursors)
        known = self._known.get(instance_id)
        if known is None:
            return EventCursor(since, seen, stop=stop)
        return EventCursor(since, seen, known.newest_first, stop, known.whole)


def only_instance(looks: Iterable[EventLook]) -> int | None:
    """Return the instance whose own list serves all looks, if there is one."""
    ids = {look.query.instance_id for look in looks}
    return ids.pop() if len(ids) == 1 else None


def read_events(
    http: HttpSession, looks: Sequence[EventLook], orders: ListOrders | None = None
) -> list[EventBatch]:
    """Read the list once, and return for each look what is new to it.

    :param http: Sends the calls.
    :param looks: For what; one at least.
    :param orders: What is known of lists, and what is learned. Default: nothing, so that the list is read
        whole.
    :raises CloudElementsValidationError: A look is malformed, or there are more pages than are to be read.
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
    """What is new to one look, a row at a time, however much that is.

    Iterate it to its end, then take :attr:`cursor`. Rows come in the order of the list, which is not
    known (unknown U281): to sort them, all would have to be kept. Memory is that of two pages, and of twelve
    characters for each event of ``SETTLE_TIME``.

    :param http: Sends the calls.
    :param look: For what, and from where on.
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

        :raises CloudElementsValidationError: The look is malformed, or there are more pages than are to be
            read.
        :raises CloudElementsError: A call failed.
        """
        self._cursor = None
        reading = _Reading(self._http, [self._look], ListOrders())
        (reader,) = reading.readers
        for event in reading:
            yield from reader.wanted(event, short_id(event.id))
        self._cursor = reader.after(reading.reached)


class _Reading:
    """One reading of the list, from the oldest cursor on.

    :param http: Sends the calls.
    :param looks: For what; one at least.
    :param orders: What is known of lists.
    """

    def __init__(self, http: HttpSession, looks: Sequence[EventLook], orders: ListOrders) -> None:
        each_tag = [look.query.target(http.settings).tag for look in looks]
        members = Members(http, {tag for tag in each_tag if tag is not None})
        self.readers = [_Reader(look, tag, members) for look, tag in zip(looks, each_tag, strict=True)]
        self.instance_id = only_instance(looks)
        self._max_pages = max(look.max_pages for look in looks)
        self._reader = EventReader(
            EventsApi(http),
            orders.merged(self.instance_id, looks),
            instance_id=self.instance_id,
            settle_time=SETTLE_TIME,
            max_pages=self._max_pages,
        )

    def __iter__(self) -> Iterator[Event]:
        """Yield what is new to anyone."""
        try:
            yield from self._reader
        except CloudElementsServerError as error:
            if self._reader.pages > self._max_pages:
                # It stays so, however often it is read.
                raise CloudElementsValidationError(str(error)) from error
            raise

    @property
    def reached(self) -> EventCursor:
        """Where the reading ended."""
        return self._reader.cursor


class _Reader:
    """Tells of what is read for all what is new to one, and wanted.

    :param look: What is wanted.
    :param tag: The tag of the instances that are meant, where they are not meant by id.
    :param members: Who has which tag.
    """

    def __init__(self, look: EventLook, tag: str | None, members: Members) -> None:
        self._look = look
        self._tag = tag
        self._members = members
        self._now = pendulum.now("UTC")
        self._held: dict[str, pendulum.DateTime] = {}

    def wanted(self, event: Event, key: str) -> Iterable[EventRow]:
        """Return what is wanted of an event, and remember one that is to be met again."""
        cursor, query = self._look.cursor, self._look.query
        if (event.date is not None and event.date < cursor.since) or key in cursor.seen:
            return ()
        # Whom it concerns, or what changed: that comes later, and nobody needs to be asked who has the tag.
        unfinished = not event.instance_ids or (query.needs_objects and not event.notifications)
        if unfinished and self._is_young(event):
            return self._hold(event, key)
        if query.instance_id is not None:
            ids: Collection[int] = (query.instance_id,)
        else:
            ids = self._members.of(str(self._tag), event)
        # A list of who has the tag that fails in passing is empty.
        unfinished = not ids or (query.needs_objects and bool(untold_instances(event, ids)))
        if unfinished and self._is_young(event):
            return self._hold(event, key)
        return query.rows(event, ids, raw=self._look.raw)

    def _hold(self, event: Event, key: str) -> Iterable[EventRow]:
        """Tell nothing of an event now, so that it is met again."""
        self._held[key] = event.date or self._now
        return ()

    def _is_young(self, event: Event) -> bool:
        """Say whether it is so young that more of it may still come; a date far in the future is wrong."""
        return event.date is not None and abs((self._now - event.date).total_seconds()) < SETTLE_TIME

    def after(self, reached: EventCursor) -> EventCursor:
        """Return where this one goes on, once the whole list was met.

        :param reached: Where the reading ended.
        """
        before = self._look.cursor
        # Not past what is held back, so that it is met again.
        since = max(before.since, min([reached.since, *self._held.values()]))
        # Where the cursor does not move, what was read before counts as long as it stays.
        seen = reached.seen if since > before.since else before.seen | reached.seen
        seen = seen.difference(self._held)
        return EventCursor(since, seen, stop=reached.stop)


def sorted_rows(rows: Iterable[EventRow]) -> tuple[EventRow, ...]:
    """Sort rows by date, oldest first, those of one event together; what has no date comes first."""
    first = parse_date("1970-01-01")
    return tuple(sorted(rows, key=lambda row: (row.date or first, row.key)))
