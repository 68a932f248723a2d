"""An upload that begins once, over the tries of a task, whatever answer was lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_cloudelements.client.bulk import BulkJob, BulkStatus
from airflow_provider_cloudelements.client.resources import InstanceClient
from airflow_provider_cloudelements.client.wire.clock import Moment
from airflow_provider_cloudelements.client.wire.doubt import looks, may_have_acted
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsBulkError,
    CloudElementsError,
    CloudElementsNotFoundError,
)
from airflow_provider_cloudelements.use.bulk import UNLISTED, Kept, is_lost, jobs_since
from airflow_provider_cloudelements.use.uploads import Order, Sent, Source, is_upload

log = logging.getLogger(__name__)

#: Most ids that a message names.
_MOST_NAMED = 5

OpenSource = Callable[[], AbstractContextManager[Source]]


@dataclass(frozen=True, slots=True)
class Note:
    """What a task remembers of an upload's start.

    :param at: When the start began.
    :param kept: The job; ``None``: no answer has named it.
    :param series: In which series of tries that was. A series ends when a person clears the task.
    :param told: In which series the task failed and said that records may be there already.
    :param is_sure: Whether a start has begun then. Else only an earlier try may have begun one since.
    """

    at: Moment
    kept: Kept | None
    series: int
    told: int | None = None
    is_sure: bool = True


class UploadMemory(Protocol):
    """What a task remembers of its upload, over its tries."""

    series: int
    #: Whether a later try knows what this one notes.
    lasts: bool

    def note(self) -> Note | None:
        """Return what is known of the last start."""

    def begins(self) -> None:
        """Note that a start begins now."""

    def keep(self, job: Kept) -> None:
        """Note the job."""

    def tells(self) -> None:
        """Note that the task says now that records may be there already."""

    def forget(self) -> None:
        """Forget job and start: the next try sends the file."""


class UploadStart:
    """Starts an upload, or takes up the one that an earlier try started.

    The list of jobs shows nothing that leads from a job to its file (unknown U367). So if the answer of a
    start is lost, the only upload of the object that began since then is taken for the task's, and must have
    as many records as the file has rows. Of several nobody knows which it is.

    :param instance: The instance.
    :param order: What the upload is to do.
    :param open_source: Opens the file.
    :param memory: What the task remembers.
    :param alone: Whether such a job may be taken for the task's: not among the copies of a mapped task, whose
        jobs look alike.
    :param settle: Seconds for which a job may show late.
    :param pause: Waits some seconds.
    """

    def __init__(
        self,
        instance: InstanceClient,
        order: Order,
        open_source: OpenSource,
        memory: UploadMemory,
        *,
        alone: bool,
        settle: float,
        pause: Callable[[float], None],
    ) -> None:
        self._instance, self._order, self._open, self._memory = instance, order, open_source, memory
        self._alone, self._settle, self._pause = alone, settle, pause

    def run(self) -> Kept:
        """Return the task's job. It carries what was sent.

        :raises CloudElementsAmbiguousCreateError: A start may have begun a job, and nobody knows which.
        :raises CloudElementsBulkError: An earlier try's job may have written records, which a second upload
            would make twice.
        :raises CloudElementsError: The start failed.
        """
        _ = self._instance.token  # each call needs it, and the answer with it shows the platform's clock
        note = self._memory.note()
        if note is not None and self._counts(note):
            taken = self._taken_up(note, note.kept) if note.kept else self._found(note)
            if taken is not None:
                return taken
        return self._started()

    def _counts(self, note: Note) -> bool:
        """Say whether what an earlier try may have started stands in the way of another start."""
        if not note.is_sure and self._order.is_repeatable:
            return False
        # Who clears a task that has told of records has looked at them.
        return note.told in (None, self._memory.series)

    def _taken_up(self, note: Note, kept: Kept) -> Kept | None:
        """Return the job of an earlier try if it is to be gone on with; ``None`` if another one may begin."""
        job: BulkJob | None = None
        try:
            job = self._instance.bulk.status(kept.id)
        except CloudElementsNotFoundError:
            pass
        in_series = note.series == self._memory.series
        if job is not None and not is_lost(job) and (in_series or not job.status.is_terminal):
            log.info("An earlier try started bulk job %d; this one goes on with it.", kept.id)
            return kept
        if not in_series or self._order.is_repeatable:
            return None
        raise CloudElementsBulkError(
            f"Bulk job {kept.id} of an earlier try "
            + ("is no longer known." if job is None else f"ended as {job.status}."),
            job_id=kept.id,
            job_status=BulkStatus.UNKNOWN if job is None else job.status,
        )

    # -- a new one -------------------------------------------------------------------------------------------

    def _started(self) -> Kept:
        with self._open() as source:
            self._order.check_head(source.head())
            began = self._instance.clock.now()
            self._memory.begins()
            try:
                number = self._order.start(self._instance.bulk, source)
            except CloudElementsBulkError as error:
                if error.job_id is None:  # told to end before the file was sent
                    self._memory.forget()
                raise
            except CloudElementsError as error:
                kept = self._after(error, source, began)
            else:
                # Its time begins behind the sending, which may take long.
                kept = Kept(number, time.time(), carried=source.sent().as_json())
            self._memory.keep(kept)
            source.tell_end()
        log.info("Bulk job %d began: %s into %s.", kept.id, self._order.file_format, self._order.object_name)
        return kept

    def _after(self, error: CloudElementsError, source: Source, began: Moment) -> Kept:
        """Return the job of a start that failed, if it began all the same. Else raise what is known."""
        if not may_have_acted(error):
            self._memory.forget()
            raise error
        if not source.ended:
            # Its length was told, so that nobody can take what came for the whole (unknown U366).
            self._memory.forget()
            error.advise("The file was not sent to its end, so no job began.")
            raise error
        log.warning("The file was sent, and the answer is missing: %s", error)
        try:
            found = self._look(began, self._settle)
        except CloudElementsError as failure:
            log.warning("The instance's bulk jobs cannot be listed this time: %s", failure)
            found = []
        else:
            if found is None and not self._order.is_repeatable:
                raise self._given_up("they cannot be listed")
        if found:
            return self._chosen(found, began, source.sent, is_sure=True)
        error.advise(
            "The job may have begun all the same. A later try "
            + ("looks for it first." if self._memory.lasts else "looks whether any began.")
        )
        raise error

    # -- one whose answer was lost ---------------------------------------------------------------------------

    def _found(self, note: Note) -> Kept | None:
        """Return the job that an earlier try may have begun; ``None`` if another one may begin."""
        passed = time.time() - note.at.ours(self._instance.clock)
        found = self._look(note.at, max(0.0, self._settle - max(0.0, passed)))
        if found is None:
            if self._order.is_repeatable:
                return None
            raise self._given_up("they cannot be listed")
        if not found:
            log.info("An earlier try's start began no job of %s.", self._order.object_name)
            return None
        with self._open() as source:
            kept = self._chosen(found, note.at, source.measure, is_sure=note.is_sure)
        self._memory.keep(kept)
        return kept

    def _look(self, since: Moment, seconds: float) -> list[BulkJob] | None:
        """Return the uploads that began since a moment, at once if there are any; ``None``: nobody can say.

        :raises CloudElementsError: They cannot be listed this time.
        """
        for _ in looks(seconds, self._pause, time.monotonic):
            try:
                jobs = jobs_since(self._instance, self._order.object_name, since)
            except UNLISTED as error:
                log.warning("The instance's bulk jobs cannot be listed: %s", error)
                return None
            if found := [each for each in jobs if is_upload(each)]:
                return found
        return []

    def _chosen(
        self, found: list[BulkJob], since: Moment, sent: Callable[[], Sent], *, is_sure: bool
    ) -> Kept:
        job = found[0]
        if len(found) == 1 and self._order.fits(job) and self._alone and is_sure:
            log.warning(
                "The answer of a start was lost, and bulk job %d began then. It is taken for this task's if "
                "it has as many records as the file has rows.",
                job.id,
            )
            began = since.ours(self._instance.clock)
            return Kept(job.id, began, own=False, carried=sent().as_json())
        ids = ", ".join(str(each.id) for each in found[:_MOST_NAMED])
        more = "" if len(found) <= _MOST_NAMED else ", ..."
        raise self._given_up(f"nothing shows which is its own ({ids}{more})")

    def _given_up(self, why: str) -> CloudElementsAmbiguousCreateError:
        """Note that the task says so, and return the error."""
        self._memory.tells()
        error = CloudElementsAmbiguousCreateError(
            f"The answer of an upload's start was lost, or an earlier try may have started one. Of the bulk "
            f"jobs of {self._order.object_name} since then, {why}. See whether the records are there, then "
            "clear the task to send the file again."
        )
        error.final = True
        return error
