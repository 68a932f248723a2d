"""Operator that downloads many records as one file, by a bulk job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from airflow_provider_cloudelements.client.bulk import FORMATS, BulkJob
from airflow_provider_cloudelements.client.wire.request import is_number
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.exceptions import CloudElementsBulkError, CloudElementsError
from airflow_provider_cloudelements.operators._parts.base import (
    CloudElementsBaseOperator,
    deferrable_or_default,
)
from airflow_provider_cloudelements.operators._parts.early_checks import EarlyChecks, choice
from airflow_provider_cloudelements.operators._parts.failures import told_in
from airflow_provider_cloudelements.operators._parts.job_memory import job_memory_of
from airflow_provider_cloudelements.operators._parts.lineage import FileLineage, WrittenFile
from airflow_provider_cloudelements.operators._parts.whole_file import WholeFile, storage_path
from airflow_provider_cloudelements.use.bulk import (
    JobMemory,
    Kept,
    Stop,
    Wanted,
    cancel,
    require_result,
    take_up,
    too_long,
    wait,
)
from airflow_provider_cloudelements.use.results import fetch

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from airflow_provider_cloudelements.client import InstanceClient

__all__ = ["CloudElementsDownloadBulkOperator"]

#: Seconds for which a task that is told to end waits for the answer to its cancel. Airflow kills it soon.
_PATIENCE = 10.0


def _check_seconds(name: str, least: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if not is_number(value, least):
            raise ValueError(f"{name} must be a number of seconds, at least {least:g}; it is not templated.")
        return float(value)

    return check


class _Work(NamedTuple):
    """What a try works with."""

    instance: InstanceClient
    wanted: Wanted
    memory: JobMemory
    stop: Stop


class CloudElementsDownloadBulkOperator(EarlyChecks, FileLineage, CloudElementsBaseOperator):
    """Download many records as one file: start a bulk job, wait for it, and stream its result.

    The file is whole under its name, or not there: its rows are counted and compared with the job's own
    number of records. It holds the platform's bytes, letter by letter. A download that breaks goes on where
    it broke if the server can, and else begins again.

    On Airflow 3.3 and later, a later try goes on with the job of an earlier one, even if that was killed.
    Before, it starts another one: Airflow has no place there in which a task's note outlives a try. A task
    that is told to end cancels its job, and fails.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param token: The instance's token, instead of ``instance_id``. With the id the operator fetches it.
        Templated.
    :param object_name: The vendor's object, such as ``contacts``. Templated.
    :param query: Instead of ``object_name``: a whole query, ``select fields from object where ... limit n``
        (a bulk job of version 2). The rendered fields do not show it. Templated.
    :param path: File for the records, in any storage that Airflow's ``ObjectStoragePath`` reaches. A retry
        overwrites it. Templated.
    :param file_format: ``csv`` or ``jsonl``. Default: ``csv``.
    :param where: Only these records, with ``object_name``: fields and values that must all hold, such as
        ``{"Name": "O'Hara", "Amount >=": 5}``; no value can change the query. Or a query that you wrote. The
        rendered fields show its keys. Templated.
    :param fields: Only these fields, with ``object_name``. Default: all. Templated.
    :param poke_interval: Seconds between two looks at the job, at least 1. Default: 15.
    :param timeout: Most seconds from the start of the job to its end. A job that takes longer is cancelled.
        Default: 86,400, a day.
    :param deferrable: Whether to wait in the triggerer, where it holds no worker. It needs ``instance_id``,
        because a trigger stores no token; without it the task waits in the worker. Default: Airflow's
        ``[operators] default_deferrable``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``job_id``, ``path``, ``rows``, ``bytes`` and ``sha256`` of the file.
    :raises CloudElementsBulkError: The job failed, or took too long, or its result is not what the job says.
        A later try starts another job.
    :raises CloudElementsValidationError: An argument is malformed.
    :raises CloudElementsInstanceDisabledError: The instance is disabled.
    :raises CloudElementsError: A call failed.
    """

    template_fields: Collection[str] = (
        "cloudelements_conn_id",
        "instance_id",
        "token",
        "object_name",
        "query",
        "path",
        "where",
        "fields",
    )
    secret_fields = ("token", "query", "where")
    wholly_secret_fields = secret_fields
    checks = {
        "file_format": choice("file_format", tuple(FORMATS)),
        "poke_interval": _check_seconds("poke_interval", 1.0),
        "timeout": _check_seconds("timeout", 1.0),
        "deferrable": deferrable_or_default,
    }
    #: Set while a job runs: tells the work to end, and cancels the job.
    _end: Callable[[], None] | None = None

    def __init__(
        self,
        *,
        path: str | ObjectStoragePath,
        instance_id: int | str | Mapping[str, Any] | None = None,
        token: str | None = None,
        object_name: str | None = None,
        query: str | None = None,
        file_format: str = "csv",
        where: Mapping[str, Any] | str | None = None,
        fields: Collection[str] | None = None,
        poke_interval: float = 15.0,
        timeout: float = 86_400.0,
        deferrable: bool | None = None,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.instance_id = instance_id
        self.token = token
        self.object_name = object_name
        self.query = query
        self.path = path
        self.file_format = self.checks["file_format"](file_format)
        self.where = where
        self.fields = fields
        self.poke_interval = self.checks["poke_interval"](poke_interval)
        self.timeout = self.checks["timeout"](timeout)
        self.deferrable = self.checks["deferrable"](deferrable)

    def perform(self, context: Context) -> dict[str, Any]:
        """Start the job or take it up, wait for it, and write the file."""

        def wait_for(work: _Work, job: Kept) -> BulkJob:
            if not self.deferrable or work.instance.instance_id is None:
                return wait(
                    work.instance, job, interval=self.poke_interval, longest=self.timeout, stop=work.stop
                )
            seen = work.instance.bulk.status(job.id)
            if not seen.status.is_terminal:
                work.stop.check(job.id)
                self._defer(work.instance.instance_id, job)
            return seen

        return self._work(
            context, lambda work: take_up(work.instance, work.wanted, work.memory, self.timeout), wait_for
        )

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
            kept = Kept(seen["job_id"], seen["began_at"], seen["own"])

            def ended(work: _Work, job: Kept) -> BulkJob:
                found = work.instance.bulk.status(job.id)
                if not found.status.is_terminal:
                    raise too_long(work.instance, job, self.timeout)
                return found

            return self._work(context, lambda _: kept, ended)

    def _work(
        self,
        context: Context,
        begin: Callable[[_Work], Kept],
        wait_for: Callable[[_Work, Kept], BulkJob],
    ) -> dict[str, Any]:
        """Get a job, wait for it and write its file, and remember the job meanwhile."""
        target = storage_path(self.path, "path")
        wanted = self._wanted()
        instance = self.hook.instance(self.instance_id, self.secret("token"))
        memory = job_memory_of(context, instance.token, f"{wanted.as_query} {wanted.file_format}")
        work = _Work(instance, wanted, memory, Stop())
        stop, begun = work.stop, list[Kept]()
        self._end = _ending(instance, begun, stop)
        try:
            job = begin(work)
            begun.append(job)
            if stop.asked:  # while the job began
                cancel(instance.bulk, job)
            stop.check(job.id)
            seen = wait_for(work, job)
            require_result(instance, seen)
            written = fetch(instance.bulk, seen, wanted, lambda: self.writing(WholeFile(target)), stop)
            stop.check(job.id)
        except CloudElementsBulkError:
            if not stop.asked:
                memory.forget()
            raise
        finally:
            self._end = None
        memory.forget()
        self.tell_file(
            context,
            WrittenFile(
                instance.instance_id, wanted.source, written.rows, target, written.bytes, written.sha256
            ),
        )
        return {
            "job_id": job.id,
            "path": str(target),
            "rows": written.rows,
            "bytes": written.bytes,
            "sha256": written.sha256,
        }

    def _defer(self, instance_id: int, job: Kept) -> NoReturn:
        """Wait in the triggerer."""
        from airflow_provider_cloudelements.triggers.bulk import CloudElementsBulkJobTrigger

        # Everything goes into the trigger, because dag.test() drops the arguments of the method. The end of
        # the wait too: when a deferral's own time is over, Airflow cancels no job.
        self.defer(
            trigger=CloudElementsBulkJobTrigger(
                cloudelements_conn_id=self.cloudelements_conn_id,
                instance_id=instance_id,
                job_id=job.id,
                poll_interval=self.poke_interval,
                end_at=job.at + self.timeout,
                own=job.own,
                began_at=job.at,
            ),
            method_name="execute_complete",
        )

    def on_kill(self) -> None:
        """Cancel the job. Airflow then goes on with ``execute``, which fails."""
        super().on_kill()
        if self._end is not None:
            self._end()

    def _wanted(self) -> Wanted:
        return Wanted.of(
            self.object_name, self.secret("query"), self.secret("where"), self.fields, self.file_format
        )


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
