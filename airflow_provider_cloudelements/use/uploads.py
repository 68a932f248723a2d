"""An upload: what it is to do, and its file while that is sent."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_cloudelements.client.arguments import text
from airflow_provider_cloudelements.client.bulk import BulkApi, BulkJob, uploadable
from airflow_provider_cloudelements.client.wire.multipart import ReadableFile
from airflow_provider_cloudelements.exceptions import CloudElementsError, CloudElementsValidationError
from airflow_provider_cloudelements.use.bulk import Stop
from airflow_provider_cloudelements.use.progress import Progress
from airflow_provider_cloudelements.use.rows import RowCount

#: Most bytes of an upload (fact F371).
LARGEST = 6 * 1024**3
#: Bytes at the begin of a file that are looked at before anything is sent.
HEAD = 64 * 1024
#: What the list of jobs calls a file of each format (fact F367).
_LISTED = {"csv": {"CSV"}, "jsonl": {"JSON", "JSONL"}}


@dataclass(frozen=True, slots=True)
class Order:
    """What an upload is to do.

    :param object_name: The vendor's object.
    :param file_format: ``csv`` or ``jsonl``.
    :param identifier_field: Field by which a row finds the record that it changes; ``None``: each row makes
        a record, so that a second upload would make all of them twice, or some (unknown U369).
    """

    object_name: str
    file_format: str
    identifier_field: str | None = None

    @classmethod
    def of(cls, object_name: Any, file_format: str, identifier_field: Any, identifies: bool) -> Order:
        """Read an operator's rendered arguments.

        :param identifies: Whether the DAG names an ``identifier_field``, whatever it rendered to.
        :raises CloudElementsValidationError: One is malformed.
        """
        if identifies or identifier_field is not None:
            # Without a name, all records would be made anew.
            if identifier_field is None or text("identifier_field", identifier_field).strip() in ("", "None"):
                raise CloudElementsValidationError(
                    "identifier_field names nothing. Check the values of its template, or leave it out: then "
                    "each row makes a record."
                )
        return cls(uploadable(object_name), file_format, identifier_field)

    @property
    def is_repeatable(self) -> bool:
        """Whether the file may be sent again: then the same records are written once more."""
        return self.identifier_field is not None

    def check_head(self, head: bytes) -> None:
        """Check what shows before anything is sent. No error holds anything of the file.

        :param head: The file's first bytes, :data:`HEAD` of them if it has so many.
        :raises CloudElementsValidationError: It cannot be what the platform takes.
        """
        begin = head.decode("utf-8-sig", "replace").lstrip()
        if not begin:
            raise CloudElementsValidationError("path: the file begins with nothing but white space.")
        whole_line = "\n" in begin or len(head) < HEAD
        if self.file_format == "jsonl":
            if not begin.startswith("{") or (whole_line and not _is_object(begin.partition("\n")[0])):
                raise CloudElementsValidationError(
                    "path: the file's first line is no JSON object. With file_format='jsonl', each line "
                    "holds one record as a JSON object; an array is not taken."
                )
            return
        names = next(csv.reader(io.StringIO(begin, newline="")), [])
        if self.identifier_field is not None and whole_line and self.identifier_field not in names:
            raise CloudElementsValidationError(
                f"identifier_field: the first line of the file names {len(names)} fields, separated by "
                f"commas, and none is {self.identifier_field!r}."
            )

    def start(self, bulk: BulkApi, source: Source) -> int:
        """Start the job, and return its id."""
        return bulk.start_upload(
            self.object_name,
            source,
            file_name=source.name,
            file_format=self.file_format,
            identifier_field=self.identifier_field,
        )

    def fits(self, job: BulkJob) -> bool:
        """Say whether a row of the list of jobs is such an upload, for all that it shows."""
        return is_upload(job) and (
            job.file_format is None or job.file_format.upper() in _LISTED[self.file_format]
        )


def is_upload(job: BulkJob) -> bool:
    """Say whether a row of the list of jobs may be an upload: it is, or does not say what it is.

    :param job: The row.
    """
    return job.direction is None or job.direction.upper() != "DOWNLOAD"


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that was sent. It holds nothing of the file, since Airflow shows what a task remembers.

    :param rows: Its rows.
    :param empty: Empty lines among them, which the platform may take for rows or not (unknown U368).
    :param bytes: Its bytes.
    :param sha256: The SHA-256 of them, in hexadecimal digits.
    """

    rows: int
    empty: int
    bytes: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Sent:
        """Read what :meth:`as_json` returned."""
        return cls(value["rows"], value["empty"], value["bytes"], value["sha256"])

    def counted(self, job: BulkJob) -> bool | None:
        """Say whether a job that has ended says of as many records; ``None`` if it says no number.

        Whether its number counts those that failed is unknown (U368).
        """
        if job.records is None:
            return None
        return any(
            abs(each - self.rows) <= self.empty for each in (job.records, job.records + (job.failed or 0))
        )

    def lost(self, job: BulkJob) -> int:
        """Return how many rows a job that has ended says nothing of."""
        if job.records is None:
            return 0
        return max(self.rows - self.empty - job.records - (job.failed or 0), 0)


