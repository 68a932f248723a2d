"""The result of a download, from the platform into a file that is whole or not there."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NoReturn, Protocol

from airflow_provider_cloudelements.client.bulk import BulkApi, BulkJob
from airflow_provider_cloudelements.client.wire.streaming import Streamed
from airflow_provider_cloudelements.exceptions import (
    CloudElementsBulkError,
    CloudElementsError,
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsTransportError,
)
from airflow_provider_cloudelements.use.bulk import Stop, Wanted
from airflow_provider_cloudelements.use.progress import Progress
from airflow_provider_cloudelements.use.rows import RowCount

log = logging.getLogger(__name__)

#: Breaks in a row, none of which came further than the one before, after which a download fails.
MOST_BREAKS = 5
#: Longest pause after such a break, in seconds.
_LONGEST_PAUSE = 30.0
#: The answer to a call for bytes after the end, if only what marks the end was lost.
_NO_SUCH_RANGE = 416


class File(Protocol):
    """What a result is written to."""

    def write(self, data: bytes) -> int:
        """Write bytes."""


Open = Callable[[], AbstractContextManager[File]]


@dataclass(frozen=True, slots=True)
class Written:
    """A result that is in its file.

    :param rows: Its rows.
    :param bytes: Its bytes.
    :param sha256: The SHA-256 of them, in hexadecimal digits.
    """

    rows: int
    bytes: int
    sha256: str


class _Broken(Exception):
    """The file cannot be gone on with, and begins again."""


class _Copy:
    """One file from its first byte, over as many answers as it takes.

    :param file: The file.
    :param file_format: ``csv`` or ``jsonl``.
    """

    def __init__(self, file: File, file_format: str) -> None:
        self._file = file
        self._count = RowCount(file_format)
        self._digest = hashlib.sha256()
        self.size = 0
        #: The tag of the bytes so far.
        self.tag: str | None = None
        #: Whether each answer said how long it is, so that none can have ended early unseen.
        self.measured = True
        #: Whether an early end of each answer would show.
        self.end_shows = True
        #: Bytes of the whole, once an answer has said so.
        self.total: int | None = None

    def add(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._count.add(data)
        self.size += len(data)

    @property
    def is_whole(self) -> bool:
        return self.total is None or self.size == self.total

    @property
    def count(self) -> RowCount:
        return self._count

    def written(self, rows: int) -> Written:
        return Written(rows, self.size, self._digest.hexdigest())


class Fetch:
    """Fetches the result of a job, and goes on after breaks: at the same place if the server can, or anew.

    :param bulk: The instance's jobs.
    :param job: The job, which has completed.
    :param wanted: What it holds.
    :param open_file: Opens the file, which becomes whole when its block ends well, and else is not there.
    :param stop: Says whether the task is to end.
    """

    def __init__(self, bulk: BulkApi, job: BulkJob, wanted: Wanted, open_file: Open, stop: Stop) -> None:
        self._bulk, self._job, self._wanted, self._open, self._stop = bulk, job, wanted, open_file, stop
        self._breaks = 0
        self._furthest = 0
        self._mismatched = False
        self._progress = Progress()

    def run(self) -> Written:
        """Fetch it.

        :return: What the file holds.
        :raises CloudElementsBulkError: The file does not hold what the job says.
        :raises CloudElementsTransportError: The connection breaks again and again.
        """
        while True:
            try:
                with self._open() as file:
                    copy = _Copy(file, self._wanted.file_format)
                    self._fill(copy)
                    rows = self._check(copy)
                    self._stop.check(self._job.id)
                self._progress.end(copy.size, rows)
                return copy.written(rows)
            except _Broken as broken:
                log.warning("The download begins again: %s", broken)

    def _fill(self, copy: _Copy) -> None:
        """Write all of the result, over as many calls as it takes."""
        while True:
            self._stop.check(self._job.id)
            failure: CloudElementsError
            try:
                with self._result(copy) as body:
                    self._join(copy, body)
                    for data in body:
                        copy.add(data)
                        self._stop.check(self._job.id)
                        self._progress.tell(copy.size, copy.count.rows)
                if copy.is_whole:
                    return
                if self._came_further(copy):
                    continue
                failure = CloudElementsTransportError(
                    f"The result of bulk job {self._job.id} has {copy.total} bytes, and {copy.size} came."
                )
            except CloudElementsTransportError as error:
                failure = error
            except CloudElementsError as error:
                if error.status != _NO_SUCH_RANGE or not copy.size:
                    raise
                raise _Broken("the server has no bytes after those that came.") from None
            self._broke(copy, failure)

    def _result(self, copy: _Copy) -> AbstractContextManager[Streamed]:
        return self._bulk.result(
            self._job.id,
            self._wanted.object_name,
            self._wanted.file_format,
            version=self._wanted.version,
            start=copy.size,
            tag=copy.tag,
        )

    def _join(self, copy: _Copy, body: Streamed) -> None:
        """Check that an answer goes on where the copy ends.

        :raises _Broken: It does not: it is the whole, a part of something else, or another part.
        """
        if copy.size and body.begin == 0:
            raise _Broken("the server knows no parts of the result, or has another one by now.")
        if body.begin != copy.size or (copy.size and body.tag != copy.tag):
            self._mistook(f"comes from byte {body.begin} on, and not from byte {copy.size}, as asked")
        total = copy.total if body.total is None else body.total
        if copy.total not in (None, total):
            self._mistook(f"has {copy.total} bytes in one answer and {total} in the next")
        if copy.size:
            log.info("The download goes on after %d bytes.", copy.size)
        copy.tag = body.tag or copy.tag
        copy.total = total
        copy.measured = copy.measured and body.size is not None
        copy.end_shows = copy.end_shows and body.end_shows

    def _mistook(self, what: str) -> NoReturn:
        """Begin again after an answer that does not fit, unless that was so too often.

        :raises _Broken: Try again.
        :raises CloudElementsServerError: It was.
        """
        self._breaks += 1
        said = f"The result of bulk job {self._job.id} {what}."
        if self._breaks > MOST_BREAKS:
            raise CloudElementsServerError(said)
        raise _Broken(said)

    def _came_further(self, copy: _Copy) -> bool:
        """Say whether the rest can be asked for at once, after an answer that was a part of the whole.

        Only ever further ones count, so that a server whose parts lead nowhere is left in the end.
        """
        if copy.tag is None or copy.size <= self._furthest or copy.size > (copy.total or 0):
            return False
        self._breaks, self._furthest = 0, copy.size
        return True

    def _broke(self, copy: _Copy, failure: CloudElementsError) -> None:
        """Decide what follows a break, and pause.

        :raises CloudElementsTransportError: There were too many.
        """
        self._breaks = 1 if copy.size > self._furthest else self._breaks + 1
        self._furthest = max(self._furthest, copy.size)
        if self._breaks > MOST_BREAKS:
            failure.advise(f"The download broke {self._breaks} times and came no further.")
            raise failure
        log.warning("The download broke after %d bytes: %s", copy.size, failure)
        self._stop.sleep(min(0.25 * 2**self._breaks, _LONGEST_PAUSE) - 0.25, self._job.id)
        if copy.size and copy.tag is None:
            raise _Broken("the server names no version of the result by which to ask for the rest.")

    def _check(self, copy: _Copy) -> int:
        """Compare the rows with the job's own count (unknown U365).

        :return: The rows.
        :raises _Broken: The end may have been lost without a trace, so all is fetched once more.
        """
        rows, said = copy.count.rows, self._job.records
        problem = None
        if said is not None and not rows <= said <= rows + copy.count.blank:
            problem = f"has {rows} rows, and the job says {said} records"
        elif copy.total is None and not copy.end_shows and not copy.count.ended:
            problem = "ends in the middle of a row, and the server did not say where it ends"
        if problem is None:
            if said is None:
                log.warning("Bulk job %d says no number of records to compare with.", self._job.id)
            return rows if said is None else said
        problem = f"The result of bulk job {self._job.id} {problem}."
        if not copy.measured and not self._mismatched:
            # A body whose end nobody announced may have been cut without a trace.
            self._mismatched = True
            raise _Broken(problem)
        raise CloudElementsBulkError(
            f"{problem} No file was written.", job_id=self._job.id, job_status=self._job.status
        )


def fetch(bulk: BulkApi, job: BulkJob, wanted: Wanted, open_file: Open, stop: Stop) -> Written:
    """Fetch the result of a job: see :class:`Fetch`.

    :raises CloudElementsBulkError: The result is no longer kept, or not what the job says.
    """
    try:
        return Fetch(bulk, job, wanted, open_file, stop).run()
    except CloudElementsNotFoundError as error:
        raise CloudElementsBulkError(
            f"The result of bulk job {job.id} is not there. The platform keeps it for three days at most. "
            f"{error}",
            job_id=job.id,
            job_status=job.status,
        ) from None
