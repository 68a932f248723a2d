"""How far a file has come, in the log."""

from __future__ import annotations

import logging
import time

log = logging.getLogger(__name__)

#: Seconds between two lines of the log.
TELLING = 30.0


class Progress:
    """Tells from time to time how much of a file has come or gone, and how fast."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()

    def tell(self, size: int, rows: int) -> None:
        """Write a line if it is time for one.

        :param size: Bytes so far.
        :param rows: Rows so far.
        """
        now = time.monotonic()
        if now - self._told >= TELLING:
            self._told = now
            log.info("So far %d bytes and %d rows, %.1f MB a second.", size, rows, self._rate(size))

    def end(self, size: int, rows: int) -> None:
        """Write the last line.

        :param size: Bytes of the file.
        :param rows: Rows of it.
        """
        log.info("The file has %d bytes and %d rows, at %.1f MB a second.", size, rows, self._rate(size))

    def _rate(self, size: int) -> float:
        return size / 1e6 / max(time.monotonic() - self._began, 0.001)
