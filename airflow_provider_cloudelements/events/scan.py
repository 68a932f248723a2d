"""Read the list of events without losing any, although the platform promises little.

The order of the list is not known, nor how long it keeps an event (U281, U282). There is no known filter by
date (U283), and an event becomes visible late. So a reader must not stop at the first event that it knows. It
must not move its cursor past events that may still appear, nor past a page that it did not read.
"""

from __future__ import annotations

import binascii
import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeVar

import pendulum

from airflow_provider_cloudelements.client.arguments import moment, seconds, whole_number
from airflow_provider_cloudelements.client.events import EventsApi, read_event, read_listed
from airflow_provider_cloudelements.client.listed import AnyEvent, AnyNotification, AnyObject
from airflow_provider_cloudelements.client.notifications import Event
from airflow_provider_cloudelements.client.tags import named_text, without_ends
from airflow_provider_cloudelements.client.wire.clock import PlatformClock
from airflow_provider_cloudelements.events.cursor import EventCursor, require_cursor
from airflow_provider_cloudelements.exceptions import (
    CloudElementsServerError,
    CloudElementsValidationError,
)

__all__ = ["MAX_PAGES", "SETTLE_TIME", "EventFilter", "EventReader"]

log = logging.getLogger(__name__)
_Event = TypeVar("_Event", Event, AnyEvent)
#: Seconds after its date in which an event may still appear in the list. Ten seconds were seen (fact F284);
#: the platform promises nothing (unknown U284).
SETTLE_TIME = 600.0
#: Largest settle time in seconds: 31 days.
LONGEST_SETTLE_TIME = 31 * 86_400.0
#: Most pages of one reading: 20,000 events.
MAX_PAGES = 100


@dataclass(frozen=True)
class EventFilter:
    """Select events by their types.

    :param object_types: Of these kinds of object, as the element names them; ``None``: of all.
    :param event_types: ``CREATED``, ``UPDATED``, ``DELETED``, ``UNKNOWN``, in any case; ``None``: all.
    """

    object_types: frozenset[str] | None = None
    event_types: frozenset[str] | None = None

    @classmethod
    def of(
        cls,
        object_types: Collection[str] | None = None,
        event_types: Collection[str] | None = None,
    ) -> EventFilter:
        """Make a filter from arguments.

        :param object_types: Of these kinds of object; ``None`` or an empty list: of all.
        :param event_types: These kinds of change, in any case; ``None`` or an empty list: all.
        :raises CloudElementsValidationError: An argument is not a list, or a type is not text.
        """
        kinds = _texts("event_types", event_types)
        return cls(
            _texts("object_types", object_types),
            None if kinds is None else frozenset(each.strip().upper() for each in kinds),
        )

    def told(self, notifications: Iterable[AnyNotification]) -> tuple[AnyObject, ...] | None:
        """Return the wanted objects of an event; ``None`` if the filter has types and none of them fits.

        If the filter has no types, it accepts an event whose objects are not known (yet).

        :param notifications: The notifications of the event, or some of them.
        """
        kinds, changes = self.object_types, self.event_types
        found: list[AnyObject] = []
        for each in notifications:
            for one in each.events:
                if (kinds is None or one.object_type in kinds) and (
                    changes is None or one.event_type in changes
                ):
                    found.append(one)
        if len(found) > 1:
            return tuple(dict.fromkeys(found))
        return tuple(found) if found or (kinds is None and changes is None) else None


def _texts(argument: str, value: Collection[str] | None) -> frozenset[str] | None:
    if value is None:
        return None
    texts = _items(argument, value)
    if not all(isinstance(each, str) and each.strip() for each in texts):
        raise CloudElementsValidationError(f"{argument} must be a list of strings.")
    # None as Jinja writes it, or a line end, would fit no event, and the cursor would pass them all.
    return frozenset(without_ends(named_text(argument, each)) for each in texts) or None


def _items(argument: str, value: Collection[Any]) -> list[Any]:
    # Refuse a text, which is a collection of letters, and a dictionary, which is one of its keys.
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection):
        raise CloudElementsValidationError(f"{argument} must be a list.")
    return list(value)


