"""Poll once for all waiters in this process that want the same kind of thing on one connection.

A thousand deferred tasks that wait for an instance cost one list call a tick, not a thousand. There is one
hub for each running event loop, and in it one :class:`~.poll.Poll` for each connection and kind of wait. Both
go when the last waiter leaves. A :class:`~.waiting.Kind` decides what to ask, and which answer goes to which
waiter. The poll does the rest, in the same way for all kinds.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_cloudelements.triggers.poll import ConnectionPoll
from airflow_provider_cloudelements.triggers.waiting import Kind, Waiter

_Look = TypeVar("_Look")
_News = TypeVar("_News")


class Hub:
    """Hold all polls of one event loop."""

    def __init__(self) -> None:
        self._polls: dict[tuple[str, type[Kind[Any, Any]]], ConnectionPoll] = {}

    def __len__(self) -> int:
        """Return the number of running polls."""
        return len(self._polls)

    def waiter(
        self, conn_id: str, kind: type[Kind[_Look, _News]], look: _Look, interval: float
    ) -> Waiter[_Look, _News]:
        """Return a waiter, registered once its ``with`` block begins.

        :param conn_id: Connection of type ``cloudelements``.
        :param kind: The kind of wait.
        :param look: What to look for.
        :param interval: Seconds between two looks; other waiters may make them more frequent.
        """
        return Waiter(lambda: self._poll_of(conn_id, kind), look, interval)

    def _poll_of(self, conn_id: str, kind: type[Kind[Any, Any]]) -> ConnectionPoll:
        key = (conn_id, kind)
        if key not in self._polls:
            self._polls[key] = ConnectionPoll(conn_id, kind(), lambda: self._polls.pop(key, None))
        return self._polls[key]


_HUBS: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """Return the hub of the running event loop."""
    return _HUBS.setdefault(asyncio.get_running_loop(), Hub())
