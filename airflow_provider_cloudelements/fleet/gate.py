"""Let threads call the platform at a pace that it takes.

After a refusal that passes, no thread begins a call for a while, and then only a few do. Otherwise dozens of
threads would go on knocking, and each refused call is wasted.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsTransportError,
)

#: Seconds of the first pause, and of the longest. An answer can ask for more, up to a minute.
_FIRST, _LONGEST, _ASKED = 0.5, 20.0, 60.0


def may_pass(error: CloudElementsError) -> bool:
    """Return whether a failure is one of the platform's that may pass: too many calls, down, unreachable.

    :param error: How a call failed.
    """
    return isinstance(
        error, CloudElementsRateLimitError | CloudElementsServerError | CloudElementsTransportError
    )


class Gate:
    """Bounds how many threads call at once.

    :param most: Most at once.
    :param clock: Replaces ``time.monotonic`` in tests.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._limit = float(most)
        self._active = 0
        self._opens = 0.0
        self._strikes = 0
        self._since = 0.0
        self._clock = clock
        self._changed = threading.Condition()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Wait for one's turn, and learn from how the block ends."""
        began = self._enter()
        try:
            yield
        except CloudElementsError as error:
            self._leave(began, error)
            raise
        except BaseException:
            self._leave(began, None)
            raise
        self._leave(began, None)

    def _enter(self) -> float:
        with self._changed:
            while True:
                left = self._opens - self._clock()
                if left <= 0 and self._active < max(1, int(self._limit)):
                    self._active += 1
                    return self._clock()
                self._changed.wait(left if left > 0 else None)

    def _leave(self, began: float, error: CloudElementsError | None) -> None:
        with self._changed:
            self._active -= 1
            if error is None or not may_pass(error):
                # Slowly back to full speed: one more at once after each round of good calls.
                self._limit = min(self._most, self._limit + max(1.0, self._limit / 4) / self._limit)
                self._strikes = 0
            elif began >= self._since:
                # Calls that began before the last pause say nothing new.
                self._strikes += 1
                self._limit = max(1.0, self._limit / 4)
                self._since = self._clock()
                self._opens = self._since + _pause(self._strikes, getattr(error, "retry_after", None))
            self._changed.notify_all()


def _pause(strikes: int, asked: float | None) -> float:
    longest = min(_LONGEST, _FIRST * 2 ** min(strikes - 1, 10))
    return max(random.uniform(longest / 2, longest), min(asked or 0.0, _ASKED))  # noqa: S311  no secret
