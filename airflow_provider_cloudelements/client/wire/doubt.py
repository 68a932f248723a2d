"""A call whose outcome is not known: when that is so, and how long to look for what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airflow_provider_cloudelements.client.wire.request import is_number
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)

_LONGEST_LOOK_UP_PAUSE = 5.0
#: Refusals by their number that say only that somebody's time was over: 408, and 499, by which a gateway says
#: that the one before it hung up. What lies behind may be at work. (A 425 refuses to begin.)
_TIME_WAS_OVER = frozenset({408, 499})


def may_have_acted(error: CloudElementsError) -> bool:
    """Return whether the server may have executed the call although it failed."""
    if isinstance(error, CloudElementsTransportError):
        return error.sent
    # A redirect does not come from the API, and a 404 of this class comes from a gateway before it.
    if isinstance(error, CloudElementsServerError):
        return not 300 <= (error.status or 500) < 500
    return error.status in _TIME_WAS_OVER


def settle_seconds(settings: ConnectionSettings, given: float | None) -> float:
    """Return how long to go on looking after a call in doubt.

    :param settings: The connection, whose ``create_timeout`` is the default.
    :param given: The caller's ``settle_time``, in seconds.
    :raises CloudElementsValidationError: It is no number from 0 on. A wait for nan seconds would never end.
    """
    if given is None:
        return settings.create_timeout
    if not is_number(given):
        raise CloudElementsValidationError(
            "settle_time must be a number of seconds from 0 to 100 years, or None."
        )
    return given


def looks(seconds: float, sleep: Callable[[float], None], clock: Callable[[], float]) -> Iterator[None]:
    """Yield now and, with growing pauses between, until the time is over; the last time at its end.

    :param seconds: Seconds until the end. With 0, it yields once.
    :param sleep: Makes the pauses.
    :param clock: Returns the time in seconds.
    """
    deadline = clock() + seconds
    pause = 0.5
    while True:
        yield
        left = deadline - clock()
        if not left > 0:  # nan ends it as well
            return
        sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_LOOK_UP_PAUSE)
