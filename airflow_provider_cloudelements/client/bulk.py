"""The ``/bulk`` part of the API: jobs that move many records, through one instance."""

from __future__ import annotations

import enum
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pendulum

from airflow_provider_cloudelements.client.arguments import one_of, path_segment, text, texts
from airflow_provider_cloudelements.client.ceql import where_of
from airflow_provider_cloudelements.client.parsing import optional_id, parse_date, parse_object, parse_text
from airflow_provider_cloudelements.client.tags import named_text
from airflow_provider_cloudelements.client.wire.multipart import Form, ReadableFile
from airflow_provider_cloudelements.exceptions import (
    CloudElementsBulkError,
    CloudElementsError,
    CloudElementsServerError,
    CloudElementsValidationError,
)

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.wire.streaming import Streamed

__all__ = ["FORMATS", "BulkApi", "BulkJob", "BulkStatus"]

#: Formats of a download: what ``POST /bulk/download`` calls each (fact F363).
FORMATS: Mapping[str, str] = {"csv": "txt/csv", "jsonl": "application/jsonl"}
#: What the result's call accepts for each, by the version of the job (facts F368, F373).
_ACCEPT: Mapping[tuple[str, int], str] = {
    ("csv", 2): "text/csv",
    ("csv", 3): "text/csv",
    # In v2, JSON lines are what comes as JSON.
    ("jsonl", 2): "application/json",
    ("jsonl", 3): "application/jsonl",
}
#: Content-Type of an upload's file. No document names it (unknown U370).
_KINDS: Mapping[str, str] = {"csv": "text/csv", "jsonl": "application/json"}
#: Parts of a path that stand where the object of an upload does, and mean other calls (facts F361, F364).
_NO_OBJECTS = frozenset({"query", "download", "jobs"})


