"""Decide what a failed call may have done, and look again until that is known."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.wire.request import is_number
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)

if TYPE_CHECKING:
    from airflow_provider_cloudelements.connections import ConnectionSettings

log = logging.getLogger(__name__)

_LONGEST_LOOK_UP_PAUSE = 5.0


def may_have_acted(error: CloudElementsError) -> bool:
    """Return whether the server may have executed the call although it failed."""
    if isinstance(error, CloudElementsTransportError):
        return error.sent
    # A redirect does not come from the API, and a 404 of this class comes from a gateway before it.
    return isinstance(error, CloudElementsServerError) and not 300 <= (error.status or 500) < 500


def may_have_asked_vendor(error: CloudElementsError) -> bool:
    """Return whether the vendor may have got the code that a failed call carried.

    The vendor has it neither after a 429, nor after a refusal without a text of the vendor (fact F42), nor if
    the client sent nothing.

    :param error: How the call failed.
    """
    if isinstance(error, CloudElementsRateLimitError):
        return False
    return error.provider_message is not None or may_have_acted(error)


def settle_seconds(settings: ConnectionSettings, given: float | None) -> float:
    """Return how long to go on looking after a call in doubt.

    :param settings: The connection, whose ``create_timeout`` is the default.
    :param given: The caller's ``settle_time``, in seconds.
    :raises CloudElementsValidationError: It is no number from 0 on. A wait for nan seconds would never end.
    """
    if given is None:
        return settings.create_timeout
    if not is_number(given):
        raise CloudElementsValidationError("settle_time must be a number of seconds from 0 on, or None.")
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


def looked_for(
    look_up: Callable[[], list[Instance]],
    seconds: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> tuple[list[Instance], CloudElementsError | None]:
    """Look up repeatedly, until an instance is there or the time is over. A failed look-up is logged.

    :param look_up: Returns the instances found.
    :param seconds: Seconds until the end.
    :param sleep: Makes the pauses.
    :param clock: Returns the time in seconds.
    :return: What was found, and why the last look-up failed, if it did.
    """
    failure: CloudElementsError | None = None
    for _ in looks(seconds, sleep, clock):
        try:
            found = look_up()
        except CloudElementsError as error:
            log.warning("The look-up failed: %s", error)
            failure = error
            continue
        failure = None
        if found:
            log.info("The instance was made: its id is %d.", found[0].id)
            return found, None
    return [], failure


def in_doubt(
    message: str, doubt: CloudElementsError, *, code_spent: bool
) -> CloudElementsAmbiguousCreateError:
    """Return the error for a call whose outcome is not known.

    :param message: What is not known, and what to do.
    :param doubt: How the call ended.
    :param code_spent: Whether an authorization code went with it.
    """
    return CloudElementsAmbiguousCreateError(
        f"{message} What happened: {doubt}",
        code_spent=code_spent,
        status=doubt.status,
        request_id=doubt.request_id,
        provider_message=doubt.provider_message,
        method=doubt.method,
        path=doubt.path,
    )
