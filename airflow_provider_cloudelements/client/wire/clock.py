"""The platform's clock, as its answers show it. Events are dated by it, and it may differ from ours."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass

import pendulum

#: Differences below this many seconds are the rounding of the header, and the way of the answer.
ROUNDING = 2.0
#: Differences above this many seconds are no clock's, but a wrong header's: the answer of a cache, say.
LARGEST = 86_400.0
#: Seconds by which a noted moment may lie ahead of a clock that nobody has set since.
AHEAD = 5.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment that a worker noted. Another worker's clock may differ from its clock, or it may be set since.

    :param at: The moment by the clock of the worker that noted it, in seconds since 1970.
    :param ahead: Seconds by which the platform's clock was ahead of that one; ``None``: it was not known.
    """

    at: float
    ahead: float | None = None

    def date(self, clock: PlatformClock) -> pendulum.DateTime | None:
        """Return it by the platform's clock.

        :param clock: That clock, as this worker sees it.
        :return: ``None`` if nobody knows: it was noted before an answer had shown that clock, and lies in
            the future by this worker's clock, which is another one or was set since.
        """
        if self.ahead is not None:
            return pendulum.from_timestamp(self.at + self.ahead)
        if self.at > time.time() + AHEAD:
            return None
        return clock.at(self.at) or pendulum.from_timestamp(self.at)

    def ours(self, clock: PlatformClock) -> float:
        """Return it by this worker's clock, in seconds since 1970.

        :param clock: The platform's clock, as this worker sees it.
        """
        if self.ahead is None or clock.ahead is None:
            return self.at
        return self.at + self.ahead - clock.ahead


class PlatformClock:
    """Measures by the ``Date`` header of answers how far the platform's clock is ahead of ours.

    HTTP asks servers to send this header (RFC 9110, 6.6.1). No document of the platform names it: without it,
    the two clocks count as equal. Several threads may use one object: each step is one assignment.
    """

    def __init__(self) -> None:
        #: Seconds by which the platform's clock is ahead; negative: behind. ``None`` before an answer.
        self.ahead: float | None = None

    def saw(self, header: str | None) -> None:
        """Note the ``Date`` header of an answer that has just come. A missing or wrong one is passed over.

        :param header: Its value.
        """
        from email.utils import parsedate_to_datetime

        if header is None:
            return
        try:
            date = parsedate_to_datetime(header)
            if date.tzinfo is None:  # it names no zone; this worker's own would be a guess
                date = date.replace(tzinfo=datetime.UTC)
            # The header cuts to whole seconds, and the answer took a while: both make the clock seem to be
            # behind, never ahead. So no event counts as late too early.
            ahead = date.timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return
        if abs(ahead) <= LARGEST:
            self.ahead = 0.0 if abs(ahead) < ROUNDING else ahead

    def now(self) -> Moment:
        """Return this moment, to note it."""
        return Moment(time.time(), self.ahead)

    def at(self, moment: float) -> pendulum.DateTime | None:
        """Return what the platform's clock showed.

        :param moment: A moment of our clock, in seconds since 1970.
        :return: ``None`` if no answer has shown the clock yet.
        """
        return None if self.ahead is None else pendulum.from_timestamp(moment + self.ahead)
