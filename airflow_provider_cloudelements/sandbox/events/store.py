"""The events of all instances: kept, shown late, listed in several orders, forgotten (unknown U281 to U284).

An event holds the content of one call of a vendor. It belongs to every instance that the call named (C215).
Of its objects and its notifications the store keeps only the vendor's text. It builds everything else from
the text when a caller reads it, so that a hundred thousand events fit into memory.
"""

from __future__ import annotations

import base64
import itertools
import os
import random
import time
from bisect import bisect_left, bisect_right, insort
from collections import Counter, deque
from collections.abc import Callable, Sequence

from airflow_provider_cloudelements.sandbox.core.agenda import Agenda
from airflow_provider_cloudelements.sandbox.events.models import Event, Recipient
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.settings import Behaviour

#: Statuses before the last one (fact F283), which is NOTIFIED or the setting unnotified_status (U285).
PASSING_STATUSES = ("NEW", "RECEIVED", "DISPATCHED")
NOTIFIED = "NOTIFIED"

#: The most bytes of all kept events' texts together; the store forgets the oldest events first.
MOST_TEXT_BYTES = 256 * 1024 * 1024

_SEED = 42


def _number_of(event: Event) -> int:
    return event.number


def _place_of(event: Event) -> int:
    return event.place


def _insert(rows: list[Event], event: Event) -> None:
    """Put an event, which is usually the newest, into a list that rises by number."""
    if rows and rows[-1].number > event.number:
        insort(rows, event, key=_number_of)
    else:
        rows.append(event)


