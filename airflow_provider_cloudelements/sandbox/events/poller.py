"""The platform's poller, for instances whose vendors send no events (F203, F210 to F212).

It finds only changes made through the API, since there is no vendor behind the sandbox. It plans a poll only
if there is a change to find, so an idle sandbox has no timers. An instance whose vendor calls gets its event
at once: any change at the vendor makes one, also a write through the API (fact F220).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_cloudelements.sandbox.core.agenda import Agenda
from airflow_provider_cloudelements.sandbox.core.dates import iso_milliseconds
from airflow_provider_cloudelements.sandbox.elements.catalogue import (
    POLL_INTERVAL,
    POLLED_OBJECTS,
    POLLER_CONFIGURATION,
    VENDOR_TYPE,
)
from airflow_provider_cloudelements.sandbox.events.intake import Intake
from airflow_provider_cloudelements.sandbox.events.models import Event
from airflow_provider_cloudelements.sandbox.instances.sessions import Sessions
from airflow_provider_cloudelements.sandbox.instances.store import Instance, Store
from airflow_provider_cloudelements.sandbox.settings import Behaviour
from airflow_provider_cloudelements.sandbox.vendors.payloads import (
    CREATED,
    CREATED_FIELD,
    DELETED,
    UPDATED_FIELD,
    Change,
    polled_body,
    vendor_body,
)

#: Minutes between polls when the configuration holds no number (fact F203).
_DEFAULT_MINUTES = 15.0
#: Least pause between two polls (seconds), however short the settings make it.
_SHORTEST_PAUSE = 0.01
#: Assumed age of a record that was there before (seconds): a day.
_AGE = 86_400.0


def is_polled(instance: Instance) -> bool:
    """Return whether an instance is polled: by event.vendor.type, else by its element's first method (C212).

    :param instance: the instance; ``webhook`` and ``webhooks`` both occur (fact F202).
    """
    kind = (instance.configuration.get(VENDOR_TYPE) or "").lower()
    methods = instance.element.event_methods
    if kind in ("webhook", "webhooks"):
        return False
    return kind == "polling" or methods[:1] == ("polling",)


def is_watched(instance: Instance, name: str) -> bool:
    """Return whether event.objects or event.poller.configuration select a resource for polls (choice C213).

    :param instance: the instance.
    :param name: name of the resource.
    """
    listed = [part.strip() for part in (instance.configuration.get(POLLED_OBJECTS) or "").split(",")]
    if any(listed):
        return name in listed
    try:
        configured = json.loads(instance.configuration.get(POLLER_CONFIGURATION) or "null")
    except (ValueError, RecursionError):
        return True
    return name in configured if isinstance(configured, dict) and configured else True


class Poller:
    """All polls.

    :param behaviour: returns the sandbox's current settings.
    :param agenda: runs the polls when they are due.
    :param store: knows whether an instance still exists.
    :param sessions: know whether its vendor accepts it.
    :param intake: makes events of the found records.
    """

    def __init__(
        self,
        behaviour: Callable[[], Behaviour],
        agenda: Agenda,
        store: Store,
        sessions: Sessions,
        intake: Intake,
    ) -> None:
        self._behaviour = behaviour
        self._agenda = agenda
        self._store = store
        self._sessions = sessions
        self._intake = intake

    def record_changed(self, instance: Instance, name: str, record: dict[str, Any], event_type: str) -> None:
        """Note that a record was changed through the API.

        :param instance: the instance that made the change.
        :param name: name of the resource.
        :param record: the record, with its id.
        :param event_type: CREATED, UPDATED or DELETED.
        """
        if not instance.events_enabled:
            return
        now, record_id = time.time(), str(record["id"])
        if not is_polled(instance):
            if self._intake.listening(instance):
                change = Change(name, record_id, event_type, now)
                self._receive(instance, vendor_body(instance.element, [change], now, polled=False))
            return
        key = (name, record_id)
        if event_type == DELETED:
            # A poller reads existing records, so it finds no deletions (fact F212).
            instance.changes.pop(key, None)
            return
        created = now if event_type == CREATED else instance.changes.get(key, (now - _AGE, 0.0))[0]
        instance.changes[key] = (created, now)
        self._plan(instance)

    def _receive(self, instance: Instance, body: Any) -> list[Event]:
        """Make events of a body as if the platform's own poller or the vendor had sent it."""
        return self._intake.receive([instance], body, json.dumps(body), polled=is_polled(instance))

    def _plan(self, instance: Instance) -> None:
        """Plan the next poll, at the next multiple of the interval."""
        if instance.poll_due is not None:
            return
        pause = max(_minutes(instance) * 60 * self._behaviour().time_factor, _SHORTEST_PAUSE)
        now = time.monotonic()
        instance.poll_due = moment = now + pause - now % pause
        self._agenda.at(moment, lambda: self._poll_due(instance, moment))

    def _poll_due(self, instance: Instance, moment: float) -> None:
        """Poll as planned, unless the instance is gone or was polled meanwhile."""
        if instance.poll_due == moment and self._store.get(instance.id) is instance:
            self.poll(instance)

    def poll(self, instance: Instance) -> list[Event]:
        """Poll an instance now: one event for each resource with records updated since the last poll.

        If the instance cannot be polled now (events off, disabled, refused by its vendor), a later poll finds
        its changes (choice C214).

        :param instance: the instance.
        """
        instance.poll_due = None
        new = {key: dates for key, dates in instance.changes.items() if dates[1] > instance.polled}
        if (
            not instance.events_enabled
            or instance.disabled
            or not is_polled(instance)
            or self._sessions.problem(instance) is not None
        ):
            if new and is_polled(instance):
                self._plan(instance)
            return []
        now = instance.polled = time.time()
        found: dict[str, list[dict[str, Any]]] = {}
        for (name, record_id), (created, updated) in new.items():
            table = instance.tables.held(instance.element, name)
            record = None if table is None else table.get(record_id)
            if record is not None and is_watched(instance, name):
                dates = {CREATED_FIELD: iso_milliseconds(created), UPDATED_FIELD: iso_milliseconds(updated)}
                found.setdefault(name, []).append({**record, **dates})
        made: list[Event] = []
        for name, rows in found.items():
            made += self._receive(instance, polled_body(name, rows, now))
        return made


def _minutes(instance: Instance) -> float:
    """Return the minutes between two polls."""
    try:
        minutes = float(instance.configuration.get(POLL_INTERVAL) or _DEFAULT_MINUTES)
    except ValueError:
        return _DEFAULT_MINUTES
    return minutes if math.isfinite(minutes) and minutes > 0 else _DEFAULT_MINUTES
