"""Compare the events that a receiver should have got with the platform's deliveries to it.

Neither list is certain to be complete: it is not known how long the platform keeps events and deliveries, and
in which order it lists them (U281, U282, U244). So an event counts as delivered only if its delivery says so.
In every doubt the event counts as missing. That costs a repetition, and loses nothing.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import pendulum

from airflow_provider_cloudelements.client.arguments import moment, seconds, whole_number
from airflow_provider_cloudelements.client.deliveries import DELIVERED, DeliveriesApi, Delivery
from airflow_provider_cloudelements.client.notifications import Event
from airflow_provider_cloudelements.client.parsing import parse_date
from airflow_provider_cloudelements.events.batch import EventBatch, EventLimits, sorted_rows
from airflow_provider_cloudelements.events.cursor import EventCursor, require_cursor
from airflow_provider_cloudelements.events.query import EventQuery, EventRow
from airflow_provider_cloudelements.events.scan import (
    LONGEST_SETTLE_TIME,
    MAX_PAGES,
    SETTLE_TIME,
    EventReader,
    short_id,
)
from airflow_provider_cloudelements.exceptions import CloudElementsNotFoundError, CloudElementsServerError

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client import CloudElementsClient

__all__ = ["MissedEvents", "Reconciliation", "reconcile"]

log = logging.getLogger(__name__)

#: Seconds before the next reading of a list of events that broke off.
_PAUSES = (2.0, 8.0)
#: Most notifications that are looked up one by one, because the list of deliveries did not show them.
MAX_CALLS = 1000
#: Events that are compared at a time, and so are in memory. Each further such number of events costs another
#: reading of the list of deliveries.
AT_ONCE = 20_000

#: Why an event is missing, if no delivery's status says it: the platform made no notification of it (yet);
#: it has no delivery of the notification to the receiver; or there were too many to look all of them up.
NOT_NOTIFIED, NO_DELIVERY, NOT_LOOKED_UP = "not notified", "no delivery", "not looked up"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Hold the number of events that a receiver should have got, and those that it did not get.

    :param listed: How many events the platform lists for the receiver.
    :param missing: The undelivered events, oldest first: one row for each object that changed.
    :param states: How many notifications were not delivered, by state: the status of their delivery, such as
        ``queued`` or ``retry``, or :data:`NOT_NOTIFIED`, :data:`NO_DELIVERY`, :data:`NOT_LOOKED_UP`.
    :param unattributed: How many events name no instance, so that it is not known which one they concern.
    """

    listed: int
    missing: EventBatch = field(repr=False)
    states: Mapping[str, int]
    unattributed: int

    @property
    def undelivered(self) -> int:
        """The number of events that were not delivered, or only in part."""
        return len({row.key for row in self.missing.rows})

    def as_json(self, limits: EventLimits) -> dict[str, Any]:
        """Return the result as JSON for XCom.

        :param limits: Limits on the missing rows to return; the oldest rows come first.
        :return: ``listed``, ``delivered`` and ``missing`` (numbers of events), ``states``, ``unattributed``,
            ``events`` (the rows) and ``rest``: the cursor to reconcile from once these rows are taken care
            of, or ``None`` if there are no more rows.
        """
        told, rest = self.missing.take(limits)
        return {
            "listed": self.listed,
            "delivered": self.listed - self.undelivered,
            "missing": self.undelivered,
            "states": dict(sorted(self.states.items())),
            "unattributed": self.unattributed,
            "events": [row.data for row in told.rows],
            "rest": told.after.as_json() if rest.rows else None,
        }


