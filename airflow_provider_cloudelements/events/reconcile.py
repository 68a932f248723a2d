"""Compare the events that a receiver should have got with the platform's deliveries to it.

Neither list is certain to be complete: it is not known how long the platform keeps events and deliveries, and
in which order it lists them (U281, U282, U244). So an event counts as delivered only if its delivery says so.
In every doubt the event counts as missing. That costs a repetition, and loses nothing.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_cloudelements.client.deliveries import DELIVERED, DeliveriesApi, Delivery
from airflow_provider_cloudelements.client.notifications import Event
from airflow_provider_cloudelements.events.batch import EventBatch, EventLimits, sorted_rows
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.query import EventQuery, EventRow
from airflow_provider_cloudelements.events.scan import MAX_PAGES, EventReader, short_id
from airflow_provider_cloudelements.exceptions import CloudElementsNotFoundError, CloudElementsServerError

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client import CloudElementsClient

__all__ = ["Reconciliation", "reconcile"]

log = logging.getLogger(__name__)

#: Seconds before the next reading of a list of events that broke off.
_PAUSES = (2.0, 8.0)
#: Most notifications that are looked up one by one, because the list of deliveries did not show them.
MAX_CALLS = 1000

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


def reconcile(
    client: CloudElementsClient,
    callback_url: str,
    since: EventCursor,
    *,
    until: pendulum.DateTime | None = None,
    max_pages: int = MAX_PAGES,
    max_calls: int = MAX_CALLS,
) -> Reconciliation:
    """Compare the events of a receiver's instances with the deliveries to it.

    The receiver's subscriptions say which instances deliver to it. Deliveries to other receivers prove
    nothing. If an event has several notifications, it is delivered when each of them is. If several
    subscriptions bring a notification to the same address, it is delivered when one of them brought it.

    The comparison reads the list of events once, or up to three times if the list breaks off: nothing follows
    a page that announced more. It reads the list of deliveries once, and stops as soon as it has found
    everything. It makes one call for each notification that this list did not show.

    :param client: The account.
    :param callback_url: Address of the receiver, as the instances have it.
    :param since: Where to begin.
    :param until: The last moment, by the dates of the events. Default: now, by the platform's clock.
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
    subscriptions = client.deliveries.subscriptions(callback_url)
    instance_ids = frozenset().union(*(each.instance_ids for each in subscriptions))
    if not instance_ids:
        raise CloudElementsNotFoundError("No subscription brings an instance's events to this callback URL.")
    due, now = _due(client, instance_ids, since, until, max_pages)
    due.compare(
        client.deliveries,
        callback_url,
        frozenset(each.id for each in subscriptions if each.id is not None),
        max_pages,
        max_calls,
    )
    # By the platform's clock, as the events' dates are: a part of the batch ends at one of them.
    since = since.on_platform(client.events.clock.ahead or 0.0)
    return Reconciliation(
        listed=len(due.events),
        missing=EventBatch(sorted_rows(due.rows()), since, EventCursor(max(until or now, since.since))),
        states=Counter(each.state for each in due.parts()),
        unattributed=due.unattributed,
    )


def _due(
    client: CloudElementsClient,
    instance_ids: frozenset[int],
    since: EventCursor,
    until: pendulum.DateTime | None,
    max_pages: int,
) -> tuple[_Due, pendulum.DateTime]:
    """Return what the receiver should have got by the list of events, and when the reading began.

    If the list breaks off, read it again.
    """
    for pause in _PAUSES:
        try:
            return _read_due(client, instance_ids, since, until, max_pages)
        except CloudElementsServerError as error:
            log.warning("The list of events is read again in %.0f s. %s", pause, error)
        time.sleep(pause)
    return _read_due(client, instance_ids, since, until, max_pages)


def _read_due(
    client: CloudElementsClient,
    instance_ids: frozenset[int],
    since: EventCursor,
    until: pendulum.DateTime | None,
    max_pages: int,
) -> tuple[_Due, pendulum.DateTime]:
    """Return what the receiver should have got by one reading of the list, and when this began."""
    only = next(iter(instance_ids)) if len(instance_ids) == 1 else None
    due = _Due(instance_ids)
    # No settle time: the comparison also wants events that the platform is still at work on.
    reader = EventReader(client.events, since, instance_id=only, settle_time=0, max_pages=max_pages)
    for event in reader:
        if event.date is None or until is None or event.date <= until:
            due.add(event)
    return due, reader.now


@dataclass(slots=True)
class _Part:
    """Hold the part of an event that one notification reports, or would have reported.

    :param date: When the platform took the event in, in seconds since 1970; without a date, zero.
    :param rows: The rows to return if the notification was not delivered.
    :param state: The known state of its delivery.
    """

    date: float
    rows: tuple[EventRow, ...]
    state: str


class _Due:
    """Collect what a receiver should have got, and strike off what was delivered.

    :param instance_ids: The instances that deliver to it.
    """

    def __init__(self, instance_ids: Collection[int]) -> None:
        self.events: set[str] = set()
        self.unattributed = 0
        self._instance_ids = instance_ids
        self._told: dict[str, _Part] = {}  # by the notification's id
        self._untold: dict[tuple[Any, ...], _Part] = {}

    def add(self, event: Event) -> None:
        """Note an event's notifications to the receiver, and those that do not exist (yet)."""
        if not event.instance_ids:
            self.unattributed += 1
            return
        ids = set(self._instance_ids).intersection(event.instance_ids)
        if not ids:
            return
        key = short_id(event.id)
        self.events.add(key)
        untold = set(ids)
        for place, each in enumerate(event.notifications):
            if each.instance_id is not None and each.instance_id not in ids:
                continue
            whose = ids if each.instance_id is None else {each.instance_id}
            untold -= whose
            part = _part(replace(event, notifications=(each,)), whose, NOT_LOOKED_UP)
            if each.id is None:
                self._untold[(key, "place", place)] = part
            else:
                self._told[each.id] = part
        for number in untold:
            self._untold[(key, "instance", number)] = _part(
                replace(event, notifications=()), {number}, NOT_NOTIFIED
            )

    def compare(
        self,
        deliveries: DeliveriesApi,
        callback_url: str,
        subscription_ids: Collection[str],
        max_pages: int,
        max_calls: int,
    ) -> None:
        """Strike off what was delivered: first by the list of deliveries, then one by one."""
        if not self._told:
            return
        for page in islice(deliveries.pages(callback_url), max_pages):
            self._note(page, subscription_ids)
            if not self._told:
                return
        for number in self._not_met()[:max_calls]:
            self._note(deliveries.of_notification(number), subscription_ids)
            part = self._told.get(number)
            if part is not None and part.state == NOT_LOOKED_UP:
                part.state = NO_DELIVERY

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

    def parts(self) -> Iterator[_Part]:
        """Yield what was not delivered."""
        yield from self._told.values()
        yield from self._untold.values()

    def rows(self) -> Iterator[EventRow]:
        """Yield the rows of what was not delivered."""
        for part in self.parts():
            yield from part.rows


def _part(event: Event, instance_ids: Collection[int], state: str) -> _Part:
    date = 0.0 if event.date is None else event.date.timestamp()
    return _Part(date, tuple(EventQuery().rows(event, instance_ids)), state)
