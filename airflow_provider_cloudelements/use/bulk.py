"""A bulk job over the tries of a task: started once, found again, waited for, cancelled."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from airflow_provider_cloudelements.client.arguments import path_segment, text, texts
from airflow_provider_cloudelements.client.bulk import BulkApi, BulkJob, BulkStatus
from airflow_provider_cloudelements.client.ceql import evenly_spaced, object_in, where_of
from airflow_provider_cloudelements.client.resources import InstanceClient
from airflow_provider_cloudelements.client.wire.clock import Moment
from airflow_provider_cloudelements.client.wire.doubt import may_have_acted
from airflow_provider_cloudelements.exceptions import (
    CloudElementsBulkError,
    CloudElementsError,
    CloudElementsForbiddenError,
    CloudElementsNotFoundError,
    CloudElementsValidationError,
)

log = logging.getLogger(__name__)

#: The object of a query that has more to it than fact F365 says.
_FROM = re.compile(r"\bfrom\s+([\w.-]+)", re.IGNORECASE)
#: Errors of a job that its task's message shows.
SHOWN_ERRORS = 5
#: Most jobs of an instance that are looked through for one whose start was not answered.
_LOOKED_THROUGH = 2_000
#: What an instance answers whose jobs cannot be listed, today and tomorrow.
UNLISTED = (CloudElementsValidationError, CloudElementsNotFoundError, CloudElementsForbiddenError)
#: Seconds by which the date of a job may lie before its start: dates are rounded.
_ROUNDING = 1.0
#: Seconds between two looks whether the task is to end.
_BLINK = 0.5


def require_one_source(object_name: Any, query: Any, where: Any, fields: Any) -> None:
    """Check that the arguments of a download go together.

    :param object_name: The vendor's object, or ``None`` or an empty text.
    :param query: The whole query, or ``None`` or an empty text.
    :param where: Conditions, or nothing.
    :param fields: Fields, or nothing.
    :raises CloudElementsValidationError: They do not.
    """
    if (object_name in (None, "")) == (query in (None, "")):
        raise CloudElementsValidationError("Give exactly one of object_name and query.")
    if query not in (None, "") and (where or fields):
        raise CloudElementsValidationError(
            "where and fields go with object_name. A query holds its own: select fields from object where ..."
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a download is to hold.

    :param object_name: The vendor's object.
    :param file_format: ``csv`` or ``jsonl``.
    :param query: The whole query, for a job of v2; ``None``: a job of v3, by the other parameters.
    :param where: A query of the platform, in v3.
    :param fields: The fields, in v3; none: all.
    """

    object_name: str
    file_format: str
    query: str | None = None
    where: str | None = None
    fields: tuple[str, ...] = ()

    @classmethod
    def of(cls, object_name: Any, query: Any, where: Any, fields: Any, file_format: str) -> Wanted:
        """Read an operator's rendered arguments.

        :raises CloudElementsValidationError: They are malformed, or do not go together.
        """
        require_one_source(object_name, query, where, fields)
        if query not in (None, ""):
            if (found := object_in(text("query", query))) is not None:
                return cls(found, file_format, query)
            if (named := _FROM.search(query)) is None:
                raise CloudElementsValidationError("query must be: select fields from object where ...")
            return cls(named[1], file_format, query)
        path_segment("object_name", object_name)
        chosen = () if fields is None else texts("fields", fields)
        return cls(object_name.strip(), file_format, None, where_of(where), chosen)

    @property
    def version(self) -> int:
        """The version of the job."""
        return 2 if self.query is not None else 3

    @property
    def source(self) -> str | None:
        """The object, if it is sure."""
        return self.object_name if self.query is None else object_in(self.query)

    @property
    def as_query(self) -> str:
        """The query that says the same, as the list of jobs may show it (unknown U364)."""
        if self.query is not None:
            return self.query
        parts = ["select", ",".join(self.fields) or "*", "from", self.object_name]
        return " ".join(parts if self.where is None else [*parts, "where", self.where])

    def start(self, bulk: BulkApi) -> int:
        """Start the job, and return its id."""
        if self.query is not None:
            return bulk.start_query(self.query)
        return bulk.start_download(
            self.object_name,
            file_format=self.file_format,
            where=self.where,
            fields=self.fields or None,
        )

    def fits(self, job: BulkJob) -> bool:
        """Say whether a row of the list of jobs is one of such a job that is not lost."""
        return (
            job.direction in (None, "DOWNLOAD")
            and job.query is not None
            and evenly_spaced(job.query) == evenly_spaced(self.as_query)
            and job.file_format in (None, self.file_format.upper())
            and not is_lost(job)
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """A job that a task remembers.

    :param id: Its id.
    :param at: When the task started it, in seconds since 1970.
    :param own: Whether the task started it. One that it found may be another's.
    :param carried: What else the task that goes on with it must know, as plain JSON. Airflow shows it.
    """

    id: int
    at: float
    own: bool = True
    carried: Mapping[str, Any] | None = field(default=None, repr=False)


class JobMemory(Protocol):
    """What a task remembers of its job, over its tries."""

    def kept(self) -> Kept | None:
        """Return the job that this task or an earlier try of it started, and did not finish with."""

    def in_doubt_since(self) -> Moment | None:
        """Return when a start began whose answer nobody saw; ``None``: none did."""

    def starts(self) -> None:
        """Note that a start begins now."""

    def keep(self, job: Kept) -> None:
        """Note the job."""

    def forget(self) -> None:
        """Forget job and start: the next try begins another."""


def take_up(instance: InstanceClient, wanted: Wanted, memory: JobMemory, longest: float) -> Kept:
    """Return the task's job: the one that an earlier try started, or a new one.

    A job that has ended without a result, is unknown by now, or began longer than ``longest`` ago is not
    taken up.

    :param instance: The instance.
    :param wanted: What it is to hold.
    :param memory: What the task remembers.
    :param longest: Seconds that a job may take.
    """
    if (kept := memory.kept()) is not None:
        if time.time() - kept.at < longest and _is_of_use(instance.bulk, kept.id):
            log.info("An earlier try started bulk job %d; this one goes on with it.", kept.id)
            return kept
        memory.forget()
    elif (since := memory.in_doubt_since()) is not None:
        longest_ago = Moment(time.time() - longest, instance.clock.ahead)
        found = _look_for(
            instance, wanted, max(since, longest_ago, key=lambda each: each.ours(instance.clock))
        )
        if found is not None:
            log.info("An earlier try may have started bulk job %d; this one goes on with it.", found.id)
            memory.keep(found)
            return found
    return _start(instance, wanted, memory)


def _is_of_use(bulk: BulkApi, job_id: int) -> bool:
    try:
        return not is_lost(bulk.status(job_id))
    except CloudElementsNotFoundError:
        return False


def is_lost(job: BulkJob) -> bool:
    """Say whether a job has ended, or is about to, without a result."""
    return job.status is BulkStatus.CANCELLATION_PENDING or (
        job.status.is_terminal and job.status is not BulkStatus.COMPLETED
    )


def _start(instance: InstanceClient, wanted: Wanted, memory: JobMemory) -> Kept:
    began = instance.clock.now()
    memory.starts()
    try:
        kept = Kept(wanted.start(instance.bulk), began.at)
    except CloudElementsError as error:
        doubtful = may_have_acted(error)
        found = _look_for(instance, wanted, began) if doubtful else None
        if found is not None:
            log.info("The answer of the start was lost; the job is there.")
            kept = found
        elif doubtful:
            remembered = memory.in_doubt_since() is not None
            error.advise(
                "The job may have begun all the same. A later try "
                + ("looks for it first." if remembered else "starts another one.")
            )
            raise
        else:
            memory.forget()
            raise
    memory.keep(kept)
    log.info("Bulk job %d began: %s of %s.", kept.id, wanted.file_format, wanted.object_name)
    return kept


def _look_for(instance: InstanceClient, wanted: Wanted, since: Moment) -> Kept | None:
    """Return a job of the same records that began at a moment or after it; ``None`` if none is known."""
    try:
        jobs = jobs_since(instance, wanted.object_name, since, _LOOKED_THROUGH)
    except UNLISTED as error:
        log.warning("The instance's bulk jobs cannot be listed, so another one may begin: %s", error)
        return None
    found = [
        (each.created_date, each.id) for each in jobs if wanted.fits(each) and each.created_date is not None
    ]
    begin = since.date(instance.clock)
    if not found or begin is None:  # without the date, a job may be one of before
        return None
    date, number = min(found)
    later = (date - begin).total_seconds()
    return Kept(number, since.ours(instance.clock) + max(later, 0.0), own=False)


def jobs_since(
    instance: InstanceClient, object_name: str, since: Moment, most: int | None = None
) -> list[BulkJob]:
    """Return an object's jobs that began at a moment or after it, or of which nobody knows that.

    :param instance: The instance.
    :param object_name: The object.
    :param since: The moment.
    :param most: Most jobs to look through. Default: all that are listed.
    :raises CloudElementsError: They cannot be listed: one of :data:`UNLISTED` if that will stay so.
    """
    found = list(islice(instance.bulk.list({"object_name": object_name}), most))
    begin = since.date(instance.clock)  # read last, because the answer shows the platform's clock
    if begin is None:
        return found
    earliest = begin.subtract(seconds=_ROUNDING)
    return [each for each in found if each.created_date is None or each.created_date >= earliest]


class Stop:
    """Whether the task is to end, as a signal's handler says it."""

    def __init__(self) -> None:
        self.asked = False

    def check(self, job_id: int | None) -> None:
        """End the work if the task is to end.

        :param job_id: Id of the job; ``None``: it has none yet.
        :raises CloudElementsBulkError: It is.
        """
        if self.asked and job_id is None:
            raise CloudElementsBulkError("The task was told to end before it knew of a bulk job.")
        if self.asked:
            raise CloudElementsBulkError(
                f"The task was told to end while bulk job {job_id} was at work, and cancelled it.",
                job_id=job_id,
                job_status=BulkStatus.CANCELLED,
            )

    def sleep(self, seconds: float, job_id: int | None) -> None:
        """Sleep, and look from time to time whether the task is to end.

        :param seconds: Seconds.
        :param job_id: Id of the job; ``None``: it has none yet.
        """
        # Not by an Event: its lock is not one that a signal's handler may take in the same thread.
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check(job_id)
            time.sleep(min(left, _BLINK))
        self.check(job_id)


def looks(bulk: BulkApi, job_id: int, pause: Callable[[], object]) -> Iterator[BulkJob]:
    """Yield what a job says of itself, look after look, to its end. A fault that may pass is waited through.

    :param bulk: The instance's jobs.
    :param job_id: The job.
    :param pause: Waits between two looks, and raises if the wait is over.
    :raises CloudElementsError: It cannot be known.
    """
    while True:
        try:
            job = bulk.status(job_id)
        except CloudElementsError as error:
            if not error.retryable:
                raise
            log.warning("It is not known this time how far the bulk job is: %s", error)
        else:
            yield job
            if job.status.is_terminal:
                return
        pause()


def wait(instance: InstanceClient, job: Kept, *, interval: float, longest: float, stop: Stop) -> BulkJob:
    """Wait until a job has ended.

    :param instance: The instance.
    :param job: The job.
    :param interval: Seconds between two looks.
    :param longest: Seconds that the job may take from its start.
    :param stop: Says whether the task is to end.
    :raises CloudElementsBulkError: The job takes too long, and was cancelled if it is the task's own.
    """
    until = time.monotonic() + longest - (time.time() - job.at)

    def pause() -> None:
        left = until - time.monotonic()
        if left <= 0:
            raise too_long(instance, job, longest)
        stop.sleep(min(interval, left), job.id)

    told = None
    for seen in looks(instance.bulk, job.id, pause):
        if (now := (seen.status, seen.records)) != told:
            told = now
            log.info("Bulk job %d is %s, with %s records.", job.id, seen.status, _count(seen.records))
    stop.check(job.id)
    return seen


def too_long(
    instance: InstanceClient, job: Kept, longest: float, name: str = "timeout"
) -> CloudElementsBulkError:
    """Cancel a job that takes too long, and return the error.

    :param instance: The instance.
    :param job: The job.
    :param longest: Seconds that it was given.
    :param name: The argument that says so.
    """
    cancelled = cancel(instance.bulk, job)
    return CloudElementsBulkError(
        f"Bulk job {job.id} has not ended after {longest:g} seconds ({name})"
        + (", and was cancelled." if cancelled else "."),
        job_id=job.id,
        job_status=BulkStatus.CANCELLED if cancelled else BulkStatus.UNKNOWN,
    )


def cancel(bulk: BulkApi, job: Kept) -> bool:
    """Cancel a job of this task's own, and return whether the platform agreed. Raises nothing.

    :param bulk: The instance's jobs.
    :param job: The job.
    """
    if not job.own:
        log.info("Bulk job %d may be another task's, so it goes on.", job.id)
        return False
    try:
        bulk.cancel(job.id)
    except CloudElementsError as error:
        log.warning("Bulk job %d could not be cancelled: %s", job.id, error)
        return False
    log.info("Bulk job %d is cancelled.", job.id)
    return True


def require_result(instance: InstanceClient, job: BulkJob) -> None:
    """Check that a job has ended well.

    :param instance: The instance.
    :param job: The job, at its end.
    :raises CloudElementsBulkError: It has not. The message holds its first errors.
    """
    if job.status is BulkStatus.COMPLETED:
        if job.failed:
            log.warning("Bulk job %d has %d errors: %s", job.id, job.failed, errors_of(instance, job))
        return
    raise CloudElementsBulkError(
        f"Bulk job {job.id} ended as {job.status}. {errors_of(instance, job)}".strip(),
        job_id=job.id,
        job_status=job.status,
    )


def errors_of(instance: InstanceClient, job: BulkJob) -> str:
    """Return the first errors of a job as they may be shown, in one line; empty if there are none.

    :param instance: The instance.
    :param job: The job.
    """
    found = [] if job.message is None else [job.message]
    try:
        found += islice(instance.bulk.errors(job.id), SHOWN_ERRORS)
    except CloudElementsError as error:
        log.warning("The errors of bulk job %d could not be read: %s", job.id, error)
    return summary(instance, found)


def summary(instance: InstanceClient, found: Iterable[str]) -> str:
    """Return the first errors of a job as they may be shown, in one line; empty if there are none.

    :param instance: The instance, whose secrets do not show.
    :param found: The errors.
    """
    texts_ = dict.fromkeys(shown for each in found if (shown := instance.shown(each)))
    said = " ".join(each if each.endswith(".") else f"{each}." for each in islice(texts_, SHOWN_ERRORS))
    return f"The platform says: {said}" if said else ""


def _count(number: int | None) -> str:
    return "unknown" if number is None else str(number)
