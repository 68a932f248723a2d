"""Triggers that wait for events: of a sensor until there are enough, of an asset for ever."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from airflow_provider_cloudelements.compat import AirflowNotFoundException, aget_asset_state, aset_asset_state
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.query import EventQuery
from airflow_provider_cloudelements.events.reading import EventBatch, EventLimits, EventLook
from airflow_provider_cloudelements.events.scan import MAX_PAGES
from airflow_provider_cloudelements.exceptions import CloudElementsError, CloudElementsValidationError
from airflow_provider_cloudelements.triggers.event_wait import EventWait, EventWaiter, next_events
from airflow_provider_cloudelements.triggers.hub import current_hub
from airflow_provider_cloudelements.triggers.instances import error_event

#: Most rows of one asset event.
MAX_EVENTS = 100
#: Most bytes of its rows as JSON.
MAX_BYTES = 65_536
#: Seconds between two looks.
POLL_INTERVAL = 10.0
#: Least seconds from the moment that an event is yielded to that when the cursor behind it is saved: until
#: then it may lie in the triggerer's memory alone.
SAVE_AFTER = 10.0
#: Seconds after which a cursor is saved though nothing was told: it only spares reading.
SAVE_IDLE = 60.0
#: Most characters of a watcher's name, which is part of a key in the state store.
LONGEST_NAME = 200
#: Failures in a row before a watcher gives up.
FAILURES = 5


class _EventTrigger:
    """What both triggers do alike: their query, and their place in the poll hub."""

    _waiter: EventWaiter | None = None

    def _enter(self, conn_id: str, look: EventLook, interval: float) -> EventWaiter:
        self._waiter = current_hub().waiter(conn_id, EventWait, look, interval)
        return self._waiter

    async def cleanup(self) -> None:
        """Leave the poll hub, should ``run()`` have been dropped without being ended."""
        if self._waiter is not None:
            self._waiter.leave()


class CloudElementsEventSensorTrigger(_EventTrigger, BaseTrigger):
    """Waits until there are enough events, and tells them in one trigger event.

    The event is ``{"status": "success", "found": {"events": [...], "cursor": {...}}}`` with what the sensor
    returns, or an error as of ``CloudElementsInstanceTrigger``. Started anew, it begins where it began: what
    it has found lies in memory only.

    It needs no ``on_kill``: it makes nothing outside of Airflow.

    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    :param cursor: Where to begin: what :meth:`EventCursor.as_json` wrote.
    :param min_events: How many there must be.
    :param max_events: Most that are told.
    :param max_bytes: Most bytes of them.
    :param max_pages: Most pages of a reading.
    :param include_raw: Whether to tell the vendor's body as well.
    :param poll_interval: Seconds between two looks, at least 1.
    :param query: What :meth:`EventQuery.of` takes.
    """

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
        **query: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.cloudelements_conn_id = cloudelements_conn_id
        self.query = EventQuery.of(**query)
        self.cursor = EventCursor.parse(cursor)
        self.min_events = min_events
        self.limits = EventLimits.of(max_events=max_events, max_bytes=max_bytes, max_pages=max_pages)
        self.include_raw = include_raw
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return where the class is, and the arguments to make it again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "cloudelements_conn_id": self.cloudelements_conn_id,
                "cursor": self.cursor.as_json(),
                "min_events": self.min_events,
                "max_events": self.limits.rows,
                "max_bytes": self.limits.size,
                "max_pages": self.limits.pages,
                "include_raw": self.include_raw,
                "poll_interval": self.poll_interval,
                **self.query.as_arguments(),
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait in the poll hub, then yield the one event."""
        try:
            found = await self._wait()
        except CloudElementsError as error:
            event = error_event(error, final=not error.retryable)
        except AirflowNotFoundException as error:
            # Airflow says this as well when it could not ask for the connection just now.
            event = error_event(error, final=False)
        else:
            event = {"status": "success", "found": found.take(self.limits)[0].as_json()}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def _wait(self) -> EventBatch:
        look = EventLook(self.query, self.cursor, self.limits.pages, self.include_raw)
        found = EventBatch((), self.cursor, self.cursor)
        with self._enter(self.cloudelements_conn_id, look, self.poll_interval) as waiter:
            while len(found.rows) < self.min_events:
                batch = await next_events(waiter, look, patience=self.poll_interval)
                look = look.after(batch)
                found = found.joined(batch)
        return found