class MissedEvents:
    """Yield the rows of the events that a receiver did not get, however many. Iterate it to its end.

    The receiver's subscriptions say which instances deliver to it. Deliveries to other receivers prove
    nothing. If an event has several notifications, it is delivered when each of them is. If several
    subscriptions bring a notification to the same address, it is delivered when one of them brought it.

    The comparison first reads the list of events into a temporary file; once, or up to three times if the
    list breaks off: nothing follows a page that announced more. Then it compares 20,000 events at a time, so
    that memory does not grow with their number. For each 20,000 it reads the list of deliveries once, and
    stops as soon as it has found everything. It makes one call for each notification that this list did not
    show.

    Rows come in the order of the platform's list. No event comes twice, also not in a reading that begins at
    the :attr:`cursor` of this one.

    :param client: The account.
    :param callback_url: Address of the receiver, as the instances have it.
    :param since: Where to begin.
    :param until: Only events that the platform took in before then, by this machine's clock. If the
        platform's clock is ahead, it ends later by that much. Default: no end.
    :param settle_time: Seconds that an event must be old, so that the platform lists it and had the time to
        deliver it. Younger ones are left to a reading that begins at :attr:`cursor`. Default: 600. With 0 the
        comparison also takes what the platform is at work on.
    :param max_pages: Most pages (of 200) of the list of events, and of that of deliveries. Default: 100. A
        longer list of events is an error. If the list of deliveries is longer, the comparison looks up the
        remaining notifications.
    :param max_calls: Most notifications to look up one by one, oldest first among those compared together.
        Default: 1,000. Those beyond count as missing.
    :param at_once: Most events to compare at a time. Default: 20,000.
    """

    def __init__(
        self,
        client: CloudElementsClient,
        callback_url: str,
        since: EventCursor,
        *,
        until: pendulum.DateTime | None = None,
        settle_time: float = SETTLE_TIME,
        max_pages: int = MAX_PAGES,
        max_calls: int = MAX_CALLS,
        at_once: int = AT_ONCE,
    ) -> None:
        #: How many events the platform lists for the receiver.
        self.listed = 0
        #: How many of them were not delivered, or only in part.
        self.missing = 0
        #: How many notifications were not delivered, by state, as in :class:`Reconciliation`.
        self.states: Counter[str] = Counter()
        #: How many events name no instance, so that it is not known which one they concern.
        self.unattributed = 0
        if until is not None:
            moment("until", until)
        seconds("settle_time", settle_time, LONGEST_SETTLE_TIME)
        for name, value, least in (
            ("max_pages", max_pages, 1),
            ("max_calls", max_calls, 0),
            ("at_once", at_once, 1),
        ):
            whole_number(name, value, least)
        self._client = client
        self._callback_url = callback_url
        self._since = require_cursor("since", since)
        self._until = until
        self._settle_time = settle_time
        self._max_pages = max_pages
        self._max_calls = max_calls
        self._at_once = at_once
        self._reader: EventReader | None = None

    @property
    def cursor(self) -> EventCursor:
        """Where the next comparison begins.

        :raises RuntimeError: The list of events was not read to its end.
        """
        return self._ended().cursor

    @property
    def now(self) -> pendulum.DateTime:
        """When the reading of events began, by the platform's clock.

        :raises RuntimeError: The list of events was not read to its end.
        """
        return self._ended().now

    def _ended(self) -> EventReader:
        if self._reader is None:
            raise RuntimeError("the missed events were not iterated to their end")
        return self._reader

    def __iter__(self) -> Iterator[EventRow]:
        """Yield the rows. Each iteration is a comparison of its own.

        :raises CloudElementsNotFoundError: No subscription brings an instance's events to this address.
        :raises CloudElementsValidationError: The platform's query language cannot express the address, or the
            list of events has more pages than the limit.
        :raises CloudElementsServerError: A list broke off each time, so that nothing can be concluded from
            it.
        :raises CloudElementsError: Any other failure of a call.
        """
        self.listed = self.missing = 0
        self.states.clear()
        self._reader = None
        subscriptions = self._client.deliveries.subscriptions(self._callback_url)
        instance_ids = frozenset().union(*(each.instance_ids for each in subscriptions))
        if not instance_ids:
            raise CloudElementsNotFoundError(
                "No subscription brings an instance's events to this callback URL."
            )
        ours = frozenset(each.id for each in subscriptions if each.id is not None)
        with tempfile.TemporaryFile() as file:
            reader = self._note(file, instance_ids)
            file.seek(0)
            calls = self._max_calls
            for due in _blocks(file, self._at_once):
                calls -= due.compare(
                    self._client.deliveries, self._callback_url, ours, self._max_pages, calls
                )
                self.listed += len(due.events)
                self.missing += due.undelivered
                self.states.update(each.state for each in due.parts())
                yield from due.rows()
        self._reader = reader

    def _note(self, file: IO[bytes], instance_ids: frozenset[int]) -> EventReader:
        """Write what the receiver should have got to a file. If the list breaks off, read it again."""
        for pause in _PAUSES:
            try:
                return self._note_once(file, instance_ids)
            except CloudElementsServerError as error:
                log.warning("The list of events is read again in %.0f s. %s", pause, error)
            time.sleep(pause)
        return self._note_once(file, instance_ids)

    def _note_once(self, file: IO[bytes], instance_ids: frozenset[int]) -> EventReader:
        file.seek(0)
        file.truncate()
        self.unattributed = 0
        reader = EventReader(
            self._client.events,
            self._since,
            instance_id=next(iter(instance_ids)) if len(instance_ids) == 1 else None,
            settle_time=self._settle_time,
            max_pages=self._max_pages,
            until=self._end(),
        )
        for event in reader:
            if not event.instance_ids:
                self.unattributed += 1
            elif parts := _due_parts(event, instance_ids):
                file.write(_line(event, parts))
        return reader

    def _end(self) -> pendulum.DateTime | None:
        """Return the moment before which to compare, by the platform's clock: the subscriptions showed it."""
        clock = self._client.events.clock
        ends = []
        if self._until is not None:
            ends.append(self._until + pendulum.duration(seconds=max(0.0, clock.ahead or 0.0)))
        if self._settle_time:
            now = clock.at(time.time()) or pendulum.now("UTC")
            ends.append(now - pendulum.duration(seconds=self._settle_time))
        return min(ends, default=None)


