"""Keep how far a watcher has come, in two stores: without its cursor, it would miss events."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.compat import (
    aget_asset_state,
    aget_variable,
    aset_asset_state,
    aset_variable,
    has_asset_state,
    has_variables,
)
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.scan import SETTLE_TIME
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

#: Least seconds between yielding an event and saving the cursor after it. Until then the event may lie in the
#: triggerer's memory alone.
SAVE_AFTER = 10.0
#: Seconds after which a cursor is saved although no events came for the watcher, because others' events moved
#: it. Saving it only spares reading. A cursor is as far behind anyway, because events may appear late.
SAVE_IDLE = SETTLE_TIME


class WatcherPlace:
    """Track a watcher's cursor, and save it one look late.

    Airflow 3.3 has a state store for each asset. Its scheduler deletes what the store holds of an asset that
    no DAG file names at the moment, and earlier versions have no store. So there is a copy, as a Variable.

    :param trigger: The watcher.
    :param conn_id: Its connection.
    :param name: Its name.
    """

    def __init__(self, trigger: BaseTrigger, conn_id: str, name: str) -> None:
        self._trigger = trigger
        self._name = name
        self._key = f"cloudelements:{conn_id}:{name}"
        # Hashed, because Airflow masks the value of a Variable whose key holds a word such as "token".
        self._copy_key = f"cloudelements_watcher_{hashlib.sha256(self._key.encode()).hexdigest()[:16]}"
        self._description = f"How far the watcher {name!r} of connection {conn_id!r} has come"
        #: Time when the watcher reached a cursor, the cursor, and whether it yielded events on the way.
        self._unsaved: deque[tuple[float, EventCursor, bool]] = deque()
        self._saved: EventCursor | None = None
        self._saved_at = 0.0
        self._store = has_asset_state(trigger)
        self._copies = has_variables()

    async def load(self, begin: EventCursor) -> EventCursor:
        """Return the stored cursor; else save and return ``begin``, so that ``now`` counts only once.

        :param begin: Where a new watcher begins.
        :raises Exception: A store could not be read just now.
        """
        stored = await self._from_store()
        if stored is not None:
            self._saved = stored
            return stored
        copy = await self._from_copy()
        if copy is not None:
            if self._store:
                self._warn(
                    "its place is not in the state of the asset any more, which Airflow deletes while no DAG "
                    "file names the asset. The watcher goes on from the copy in Variable %s.",
                    self._copy_key,
                )
        elif self._store or self._copies:
            self._warn(
                "it has no saved place and begins at its start (%s). If the watcher is not new and its asset "
                "has events already, its place was deleted, and events between the last one and its start do "
                "not start a run: read them with CloudElementsReadEventsOperator.",
                begin.since.isoformat(),
            )
        place = begin if copy is None else copy
        await self._save(place)
        return place

    def reached(self, cursor: EventCursor, told: bool) -> None:
        """Note how far a look has come, just before the watcher yields its events.

        :param cursor: How far the look has come.
        :param told: Whether the watcher yields any events.
        """
        self._unsaved.append((asyncio.get_running_loop().time(), cursor.place, told))

    async def save(self) -> None:
        """Save the cursor that was reached long enough ago. A failure costs repetitions at most."""
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
        if due != self._saved:
            try:
                await self._save(due)
            except Exception as error:
                self._unsaved.appendleft((now - SAVE_AFTER, due, True))
                self._warn("its cursor could not be saved (%s).", type(error).__name__)

    async def _from_store(self) -> EventCursor | None:
        if not self._store:
            return None
        try:
            stored = await aget_asset_state(self._trigger, self._key)
        except ValueError:
            self._store = False
            self._warn("several assets share the trigger, so the state of an asset cannot hold its cursor.")
            return None
        return self._read(stored)

    async def _from_copy(self) -> EventCursor | None:
        if not self._copies:
            return None
        try:
            stored = await aget_variable(self._copy_key)
        except PermissionError:
            self._copies = False
            self._warn("it may not read Variable %s, so there is no copy of its cursor.", self._copy_key)
            return None
        try:
            return self._read(None if stored is None else json.loads(stored))
        except ValueError:
            return self._read({})

    def _read(self, stored: Any) -> EventCursor | None:
        if stored is None:
            return None
        try:
            return EventCursor.parse(stored)
        except CloudElementsValidationError:
            self._warn("a stored value is no cursor; it is passed over.")
            return None

    async def _save(self, cursor: EventCursor) -> None:
        value = cursor.as_json()
        if self._copies:
            try:
                await aset_variable(self._copy_key, value, self._description)
            except Exception as error:
                # The copy is a second chance. Without the store, it is the only one.
                if not self._store:
                    raise
                self._warn("Variable %s could not be written (%s).", self._copy_key, type(error).__name__)
        if self._store:
            await aset_asset_state(self._trigger, self._key, value)
        self._saved, self._saved_at = cursor, asyncio.get_running_loop().time()

    def _warn(self, problem: str, *values: object) -> None:
        self._trigger.log.warning(f"Watcher %r: {problem}", self._name, *values)
