"""Read events in the poll hub for all waiters: one list, however many waiters there are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import ClassVar

from airflow_provider_cloudelements.events.reading import (
    EventBatch,
    EventLook,
    ListOrders,
    only_instance,
    read_events,
)
from airflow_provider_cloudelements.exceptions import CloudElementsError, CloudElementsValidationError
from airflow_provider_cloudelements.triggers.account import Account
from airflow_provider_cloudelements.triggers.hub import FLOOR, Answer, Kind, Waiter

#: The new events, possibly none; ``None`` for a waiter that is far behind and must catch up by itself.
EventNews = EventBatch | None
EventWaiter = Waiter[EventLook, EventNews]


class EventWait(Kind[EventLook, EventNews]):
    """Read the account's list once a tick, or an instance's own list if all waiters wait for that instance.

    Each look gets one answer, also when nothing is new. A waiter that wants more looks again, from the cursor
    in the answer. So no answers pile up for a waiter that is still busy with the last one.
    """

    name: ClassVar[str] = "events"

    def __init__(self) -> None:
        self._orders = ListOrders()

    def ask(
        self, account: Account, waiters: Sequence[EventWaiter]
    ) -> Iterator[Sequence[Answer[EventLook, EventNews]]]:
        """Read for all waiters whose look has no answer yet."""
        asking = [(waiter, waiter.look) for waiter in waiters if waiter.note is not waiter.look]
        reached = self._orders.reached(only_instance(look for _, look in asking))
        together: list[tuple[EventWaiter, EventLook]] = []
        for waiter, look in asking:
            try:
                look.query.target(account.settings)
            except CloudElementsValidationError as error:
                waiter.note = look
                yield [Answer(waiter, error)]
                continue
            if reached is not None and not look.caught_up and look.cursor.reach < reached:
                # This look would make the reading of all other waiters as long as its own.
                waiter.note = look
                yield [Answer(waiter, None)]
            else:
                together.append((waiter, look))
        if not together:
            return
        batches = read_events(account.session(), [look for _, look in together], self._orders)
        answers: list[Answer[EventLook, EventNews]] = []
        for (waiter, look), batch in zip(together, batches, strict=True):
            waiter.note = look
            answers.append(Answer(waiter, batch))
        yield answers


async def next_events(waiter: EventWaiter, look: EventLook, *, patience: float | None = None) -> EventBatch:
    """Return the batch of the next tick for a look, or of a reading that catches up.

    :param waiter: A waiter in the hub.
    :param look: What to look for, and where to begin.
    :param patience: Seconds until it repeats a catch-up that failed in passing; ``None``: no repetition.
    :raises CloudElementsError: The wait failed, or the reading of a waiter that catches up.
    """
    waiter.look = look
    batch = await waiter.news()
    while batch is None:
        try:
            (batch,) = await waiter.call(lambda account: read_events(account.session(), [look]))
        except CloudElementsError as error:
            if patience is None or not error.retryable:
                raise
            await asyncio.sleep(max(patience, FLOOR))
    return batch
