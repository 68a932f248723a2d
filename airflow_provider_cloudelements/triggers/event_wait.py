"""What the poll hub asks for on behalf of those who wait for events: one list, however many they are."""

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

#: What is new, if anything; ``None`` for one that is far behind and is to catch up by itself.
EventNews = EventBatch | None
EventWaiter = Waiter[EventLook, EventNews]


class EventWait(Kind[EventLook, EventNews]):
    """Reads the account's list once a tick, or an instance's own where all wait for that one.

    A look is answered once, also when nothing is new: whoever wants more looks again, from the cursor in the
    answer. So nothing piles up for one who is busy with what it got.
    """

    name: ClassVar[str] = "events"

    def __init__(self) -> None:
        self._orders = ListOrders()

    def ask(
        self, account: Account, waiters: Sequence[EventWaiter]
    ) -> Iterator[Sequence[Answer[EventLook, EventNews]]]:
        """Read for all who look and are not answered yet."""
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
                # It would make everybody's reading as long as its own.
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
    """Return what the next tick has for a look, or what is found by catching up.

    :param waiter: One that waits in the hub.
    :param look: For what, and from where on.
    :param patience: Seconds until a catch-up that failed in passing is tried again; ``None``: it is not.
    :raises CloudElementsError: The wait has failed; or the reading of one that catches up.
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
