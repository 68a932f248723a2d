"""Share the common behaviour of the sensors: which failures end them, and which they wait through."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_cloudelements.compat import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferralTimeout,
)
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.exceptions import CloudElementsError
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators._parts.base import (
    deferrable_or_default,
    execution_seconds,
    require_seconds,
)
from airflow_provider_cloudelements.operators._parts.copy_names import NamedCopies
from airflow_provider_cloudelements.operators._parts.failures import FinalFailures, initialise, told_in
from airflow_provider_cloudelements.operators._parts.picklable import Picklable
from airflow_provider_cloudelements.operators._parts.rendering import LetterByLetter

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

#: Shortest interval of a deferred sensor, in seconds, if it sets none of its own.
LEAST_POLL_INTERVAL = 10.0


class CloudElementsBaseSensor(Picklable, LetterByLetter, NamedCopies, BaseSensorOperator):
    """Base of the sensors. Subclasses write :meth:`look`, :meth:`trigger` and :meth:`found`.

    A sensor waits through passing faults in each mode. A failure that a retry cannot fix, such as a wrong
    credential, fails the task at once. It is never a skip, whatever ``soft_fail`` and ``never_fail`` say:
    those are for a wait that ends without success.

    ``timeout`` and ``execution_timeout`` end a wait in each mode, except that ``execution_timeout`` begins
    anew with each look of ``mode="reschedule"``. While a sensor is deferred, Airflow's scheduler applies both
    every 15 seconds (``[scheduler] trigger_timeout_check_interval``); ``dag.test()`` applies neither.

    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :param deferrable: Whether to wait in the triggerer, where it holds no worker. Default: Airflow's
        ``[operators] default_deferrable``.
    :param poll_interval: Seconds between two looks of a deferred sensor, at least 1. Default:
        ``poke_interval``, but at least 10.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id",)
    #: Key of the trigger's event that holds the value that :meth:`look` returns.
    told_as: ClassVar[str]

    ui_color = "#d5ecf6"

    def __init__(
        self,
        *,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool | None = None,
        poll_interval: float | None = None,
        **kwargs: Any,
    ) -> None:
        for name in ("timeout", "poke_interval", "max_wait"):
            # Airflow takes True for a second, and of infinity it says no name.
            if isinstance(value := kwargs.get(name), int | float):
                require_seconds(name, value)
        initialise(self, super().__init__, kwargs)
        self.cloudelements_conn_id = cloudelements_conn_id
        self.deferrable = deferrable_or_default(deferrable)
        self.poll_interval = require_seconds("poll_interval", poll_interval)

    @cached_property
    def hook(self) -> CloudElementsHook:
        """The hook of the connection."""
        return CloudElementsHook(self.cloudelements_conn_id)

    def look(self, context: Context) -> bool | PokeReturnValue:
        """Look once for what the sensor waits for."""
        raise NotImplementedError(f"{type(self).__name__} has no look()")

    def trigger(self, interval: float) -> BaseTrigger:
        """Return the trigger that waits in this sensor's place.

        Its event has a ``status``: ``success``, with the value found under the key :attr:`told_as`; or
        ``error`` with ``kind``, ``message`` and ``final``.

        :param interval: Seconds between two looks.
        """
        raise NotImplementedError(f"{type(self).__name__} has no trigger()")

    def found(self, context: Context, value: Any) -> Any:
        """Finish the task when the wait is over, and return the task's return value.

        :param context: The task's context.
        :param value: The value found.
        """
        return value

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look once. A fault that may pass is neither a failure nor a success."""
        with FinalFailures(self):
            try:
                return self.look(context)
            except CloudElementsError as error:
                if not error.retryable:
                    raise
                self.log.warning("It is not known this time: %s", error)
                return False

    def execute(self, context: Context) -> Any:
        """Wait as the mode says, or look once and then wait in the triggerer."""
        began = time.monotonic()
        with self._never_skipping_failures():
            if not self.deferrable:
                value = super().execute(context)
            elif seen := self.poke(context):
                value = seen.xcom_value if isinstance(seen, PokeReturnValue) else None
            else:
                interval = self.poll_interval
                if interval is None:
                    interval = max(self.poke_interval, LEAST_POLL_INTERVAL)
                # Everything goes into the trigger, because dag.test() drops the arguments of the method.
                self.defer(
                    trigger=self.trigger(interval),
                    method_name="execute_complete",
                    timeout=self._longest_deferral(time.monotonic() - began),
                )
        return self.found(context, value)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """Go on after the trigger's event. A missing or unknown event is a failure.

        :param context: The task's context.
        :param event: The trigger's event.
        """
        with FinalFailures(self):
            told = told_in(event)
            if told.get("status") != "success" or self.told_as not in told:
                raise CloudElementsError("The trigger ended without the result of the wait.")
        return self.found(context, told[self.told_as])

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the trigger.

        :param next_method: Name of the method to go on with, or Airflow's mark of a failed deferral.
        :param next_kwargs: Its arguments.
        :param context: The task's context.
        :raises AirflowTaskTimeout: The wait took longer than ``execution_timeout``.
        """
        try:
            with self._never_skipping_failures():
                return super().resume_execution(next_method, next_kwargs, context)
        except Exception as error:
            if not self._execution_ends_first or not _is_expired(error):
                raise
        raise AirflowTaskTimeout(
            f"The task {self.task_id!r} took longer than its execution_timeout of {self.execution_timeout}."
        )

    @property
    def _execution_ends_first(self) -> bool:
        allowed = execution_seconds(self)
        return allowed is not None and allowed <= self.timeout

    def _longest_deferral(self, elapsed: float) -> timedelta:
        """Return how long the sensor may be deferred.

        Airflow itself heeds ``execution_timeout`` in the worker only.

        :param elapsed: Seconds for which the task has run.
        """
        allowed = execution_seconds(self)
        if allowed is None:
            return timedelta(seconds=self.timeout)
        return timedelta(seconds=min(self.timeout, max(0.0, allowed - elapsed)))

    @contextmanager
    def _never_skipping_failures(self) -> Iterator[None]:
        """Raise a failure that Airflow turned into a skip, if waiting cannot fix it."""
        try:
            yield
        except AirflowSkipException as skip:
            failure = skip.__cause__
            if failure is None or not _cannot_be_waited_for(failure):
                raise
            raise failure from failure.__cause__


def _is_expired(error: BaseException | None) -> bool:
    """Return whether the scheduler ended the deferral, whatever Airflow has made of its error."""
    while error is not None and not isinstance(error, TaskDeferralTimeout):
        error = error.__cause__
    return error is not None


def _cannot_be_waited_for(failure: BaseException) -> bool:
    if isinstance(failure, AirflowFailException):
        # If a subclass raises it by itself, without a failure of ours, it is a skip as in any sensor.
        return isinstance(failure.__cause__, CloudElementsError)
    if isinstance(failure, CloudElementsError):
        return not failure.retryable
    return isinstance(failure, AirflowNotFoundException)  # there is no such connection
