"""From what a vendor sent, or a poller found, to events (dossier 5.5, 6.3)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.sandbox.events.store import Event
from airflow_provider_cloudelements.sandbox.notifications.store import POLLED_BATCH, WEBHOOK_BATCH
from airflow_provider_cloudelements.sandbox.vendors.payloads import read_changes

if TYPE_CHECKING:
    from airflow_provider_cloudelements.sandbox.instances.store import Instance
    from airflow_provider_cloudelements.sandbox.state import State

#: A body of more objects is dropped like one that is too big: each twenty of them repeat all of it.
MOST_OBJECTS = 10_000


def receive(
    state: State, instances: Sequence[Instance], payload: Any, text: str, *, polled: bool
) -> list[Event]:
    """Make events of what a vendor sent.

    :param state: the sandbox.
    :param instances: whose events they are, of one element, at least one.
    :param payload: the parsed body.
    :param text: the body.
    :param polled: whether a poller brought it.
    """
    count = len(read_changes(instances[0].element, payload, polled=polled))
    if count > MOST_OBJECTS:
        state.events.drop("too_big")
        return []
    batch = POLLED_BATCH if polled else WEBHOOK_BATCH
    size = count if state.behaviour.split_events == "shared" else batch
    made: list[Event] = []
    for first in range(0, count, size):
        last = min(first + size, count)
        event = state.events.add(instances, text, first, last, polled=polled)
        made.append(event)
        if event.settled > time.monotonic():
            state.agenda.at(event.settled, partial(state.notifications.tell, event))
        else:
            state.notifications.tell(event)
    return made


def listening(state: State, instance: Instance) -> bool:
    """Tell whether an instance takes events now, and count it when not (both a choice).

    :param state: the sandbox.
    :param instance: the instance.
    """
    reason = (
        "events_off" if not instance.events_enabled else "instance_disabled" if instance.disabled else None
    )
    if reason is not None:
        state.events.drop(reason)
    return reason is None