class EventLog:
    """All events.

    :param behaviour: returns the sandbox's current settings.
    :param agenda: shows late events when they are due.
    :param forgotten: called with every event that the log forgets.
    """

    def __init__(
        self, behaviour: Callable[[], Behaviour], agenda: Agenda, forgotten: Callable[[Event], None]
    ) -> None:
        self._behaviour = behaviour
        self._agenda = agenda
        self._forgotten = forgotten
        self._numbers = itertools.count(1)
        self._places = itertools.count(1)
        self.clear()

    def clear(self) -> None:
        """Forget every event and restart the counters."""
        self._all: deque[Event] = deque()
        self._by_id: dict[str, Event] = {}
        #: The visible ones by rising number, by rising place, and by number for each instance.
        self._by_number: list[Event] = []
        self._by_place: list[Event] = []
        self._of_instance: dict[int, list[Event]] = {}
        self._recipients: dict[int, Recipient] = {}
        self._bytes = 0
        self._accepted = 0
        self.dropped: Counter[str] = Counter()
        self._random = random.Random(_SEED)  # noqa: S311 - delays, not secrets

    def drop(self, reason: str) -> None:
        """Count a vendor's body that makes no event.

        :param reason: why it makes none.
        """
        self.dropped[reason] += 1

    def counters(self) -> dict[str, object]:
        """Return how many events were accepted and dropped, and how many are kept and visible."""
        self._trim()
        return {
            "accepted": self._accepted,
            "dropped": dict(sorted(self.dropped.items())),
            "kept": len(self._all),
            "visible": len(self._by_number),
        }

    def recipient(self, instance: Instance) -> Recipient:
        """Return an instance as it is now; unchanged, it is the same object as before.

        :param instance: the instance.
        """
        known = self._recipients.get(instance.id)
        if (
            known is None
            or known.name != instance.name
            or known.tags is not instance.tags
            or known.element is not instance.element
        ):
            known = Recipient(instance.id, instance.element, instance.name, instance.tags)
            self._recipients[instance.id] = known
        return known

    def add(self, instances: Sequence[Instance], text: str, first: int, last: int, *, polled: bool) -> Event:
        """Keep a new event.

        :param instances: the instances that it belongs to; at least one.
        :param text: the vendor's body.
        :param first: index of the first of the body's objects that are its own,
        :param last: index after the last.
        :param polled: whether a poller fetched it.
        """
        behaviour = self._behaviour()
        begun = time.monotonic()
        event = Event(
            next(self._numbers),
            base64.urlsafe_b64encode(os.urandom(15)).decode("ascii"),
            tuple(self.recipient(instance) for instance in instances),
            polled,
            text,
            first,
            last,
            time.time(),
            begun,
            begun + behaviour.event_notified_after,
        )
        self._accepted += 1
        self._bytes += len(text)
        self._all.append(event)
        self._by_id[event.id] = event
        delay = behaviour.event_visible_after
        if behaviour.event_visible_spread:
            delay += self._random.uniform(0, behaviour.event_visible_spread)
        if delay:
            self._agenda.at(begun + delay, lambda: self._show(event))
        else:
            self._show(event)
        self._trim()
        return event

    def _show(self, event: Event) -> None:
        """Make an event visible."""
        if event.gone:
            return
        event.place = next(self._places)
        _insert(self._by_number, event)
        self._by_place.append(event)
        for recipient in event.recipients:
            _insert(self._of_instance.setdefault(recipient.id, []), event)

    def _trim(self) -> None:
        """Forget the oldest events beyond the limits of the settings."""
        behaviour = self._behaviour()
        before = time.monotonic() - behaviour.event_retention if behaviour.event_retention else 0.0
        while self._all and (
            len(self._all) > behaviour.events_kept
            or self._bytes > MOST_TEXT_BYTES
            or self._all[0].begun < before
        ):
            event = self._all.popleft()
            event.gone = True
            self._bytes -= len(event.text)
            del self._by_id[event.id]
            if event.place:
                _take(self._by_number, event, _number_of)
                _take(self._by_place, event, _place_of)
                for recipient in event.recipients:
                    rows = self._of_instance[recipient.id]
                    _take(rows, event, _number_of)
                    if not rows:
                        del self._of_instance[recipient.id]
            self._forgotten(event)

    def get(self, event_id: str) -> Event | None:
        """Return a visible event.

        :param event_id: its id.
        """
        self._trim()
        event = self._by_id.get(event_id)
        return event if event is not None and event.place else None

    def visible(self, instance_id: int | None = None) -> list[Event]:
        """Return the visible events by rising number, in a list that the caller must not change.

        :param instance_id: only this instance's; None for all.
        """
        self._trim()
        return self._by_number if instance_id is None else self._of_instance.get(instance_id, [])

    def instances(self) -> list[int]:
        """Return the ids of all instances that have visible events."""
        return list(self._of_instance)

    def page(
        self, instance_id: int | None, after: int | None, size: int
    ) -> tuple[list[Event], int, int | None]:
        """Return a page in the set order, the number of events, and the position after which the next begins.

        The page token names an event and not an offset, so it stays valid while new events arrive.

        :param instance_id: only this instance's; None for all.
        :param after: the position that an earlier call returned; None for the first page.
        :param size: size of the page.
        """
        rows = self.visible(instance_id)
        order = self._behaviour().event_order
        key = _number_of
        if order == "visibility":
            rows = self._by_place if instance_id is None else sorted(rows, key=_place_of)
            key = _place_of
        if order == "oldest":
            start = 0 if after is None else bisect_right(rows, after, key=key)
            page = rows[start : start + size]
            more = start + size < len(rows)
        else:
            end = len(rows) if after is None else bisect_left(rows, after, key=key)
            page = rows[max(end - size, 0) : end][::-1]
            more = end > size
        return page, len(rows), key(page[-1]) if more else None

    def status(self, event: Event) -> str:
        """Return the status of an event: three of them share the time until it is NOTIFIED (choice C283).

        :param event: the event.
        """
        now = time.monotonic()
        if now < event.settled:
            share = (now - event.begun) / (event.settled - event.begun)
            return PASSING_STATUSES[min(int(share * len(PASSING_STATUSES)), len(PASSING_STATUSES) - 1)]
        return NOTIFIED if event.notifications else self._behaviour().unnotified_status


def _take(rows: list[Event], event: Event, key: Callable[[Event], int]) -> None:
    """Take an event, which is usually the first, out of a list that rises by ``key``."""
    position = 0 if rows[0] is event else bisect_left(rows, key(event), key=key)
    del rows[position]