def reconcile(
    client: CloudElementsClient,
    callback_url: str,
    since: EventCursor,
    *,
    until: pendulum.DateTime | None = None,
    max_pages: int = MAX_PAGES,
    max_calls: int = MAX_CALLS,
) -> Reconciliation:
    """Compare the events of a receiver's instances with the deliveries to it, and return what is missing.

    It compares as :class:`MissedEvents` does, and also takes what the platform is still at work on.

    :param client: The account.
    :param callback_url: Address of the receiver, as the instances have it.
    :param since: Where to begin.
    :param until: Only events that the platform took in before then, as in :class:`MissedEvents`. Default: no
        end.
    :param max_pages: Most pages (of 200) of the list of events, and of that of deliveries. Default: 100. A
        longer list of events is an error. If the list of deliveries is longer, the comparison looks up the
        remaining notifications.
    :param max_calls: Most notifications to look up one by one, oldest first. Default: 1,000. Those beyond
        count as missing.
    :raises CloudElementsNotFoundError: No subscription brings an instance's events to this address.
    :raises CloudElementsValidationError: The platform's query language cannot express the address, or the
        list of events has more pages than the limit.
    :raises CloudElementsServerError: A list broke off each time, so that nothing can be concluded from it.
    :raises CloudElementsError: Any other failure of a call.
    """
    missed = MissedEvents(
        client,
        callback_url,
        since,
        until=until,
        settle_time=0,
        max_pages=max_pages,
        max_calls=max_calls,
    )
    rows = sorted_rows(missed)
    # By the platform's clock, as the events' dates are: a part of the batch ends at one of them.
    since = since.on_platform(client.events.clock.ahead or 0.0)
    return Reconciliation(
        listed=missed.listed,
        missing=EventBatch(rows, since, EventCursor(max(until or missed.now, since.since))),
        states=missed.states,
        unattributed=missed.unattributed,
    )


@dataclass(slots=True)
class _Part:
    """Hold the part of an event that one notification reports, or would have reported.

    :param number: The notification's id; ``None`` if there is no notification, or it has none.
    :param state: The known state of its delivery.
    :param rows: The rows to return if the notification was not delivered.
    """

    number: str | None
    state: str
    rows: tuple[EventRow, ...]

    @property
    def date(self) -> float:
        """When the platform took the event in, in seconds since 1970; without a date, zero."""
        return self.rows[0].date.timestamp() if self.rows and self.rows[0].date else 0.0