class EventReader:
    """Read once what is new since a cursor. Iterate it to its end, then take :attr:`cursor`.

    The reader returns each event at least once. It passes over an event only if it read its id before, or if
    the event is older than the cursor. The cursor moves only after a reading of the whole list, and stays
    ``settle_time`` behind the newest event and the clock. If a whole reading found the newest events first,
    the readings after it stop early. If that order was chance, or changes, events come as late as the next
    whole reading, ``TRUST_TIME`` seconds at most, and none is lost. If the platform is still at work on an
    event, the reader returns it when that is done, or after ``settle_time``. It keeps one page in memory, and
    the ids of these times. All this goes by the platform's clock, as its answers show it.

    Two kinds of events no reader can see: an event that was removed, or became visible later than
    ``settle_time``, before it was listed; and an event that a reading skips because page tokens count events,
    and the platform removes earlier ones while the reader reads the list.

    :param events: The account's events.
    :param cursor: Where the last reading ended.
    :param instance_id: Read only this instance's list. An instance that does not exist has no events.
    :param settle_time: Seconds after its date in which an event may still appear. Default: 600.
    :param max_pages: Most pages (of 200 events) to read. Default: 100.
    :param until: Read only events before this moment. The cursor stays before it, so that a later reading
        finds the others. Default: no end.
    :raises CloudElementsValidationError: An argument is out of bounds.
    """

    def __init__(
        self,
        events: EventsApi,
        cursor: EventCursor,
        *,
        instance_id: int | None = None,
        settle_time: float = SETTLE_TIME,
        max_pages: int = MAX_PAGES,
        until: pendulum.DateTime | None = None,
    ) -> None:
        seconds("settle_time", settle_time, LONGEST_SETTLE_TIME)
        whole_number("max_pages", max_pages)
        if until is not None:
            moment("until", until)
        require_cursor("cursor", cursor)
        #: Number of pages read.
        self.pages = 0
        #: Date of the last event that was listed; ``None``: none had a date.
        self.last_date: pendulum.DateTime | None = None
        self._events = events
        self._before = cursor
        self._instance_id = instance_id
        self._settle_time = settle_time
        self._max_pages = max_pages
        self._until = until
        self._window: _Window | None = None
        self._cursor: EventCursor | None = None

    @property
    def now(self) -> pendulum.DateTime:
        """The moment at which the reading began, by the platform's clock.

        :raises RuntimeError: The reading has not begun.
        """
        if self._window is None:
            raise RuntimeError("the reader was not iterated")
        return self._window.now

    @property
    def ahead(self) -> float:
        """Seconds by which the platform's clock is ahead of this machine's, as far as it is known."""
        return self._events.clock.ahead or 0.0

    @property
    def cursor(self) -> EventCursor:
        """Where the next reading begins.

        :raises RuntimeError: The reading has not come to its end.
        """
        if self._cursor is None:
            raise RuntimeError("the reader was not iterated to its end")
        return self._cursor

    def __iter__(self) -> Iterator[Event]:
        """Yield what is new, in the platform's order. Each iteration is a reading of its own.

        :raises CloudElementsValidationError: The list has more pages than the limit.
        :raises CloudElementsError: A call failed, or the list broke off. The cursor then stays where it was.
        """
        return self._read(self._events.pages(self._instance_id), read_event)

    def listed(self) -> Iterator[AnyEvent]:
        """Yield what is new, as iterating does, in short form: without what no row needs."""
        return self._read(self._events.pages(self._instance_id, raw=False), read_listed)

    def _read(
        self, pages: Iterable[list[Any]], parse: Callable[[Any, int | None], _Event]
    ) -> Iterator[_Event]:
        self.pages, self.last_date, self._cursor = 0, None, None
        window = self._window = _Window(self._before, self._settle_time, self._until, self._events.clock)
        order = _Order()
        unreadable = 0
        whole = True
        for page in pages:
            self.pages += 1
            if self.pages > self._max_pages:
                # Reading the list again cannot change this.
                raise CloudElementsValidationError(
                    f"The list of events has more than max_pages={self._max_pages} pages, and it must be "
                    "read whole. Read one instance's events, or raise max_pages."
                )
            window.turn_page()
            only_older, body = True, None
            # Parse one by one: a parsed event is many times as large as its text.
            for body in page:
                try:
                    event = parse(body, self._instance_id)
                except CloudElementsServerError:
                    unreadable += 1
                    only_older = False
                    continue
                order.saw(event.date)
                self.last_date = event.date or self.last_date
                only_older = only_older and window.is_listed_before(event)
                if window.is_new(event):
                    yield event
                del event
            del page, body
            if window.trusting and order.falling and only_older:
                whole = False
                break
        if unreadable:
            log.warning("%d items of the list of events are passed over: they have no id.", unreadable)
        self._cursor = window.whole(order.falling) if whole else window.cut_short()


class _Order:
    """Observe whether the dates of a list fall, as far as it was read."""

    def __init__(self) -> None:
        self._last: pendulum.DateTime | None = None
        self._fell = False
        self._rose = False

    def saw(self, date: pendulum.DateTime | None) -> None:
        if date is None or self._last is None:
            self._last = date or self._last
            return
        self._rose = self._rose or date > self._last
        self._fell = self._fell or date < self._last
        self._last = date

    @property
    def falling(self) -> bool:
        """Whether dates fell, and none rose. Equal dates show no order."""
        return self._fell and not self._rose