class Source:
    """An upload's file while it is read: counted, hashed, and compared with what it was before.

    :param file: The file, opened for reading.
    :param name: Its name.
    :param size: Its bytes.
    :param file_format: ``csv`` or ``jsonl``.
    :param changed: Says at the end whether the file is another one by now.
    :param stop: Says whether the task is to end.
    """

    def __init__(
        self,
        file: ReadableFile,
        name: str,
        size: int,
        file_format: str,
        changed: Callable[[], bool],
        stop: Stop,
    ) -> None:
        self.name = name
        self._file, self._size, self._format = file, size, file_format
        self._changed, self._stop = changed, stop
        self._begin()

    def _begin(self) -> None:
        self._read = 0
        self._digest = hashlib.sha256()
        self._count = RowCount(self._format, with_empty=True)
        self._progress = Progress()

    @property
    def ended(self) -> bool:
        """Whether all of it was read. Before, nobody can have got it whole."""
        return self._read >= self._size

    def head(self) -> bytes:
        """Return the first bytes."""
        self._go_to(0)
        return self._take(HEAD)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to the begin, or tell where the end is."""
        if whence == os.SEEK_END:
            return self._size
        self._begin()
        return self._go_to(offset)

    def read(self, size: int, /) -> bytes:
        """Read on.

        :raises CloudElementsBulkError: The task is to end.
        :raises CloudElementsError: The file is not what it was, or cannot be read.
        """
        self._stop.check(None)
        data = self._take(size)
        self._read += len(data)
        if self._read > self._size or (not data and (not self.ended or self._is_another())):
            raise CloudElementsError(
                f"path: the file changed while it was sent. It had {self._size} bytes, and "
                f"{'more' if self._read > self._size else self._read} were read. Upload a file that nobody "
                "writes to any more."
            )
        self._digest.update(data)
        self._count.add(data)
        self._progress.tell(self._read, self._count.rows)
        return data

    def sent(self) -> Sent:
        """Return what was read, which must be all of it."""
        count = self._count
        return Sent(count.rows, count.empty + count.blank, self._read, self._digest.hexdigest())

    def tell_end(self) -> None:
        """Write into the log how much was sent, and how fast."""
        self._progress.end(self._read, self._count.rows)

    def measure(self) -> Sent:
        """Read all of it without sending it."""
        self.seek(0)
        while self.read(HEAD):
            pass
        return self.sent()

    def _is_another(self) -> bool:
        with reading():
            return self._changed()

    def _go_to(self, offset: int) -> int:
        with reading():
            return self._file.seek(offset)

    def _take(self, size: int) -> bytes:
        with reading():
            return self._file.read(size)


@contextmanager
def reading() -> Iterator[None]:
    """Turn a failure of the storage into an error that names the argument.

    It shows the failure's kind and, if the system names one, the cause: a library's text may hold an address
    with a signature.

    :raises CloudElementsError: The file is not there, or cannot be read.
    """
    failure: CloudElementsError
    try:
        yield
        return
    except CloudElementsError:
        raise
    except FileNotFoundError:
        failure = CloudElementsError("path: there is no such file.")
    except Exception as error:
        cause = getattr(error, "strerror", None)
        what = type(error).__name__ + (f": {cause}" if isinstance(cause, str) else "")
        failure = CloudElementsError(f"path: the file cannot be read ({what}).")
    raise failure  # outside the handler, so that the library's error is not its context