def _due_parts(event: Event, instance_ids: Collection[int]) -> list[_Part]:
    """Return an event's notifications to the receiver, and those that do not exist (yet).

    :param event: The event.
    :param instance_ids: The instances that deliver to the receiver.
    """
    ids = set(instance_ids).intersection(event.instance_ids)
    untold = set(ids)
    parts = []
    for each in event.notifications:
        if each.instance_id is not None and each.instance_id not in ids:
            continue
        whose = ids if each.instance_id is None else {each.instance_id}
        untold -= whose
        parts.append(_part(replace(event, notifications=(each,)), whose, each.id, NOT_LOOKED_UP))
    silent = replace(event, notifications=())
    return parts + [_part(silent, {number}, None, NOT_NOTIFIED) for number in sorted(untold)]


def _part(event: Event, instance_ids: Collection[int], number: str | None, state: str) -> _Part:
    return _Part(number, state, tuple(EventQuery().rows(event, instance_ids)))


def _line(event: Event, parts: list[_Part]) -> bytes:
    """Return what :func:`_read` reads."""
    date = None if event.date is None else event.date.isoformat()
    told = [(each.number, each.state, [row.data for row in each.rows]) for each in parts]
    return json.dumps([short_id(event.id), date, told]).encode() + b"\n"


def _read(line: bytes) -> tuple[str, list[_Part]]:
    key, text, told = json.loads(line)
    date = parse_date(text)
    return key, [
        _Part(number, state, tuple(EventRow(key, date, data) for data in rows))
        for number, state, rows in told
    ]


def _blocks(lines: Iterable[bytes], at_once: int) -> Iterator[_Due]:
    """Yield the events of a file, some at a time."""
    rest = iter(lines)
    while block := [*islice(rest, at_once)]:
        due = _Due()
        for line in block:
            due.add(*_read(line))
        del block, line
        yield due


class _Due:
    """Hold what a receiver should have got, and strike off what was delivered."""

    def __init__(self) -> None:
        self.events: set[str] = set()
        self._told: dict[str, _Part] = {}  # by the notification's id
        self._untold: dict[tuple[str, int], _Part] = {}

    def add(self, key: str, parts: list[_Part]) -> None:
        """Add the parts of an event, by its short id."""
        self.events.add(key)
        for place, part in enumerate(parts):
            if part.number is None:
                self._untold[(key, place)] = part
            else:
                self._told[part.number] = part

    def compare(
        self,
        deliveries: DeliveriesApi,
        callback_url: str,
        subscription_ids: Collection[str],
        max_pages: int,
        max_calls: int,
    ) -> int:
        """Strike off what was delivered: first by the list of deliveries, then one by one.

        :return: How many notifications were looked up one by one.
        """
        if not self._told:
            return 0
        for page in islice(deliveries.pages(callback_url), max_pages):
            self._note(page, subscription_ids)
            if not self._told:
                return 0
        numbers = self._not_met()[:max_calls]
        for number in numbers:
            self._note(deliveries.of_notification(number), subscription_ids)
            part = self._told.get(number)
            if part is not None and part.state == NOT_LOOKED_UP:
                part.state = NO_DELIVERY
        return len(numbers)

    def _note(self, deliveries: list[Delivery], subscription_ids: Collection[str]) -> None:
        for each in deliveries:
            part = self._told.get(each.notification_id or "")
            if part is None or each.subscription_id not in subscription_ids:
                continue
            if each.status == DELIVERED:
                del self._told[each.notification_id or ""]
            else:
                part.state = each.status or NO_DELIVERY

    def _not_met(self) -> list[str]:
        """Return the notifications that the list did not show, oldest first; their ids are numbers."""
        found = [
            (part.date, number)
            for number, part in self._told.items()
            if part.state == NOT_LOOKED_UP and number.isascii() and number.isdigit()
        ]
        return [number for _, number in sorted(found)]

    @property
    def undelivered(self) -> int:
        """The number of events that were not delivered, or only in part."""
        return len({row.key for row in self.rows()})

    def parts(self) -> Iterator[_Part]:
        """Yield what was not delivered."""
        yield from self._told.values()
        yield from self._untold.values()

    def rows(self) -> Iterator[EventRow]:
        """Yield the rows of what was not delivered."""
        for part in self.parts():
            yield from part.rows
