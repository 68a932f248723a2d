"""A reader of the list of events that loses none, though the platform promises little.

What is not known (U281, U282): the order of the list and how long it keeps an event. There is no known filter
by date (U283), and an event becomes visible late. So a reader may not stop at the first event that it knows,
and may not move its cursor past what may still appear, nor past a page that it left unread.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.events import EventsApi, read_event
from airflow_provider_cloudelements.client.notifications import Event, Notification, ObjectEvent
from airflow_provider_cloudelements.client.parsing import instance_id_of
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.exceptions import (
    CloudElementsServerError,
    CloudElementsValidationError,
)

log = logging.getLogger(__name__)
#: Seconds after its date in which an event may still appear in the list. Ten seconds were seen (fact F284);
#: nothing is promised (unknown U284).
SETTLE_TIME = 600.0
#: Most seconds of it: a month.
LONGEST_SETTLE_TIME = 31 * 86_400.0
#: Most pages of one reading: 20,000 events.
MAX_PAGES = 100


@dataclass(frozen=True)
class EventFilter:
    """Which events are wanted.

    :param instance_ids: Of these instances; ``None``: of all.
    :param object_types: Of these kinds of object, as the element names them; ``None``: of all.
    :param event_types: ``CREATED``, ``UPDATED``, ``DELETED``, ``UNKNOWN``, in any case; ``None``: all.
    """

    instance_ids: frozenset[int] | None = None
    object_types: frozenset[str] | None = None
    event_types: frozenset[str] | None = None

    @classmethod
    def of(
        cls,
        instance_ids: Collection[int] | None = None,
        object_types: Collection[str] | None = None,
        event_types: Collection[str] | None = None,
    ) -> EventFilter:
        """Make a filter of arguments.

        :param instance_ids: Of these instances, each an integer, its digits or what the create operator
            returned; none of them: of none. ``None``: of all.
        :param object_types: Of these kinds of object; ``None`` or none: of all.
        :param event_types: These kinds of change, in any case; ``None`` or none: all.
        :raises CloudElementsValidationError: Something is no list, or a type is no text.
        """
        kinds = _texts("event_types", event_types)
        return cls(
            None
            if instance_ids is None
            else frozenset(map(instance_id_of, _items("instance_ids", instance_ids))),
            _texts("object_types", object_types),
            None if kinds is None else frozenset(each.strip().upper() for each in kinds),
        )

    def wanted(self, event: Event) -> tuple[ObjectEvent, ...] | None:
        """Return what of an event is wanted; ``None`` when it is not wanted at all.

        An event whose objects nobody told (yet) is wanted where nothing is asked about them. Of an event of
        several instances, what was told to others is left out.
        """
        ids = self.instance_ids
        if ids is not None and ids.isdisjoint(event.instance_ids):
            return None
        return self.told(
            each for each in event.notifications if ids is None or each.instance_id in {None, *ids}
        )

    def told(self, notifications: Iterable[Notification]) -> tuple[ObjectEvent, ...] | None:
        """Return what of some notifications is wanted; ``None`` for nothing where types are asked for.

        :param notifications: Of an event that is wanted otherwise.
        """
        found = tuple(dict.fromkeys(one for each in notifications for one in each.events if self._fits(one)))
        return found if found or (self.object_types is None and self.event_types is None) else None

    def _fits(self, event: ObjectEvent) -> bool:
        return (self.object_types is None or event.object_type in self.object_types) and (
            self.event_types is None or event.event_type in self.event_types
        )


def _texts(argument: str, value: Collection[str] | None) -> frozenset[str] | None:
    if value is None:
        return None
    texts = _items(argument, value)
    if not all(isinstance(each, str) and each.strip() for each in texts):
        raise CloudElementsValidationError(f"{argument} must be a list of strings.")
    return frozenset(texts) or None


def _items(argument: str, value: Collection[Any]) -> list[Any]:
    # A text is a collection of letters, and what the create operator returned one of words.
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection):
        raise CloudElementsValidationError(f"{argument} must be a list.")
    return list(value)


class EventReader:
    """Reads once what is new since a cursor. Iterate it to its end, then take :attr:`cursor`.

    At least once, never zero: an event is passed over only if its id was read before, or if it is older than
    the cursor. That moves only when the whole list was read, and stays ``settle_time`` behind the newest
    event and the clock. Where the list was seen to be newest first, readings in between stop early; if that
    order was chance, or changes, events come as late as the next whole reading, ``TRUST_TIME`` seconds at
    most, and none is lost. An event that the platform is still at work on is told when that is done, or after
    ``settle_time``. Memory is that of one page and of the ids of these times.

    What no reader can see: an event that was removed, or became visible later than ``settle_time``, before it
    was listed; and one that is skipped because page tokens count events, and earlier ones are removed while
    the list is read.

    :param events: The account's events.
    :param cursor: Where the last reading ended.
    :param instance_id: Only this instance's list is read. One that does not exist has no events.
    :param settle_time: Seconds after its date in which an event may still appear. Default: 600.
    :param max_pages: Most pages (of 200 events) that are read. Default: 100.
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
    ) -> None:
        if not 0 <= settle_time <= LONGEST_SETTLE_TIME:
            raise CloudElementsValidationError(
                f"settle_time must be a number of seconds from 0 to {LONGEST_SETTLE_TIME:.0f}."
            )
        if max_pages < 1:
            raise CloudElementsValidationError("max_pages must be 1 or more.")
        #: Pages of the reading.
        self.pages = 0
        #: Whether the list broke off: nothing followed where more was said to.
        self.in_doubt = False
        self._events = events
        self._before = cursor
        self._instance_id = instance_id
        self._settle_time = settle_time
        self._max_pages = max_pages
        self._cursor: EventCursor | None = None

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

        :raises CloudElementsServerError: There are more pages than are to be read.
        :raises CloudElementsError: A call failed. The cursor then stays where it was.
        """
        self.pages, self.in_doubt, self._cursor = 0, False, None
        window = _Window(self._before, self._settle_time)
        order = _Order()
        unreadable = 0
        whole = True
        for page in self._events.pages(self._instance_id):
            self.pages += 1
            if self.pages > self._max_pages:
                raise CloudElementsServerError(
                    f"The list of events has more than max_pages={self._max_pages} pages, and it must be "
                    "read whole. Read one instance's events, or raise max_pages."
                )
            # Nothing follows where more was said to: it was removed meanwhile, or is hidden in passing.
            self.in_doubt = not page
            window.turn_page()
            only_older, body = bool(page), None
            # One by one: parsed, an event is many times as large as its text.
            for body in page:
                try:
                    event = read_event(body, self._instance_id)
                except CloudElementsServerError:
                    unreadable += 1
                    only_older = False
                    continue
                order.saw(event.date)
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
        if self.in_doubt and (broken_off := window.broken_off()) is not None:
            self._cursor = broken_off
        else:
            self._cursor = window.whole(order.falling) if whole else window.cut_short()


class _Order:
    """Whether a list is in the order of falling dates, as far as it was seen."""

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
        """Whether dates fell, and none rose. All alike tell nothing."""
        return self._fell and not self._rose


class _Window:
    """The time in which events may still appear, and those in it that were read."""

    def __init__(self, before: EventCursor, settle_time: float) -> None:
        self._before = before
        self._settle = pendulum.duration(seconds=settle_time)
        # Taken before the first call: what becomes visible while the list is read may stay unseen. And a date
        # in the future must not move the cursor past what is to come.
        self._now = _now()
        self.trusting = before.trusted(self._now)
        self._stop = before.reach
        self._newest: pendulum.DateTime | None = None
        #: Hashes of ids, with dates; without one, an event is known for as long as it is listed.
        self._known: dict[str, pendulum.DateTime | None] = {}
        self._prune_at = _FEW
        self._page: set[str] = set()
        self._page_before: set[str] = set()

    def turn_page(self) -> None:
        # While a list is read, new events may push some of it to the next page once more.
        self._page_before, self._page = self._page, set()
        # A reading that is cut short leaves the cursor where it is, and needs all that is newer.
        if not self.trusting and len(self._known) > self._prune_at:
            self._known = self._since(self._edge())
            self._prune_at = 2 * len(self._known) + _FEW

    def is_listed_before(self, event: Event) -> bool:
        """Whether an earlier reading has met it, if the list is in order."""
        return event.date is not None and event.date < self._stop

    def is_new(self, event: Event) -> bool:
        """Say whether an event is to be told now, and remember it."""
        if event.date is not None:
            if event.date < self._before.since:
                return False
            if self._newest is None or event.date > self._newest:
                self._newest = event.date
        key = short_id(event.id)
        if key in self._known or key in self._page or key in self._page_before:
            self._page.add(key)  # it may be pushed on once more
            return False
        known = key in self._before.seen
        if not known and not event.settled and self._may_settle(event):
            # What it is about comes later. Its date is younger than where the cursor can come to.
            return False
        self._page.add(key)
        self._known[key] = event.date
        return not known

    def _may_settle(self, event: Event) -> bool:
        """Whether to wait for it; not for ever, because of a date far in the future."""
        return event.date is not None and self._now - self._settle < event.date <= self._now + self._settle

    def _edge(self) -> pendulum.DateTime:
        """Return the moment before which nothing appears any more."""
        since = self._before.since
        newest = since if self._newest is None else min(self._newest, self._now)
        return newest - self._settle if newest - since > self._settle else since

    def _since(self, edge: pendulum.DateTime) -> dict[str, pendulum.DateTime | None]:
        return {key: date for key, date in self._known.items() if date is None or date >= edge}

    def whole(self, newest_first: bool) -> EventCursor:
        """Return the cursor after all of the list."""
        edge = self._edge()
        seen = frozenset(self._since(edge))
        if edge == self._before.since:
            # They still count. The list may lack them for a while: a 404 in passing is an empty list.
            seen |= self._before.seen
        return EventCursor(edge, seen, newest_first, edge, self._now)

    def broken_off(self) -> EventCursor | None:
        """Return the cursor after a list that ended too early: it knows what was read, and does not move.

        :return: ``None`` where it would know too many: should all lists of a platform end so, it has to move.
        """
        before = self._before
        seen = before.seen.union(self._known)
        if len(seen) > _MOST_KEPT:
            return None
        return EventCursor(before.since, seen, before.newest_first, before.stop, before.whole)

    def cut_short(self) -> EventCursor:
        """Return the cursor after the newest part of the list: whatever is unread stays to be read."""
        before = self._before
        stop = max(self._stop, self._edge())
        return EventCursor(before.since, before.seen.union(self._known), True, stop, before.whole)


#: Ids that are kept without a thought.
_FEW = 1000
#: Most ids that a cursor keeps because lists broke off.
_MOST_KEPT = 10_000


@lru_cache(maxsize=16)  # of each event it is asked a few times
def short_id(event_id: str) -> str:
    """Return twelve characters in place of an id, of whatever length.

    They hold 72 bits. Two ids that share them would be one event lost: with 100,000 remembered and a billion
    more to come, the chance is one in fifty million.
    """
    digest = hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest[:9]).decode("ascii")


def _now() -> pendulum.DateTime:
    return pendulum.now("UTC")
