"""Decide what a failed call may have done to an instance, and look again until that is known."""

from __future__ import annotations

import logging
from collections.abc import Callable

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.wire.doubt import looks, may_have_acted
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsError,
    CloudElementsRateLimitError,
)

log = logging.getLogger(__name__)


def may_have_asked_vendor(error: CloudElementsError) -> bool:
    """Return whether the vendor may have got the code that a failed call carried.

    The vendor has it neither after a 429, nor after a refusal without a text of the vendor (fact F42), nor if
    the client sent nothing.

    :param error: How the call failed.
    """
    if isinstance(error, CloudElementsRateLimitError):
        return False
    return error.provider_message is not None or may_have_acted(error)


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
