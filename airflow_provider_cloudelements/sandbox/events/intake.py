"""Make events of what a vendor sent or a poller found (facts F213, F248)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from airflow_provider_cloudelements.sandbox.core.agenda import Agenda
from airflow_provider_cloudelements.sandbox.events.models import POLLED_BATCH, WEBHOOK_BATCH, Event
from airflow_provider_cloudelements.sandbox.events.store import EventLog
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.settings import Behaviour
from airflow_provider_cloudelements.sandbox.vendors.payloads import read_changes

#: The sandbox drops a body with more objects like one that is too big: each twenty of them repeat it whole.
MOST_OBJECTS = 10_000


class Intake:
    """Makes events of what vendors send and pollers find.

    :param behaviour: returns the sandbox's current settings.
    :param agenda: runs the notifications of an event when they are due.
    :param events: keeps the events.
    :param tell: makes the notifications of an event.
    """

    def __init__(
        self,
        behaviour: Callable[[], Behaviour],
        agenda: Agenda,
        events: EventLog,
        tell: Callable[[Event], None],
    ) -> None:
        self._behaviour = behaviour
        self._agenda = agenda
        self._events = events
        self._tell = tell

    def receive(self, instances: Sequence[Instance], payload: Any, text: str, *, polled: bool) -> list[Event]:
        """Make events of a vendor's body.

        :param instances: the instances of the events, at least one, all of one element.
        :param payload: the parsed body.
        :param text: the body.
        :param polled: whether a poller fetched it.
        """
        count = len(read_changes(instances[0].element, payload, polled=polled))
        if count > MOST_OBJECTS:
            self._events.drop("too_big")
            return []
        batch = POLLED_BATCH if polled else WEBHOOK_BATCH
        size = count if self._behaviour().split_events == "shared" else batch
        made: list[Event] = []
        for first in range(0, count, size):
            last = min(first + size, count)
            event = self._events.add(instances, text, first, last, polled=polled)
            made.append(event)
            if event.settled > time.monotonic():
                self._agenda.at(event.settled, partial(self._tell, event))
            else:
                self._tell(event)
        return made

    def listening(self, instance: Instance) -> bool:
        """Return whether an instance takes events now, and count a dropped event if not (choice C201).

        :param instance: the instance.
        """
        reason = (
            "events_off"
            if not instance.events_enabled
            else "instance_disabled"
            if instance.disabled
            else None
        )
        if reason is not None:
            self._events.drop(reason)
        return reason is None
