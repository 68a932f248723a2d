"""How an upload's job ended: its errors, and whether it has written the records."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_cloudelements.client.bulk import BulkJob, BulkStatus
from airflow_provider_cloudelements.client.resources import InstanceClient
from airflow_provider_cloudelements.exceptions import CloudElementsBulkError
from airflow_provider_cloudelements.use.bulk import SHOWN_ERRORS, Kept, errors_of, summary
from airflow_provider_cloudelements.use.uploads import Sent

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Errors:
    """The errors of a job.

    :param count: How many records failed; if the job does not say that, how many errors it has.
    :param said: The first of them in one line, as they may be shown.
    """

    count: int
    said: str


def errors_to(instance: InstanceClient, job: BulkJob, write: Callable[[Mapping[str, Any]], None]) -> Errors:
    """Write all errors of a job, page by page.

    :param instance: The instance, whose secrets are not written.
    :param job: The job, at its end.
    :param write: Writes a row.
    """
    first = [] if job.message is None else [job.message]
    number = 0
    for number, each in enumerate(instance.bulk.errors(job.id), 1):
        write({"job_id": job.id, "error": instance.redacted(each)})
        if number <= SHOWN_ERRORS:
            first.append(each)
    said = summary(instance, first) if number or job.failed or job.status is not BulkStatus.COMPLETED else ""
    return Errors(number if job.failed is None else job.failed, said)


def errors_in(instance: InstanceClient, job: BulkJob) -> Errors:
    """Return the errors of a job, and read no more of them than are needed.

    :param instance: The instance.
    :param job: The job, at its end.
    """
    if job.failed is None:
        return errors_to(instance, job, lambda _: None)
    if not job.failed and job.status is BulkStatus.COMPLETED:
        return Errors(0, "")
    return Errors(job.failed, errors_of(instance, job))


def require_written(job: BulkJob, kept: Kept, sent: Sent, errors: Errors, max_errors: int | None) -> None:
    """Check that an upload's job has written the records.

    :param job: The job, at its end.
    :param kept: The job as the task remembers it.
    :param sent: The file.
    :param errors: The job's errors.
    :param max_errors: Most records that may fail; ``None``: all of them.
    :raises CloudElementsBulkError: It has not, or is another's.
    """
    problem, final = _problem(job, kept, sent, errors, max_errors)
    if problem is None:
        if job.records is None:
            log.warning("Bulk job %d says no number of records to compare with.", job.id)
        if errors.count:
            log.warning("Bulk job %d: %d records failed. %s", job.id, errors.count, errors.said)
        return
    error = CloudElementsBulkError(f"{problem} {errors.said}".strip(), job_id=job.id, job_status=job.status)
    error.final = final
    raise error


def _problem(
    job: BulkJob, kept: Kept, sent: Sent, errors: Errors, max_errors: int | None
) -> tuple[str | None, bool]:
    """Return what is wrong, and whether no retry helps."""
    if not kept.own and not sent.counted(job):
        number = "no number of" if job.records is None else str(job.records)
        return (
            f"The answer of the start was lost, and bulk job {job.id} began then. It says {number} records, "
            f"and the file has {sent.rows} rows, so it may be another's.",
            True,
        )
    if job.status is not BulkStatus.COMPLETED:
        return f"Bulk job {job.id} ended as {job.status}.", False
    if lost := sent.lost(job):
        return (
            f"Bulk job {job.id} says {job.records} records, and the file has {sent.rows} rows: it tells "
            f"nothing of {lost}.",
            False,
        )
    if max_errors is not None and errors.count > max_errors:
        return (
            f"Bulk job {job.id}: {errors.count} of {sent.rows} records failed, and max_errors is "
            f"{max_errors}.",
            True,
        )
    return None, False