class CloudElementsEventTrigger(_EventTrigger, BaseEventTrigger):
    """Watches for events on behalf of an asset.

    :func:`~airflow_provider_cloudelements.assets.cloudelements_event_asset` makes both.

    At most one trigger event an interval, ``{"watcher": name, "events": [...]}``, oldest first, with rows as
    of the sensor; what does not fit comes with the next. (Airflow may leave the second of two events that
    come within a moment without a run of its own.) All watchers and sensors of one connection in a triggerer
    share one reading of the list.

    Every event reaches the DAG at least once; one that is repeated has the same ``id``, ``instance_id``,
    ``object_type`` and ``object_id``.

    *Airflow 3.3 and later* keeps the cursor in the state store of the asset, under the watcher's name. What
    was told is saved with the next look, ten seconds later at least, because until then it may lie in the
    triggerer's memory alone. A triggerer that restarts therefore repeats what it told in its last seconds,
    and misses nothing. A DAG that is paused is not watched; unpaused, it goes on where it was, and finds what
    came meanwhile, as far as the platform still has it, in one asset event an interval. ``start`` counts only
    for a watcher whose name is new.

    *Before Airflow 3.3*, or where several assets share the trigger, there is no such store: each restart of
    the triggerer, and each pause, begins at ``start`` again. With ``now``, what came meanwhile is lost; where
    none may be lost, choose a date, after which everything that the platform still has comes again each time.

    What the platform only fails at in passing is waited through. After five failures in a row that are more,
    an interval apart, it gives up with an error in the triggerer's log; Airflow then starts it anew.

    :param name: Name of the watcher, which no other has: two of one name and connection that look for
        different things would keep their places in one another's stead, and lose events; two that are alike
        in all would be one trigger.
    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    :param start: Where it begins: ``now``, ``earliest`` (all that the platform still has), or a date.
    :param poll_interval: Seconds between two looks, and two asset events, at least 1. Default: 10.
    :param max_events: Most rows of an asset event. Default: 100.
    :param max_bytes: Most bytes of its rows, as JSON, 32,768 at least. Default: 65,536.
    :param max_pages: Most pages of a reading. Default: 100, that is 20,000 events.
    :param include_raw: Whether each row holds the vendor's body as well: ``raw``, up to 16,384 bytes, and
        ``raw_left_out``, whether it has more. It is stored in clear in Airflow's database then. Default:
        ``False``.
    :param query: What :meth:`EventQuery.of` takes.
    """

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
        if isinstance(poll_interval, bool) or not isinstance(poll_interval, int | float) or poll_interval < 1:
            raise ValueError("poll_interval must be a number of seconds, at least 1.")
        if not isinstance(include_raw, bool):
            raise ValueError("include_raw must be True or False.")
        self.name = name
        self.include_raw = include_raw
        self.cloudelements_conn_id = cloudelements_conn_id
        self.start = start.isoformat() if hasattr(start, "isoformat") else start
        EventCursor.start(self.start)  # a wrong one is told when the DAG file is read
        self.poll_interval = poll_interval
        self.limits = EventLimits.of(max_events=max_events, max_bytes=max_bytes, max_pages=max_pages)
        self.query = EventQuery.of(**query)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return where the class is, and the arguments to make it again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "name": self.name,
                "cloudelements_conn_id": self.cloudelements_conn_id,
                "start": self.start,
                "poll_interval": self.poll_interval,
                "max_events": self.limits.rows,
                "max_bytes": self.limits.size,
                "max_pages": self.limits.pages,
                "include_raw": self.include_raw,
                **self.query.as_arguments(),
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch for ever: yield what comes, or raise in the end."""
        loop = asyncio.get_running_loop()
        place = _Place(self)
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
                with self._enter(self.cloudelements_conn_id, look, self.poll_interval) as waiter:
                    while True:
                        if rest is None or not rest.rows:
                            rest = await next_events(waiter, look)
                            look = look.after(rest)
                        failures = 0
                        if rest.rows:
                            await asyncio.sleep(told_at + self.poll_interval - loop.time())
                        await place.save()
                        told, rest = rest.take(self.limits)
                        place.reached(told.after, bool(told.rows))
                        if told.rows:
                            told_at = loop.time()
                            yield TriggerEvent(  # type: ignore[no-untyped-call]
                                {"watcher": self.name, "events": [row.data for row in told.rows]}
                            )
            except Exception as error:
                # Whatever it is: Airflow starts one that ends anew at once, and the next may fail as fast.
                failures += 1
                await asyncio.sleep(self.poll_interval)
                if failures >= FAILURES:
                    raise
                self.log.warning("Watcher %r: %s: %s It goes on.", self.name, type(error).__name__, error)


class _Place:
    """Where a watcher is, and what of it is saved: one look late.

    :param trigger: The watcher.
    """

    def __init__(self, trigger: CloudElementsEventTrigger) -> None:
        self._trigger = trigger
        self._key = f"cloudelements:{trigger.cloudelements_conn_id}:{trigger.name}"
        #: Since when, how far, and whether anything was told on the way.
        self._unsaved: deque[tuple[float, EventCursor, bool]] = deque()
        self._saved: EventCursor | None = None
        self._saved_at = 0.0
        self._usable = True

    async def load(self, begin: EventCursor) -> EventCursor:
        """Return where to go on; else save and return the beginning, which is this moment only once."""
        try:
            stored = await aget_asset_state(self._trigger, self._key)
        except ValueError:
            self._usable = False
            self._trigger.log.warning(
                "Watcher %r: several assets share the trigger, so that none keeps its place.",
                self._trigger.name,
            )
            return begin
        if stored is not None:
            try:
                self._saved = EventCursor.parse(stored)
            except CloudElementsValidationError:
                self._trigger.log.warning(
                    "Watcher %r: what is stored is no cursor; it begins at its start.", self._trigger.name
                )
            else:
                return self._saved
        await self._save(begin)
        return begin

    def reached(self, cursor: EventCursor, told: bool) -> None:
        """Note how far a look has come, the moment before it is told.

        :param cursor: How far.
        :param told: Whether anything is told.
        """
        self._unsaved.append((asyncio.get_running_loop().time(), cursor.place, told))

    async def save(self) -> None:
        """Save what was reached long enough ago. A failure costs repetitions at most."""
        now = asyncio.get_running_loop().time()
        due: EventCursor | None = None
        told = False
        while self._unsaved and self._unsaved[0][0] <= now - SAVE_AFTER:
            _, due, some = self._unsaved.popleft()
            told = told or some
        if due is None:
            return
        if not told and now < self._saved_at + SAVE_IDLE:
            self._unsaved.appendleft((now - SAVE_AFTER, due, False))
            return
        if due != self._saved and self._usable:
            try:
                await self._save(due)
            except Exception as error:
                self._unsaved.appendleft((now - SAVE_AFTER, due, True))
                self._trigger.log.warning(
                    "Watcher %r: its place could not be saved (%s).", self._trigger.name, type(error).__name__
                )

    async def _save(self, cursor: EventCursor) -> None:
        await aset_asset_state(self._trigger, self._key, cursor.as_json())
        self._saved, self._saved_at = cursor, asyncio.get_running_loop().time()