class BulkStatus(enum.StrEnum):
    """State of a bulk job, in one spelling (fact F366)."""

    CREATED = "CREATED"
    STARTED = "STARTED"
    RUNNING = "RUNNING"
    CANCELLATION_PENDING = "CANCELLATION_PENDING"
    COMPLETED = "COMPLETED"
    #: The vendor's fault.
    ERROR = "ERROR"
    #: The platform's fault.
    ABORTED = "ABORTED"
    CANCELLED = "CANCELLED"
    #: A word that no document names, or none. It does not show that the job has ended.
    UNKNOWN = "UNKNOWN"

    @classmethod
    def of(cls, word: Any) -> BulkStatus:
        """Read a state as the platform writes it.

        :param word: The API's value.
        """
        plain = word.strip().upper() if isinstance(word, str) else ""
        plain = _OTHER_SPELLINGS.get(plain, plain)
        return cls(plain) if plain in cls.__members__ else cls.UNKNOWN

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended."""
        return self in _ENDED


_OTHER_SPELLINGS = {"COMPLETE": "COMPLETED", "CANCELED": "CANCELLED"}
_ENDED = frozenset({BulkStatus.COMPLETED, BulkStatus.ERROR, BulkStatus.ABORTED, BulkStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class BulkJob:
    """A bulk job, as its status or the list of jobs shows it (facts F364, F367). The fields vary.

    :param id: Its id.
    :param status: Its state.
    :param records: How many records it read or wrote so far.
    :param failed: How many of them failed.
    :param message: What the platform says of it. It may hold values of records.
    :param object_name: The vendor's object.
    :param direction: ``DOWNLOAD`` or ``UPLOAD``.
    :param query: What a download was asked for, as the list of jobs shows it.
    :param file_format: ``CSV``, ``JSON`` or ``JSONL``.
    :param created_date: When it was made, in UTC.
    """

    id: int
    status: BulkStatus
    records: int | None = None
    failed: int | None = None
    message: str | None = None
    object_name: str | None = None
    direction: str | None = None
    query: str | None = None
    file_format: str | None = None
    created_date: pendulum.DateTime | None = None

    @classmethod
    def parse(cls, body: Any, job_id: int | None = None) -> BulkJob:
        """Read a job.

        :param body: The API's JSON.
        :param job_id: Its id, if that is known.
        :raises CloudElementsServerError: The body is no job.
        """
        data = parse_object(body, "bulk job")
        number = _whole(data.get("id")) if job_id is None else job_id
        if not number:
            raise CloudElementsServerError("The platform's answer holds no id of the bulk job.")
        return cls(
            id=number,
            status=BulkStatus.of(_first(data, "jobStatus", "status", "job_status", "job_state")),
            records=_whole(_first(data, "recordCount", "recordsCount", "record_count")),
            failed=_whole(_first(data, "errorCount", "recordsFailedCount", "error_count")),
            message=parse_text(_first(data, "statusMessage", "message")) or None,
            object_name=parse_text(_first(data, "objectName", "object_name")),
            direction=parse_text(_first(data, "jobDirection", "job_direction")),
            query=parse_text(data.get("job_query")),
            file_format=parse_text(data.get("fileFormat")),
            created_date=parse_date(data.get("createdDate")),
        )


class Through(Protocol):
    """What calls one instance: :class:`~.resources.InstanceClient`."""

    def request(
        self, method: str, path: str | Sequence[str | int], *, params: Any = None, body: Any = None
    ) -> Any:
        """Make one call."""

    def send_form(self, path: str | Sequence[str | int], form: Form) -> Any:
        """Send a file."""

    def list(self, path: str | Sequence[str | int]) -> Iterator[Any]:
        """Read a list."""

    def records(self, path: str, *, where: Mapping[str, Any] | str | None = None) -> Iterator[Any]:
        """Read a list by a query."""

    def streamed(
        self, path: Sequence[str | int], *, headers: Mapping[str, str]
    ) -> AbstractContextManager[Streamed]:
        """Open a body of any size."""


class BulkApi:
    """Bulk jobs of one instance.

    :param instance: The instance's client.
    """

    def __init__(self, instance: Through) -> None:
        self._instance = instance

    def start_query(self, query: str) -> int:
        """Start a download by a query (v2). The client never sends it twice.

        The format is chosen when the result is read.

        :param query: ``select fields from object where ... limit n`` (fact F365).
        :return: The job's id.
        """
        return self._started("/bulk/query", params={"q": text("query", query)})

    def start_download(
        self,
        object_name: str,
        *,
        file_format: str,
        where: Mapping[str, Any] | str | None = None,
        fields: Collection[str] | None = None,
        limit: int | None = None,
    ) -> int:
        """Start a download of an object's records (v3). The client never sends it twice.

        :param object_name: The object, such as ``contacts``.
        :param file_format: ``csv`` or ``jsonl``.
        :param where: Only these records: see :meth:`InstanceClient.records`.
        :param fields: Only these fields of each.
        :param limit: Most records. Default: all.
        :return: The job's id.
        """
        asked = {
            "objectName": named_text("object_name", object_name),
            "format": FORMATS[one_of("file_format", file_format, FORMATS)],
            "where": where_of(where),
            "selectFields": None if fields is None else ",".join(texts("fields", fields)),
            "limit": limit,
        }
        body = {key: value for key, value in asked.items() if value is not None}
        return self._started("/bulk/download", body=body)

    def start_upload(
        self,
        object_name: str,
        file: ReadableFile,
        *,
        file_name: str,
        file_format: str,
        identifier_field: str | None = None,
    ) -> int:
        """Start an upload of a file's records (facts F370, F375). The client never sends it twice.

        The file is read while it is sent, and nothing but a small part of it is in memory.

        :param object_name: The object, such as ``contacts``.
        :param file: The file, opened for reading bytes, and able to ``seek``. It is read from its first byte
            to its end.
        :param file_name: Its name, as the platform gets it.
        :param file_format: ``csv``, with a first line of names; or ``jsonl``, a JSON object in each line.
        :param identifier_field: Field (``identifierFieldName``) by which a row finds the record that it
            changes; a row that finds none makes one. Default: none, each row makes a record.
        :return: The job's id.
        :raises CloudElementsBulkError: The platform answered before it had the whole file. The job, whose id
            the error holds, was cancelled if possible.
        :raises CloudElementsError: The class that fits the failure, or the file could not be read as it was.
        """
        one_of("file_format", file_format, FORMATS)
        about: dict[str, str] = {} if file_format == "csv" else {"format": "json"}
        if identifier_field is not None:
            about["identifierFieldName"] = text("identifier_field", identifier_field)
        fields = {"metaData": ("application/json", json.dumps(about).encode())} if about else {}
        form = Form(fields, "file", file, text("file_name", file_name), _KINDS[file_format])
        job_id = BulkJob.parse(self._instance.send_form(["bulk", uploadable(object_name)], form)).id
        if not form.is_sent:
            raise self._premature(job_id)
        return job_id

    def _premature(self, job_id: int) -> CloudElementsBulkError:
        """Cancel the job of an upload that was not sent whole, and return the error."""
        said = "was cancelled"
        try:
            self.cancel(job_id)
        except CloudElementsError as error:
            said = f"could not be cancelled: {error}"
        return CloudElementsBulkError(
            f"The platform began bulk job {job_id} before it had the whole file. The job {said}.",
            job_id=job_id,
        )

    def _started(self, path: str, **call: Any) -> int:
        return BulkJob.parse(self._instance.request("POST", path, **call)).id

    def status(self, job_id: int) -> BulkJob:
        """Ask how far a job has come.

        :param job_id: The job's id.
        :raises CloudElementsNotFoundError: There is no such job.
        """
        return BulkJob.parse(self._instance.request("GET", ["bulk", job_id, "status"]), job_id)

    def list(self, where: Mapping[str, Any] | str | None = None) -> Iterator[BulkJob]:
        """Yield the instance's jobs (fact F364), and read each page only when needed.

        :param where: Only these, by ``object_name``, ``job_status``, ``job_direction`` or ``record_count``.
        """
        for row in self._instance.records("/bulk/jobs", where=where):
            if isinstance(row, Mapping) and _whole(row.get("id")):
                yield BulkJob.parse(row)

    def cancel(self, job_id: int) -> None:
        """Cancel a job (fact F374).

        :param job_id: The job's id.
        """
        self._instance.request("PUT", ["bulk", job_id, "cancel"])

    def errors(self, job_id: int) -> Iterator[str]:
        """Yield the texts of a job's errors (fact F372), and read each page only when needed.

        They may hold values of records, and secrets: see :meth:`InstanceClient.shown`.

        :param job_id: The job's id.
        """
        for row in self._instance.list(["bulk", job_id, "errors"]):
            yield row if isinstance(row, str) else repr(row)

    @contextmanager
    def result(
        self,
        job_id: int,
        object_name: str,
        file_format: str,
        *,
        version: int = 3,
        start: int = 0,
        tag: str | None = None,
    ) -> Iterator[Streamed]:
        """Open the result of a download that has completed.

        A server may know no ranges (unknown U361). So the caller looks at ``begin`` of what it gets: it is
        either ``start``, or 0 for the whole.

        :param job_id: The job's id.
        :param object_name: The job's object.
        :param file_format: ``csv`` or ``jsonl``.
        :param version: 2 for a job of :meth:`start_query`. Default: 3.
        :param start: The first byte to get. Default: 0.
        :param tag: The ``tag`` of the body whose rest this is. Without it, the whole is asked for.
        """
        headers = {"Accept": _ACCEPT[file_format, version]}
        if start and tag is not None:
            headers |= {"Range": f"bytes={start}-", "If-Range": tag}
        with self._instance.streamed(["bulk", job_id, object_name], headers=headers) as body:
            yield body


def uploadable(object_name: Any) -> str:
    """Return the name of an object to which records can be uploaded.

    :param object_name: The name.
    :raises CloudElementsValidationError: It is none, or the path with it is that of another call.
    """
    path_segment("object_name", object_name)
    name = text("object_name", object_name).strip()
    if name.lower() in _NO_OBJECTS:
        raise CloudElementsValidationError(
            f"object_name must not be {name!r}: the platform has another call of this name below /bulk."
        )
    return name


def _first(data: Mapping[str, Any], *names: str) -> Any:
    """Return the first of some fields that the answer holds."""
    return next((data[name] for name in names if data.get(name) is not None), None)


def _whole(value: Any) -> int | None:
    """Read a count or an id, which may come as text and as 1722.0 (fact F367)."""
    if isinstance(value, str):
        value = value.strip().removesuffix(".0")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return 0 if value in (0, "0") and value is not False else optional_id(value)
