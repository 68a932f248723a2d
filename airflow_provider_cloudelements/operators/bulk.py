"""Operators that move many records between an instance and a file, by bulk jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_cloudelements.client.bulk import FORMATS, BulkJob
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.exceptions import CloudElementsBulkError, CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.bulk_work import BulkWork, Work
from airflow_provider_cloudelements.operators._parts.early_checks import choice, count_or_none, is_template
from airflow_provider_cloudelements.operators._parts.job_memory import job_memory_of, upload_memory_of
from airflow_provider_cloudelements.operators._parts.json_lines import JsonLines
from airflow_provider_cloudelements.operators._parts.lineage import WrittenFile
from airflow_provider_cloudelements.operators._parts.source_file import opened_source
from airflow_provider_cloudelements.operators._parts.whole_file import WholeFile, storage_path
from airflow_provider_cloudelements.use.bulk import (
    JobMemory,
    Kept,
    Stop,
    Wanted,
    require_one_source,
    require_result,
    take_up,
)
from airflow_provider_cloudelements.use.results import fetch
from airflow_provider_cloudelements.use.upload_outcome import Errors, errors_in, errors_to, require_written
from airflow_provider_cloudelements.use.upload_start import UploadMemory, UploadStart
from airflow_provider_cloudelements.use.uploads import Order, Sent

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_cloudelements.client import InstanceClient

__all__ = ["CloudElementsDownloadBulkOperator", "CloudElementsUploadBulkOperator"]


class _BulkOperator(BulkWork):
    """What both have besides: their trigger."""

    def trigger(self, **arguments: Any) -> BaseTrigger:
        from airflow_provider_cloudelements.triggers.bulk import CloudElementsBulkJobTrigger

        return CloudElementsBulkJobTrigger(**arguments)


def _require_one_source(object_name: Any, query: Any, where: Any, fields: Any) -> None:
    """Check what is known when the DAG is parsed: a template may render to nothing."""
    given = (object_name, query, where, fields)
    known = (each is None or isinstance(each, str | Mapping | list | tuple | set) for each in given)
    if all(known) and not any(map(is_template, given)):
        require_one_source(*given)


class CloudElementsDownloadBulkOperator(_BulkOperator):
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
    written_files = ("path",)
    checks = {**BulkWork.checks, "file_format": choice("file_format", tuple(FORMATS))}
    checks_together: ClassVar = (_require_one_source,)

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
        self.require_together()

    def work(self, context: Context, stop: Stop) -> Work:
        """Check the arguments, and return what this try is to do."""
        target = storage_path(self.path, "path")
        wanted = Wanted.of(
            self.object_name, self.secret("query"), self.secret("where"), self.fields, self.file_format
        )
        instance = self.hook.instance(self.instance_id, self.secret("token"))
        memory = job_memory_of(context, instance, f"{wanted.as_query} {wanted.file_format}")
        return _Download(self, context, instance, stop, wanted, memory, target)


class _Download(Work):
    """A try of a download."""

    def __init__(
        self,
        operator: CloudElementsDownloadBulkOperator,
        context: Context,
        instance: InstanceClient,
        stop: Stop,
        wanted: Wanted,
        memory: JobMemory,
        target: ObjectStoragePath,
    ) -> None:
        super().__init__(instance, stop)
        self._operator, self._context, self._target = operator, context, target
        self._wanted, self._memory = wanted, memory

    def begin(self) -> Kept:
        return take_up(self.instance, self._wanted, self._memory, self._operator.timeout)

    def complete(self, job: Kept, seen: BulkJob) -> dict[str, Any]:
        target, operator = self._target, self._operator
        require_result(self.instance, seen)
        written = fetch(
            self.instance.bulk, seen, self._wanted, lambda: operator.writing(WholeFile(target)), self.stop
        )
        self.stop.check(job.id)
        self._memory.forget()
        operator.tell_file(
            self._context,
            WrittenFile(
                self.instance.instance_id,
                self._wanted.source,
                written.rows,
                target,
                written.bytes,
                written.sha256,
            ),
        )
        return {
            "job_id": job.id,
            "path": str(target),
            "rows": written.rows,
            "bytes": written.bytes,
            "sha256": written.sha256,
        }

    def failed(self, error: CloudElementsBulkError) -> None:
        self._memory.forget()  # the next try starts another job


class CloudElementsUploadBulkOperator(_BulkOperator):
    """Upload the records of a file: stream it into a bulk job, wait for that, and read its errors.

    The file is read while it is sent, from any storage and at any size, and never goes to the worker's disk.
    If it is another one at its end than it was at its begin, the upload breaks off, and no job begins.

    No upload begins twice. On Airflow 3.3 and later, a later try goes on with the job of an earlier one, even
    if that was killed. If nobody knows whether a job began, the task fails without a retry, and says where to
    look. Before 3.3, a later try sends the file only if no upload of the object began since the run did, or
    with ``identifier_field``. A task that is told to end cancels its job, and fails.

    Without ``identifier_field`` each row makes a record, and a second upload would make all of them twice. So
    after a job that failed, was cancelled or took too long, there is no retry. Whoever clears the task sends
    the file again.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param token: The instance's token, instead of ``instance_id``. With the id the operator fetches it.
        Templated.
    :param object_name: The vendor's object, such as ``contacts``. Templated.
    :param path: File with the records, in any storage that Airflow's ``ObjectStoragePath`` reaches. It may
        have 6 GB. Templated.
    :param file_format: ``csv``, with a first line of names; or ``jsonl``, a JSON object in each line.
        Default: ``csv``.
    :param identifier_field: Field by which a row finds the record that it changes, such as ``email``. A row
        that finds none makes a record. Default: none, each row makes a record. Templated.
    :param errors_path: File for the job's errors, as JSON lines with ``job_id`` and ``error``. It is whole or
        not there, also if there are none. Default: no file. Templated.
    :param max_errors: Most records that may fail. With more, the task fails without a retry. ``None``: any
        number. Default: 0.
    :param poke_interval: Seconds between two looks at the job, at least 1. Default: 15.
    :param timeout: Most seconds from the start of the job to its end. A job that takes longer is cancelled.
        Default: 86,400, a day.
    :param deferrable: Whether to wait in the triggerer, where it holds no worker. The file is sent by the
        worker. It needs ``instance_id``, because a trigger stores no token; without it the task waits in the
        worker. Default: Airflow's ``[operators] default_deferrable``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``job_id``, ``path``, ``rows``, ``bytes`` and ``sha256`` of the file, ``records`` as the job
        counts them (``None`` if it does not), ``errors``, the number of records that failed, and
        ``errors_path``.
    :raises CloudElementsBulkError: The job failed, took too long, or says less records than the file has
        rows; or too many records failed. The message holds its first errors.
    :raises CloudElementsAmbiguousCreateError: Nobody knows whether a job of an earlier start is at work.
    :raises CloudElementsValidationError: An argument is malformed, or the file is not what can be uploaded.
    :raises CloudElementsInstanceDisabledError: The instance is disabled.
    :raises CloudElementsError: A call failed, the file is not there, or it changed while it was sent.
    """

    template_fields: Collection[str] = (
        "cloudelements_conn_id",
        "instance_id",
        "token",
        "object_name",
        "path",
        "identifier_field",
        "errors_path",
    )
    secret_fields = ("token",)
    wholly_secret_fields = secret_fields
    written_files = ("errors_path",)
    checks = {
        **BulkWork.checks,
        "file_format": choice("file_format", tuple(FORMATS)),
        "max_errors": count_or_none("max_errors"),
    }

    def __init__(
        self,
        *,
        object_name: str,
        path: str | ObjectStoragePath,
        instance_id: int | str | Mapping[str, Any] | None = None,
        token: str | None = None,
        file_format: str = "csv",
        identifier_field: str | None = None,
        errors_path: str | ObjectStoragePath | None = None,
        max_errors: int | None = 0,
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
        self.path = path
        self.file_format = self.checks["file_format"](file_format)
        self.identifier_field = identifier_field
        #: Not by the rendered value: a template that finds nothing is a mistake, and no wish for new records.
        self._identifies = identifier_field is not None
        self.errors_path = errors_path
        self.max_errors = self.checks["max_errors"](max_errors)
        self.poke_interval = self.checks["poke_interval"](poke_interval)
        self.timeout = self.checks["timeout"](timeout)
        self.deferrable = self.checks["deferrable"](deferrable)

    def work(self, context: Context, stop: Stop) -> Work:
        """Check the arguments, and return what this try is to do."""
        order = Order.of(self.object_name, self.file_format, self.identifier_field, self._identifies)
        source = storage_path(self.path, "path")
        errors = None if self.errors_path is None else storage_path(self.errors_path, "errors_path")
        if errors is not None and (errors.fs, errors.path) == (source.fs, source.path):
            raise CloudElementsValidationError("errors_path is path: the errors would replace the records.")
        instance = self.hook.instance(self.instance_id, self.secret("token"))
        about = f"upload {order.object_name} {order.file_format} {order.identifier_field!r} {source}"
        memory = upload_memory_of(context, instance, about, self.retries or 0)
        return _Upload(self, context, instance, stop, order, memory, source, errors)


class _Upload(Work):
    """A try of an upload."""

    def __init__(
        self,
        operator: CloudElementsUploadBulkOperator,
        context: Context,
        instance: InstanceClient,
        stop: Stop,
        order: Order,
        memory: UploadMemory,
        source: ObjectStoragePath,
        errors: ObjectStoragePath | None,
    ) -> None:
        super().__init__(instance, stop)
        self._operator, self._context = operator, context
        self._order, self._memory = order, memory
        self._path, self._errors_path = source, errors

    def begin(self) -> Kept:
        start = UploadStart(
            self.instance,
            self._order,
            lambda: opened_source(self._path, self._order.file_format, self.stop),
            self._memory,
            alone=getattr(self._context.get("ti"), "map_index", -1) < 0,
            settle=self._operator.hook.settings.create_timeout,
            pause=lambda seconds: self.stop.sleep(seconds, None),
        )
        return start.run()

    def complete(self, job: Kept, seen: BulkJob) -> dict[str, Any]:
        operator, sent = self._operator, Sent.of(job.carried or {})
        errors = self._errors(seen)
        require_written(seen, job, sent, errors, operator.max_errors)
        self.stop.check(job.id)
        operator.tell_file(
            self._context,
            WrittenFile(
                self.instance.instance_id,
                self._order.object_name,
                sent.rows,
                self._path,
                sent.bytes,
                sent.sha256,
                is_source=True,
            ),
        )
        return {
            "job_id": job.id,
            "path": str(self._path),
            "rows": sent.rows,
            "records": seen.records,
            "errors": errors.count,
            "errors_path": None if self._errors_path is None else str(self._errors_path),
            "bytes": sent.bytes,
            "sha256": sent.sha256,
        }

    def _errors(self, seen: BulkJob) -> Errors:
        if self._errors_path is None:
            return errors_in(self.instance, seen)
        with self._operator.writing(JsonLines(self._errors_path)) as file:
            return errors_to(self.instance, seen, file.write_row)

    def failed(self, error: CloudElementsBulkError) -> None:
        if self._order.is_repeatable and not error.final:
            self._memory.forget()  # the next try sends the file again
            return
        self._memory.tells()
        if not error.final:
            error.final = True
            error.advise("Records may have been written.")
        if self._order.is_repeatable:
            error.advise("To send the file again, clear the task.")
        else:
            error.advise(
                "There is no retry, since without identifier_field a second upload would make records twice. "
                "See what is there, then clear the task to send the file again."
            )
