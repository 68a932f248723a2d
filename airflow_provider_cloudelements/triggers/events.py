"""Wait for events: the trigger of a sensor until there are enough, the trigger of an asset for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.events.batch import EventBatch, EventLimits, joined
from airflow_provider_cloudelements.events.cursor import EventCursor, read_until
from airflow_provider_cloudelements.events.query import EventQuery
from airflow_provider_cloudelements.events.reading import EventLook
from airflow_provider_cloudelements.events.scan import MAX_PAGES
from airflow_provider_cloudelements.triggers.arguments import poll_interval_of
from airflow_provider_cloudelements.triggers.base import HubTrigger
from airflow_provider_cloudelements.triggers.event_wait import EventWait, next_events
from airflow_provider_cloudelements.triggers.outcome import event_of
from airflow_provider_cloudelements.triggers.place import WatcherPlace

__all__ = ["CloudElementsEventSensorTrigger", "CloudElementsEventTrigger"]

#: Most rows of one asset event.
MAX_EVENTS = 100
#: Most bytes of its rows as JSON.
MAX_BYTES = 65_536
#: Seconds between two looks.
POLL_INTERVAL = 10.0
#: Most characters of a watcher's name, which is part of a key in the state store.
LONGEST_NAME = 200
#: Failures in a row before a watcher gives up.
FAILURES = 5


class CloudElementsEventSensorTrigger(HubTrigger, BaseTrigger):
    """Wait until there are enough events, and return them in one trigger event.

    The event is ``{"status": "success", "found": {"events": [...], "cursor": {...}}}`` with what the sensor
    returns, or an error in the form of ``CloudElementsInstanceTrigger``. After a restart it begins at its
    first cursor again, because it keeps found events in memory only.

    It needs no ``on_kill``: it makes nothing outside of Airflow.

    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    :param cursor: Where to begin: the JSON of :meth:`EventCursor.as_json`.
    :param min_events: How many events there must be.
    :param max_events: Most events to return.
    :param max_bytes: Most bytes of them.
    :param max_pages: Most pages of a reading.
    :param include_raw: Whether to return the vendor's body as well.
    :param poll_interval: Seconds between two looks, at least 1.
    :param until: Only events before this moment, ISO; ``None``: no end.
    :param query: Arguments of :meth:`EventQuery.of`.
    """

    stored = (
        "cloudelements_conn_id",
        "cursor",
        "min_events",
        "limits",
        "include_raw",
        "poll_interval",
        "until",
        "query",
    )

    def __init__(
        self,
        *,
        cloudelements_conn_id: str,
        cursor: Mapping[str, Any],
        min_events: int,
        max_events: int,
        max_bytes: int,
        max_pages: int = MAX_PAGES,
        include_raw: bool = False,
        poll_interval: float = POLL_INTERVAL,
        until: str | None = None,
        **query: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.cloudelements_conn_id = cloudelements_conn_id
        self.until = until
        self.query = EventQuery.of(**query)
        self.cursor = EventCursor.parse(cursor)
        self.min_events = min_events
        self.limits = EventLimits.of(max_events=max_events, max_bytes=max_bytes, max_pages=max_pages)
        self.include_raw = include_raw
        self.poll_interval = poll_interval_of(poll_interval)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait in the poll hub, then yield the one event."""
        yield await event_of(self._found())

    async def _found(self) -> dict[str, Any]:
        return {"found": await self._wait()}

    async def _wait(self) -> dict[str, Any]:
        until = read_until(self.until)
        look = EventLook(self.query, self.cursor, self.limits.pages, self.include_raw, until=until)
        found: list[EventBatch] = []
        count = 0
        with self.enter(EventWait, look) as waiter:
            while count < self.min_events:
                batch = await next_events(waiter, look)
                look = look.after(batch)
                count += len(batch)
                if len(batch):
                    found.append(batch)
            return await waiter.work(partial(_told, found, self.limits))


