"""Provide a retry policy that knows how to treat each failure of this provider (Airflow 3.3 and later)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.exceptions import CloudElementsError

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryDecision, RetryPolicy
else:
    try:
        from airflow.sdk import RetryDecision, RetryPolicy
    except ImportError:
        # Replace the error, because "cannot import name" does not say what to do.
        raise ImportError(
            "CloudElementsRetryPolicy needs Airflow 3.3 or later. Before that, the operators fail at once "
            "if a retry cannot help, and retry otherwise."
        ) from None

__all__ = ["CloudElementsRetryPolicy"]


class CloudElementsRetryPolicy(RetryPolicy):
    """
    Fail at once if a retry cannot fix the failure, and wait as long as the platform asks.

    For a task: ``retry_policy=CloudElementsRetryPolicy(), retries=5``. For all other failures the task's own
    ``retries`` and ``retry_delay`` apply.

    :param longest_wait: Longest time to wait when the platform asks for a wait. Default: one hour.
    :raises ValueError: ``longest_wait`` is negative.
    """

    def __init__(self, longest_wait: timedelta = timedelta(hours=1)) -> None:
        if longest_wait < timedelta():
            raise ValueError("longest_wait must not be negative.")
        self.longest_wait = longest_wait

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide by the kind of the failure."""
        if not isinstance(exception, CloudElementsError):
            return RetryDecision.default()
        if not exception.retryable:
            return RetryDecision.fail(reason=f"{type(exception).__name__}: a retry cannot fix it.")
        if asked := getattr(exception, "retry_after", None):
            # Compared as numbers: an answer may ask for more seconds than a timedelta holds.
            wait = timedelta(seconds=min(asked, self.longest_wait.total_seconds()))
            return RetryDecision.retry(delay=wait, reason=f"The platform asks to wait {wait}.")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return the data from which :meth:`deserialize` makes the same policy."""
        return {"longest_wait": self.longest_wait.total_seconds()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> CloudElementsRetryPolicy:
        """Make a policy from what :meth:`serialize` returned."""
        return cls(timedelta(seconds=data["longest_wait"]))
