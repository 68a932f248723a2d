"""The bulk jobs, what becomes of them, and what a test wants to become of the next ones."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from airflow_provider_cloudelements.sandbox.bulk.criteria import Criteria
from airflow_provider_cloudelements.sandbox.bulk.results import Selection
from airflow_provider_cloudelements.sandbox.bulk.uploads import Tally
from airflow_provider_cloudelements.sandbox.core.agenda import Agenda
from airflow_provider_cloudelements.sandbox.core.plans import Plan, Plans
from airflow_provider_cloudelements.sandbox.settings import Behaviour

#: The words for a job's state (fact F366).
CREATED, RUNNING, COMPLETED, ERROR, ABORTED = "CREATED", "RUNNING", "COMPLETED", "ERROR", "ABORTED"
CANCELLED = "CANCELLED"
DOWNLOAD, UPLOAD = "DOWNLOAD", "UPLOAD"
#: What may become of a job: it does its work, fails, or never begins.
OUTCOMES = ("complete", "fail", "stay")
#: The sandbox keeps so many jobs and forgets the oldest.
_MOST_JOBS = 10_000
_FIRST_ID = 1_700_001
#: Seconds of work before other calls have their turn.
_TURN = 0.05


@dataclass(slots=True, kw_only=True)
class JobPlan(Plan):
    """What becomes of the next jobs.

    :param outcome: one of :data:`OUTCOMES`.
    :param status: the state of a job that fails: ERROR or ABORTED.
    :param message: what such a job says.
    :param rows: how much the number of rows that a job tells differs from that of its result.
    """

    outcome: str = "complete"
    status: str = ERROR
    message: str = "The vendor refused the job"
    rows: int = 0


@dataclass(slots=True, eq=False)
class Job:
    """One bulk job.

    :param id: a number; the process never uses it twice.
    :param instance_id: the instance that started it.
    :param element: the key of its element.
    :param version: 2 or 3: which names of fields its status has.
    :param direction: DOWNLOAD or UPLOAD.
    :param object_name: the resource.
    :param query: what a download was asked for, or None.
    :param format: the format of a result, or None if whoever reads it chooses.
    :param plan: what becomes of it.
    :param criteria: the same as ``query``, for a job that goes on where this one ended.
    :param created: seconds since 1970.
    :param begun: the same on the monotonic clock.
    :param work: what is left to do, or None.
    :param selection: what a download found.
    :param no_nulls: whether a result leaves empty fields out.
    :param tally: how far an upload has come.
    :param ended: when it ended, in seconds since 1970, or None.
    :param file: what an upload holds.
    :param upload: what an upload's caller said of its file, and how many bytes came.
    :param final: the state in which it ended, or None.
    :param downloads: how many calls asked for its result.
    :param sent: how many bytes of its result were sent in all.
    """

    id: int
    instance_id: int
    element: str
    version: int
    direction: str
    object_name: str
    query: str | None = None
    format: str | None = None
    plan: JobPlan = field(default_factory=JobPlan)
    criteria: Criteria | None = None
    created: float = 0.0
    begun: float = 0.0
    work: Iterator[Selection | None] | None = None
    selection: Selection | None = None
    no_nulls: bool = False
    tally: Tally = field(default_factory=Tally)
    ended: float | None = None
    file: IO[bytes] | None = field(default=None, repr=False)
    upload: dict[str, Any] | None = None
    final: str | None = None
    downloads: int = 0
    sent: int = 0

    def fail(self, message: str) -> None:
        """End the job by an error.

        :param message: what its status and its errors say.
        """
        self.tally.errors.append(message)
        self.stop()
        self.final = self.plan.status

    def stop(self) -> None:
        """Do no more work, and let the file go."""
        self.work = None
        if self.file is not None:
            self.file.close()
            self.file = None

    @property
    def records(self) -> int:
        """How many records it tells: those of the result, or the rows of an upload."""
        found = self.tally.rows if self.selection is None else self.selection.size
        return max(found + (self.plan.rows if self.final == COMPLETED else 0), 0)

    @property
    def errors(self) -> int:
        """How many errors it tells."""
        return max(self.tally.failed, len(self.tally.errors))


class Jobs:
    """All bulk jobs, by id.

    :param behaviour: returns the sandbox's current settings.
    :param agenda: goes on with the work of long jobs.
    """

    def __init__(self, behaviour: Callable[[], Behaviour], agenda: Agenda) -> None:
        self._behaviour = behaviour
        self._agenda = agenda
        self._ids = itertools.count(_FIRST_ID)
        self._jobs: dict[int, Job] = {}
        self.plans = Plans(JobPlan)

    def clear(self) -> None:
        """Forget every job and every plan. Ids continue, so an old id never names a new job (C45)."""
        for job in self._jobs.values():
            job.stop()
        self._jobs.clear()
        self.plans.clear()

    def next_id(self) -> int:
        """Return the id for a new job."""
        return next(self._ids)

    def start(self, job: Job, work: Iterator[Selection | None]) -> Job:
        """Keep a new job and begin with its work; return the job.

        :param job: the job.
        :param work: does a part with each step; its last value is what a download found.
        """
        job.created, job.begun = time.time(), time.monotonic()
        job.plan = self.plans.pick()
        self._jobs[job.id] = job
        if len(self._jobs) > _MOST_JOBS:
            self._jobs.pop(next(iter(self._jobs))).stop()
        if job.plan.outcome == "fail":
            job.fail(job.plan.message)
        elif job.plan.outcome == "stay":
            job.stop()
        else:
            job.work = work
            self._go_on(job)
        return job

    def _go_on(self, job: Job) -> None:
        """Do a part of a job's work, and plan the next part."""
        until = time.monotonic() + _TURN
        while job.work is not None and self._jobs.get(job.id) is job:
            try:
                found = next(job.work)
            except StopIteration:
                job.stop()
                if job.final is None:
                    job.final = COMPLETED
                return
            job.selection = found or job.selection
            if time.monotonic() >= until:
                self._agenda.at(time.monotonic(), lambda: self._go_on(job))
                return

    def state(self, job: Job) -> str:
        """Return a job's state, and note when it ended.

        :param job: the job.
        """
        if job.final == CANCELLED:
            return CANCELLED
        passed, duration = time.monotonic() - job.begun, self._behaviour().bulk_duration
        if job.plan.outcome == "stay" or passed < duration / 4:
            return CREATED
        if passed < duration or job.final is None:
            return RUNNING
        if job.ended is None:
            job.ended = job.created + max(duration, 0.0)
        return job.final

    def cancel(self, job: Job) -> None:
        """Cancel a job; nothing changes if it has ended (choice C367).

        :param job: the job.
        """
        if self.state(job) in (CREATED, RUNNING):
            job.stop()
            job.selection = None
            job.final, job.ended = CANCELLED, time.time()

    def expired(self, job: Job) -> bool:
        """Return whether a job's result is no longer kept (fact F371).

        :param job: the job.
        """
        return job.ended is not None and time.time() >= job.ended + self._behaviour().bulk_retention

    def get(self, job_id: int | None, instance_id: int) -> Job | None:
        """Return a job of an instance, or None.

        :param job_id: its id, or None for a text that is no id.
        :param instance_id: the instance.
        """
        job = None if job_id is None else self._jobs.get(job_id)
        return job if job is not None and job.instance_id == instance_id else None

    def of(self, instance_id: int | None = None) -> list[Job]:
        """Return all jobs, or those of one instance, in the order of their ids.

        :param instance_id: the instance, or None.
        """
        return [job for job in self._jobs.values() if instance_id in (None, job.instance_id)]