class _Window:
    """Track the time in which events may still appear, and the events in it that were read."""

    def __init__(
        self, before: EventCursor, settle_time: float, until: pendulum.DateTime | None, clock: PlatformClock
    ) -> None:
        self._given = before
        self._settle = pendulum.duration(seconds=settle_time)
        self._until = until
        self._clock = clock
        # Take the time before the first call: a reading may miss events that become visible meanwhile. And a
        # date in the future must not move the cursor past coming events.
        self._began, self._began_at = _now(), time.time()
        self.trusting = before.trusted(self._began)
        self._newest: pendulum.DateTime | None = None
        #: Hashes of ids, with dates. An event without a date stays known for as long as it is listed.
        self._known: dict[str, pendulum.DateTime | None] = {}
        self._prune_at = _FEW
        self._page: set[str] = set()
        self._page_before: set[str] = set()

    @cached_property
    def now(self) -> pendulum.DateTime:
        """The begin of the reading, by the platform's clock. Its first answer shows that clock."""
        return self._clock.at(self._began_at) or self._began

    @cached_property
    def _before(self) -> EventCursor:
        return self._given.on_platform(self._clock.ahead or 0.0)

    @cached_property
    def _stop(self) -> pendulum.DateTime:
        return self._before.reach

    def turn_page(self) -> None:
        # While a reading goes on, new events may push earlier ones to the next page once more.
        self._page_before, self._page = self._page, set()
        # A reading that stops early leaves the cursor where it is, and needs the ids of all newer events.
        if not self.trusting and len(self._known) > self._prune_at:
            self._known = self._since(self._edge())
            self._prune_at = 2 * len(self._known) + _FEW

    def is_listed_before(self, event: AnyEvent) -> bool:
        """Return whether an earlier reading has met the event, if the list is in order."""
        return event.date is not None and event.date < self._stop

    def is_new(self, event: AnyEvent) -> bool:
        """Return whether to yield an event now, and remember it."""
        if event.date is not None:
            if event.date < self._before.since or (self._until is not None and event.date >= self._until):
                return False
            if self._newest is None or event.date > self._newest:
                self._newest = event.date
        key = short_id(event.id)
        if key in self._known or key in self._page or key in self._page_before:
            self._page.add(key)  # new events may push it to the next page once more
            return False
        known = key in self._before.seen
        if not known and not event.settled and self._may_settle(event):
            # Its objects come later. The cursor cannot move past its date before that.
            return False
        self._page.add(key)
        self._known[key] = event.date
        return not known

    def _may_settle(self, event: AnyEvent) -> bool:
        """Return whether to wait for the event's objects; not if its date is far in the future."""
        return event.date is not None and self.now - self._settle < event.date <= self.now + self._settle

    def _edge(self) -> pendulum.DateTime:
        """Return the moment before which no more events appear."""
        since = self._before.since
        newest = since if self._newest is None else min(self._newest, self.now)
        return newest - self._settle if newest - since > self._settle else since

    def _since(self, edge: pendulum.DateTime) -> dict[str, pendulum.DateTime | None]:
        return {key: date for key, date in self._known.items() if date is None or date >= edge}

    def whole(self, newest_first: bool) -> EventCursor:
        """Return the cursor after a reading of the whole list."""
        edge = self._edge()
        seen = frozenset(self._since(edge))
        if edge == self._before.since:
            # Keep these ids. The list may lack their events for a while: a 404 in passing is an empty list.
            seen |= self._before.seen
        return EventCursor(edge, seen, newest_first, edge, self._began)

    def cut_short(self) -> EventCursor:
        """Return the cursor after the newest part of the list; a later reading reads the rest."""
        before = self._before
        stop = max(self._stop, self._edge())
        return EventCursor(before.since, before.seen.union(self._known), True, stop, before.whole)


#: Number of ids to keep before the window prunes them.
_FEW = 1000


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@lru_cache(maxsize=16)  # a reading calls it a few times for each event
def short_id(event_id: str) -> str:
    """Return twelve characters in place of an id of any length.

    They hold 72 bits. If two ids shared them, the reader would lose one event: with 100,000 remembered ids
    and a billion more to come, the chance is one in fifty million.
    """
    digest = hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).digest()
    return binascii.b2a_base64(digest[:9], newline=False).translate(_URL_SAFE).decode("ascii")


def _now() -> pendulum.DateTime:
    return pendulum.now("UTC")
