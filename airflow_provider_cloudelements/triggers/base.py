"""What the triggers that wait in the poll hub do alike: they enter it, and leave it on each way out."""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypeVar

from airflow_provider_cloudelements.triggers.arguments import SerializedTrigger
from airflow_provider_cloudelements.triggers.hub import current_hub
from airflow_provider_cloudelements.triggers.waiting import Kind, Waiter

_Look = TypeVar("_Look")
_News = TypeVar("_News")


class HubTrigger(SerializedTrigger):
    """Base of such triggers. Name it before Airflow's base class."""

    cloudelements_conn_id: str
    poll_interval: float
    _waiter: Waiter[Any, Any] | None = None

    def enter(self, kind: type[Kind[_Look, _News]], look: _Look) -> Waiter[_Look, _News]:
        """Return the trigger's waiter, registered once its ``with`` block begins.

        :param kind: The kind of wait.
        :param look: What to look for.
        """
        waiter = current_hub().waiter(self.cloudelements_conn_id, kind, look, self.poll_interval)
        self._waiter = waiter
        return waiter

    async def news_before(self, end_at: float | None, kind: type[Kind[_Look, _News]], look: _Look) -> _News:
        """Return the first news.

        :param end_at: Moment at which the wait ends, in seconds since 1970; ``None``: never.
        :param kind: The kind of wait.
        :param look: What to look for.
        :raises TimeoutError: There were none before then.
        """
        left = None if end_at is None else max(0.0, end_at - time.time())
        async with asyncio.timeout(left):
            with self.enter(kind, look) as waiter:
                return await waiter.news()

    async def cleanup(self) -> None:
        """Leave the poll hub if Airflow dropped ``run()`` without ending it."""
        if self._waiter is not None:
            self._waiter.leave()