class CloudElementsEventTrigger(HubTrigger, BaseEventTrigger):
    """Watch for events on behalf of an asset.

    :func:`~airflow_provider_cloudelements.assets.cloudelements_event_asset` makes both.

    The trigger yields at most one trigger event an interval: ``{"watcher": name, "events": [...]}``, oldest
    first, with the same rows as the sensor. Rows that do not fit come with the next one. (If two trigger
    events come within a moment, Airflow may start no separate run for the second.) All watchers and sensors
    of one connection in a triggerer share one reading of the list.

    Every event reaches the DAG at least once. A repeated event has the same ``id``, ``instance_id``,
    ``object_type`` and ``object_id``.

    The watcher keeps its cursor as an Airflow Variable. On Airflow 3.3 and later it also keeps it in the
    state store of the asset, under the watcher's name. It saves the cursor with the next look, at least ten
    seconds after it yielded the events, because until then these may lie in the triggerer's memory alone. So
    a triggerer that restarts repeats the events of its last seconds, and misses nothing. While a DAG is
    paused, nothing watches for its events. Unpaused, the watcher goes on from its cursor. It finds the events
    that came meanwhile, if the platform still has them, and yields one asset event an interval. ``start``
    counts only for a watcher with a new name.

    The Variable is there because Airflow 3.3 deletes the state of an asset while no DAG file names it, as
    during a deployment, and because earlier versions have no such store. To let a watcher begin at ``start``
    again, delete both, or give it a new name. If neither is there, the watcher logs a warning.

    The watcher waits through failures that pass by themselves. After five other failures in a row, an
    interval apart, it gives up with an error in the triggerer's log; Airflow then starts it anew.

    :param name: Name of the watcher, which must be unique. Two watchers with the same name and connection
        that look for different things would overwrite each other's cursor, and lose events. Two that are
        equal in everything would be one trigger.
    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    :param start: Where it begins: ``now``, ``earliest`` (all that the platform still has), or a date.
    :param poll_interval: Seconds between two looks, and two asset events, at least 1. Default: 10.
    :param max_events: Most rows of an asset event. Default: 100.
    :param max_bytes: Most bytes of its rows, as JSON, 32,768 at least. Default: 65,536.
    :param max_pages: Most pages of a reading. Default: 100, that is 20,000 events.
    :param include_raw: Whether each row holds the vendor's body as well: ``raw``, up to 16,384 bytes, and
        ``raw_left_out``, whether it has more. Airflow then stores it in clear in its database. Default:
        ``False``.
    :param query: Arguments of :meth:`EventQuery.of`.
    """

    stored = ("name", "cloudelements_conn_id", "start", "poll_interval", "limits", "include_raw", "query")

    def __init__(
        self,
        *,
        name: str,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        start: Any = "now",
        poll_interval: float = POLL_INTERVAL,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        max_pages: int = MAX_PAGES,
        include_raw: bool = False,
        **query: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
            raise ValueError(f"name must be a text that is not empty, of at most {LONGEST_NAME} characters.")
        if not isinstance(include_raw, bool):
            raise ValueError("include_raw must be True or False.")
        self.name = name
        self.include_raw = include_raw
        self.cloudelements_conn_id = cloudelements_conn_id
        self.start = start.isoformat() if hasattr(start, "isoformat") else start
        EventCursor.start(self.start)  # a wrong start raises when Airflow parses the DAG file
        self.poll_interval = poll_interval_of(poll_interval, least=1)
        self.limits = EventLimits.of(max_events=max_events, max_bytes=max_bytes, max_pages=max_pages)
        self.query = EventQuery.of(**query)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch for ever: yield events as they come; raise after too many failures in a row."""
        loop = asyncio.get_running_loop()
        place = WatcherPlace(self, self.cloudelements_conn_id, self.name)
        begin = EventCursor.start(self.start)
        look: EventLook | None = None
        rest: EventBatch | None = None
        told_at = loop.time() - self.poll_interval
        failures = 0
        while True:
            try:
                if look is None:
                    place_now = await place.load(begin)
                    look = EventLook(self.query, place_now, self.limits.pages, self.include_raw)
                with self.enter(EventWait, look) as waiter:
                    while True:
                        if not rest:
                            rest = await next_events(waiter, look)
                            look = look.after(rest)
                        failures = 0
                        if rest:
                            await asyncio.sleep(told_at + self.poll_interval - loop.time())
                        await place.save()
                        told, reached, rest = await waiter.work(partial(_part, rest, self.limits))
                        place.reached(reached, bool(told))
                        if told:
                            told_at = loop.time()
                            yield TriggerEvent(  # type: ignore[no-untyped-call]
                                {"watcher": self.name, "events": [row.data for row in told.rows]}
                            )
            except Exception as error:
                # Catch every error: Airflow at once restarts a trigger that ends, and that may fail as fast.
                failures += 1
                await asyncio.sleep(self.poll_interval)
                if failures >= FAILURES:
                    raise
                self.log.warning(
                    "Watcher %r: %s: %s The watcher goes on.", self.name, type(error).__name__, error
                )


def _told(found: list[EventBatch], limits: EventLimits) -> dict[str, Any]:
    """Return the sensor's result, and free what was found, because that may be far more."""
    whole = joined(found)
    told = whole.take(limits)[0].as_json()
    found.clear()
    whole.free()
    return told


def _part(batch: EventBatch, limits: EventLimits) -> tuple[EventBatch, EventCursor, EventBatch]:
    """Return the part of a batch that fits, the cursor after it, and the rest."""
    told, rest = batch.take(limits)
    return told, told.after, rest
