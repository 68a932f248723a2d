"""Show a failure so that a person sees at once what to do: in the task's log, and when a DAG is parsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.arguments import unknown_argument
from airflow_provider_cloudelements.compat import AirflowFailException, AirflowNotFoundException
from airflow_provider_cloudelements.exceptions import CloudElementsError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class FinalFailures:
    """Turn a failure that a retry cannot fix into an ``AirflowFailException`` from the original.

    A failure of ours says in its text what went wrong and what to do. The lines of this provider and of the
    libraries that it went through say less, and Airflow's log shows them all. So the failure leaves this
    block without them, and the log begins and ends with the text. They are in the log at level DEBUG. So does
    the error for a connection that does not exist.

    :param task: The operator or sensor. One with a ``retry_policy`` gets the original, to decide by itself,
        unless it is a sensor with ``silent_fail``, which would log the original and go on.
    """

    def __init__(self, task: BaseOperator) -> None:
        self._task = task

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Replace the failure."""
        if not isinstance(error, CloudElementsError | AirflowNotFoundException):
            return
        task = self._task
        task.log.debug("This is where the failure comes from:", exc_info=(type(error), error, traceback))
        error.__traceback__ = error.__context__ = None
        judges = getattr(task, "retry_policy", None) is not None and not getattr(task, "silent_fail", False)
        if isinstance(error, AirflowNotFoundException) or error.retryable or judges:
            raise error
        final = AirflowFailException(f"{type(error).__name__}: {error}")
        # For a callback, which gets this exception and not its cause.
        for name in ("instance_id", "deleted", "not_deleted"):
            setattr(final, name, getattr(error, name))
        raise final from error


def initialise(task: BaseOperator, init: Callable[..., None], kwargs: Mapping[str, Any]) -> None:
    """Call the ``__init__`` of Airflow's base class, and name the nearest argument if it refuses one.

    Airflow's own error shows the value as well, which may be a secret.

    :param task: The operator or sensor.
    :param init: The method of the base class, bound to the task.
    :param kwargs: The arguments that go to it.
    :raises TypeError: There is no such argument.
    """
    refused: TypeError | None = None
    try:
        init(**kwargs)
    except TypeError:
        who = f"{type(task).__name__} (task {kwargs.get('task_id')!r})"
        refused = unknown_argument(who, kwargs, type(task))
        if refused is None:
            raise
    if refused is not None:
        # Outside the handler, so that Airflow's error with the value does not become its context.
        raise refused
