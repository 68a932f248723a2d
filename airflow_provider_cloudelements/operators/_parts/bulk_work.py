"""Base of the operators that start a bulk job and wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_cloudelements.client.bulk import BulkJob
from airflow_provider_cloudelements.compat import AirflowTaskTimeout
from airflow_provider_cloudelements.exceptions import CloudElementsBulkError, CloudElementsError
from airflow_provider_cloudelements.operators._parts.base import (
    CloudElementsBaseOperator,
    deferrable_or_default,
    longest_deferral,
)
from airflow_provider_cloudelements.operators._parts.early_checks import EarlyChecks, seconds
from airflow_provider_cloudelements.operators._parts.failures import told_in
from airflow_provider_cloudelements.operators._parts.lineage import FileLineage
from airflow_provider_cloudelements.use.bulk import Kept, Stop, cancel, too_long, wait

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_cloudelements.client import InstanceClient

#: Seconds for which a task that is told to end waits for the answer to its cancel. Airflow kills it soon.
_PATIENCE = 10.0


class Work:
    """What a try does with its job. A subclass for each kind of job knows how.

    :param instance: The instance.
    :param stop: Says whether the task is to end.
    """

    def __init__(self, instance: InstanceClient, stop: Stop) -> None:
        self.instance, self.stop = instance, stop

    def begin(self) -> Kept:
        """Start the job, or take up that of an earlier try."""
        raise NotImplementedError

    def complete(self, job: Kept, seen: BulkJob) -> dict[str, Any]:
        """Do what is left when the job has ended, and return what the task returns.

        :param job: The job, as the task remembers it.
        :param seen: What it says of itself.
        """
        raise NotImplementedError

    def failed(self, error: CloudElementsBulkError) -> None:
        """Decide what the next try does after a job that failed."""
        raise NotImplementedError


class BulkWork(EarlyChecks, FileLineage, CloudElementsBaseOperator):
    """Base of the operators that start a bulk job and wait for it, in the worker or in the triggerer."""

    instance_id: Any
    token: str | None
    poke_interval: float
    timeout: float
    deferrable: bool
    checks: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "poke_interval": seconds("poke_interval", 1.0),
        "timeout": seconds("timeout", 1.0),
        "deferrable": deferrable_or_default,
    }
    #: Set while a job runs: tells the work to end, and cancels the job.
    _end: Callable[[], None] | None = None

    def work(self, context: Context, stop: Stop) -> Work:
        """Check the arguments, and return what this try is to do.

        :param context: The task's context.
        :param stop: Says whether the task is to end.
        """
        raise NotImplementedError

    def trigger(self, **arguments: Any) -> BaseTrigger:
        """Return the trigger that waits for a job.

        :param arguments: Its arguments.
        """
        raise NotImplementedError

    def perform(self, context: Context) -> dict[str, Any]:
        """Start the job or take it up, wait for it, and do the rest."""

        def wait_for(work: Work, job: Kept) -> BulkJob:
            if not self.deferrable or work.instance.instance_id is None:
                return wait(
                    work.instance, job, interval=self.poke_interval, longest=self.timeout, stop=work.stop
                )
            seen = work.instance.bulk.status(job.id)
            if not seen.status.is_terminal:
                work.stop.check(job.id)
                self._defer(work.instance.instance_id, job)
            return seen

        return self._work(context, None, wait_for)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the trigger's event. A missing or unknown event is a failure.

        :param context: The task's context.
        :param event: The trigger's event.
        """
        with self.final_failures():
            self._require_hidden_fields(context)
            told = told_in(event)
            seen = told.get("job")
            if not isinstance(seen, Mapping):
                raise CloudElementsError("The trigger ended without the result of the wait.")
            kept = Kept(seen["job_id"], seen["began_at"], seen["own"], seen.get("carried"))

            def ended(work: Work, job: Kept) -> BulkJob:
                found = work.instance.bulk.status(job.id)
                if not found.status.is_terminal:
                    raise too_long(work.instance, job, *longest_deferral(self, self.timeout))
                return found

            return self._work(context, kept, ended)

    def _work(
        self, context: Context, kept: Kept | None, wait_for: Callable[[Work, Kept], BulkJob]
    ) -> dict[str, Any]:
        """Get a job, wait for it and do the rest.

        :param kept: The job, if there is one already.
        :param wait_for: Waits for its end.
        """
        work = self.work(context, Stop())
        stop, begun = work.stop, list[Kept]()
        self._end = _ending(work.instance, begun, stop)
        try:
            job = kept or work.begin()
            begun.append(job)
            if stop.asked:  # while the job began
                cancel(work.instance.bulk, job)
            stop.check(job.id)
            done = work.complete(job, wait_for(work, job))
        except AirflowTaskTimeout:
            # The task's execution_timeout. Airflow calls on_kill next, which cancels the job.
            raise
        except BaseException as error:  # a deferral too
            self._end = None
            if isinstance(error, CloudElementsBulkError) and not stop.asked:
                work.failed(error)
            raise
        self._end = None
        return done

    def _defer(self, instance_id: int, job: Kept) -> NoReturn:
        """Wait in the triggerer."""
        # Everything goes into the trigger, because dag.test() drops the arguments of the method. The end of
        # the wait too: when a deferral's own time is over, Airflow cancels no job. The job may have begun in
        # an earlier try, and the time of this one begins now.
        longest, _ = longest_deferral(self, self.timeout)
        self.defer(
            trigger=self.trigger(
                cloudelements_conn_id=self.cloudelements_conn_id,
                instance_id=instance_id,
                job_id=job.id,
                poll_interval=self.poke_interval,
                end_at=min(job.at + self.timeout, time.time() + longest),
                own=job.own,
                began_at=job.at,
                carried=job.carried,
            ),
            method_name="execute_complete",
        )

    def on_kill(self) -> None:
        """Cancel the job. Airflow then goes on with ``execute``, which fails."""
        super().on_kill()
        if self._end is not None:
            self._end()


def _ending(instance: InstanceClient, begun: list[Kept], stop: Stop) -> Callable[[], None]:
    """Return what a signal's handler calls: it tells the work to end, and cancels the job that has begun."""

    def end() -> None:
        stop.asked = True
        if not begun:
            return
        # In a thread of its own: this one may hold a lock of its connections at this very moment.
        thread = threading.Thread(target=cancel, args=(instance.bulk, begun[0]), daemon=True)
        thread.start()
        thread.join(_PATIENCE)

    return end
