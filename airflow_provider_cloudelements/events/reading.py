"""Read the list of events once: for all waiters together, or for one caller that wants very many events.

Each waiter has a cursor of its own. A reading reads the list once, from the oldest cursor. A waiter with a
later cursor gets only the events that are new to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pendulum

from airflow_provider_cloudelements.client.events import EventsApi
from airflow_provider_cloudelements.client.listed import AnyEvent
from airflow_provider_cloudelements.client.target import Target
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.events.batch import EventBatch, EventLimits, sorted_rows
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.membership import Members
from airflow_provider_cloudelements.events.query import EventQuery, EventRow, untold_instances
from airflow_provider_cloudelements.events.scan import MAX_PAGES, SETTLE_TIME, EventReader, short_id
from airflow_provider_cloudelements.exceptions import CloudElementsError

__all__ = ["EventBatch", "EventLimits"]


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


class ListOrders:
    """Remember the order of lists from their last whole readings: the account's, and instances' own.

    A cursor does not hold this knowledge, because it lives longer and may be used with another list.
    """

    def __init__(self) -> None:
        self._known: dict[int | None, tuple[EventCursor, int]] = {}

    def learn(self, instance_id: int | None, cursor: EventCursor, pages: int) -> None:
        """Remember what a reading has shown.

        :param instance_id: The instance whose list was read; ``None``: the account's list.
        :param cursor: Where the reading ended.
        :param pages: How many pages it read.
        """
        before = self._cursor(instance_id)
        if cursor.newest_first and (before is None or before.whole != cursor.whole):
            pages = 1  # it read the whole list, and the next one may stop early
        self._known[instance_id] = (cursor, pages)

    def pages(self, instance_id: int | None) -> int | None:
        """Return how many pages the next reading of a list may take; ``None`` if it was not read yet."""
        known = self._known.get(instance_id)
        return None if known is None else known[1]

    def _cursor(self, instance_id: int | None) -> EventCursor | None:
        known = self._known.get(instance_id)
        return None if known is None else known[0]

    def reached(self, instance_id: int | None) -> pendulum.DateTime | None:
        """Return the date down to which the next reading of a list goes, if it may stop early."""
        known = self._cursor(instance_id)
        return known.stop if known is not None and known.trusted(pendulum.now("UTC")) else None

    def merged(self, instance_id: int | None, looks: Sequence[EventLook]) -> EventCursor:
        """Return one cursor that serves all looks."""
        cursors = [look.cursor for look in looks]
        # Looks that took part in the same ticks have the same set.
        seen = frozenset.intersection(*{cursor.seen for cursor in cursors})
        since = min(cursor.since for cursor in cursors)
        stop = min(cursor.reach for cursor in cursors)
        local = any(cursor.local for cursor in cursors)
        known = self._cursor(instance_id)
        if known is None:
            return EventCursor(since, seen, stop=stop, local=local)
        return EventCursor(since, seen, known.newest_first, stop, known.whole, local=local)


def only_instance(looks: Iterable[EventLook]) -> int | None:
    """Return the instance whose own list serves all looks, if there is one."""
    ids = {look.query.instance_id for look in looks}
    return ids.pop() if len(ids) == 1 else None


def read_events(
    http: HttpSession, looks: Sequence[EventLook], orders: ListOrders | None = None
) -> list[EventBatch | Exception]:
    """Read the list once, and return for each look the events that are new to it.

    A look has an error in place of a batch if what it alone asked for failed: the call for its tag, or a list
    that is too long for its cursor alone. Its cursor then stays where it was. A look over its own
    ``max_pages`` is served as long as another look reads on.

    :param http: Sends the calls.
    :param looks: The looks to serve; one at least.
    :param orders: The known orders of lists; the reading adds what it learns. Default: none, so that it reads
        the whole list.
    :raises CloudElementsValidationError: A look is malformed, or the list has more pages than any allows.
    :raises CloudElementsError: A call failed that all looks need. All cursors then stay where they were.
    """
    orders = ListOrders() if orders is None else orders
    reading = _Reading(http, looks, orders)
    try:
        failed, found = _select(reading)
    except CloudElementsError as error:
        far = reading.far_back() if reading.too_long else []
        if not far or len(far) == len(looks):
            raise
        rest = iter(read_events(http, [look for at, look in enumerate(looks) if at not in far], orders))
        return [error if at in far else next(rest) for at in range(len(looks))]
    if len(failed) == len(looks):
        if len({id(error) for error in failed.values()}) == 1:
            raise failed[0]
        return [failed[at] for at in range(len(looks))]
    orders.learn(reading.instance_id, reading.reached, reading.pages)
    batches: list[EventBatch | Exception] = []
    for at, reader in enumerate(reading.readers):
        if at in failed:
            batches.append(failed[at])
        else:
            batches.append(EventBatch(sorted_rows(found[at]), reader.before, reader.after(reading.reached)))
    return batches


def read_one(http: HttpSession, look: EventLook) -> EventBatch:
    """Read the whole list for one look.

    :param http: Sends the calls.
    :param look: What to look for, and where to begin.
    :raises CloudElementsError: As :func:`read_events`.
    """
    (batch,) = read_events(http, [look])
    if isinstance(batch, Exception):
        raise batch
    return batch


def _select(reading: _Reading) -> tuple[dict[int, Exception], list[list[EventRow]]]:
    """Read to the end, or until no look is left; return the looks that failed, and the rows of each look."""
    found: list[list[EventRow]] = [[] for _ in reading.readers]
    failed: dict[int, Exception] = {}
    for event in reading:
        key = short_id(event.id)
        for at, reader in enumerate(reading.readers):
            if at in failed:
                continue
            try:
                found[at].extend(reader.wanted(event, key))
            except Exception as error:
                if isinstance(error, CloudElementsError) and error.concerns_account:
                    raise
                failed[at] = error
        if len(failed) == len(found):
            break
    return failed, found


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
        targets = [look.query.target(http.settings) for look in looks]
        members = Members(http, [target for target in targets if target.instance_id is None])
        self.instance_id = only_instance(looks)
        self._looks = looks
        self._max_pages = max(look.max_pages for look in looks)
        self._begin = orders.merged(self.instance_id, looks)
        self._in_order = self._begin.trusted(pendulum.now("UTC"))
        self._raw = any(look.raw or look.query.needs_raw for look in looks)
        self._reader = EventReader(
            EventsApi(http),
            self._begin,
            instance_id=self.instance_id,
            settle_time=SETTLE_TIME,
            max_pages=self._max_pages,
            until=_common_end(looks),
        )
        self.readers = [
            _LookReader(look, target, members, self._reader)
            for look, target in zip(looks, targets, strict=True)
        ]

    def __iter__(self) -> Iterator[AnyEvent]:
        """Yield the events that are new to any of the looks."""
        return iter(self._reader) if self._raw else self._reader.listed()

    @property
    def pages(self) -> int:
        """How many pages were read."""
        return self._reader.pages

    @property
    def too_long(self) -> bool:
        """Whether the list has more pages than any look allows."""
        return self._reader.pages > self._max_pages

    def far_back(self) -> list[int]:
        """Return the looks because of which the reading went so far: none if the order is not known."""
        last = self._reader.last_date
        if not self._in_order or last is None:
            return []
        return [at for at, look in enumerate(self._looks) if look.cursor.reach <= last]

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
    :param target: The instances that the look names.
    :param members: Says which instances have which tag or key.
    :param reader: The common reading. Once it has begun, it knows the platform's clock.
    """

    def __init__(self, look: EventLook, target: Target, members: Members, reader: EventReader) -> None:
        self._look = look
        self._target = target
        self._members = members
        self._reader = reader
        self._held: dict[str, pendulum.DateTime] = {}

    @cached_property
    def before(self) -> EventCursor:
        """Where the look begins, by the platform's clock, as the events' dates are."""
        return self._look.cursor.on_platform(self._reader.ahead)

    def wanted(self, event: AnyEvent, key: str) -> Iterable[EventRow]:
        """Return the wanted rows of an event, and remember an event that must be read again."""
        cursor, query, until = self.before, self._look.query, self._look.until
        if (event.date is not None and event.date < cursor.since) or key in cursor.seen:
            return ()
        if until is not None and event.date is not None and event.date >= until:
            return self._hold(event, key)
        # The platform adds later which instances the event concerns, or what changed. Until then there is no
        # need to ask which instances have the tag.
        unfinished = not event.instance_ids or (not event.notifications and query.needs_objects)
        if unfinished and self._is_young(event):
            return self._hold(event, key)
        if query.instance_id is not None:
            ids: Collection[int] = (query.instance_id,)
        else:
            ids = self._members.of(self._target, event)
        # The list of instances with the tag is empty when its call fails in passing.
        unfinished = not ids or (query.needs_objects and bool(untold_instances(event, ids)))
        if unfinished and self._is_young(event):
            return self._hold(event, key)
        rows = query.rows(event, ids, raw=self._look.raw)
        if key not in cursor.partly:
            return rows
        told = cursor.partly[key].rows
        return (row for row in rows if row.mark not in told)

    def _hold(self, event: AnyEvent, key: str) -> Iterable[EventRow]:
        """Return no rows of an event now, so that a later reading returns it again."""
        self._held[key] = event.date or self._reader.now
        return ()

    def _is_young(self, event: AnyEvent) -> bool:
        """Return whether parts of an event may still come; not for a wrong date, far in the future."""
        return event.date is not None and abs((self._reader.now - event.date).total_seconds()) < SETTLE_TIME

    def after(self, reached: EventCursor) -> EventCursor:
        """Return the cursor from which this look goes on, after the end of the list.

        :param reached: Where the reading ended.
        """
        before = self.before
        # Not past an event that is held back, so that a later reading returns it again.
        since = max(before.since, min([reached.since, *self._held.values()]))
        # As long as the cursor does not move, keep what was read before.
        seen = reached.seen if since > before.since else before.seen | reached.seen
        seen = seen.difference(self._held)
        return EventCursor(since, seen, stop=reached.stop, partly=before.partly_after(since, seen))
