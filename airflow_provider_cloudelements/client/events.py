"""The ``/instances/events`` part of the API: reading the events that the platform keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.arguments import moment, path_segment, text
from airflow_provider_cloudelements.client.listed import AnyEvent, ListedEvent
from airflow_provider_cloudelements.client.notifications import Event
from airflow_provider_cloudelements.client.parsing import date_text, instance_id_of, optional_id, parse_object
from airflow_provider_cloudelements.client.shapes import EventShape, read_page
from airflow_provider_cloudelements.client.wire.clock import PlatformClock
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.client.wire.listing import readable
from airflow_provider_cloudelements.exceptions import CloudElementsServerError

__all__ = ["EventsApi"]


class EventsApi:
    """Events that the platform keeps for a while, whether or not it delivers them.

    :param http: Sends the calls.
    """

    def __init__(self, http: HttpSession) -> None:
        self._http = http
        #: The clock by which the platform dates events. A session that sends nothing itself may have none.
        self.clock: PlatformClock = getattr(http, "platform_clock", None) or PlatformClock()

    def pages(self, instance_id: int | None = None, *, raw: bool = True) -> Iterator[list[Any]]:
        """Yield the list of events a page at a time. :func:`read_listed` reads an item.

        :param instance_id: Only events of this instance; default: events of all in the account.
        :param raw: Whether the vendors' bodies are needed. Without them, a page is decoded several times as
            fast, if it has the usual shape. Default: ``True``.
        """
        path = _path(instance_id)
        # What stands in for a session may have parsed pages only.
        if raw or not isinstance(self._http, HttpSession):
            return self._http.list_pages(path)
        return self._http.list_pages(path, read=read_page)

    def list(self, instance_id: int | None = None) -> Iterator[Event]:
        """Yield the events, a page at a time, in the platform's order.

        This order is not known (unknown U281).

        :param instance_id: Only events of this instance; default: events of all in the account.
        """
        rows = self._http.list_items(_path(instance_id))
        return readable(rows, partial(read_event, instance_id=instance_id), "events")

    def get(self, event_id: str, instance_id: int | None = None) -> Event:
        """Read one event.

        :param event_id: Its id, which is ``event_id`` of a delivered notification.
        :param instance_id: The instance that it concerns, if that is known.
        :raises CloudElementsNotFoundError: There is no such event, or no longer.
        :raises CloudElementsValidationError: The id is no text, or names something else.
        """
        path = f"{_path(instance_id)}/{path_segment('event_id', text('event_id', event_id))}"
        return read_event(self._http.send("GET", path).body, instance_id)

    def count_by_instance(self, begin: pendulum.DateTime, end: pendulum.DateTime) -> Counter[int]:
        """Return how many events of each instance the platform received, by one call (facts F286 to F288).

        The platform counts by the hour. It is not known whether its hours are those of the clock or begin
        at ``begin`` (unknown U286), so give a ``begin`` at a full hour. An event counts up to 90 seconds late
        (fact F284).

        :param begin: From then on.
        :param end: Until then.
        :return: The counts by the instances' ids; instances without events are not in it.
        :raises CloudElementsServerError: The answer is no list of counts.
        :raises CloudElementsValidationError: ``begin`` or ``end`` is no moment with a time zone.
        """
        query = {
            "from": date_text(moment("begin", begin)),
            "to": date_text(moment("end", end)),
            "interval": "hour",
        }
        body = self._http.send("GET", "/instances/events/analytics/instances", params=query).body
        if not isinstance(body, list):
            raise CloudElementsServerError("The platform answered with no list of counts of events.")
        counts: Counter[int] = Counter()
        for number, count in readable(_records(body), _count, "counts of events"):
            counts[number] += count
        return counts


def _records(rows: list[Any]) -> Iterator[Any]:
    """Yield the records of all hours; a row without records is an hour that we know nothing of."""
    for row in rows:
        records = parse_object(row, "count of events").get("records")
        if not isinstance(records, list):
            raise CloudElementsServerError("The platform's counts of events have a row without records.")
        yield from records


def _count(record: Any) -> tuple[int, int]:
    data = parse_object(record, "count of events")
    number, count = optional_id(data.get("instanceId")), data.get("count")
    if number is None or not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise CloudElementsServerError("A count of events names no instance or no number.")
    return number, count


def read_event(body: Any, instance_id: int | None = None) -> Event:
    """Read an event of an account's list, or of an instance's.

    :param body: The event's JSON.
    :param instance_id: The instance whose list it is. The event then concerns this instance, even if nothing
        in it says so: before the platform notifies an event, some of it is missing.
    :raises CloudElementsServerError: The body is no event, or has no id.
    """
    event = Event.parse(body)
    if instance_id is None or event.instance_ids:
        return event
    return replace(event, instance_ids=(instance_id_of(instance_id),))


def read_listed(item: Any, instance_id: int | None = None) -> AnyEvent:
    """Read an item of a page of :meth:`EventsApi.pages`, as :func:`read_event` reads its JSON."""
    return (
        ListedEvent.of(item, instance_id) if isinstance(item, EventShape) else read_event(item, instance_id)
    )


def _path(instance_id: int | None) -> str:
    return "/instances/events" if instance_id is None else f"/instances/{instance_id_of(instance_id)}/events"
