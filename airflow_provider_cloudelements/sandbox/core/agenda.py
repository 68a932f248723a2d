"""Later actions: one heap and one timer of the event loop.

A reader first runs the due actions (:meth:`Agenda.catch_up`), so that no reader sees a state before them. If
nobody reads, the timer runs them. Everything runs on the event loop, like the handlers.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

Action = Callable[[], None]


class Agenda:
    """Actions by the moment when they are due. An action checks by itself whether it still applies."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Action]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def clear(self) -> None:
        """Forget everything."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def at(self, moment: float, action: Action) -> None:
        """Run an action later, or with the next :meth:`catch_up`.

        :param moment: on the monotonic clock.
        :param action: what to do.
        """
        heapq.heappush(self._due, (moment, next(self._numbers), action))
        if self._due[0][0] == moment:
            self._set_timer()

    def catch_up(self) -> None:
        """Run the due actions."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    def _set_timer(self) -> None:
        """Set the timer for the first entry."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(self._due[0][0] - time.monotonic(), 0), self._wake)

    def _wake(self) -> None:
        """Run the due actions and set the timer again."""
        self._timer = None
        try:
            self.catch_up()
        finally:
            self._set_timer()
