"""What a task remembers of its bulk job, over its tries."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from airflow_provider_cloudelements.client.resources import InstanceClient
from airflow_provider_cloudelements.client.wire.clock import Moment, PlatformClock
from airflow_provider_cloudelements.compat import task_state_store
from airflow_provider_cloudelements.use.bulk import JobMemory, Kept
from airflow_provider_cloudelements.use.upload_start import Note, UploadMemory


def job_memory_of(context: Any, instance: InstanceClient, about: str) -> JobMemory:
    """Return the memory of the running task.

    :param context: The context that ``execute`` received.
    :param instance: The instance. Its token serves as a key: what the task remembers shows nothing of what it
        asks for.
    :param about: What the job is about. A job that is about something else, as before an edit of the DAG, is
        not remembered.
    :return: On Airflow 3.3 and later a memory in the task state store; before, none that outlives a try.
    """
    store = task_state_store(context)
    return TryJob() if store is None else StoredJob(store, _digest(instance.token, about), instance.clock)


def upload_memory_of(context: Any, instance: InstanceClient, about: str, retries: int) -> UploadMemory:
    """Return the memory of the running task of an upload.

    :param context: The context that ``execute`` received.
    :param instance: The instance. Its id serves as a key, since its token may be another one later; without
        an id the token does.
    :param about: What the upload is about, as above.
    :param retries: How often Airflow tries the task again.
    :return: On Airflow 3.3 and later a memory in the task state store; before, one that knows only whether
        this is a later try.
    """
    store, ti = task_state_store(context), context.get("ti")
    # It grows when a person clears the task, and is the same in all tries of which Airflow makes the later.
    series = getattr(ti, "max_tries", retries)
    if store is not None:
        key = instance.token if instance.instance_id is None else str(instance.instance_id)
        return StoredUpload(store, _digest(key, about), instance.clock, series)
    began = getattr(context.get("dag_run"), "start_date", None)
    is_later = getattr(ti, "try_number", 1) != series - retries + 1
    return TryUpload(series, is_later, 0.0 if began is None else began.timestamp())


def _digest(key: str, about: str) -> str:
    # Text of a template may hold half a surrogate pair.
    secret, told = (each.encode("utf-8", "surrogatepass") for each in (key, about))
    return hmac.digest(secret, told, "sha256").hex()[:32]


class StoredJob:
    """A memory in the task state store: only ids, dates and a keyed digest, since Airflow shows it in clear.

    :param store: The task's state store.
    :param about: Digest of what the job is about.
    :param clock: The platform's clock.
    """

    JOB = "cloudelements_bulk_job"

    def __init__(self, store: Any, about: str, clock: PlatformClock) -> None:
        self._store = store
        self._about = about
        self._clock = clock

    def _read(self) -> Mapping[str, Any]:
        found = self._store.get(self.JOB)
        if not isinstance(found, Mapping) or found.get("about") != self._about:
            return {}
        return found if isinstance(found.get("at"), int | float) else {}

    def _write(self, moment: Moment, **values: Any) -> None:
        noted = {"about": self._about, "at": moment.at, "ahead": moment.ahead}
        self._store.set(self.JOB, {**noted, **values})

    def kept(self) -> Kept | None:
        """Return the job, unless it is about something else."""
        found = self._read()
        number = found.get("id")
        if not isinstance(number, int):
            return None
        return Kept(number, _moment(found).ours(self._clock), found.get("own") is not False)

    def in_doubt_since(self) -> Moment | None:
        """Return when a start began that did not end."""
        found = self._read()
        return _moment(found) if found and found.get("id") is None else None

    def starts(self) -> None:
        """Note the time at which a start begins."""
        self._write(self._clock.now(), id=None)

    def keep(self, job: Kept) -> None:
        """Note the job."""
        self._write(Moment(job.at, self._clock.ahead), id=job.id, own=job.own)

    def forget(self) -> None:
        """Forget it."""
        self._store.set(self.JOB, {})


def _moment(noted: Mapping[str, Any]) -> Moment:
    return Moment(float(noted["at"]), noted.get("ahead"))


class TryJob:
    """A memory within one try (Airflow 3.1 and 3.2): none.

    Nothing shows which of the platform's jobs an earlier try started. A job of the same query may be another
    task's, or this task's from before it was cleared, and lack what was written since. So none is taken up.
    """

    def kept(self) -> Kept | None:
        """Return none."""
        return None

    def in_doubt_since(self) -> Moment | None:
        """Return none."""
        return None

    def starts(self) -> None:
        """Note nothing."""

    def keep(self, job: Kept) -> None:
        """Note nothing."""

    def forget(self) -> None:
        """Forget nothing."""


class StoredUpload(StoredJob):
    """The same of an upload, with what was sent, and the series of tries.

    A note stays when the task has succeeded: Airflow may not have heard of it, and a retry must not send the
    file again.

    :param store: The task's state store.
    :param about: Digest of what the upload is about.
    :param clock: The platform's clock.
    :param series: Number of this series of tries.
    """

    lasts = True

    def __init__(self, store: Any, about: str, clock: PlatformClock, series: int) -> None:
        super().__init__(store, about, clock)
        self.series = series

    def note(self) -> Note | None:
        """Return what is known of the last start."""
        found = self._read()
        if not isinstance(found.get("series"), int):
            return None
        kept, sent = self.kept(), found.get("sent")
        if kept is not None and not isinstance(sent, Mapping):
            return None
        kept = None if kept is None else Kept(kept.id, kept.at, kept.own, sent)
        return Note(_moment(found), kept, found["series"], found.get("told"))

    def begins(self) -> None:
        """Note that a start begins now."""
        self.starts()

    def keep(self, job: Kept) -> None:
        """Note the job."""
        self._write(Moment(job.at, self._clock.ahead), id=job.id, own=job.own, sent=job.carried)

    def tells(self) -> None:
        """Note that the task says now that records may be there already."""
        self._store.set(self.JOB, {**self._read(), "told": self.series})

    def _write(self, moment: Moment, **values: Any) -> None:
        super()._write(moment, series=self.series, told=None, **values)


class TryUpload:
    """What is known of an upload without a store (Airflow 3.1 and 3.2): whether there was an earlier try.

    :param series: Number of this series of tries.
    :param is_later: Whether Airflow tried the task before in this series.
    :param run_began: When the run began, in seconds since 1970.
    """

    lasts = False

    def __init__(self, series: int, is_later: bool, run_began: float) -> None:
        self.series = series
        self._is_later, self._run_began = is_later, run_began

    def note(self) -> Note | None:
        """Return that an earlier try may have begun since the run did."""
        return Note(Moment(self._run_began), None, self.series, is_sure=False) if self._is_later else None

    def begins(self) -> None:
        """Note nothing."""

    def keep(self, job: Kept) -> None:
        """Note nothing."""

    def tells(self) -> None:
        """Note nothing."""

    def forget(self) -> None:
        """Forget nothing."""
