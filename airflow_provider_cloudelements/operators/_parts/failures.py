"""Show a failure so that a person sees at once what to do: in the task's log, and when a DAG is parsed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements import exceptions
from airflow_provider_cloudelements.client.arguments import unknown_argument
from airflow_provider_cloudelements.compat import AirflowFailException, AirflowNotFoundException
from airflow_provider_cloudelements.exceptions import CloudElementsError

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

_PACKAGE = __name__.partition(".")[0]


class FinalFailures:
    """Turn a failure that a retry cannot fix into an ``AirflowFailException`` from the original.

    A failure of ours says in its text what went wrong and what to do. The lines of this provider and of the
    libraries that it went through say less, and Airflow's log shows them all. So the failure leaves this
    block without them, and the log begins and ends with the text. They are in the log at level DEBUG. So does
    the error for a connection that does not exist.

    The lines of a DAG's author stay: they say which of several calls failed.

    :param task: The operator or sensor. One with a ``retry_policy`` gets the original, to decide by itself,
        unless it is a sensor with ``silent_fail``, which would log the original and go on.
    :param authors: The author's function, if the block runs one. Default: none.
    """

    def __init__(self, task: BaseOperator, authors: Callable[..., Any] | None = None) -> None:
        self._task = task
        self._code: CodeType | None = getattr(inspect.unwrap(authors), "__code__", None) if authors else None

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
        error.__traceback__ = self._authors_lines(traceback)
        error.__context__ = self._authors_context(error.__context__)
        judges = getattr(task, "retry_policy", None) is not None and not getattr(task, "silent_fail", False)
        if isinstance(error, AirflowNotFoundException) or error.retryable or judges:
            raise error
        final = AirflowFailException(f"{type(error).__name__}: {error}")
        # For a callback, which gets this exception and not its cause.
        for name in ("instance_id", "deleted", "not_deleted"):
            setattr(final, name, getattr(error, name))
        raise final from error

    def _authors_lines(self, lines: TracebackType | None) -> TracebackType | None:
        """Return the lines of a traceback from the author's function to its call of this provider."""
        while lines is not None and lines.tb_frame.f_code is not self._code:
            lines = lines.tb_next
        return _until_ours(lines)

    def _authors_context(self, error: BaseException | None) -> BaseException | None:
        """Return the failure that the author's function was handling, with the author's lines alone."""
        if self._code is None or error is None:
            return None
        # Its lines begin in the function that handles it.
        error.__traceback__ = _until_ours(error.__traceback__)
        error.__context__ = None
        return None if error.__traceback__ is None else error


def _until_ours(lines: TracebackType | None) -> TracebackType | None:
    """Return the lines of a traceback before the first one of this provider."""
    if lines is None or lines.tb_frame.f_globals.get("__name__", "").startswith(f"{_PACKAGE}."):
        return None
    return TracebackType(_until_ours(lines.tb_next), lines.tb_frame, lines.tb_lasti, lines.tb_lineno)


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


def told_in(event: Any) -> Mapping[str, Any]:
    """Return what a trigger's event tells. A missing or unknown event tells nothing.

    :param event: The event.
    :raises Exception: The failure in it, in its own class.
    """
    told = event if isinstance(event, Mapping) else {}
    if told.get("status") == "error":
        raise _failure_in(told)
    return told


def _failure_in(event: Mapping[str, Any]) -> Exception:
    """Return the failure in a trigger's event, in its own class.

    :param event: The event, whose status is ``error``.
    """
    message = str(event.get("message", ""))
    if event.get("kind") == AirflowNotFoundException.__name__:
        return AirflowNotFoundException(message)
    kind = getattr(exceptions, str(event.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, CloudElementsError)):
        kind = CloudElementsError
    error = kind(message)
    error.final = bool(event.get("final"))
    return error
