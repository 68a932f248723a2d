"""Turn the end of a trigger's wait into its one event, which its sensor or operator reads."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_cloudelements.compat import AirflowNotFoundException
from airflow_provider_cloudelements.exceptions import CloudElementsError


async def event_of(wait: Awaitable[dict[str, Any]]) -> TriggerEvent:
    """Wait, and return the event.

    :param wait: The wait. It returns what the event holds beside its status ``success``.
    :return: With a failure: ``status`` ``error``, and ``kind``, ``message`` and ``final``.
    """
    try:
        event = {"status": "success", **await wait}
    except CloudElementsError as error:
        event = _error_event(error, final=not error.retryable)
    except AirflowNotFoundException as error:
        # Airflow says this as well when it could not ask for the connection just now.
        event = _error_event(error, final=False)
    return TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow leaves it untyped


def _error_event(error: Exception, *, final: bool) -> dict[str, Any]:
    """Return the content of an event for a failure.

    :param error: The failure.
    :param final: Whether no later try can help.
    """
    return {"status": "error", "kind": type(error).__name__, "message": str(error), "final": final}
