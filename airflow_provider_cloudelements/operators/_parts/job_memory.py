"""What a task remembers of its bulk job, over its tries."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from typing import Any

from airflow_provider_cloudelements.compat import task_state_store
from airflow_provider_cloudelements.use.bulk import JobMemory, Kept


def job_memory_of(context: Any, token: str, about: str) -> JobMemory:
    """Return the memory of the running task.

    :param context: The context that ``execute`` received.
    :param token: The instance's token, as a key: what the task remembers shows nothing of what it asks for.
    :param about: What the job is about. A job that is about something else, as before an edit of the DAG, is
        not remembered.
    :return: On Airflow 3.3 and later a memory in the task state store; before, none that outlives a try.
    """
    store = task_state_store(context)
    if store is not None:
        return StoredJob(store, hmac.digest(token.encode(), about.encode(), "sha256").hex()[:32])
    return TryJob()


class StoredJob:
    """A memory in the task state store: only ids, dates and a keyed digest, since Airflow shows it in clear.

    :param store: The task's state store.
    :param about: Digest of what the job is about.
    """

    JOB = "cloudelements_bulk_job"

    def __init__(self, store: Any, about: str) -> None:
        self._store = store
        self._about = about

    def _read(self) -> Mapping[str, Any]:
        found = self._store.get(self.JOB)
        fits = isinstance(found, Mapping) and found.get("about") == self._about
        return found if fits and isinstance(found.get("at"), int | float) else {}

    def kept(self) -> Kept | None:
        """Return the job, unless it is about something else."""
        found = self._read()
        number = found.get("id")
        return Kept(number, found["at"], found.get("own") is not False) if isinstance(number, int) else None

    def in_doubt_since(self) -> float | None:
        """Return when a start began that did not end."""
        found = self._read()
        return float(found["at"]) if found and found.get("id") is None else None

    def starts(self) -> None:
        """Note the time at which a start begins."""
        self._store.set(self.JOB, {"about": self._about, "at": time.time(), "id": None})

    def keep(self, job: Kept) -> None:
        """Note the job."""
        self._store.set(self.JOB, {"about": self._about, "at": job.at, "id": job.id, "own": job.own})

    def forget(self) -> None:
        """Forget it."""
        self._store.set(self.JOB, {})


class TryJob:
    """A memory within one try (Airflow 3.1 and 3.2): none.

    Nothing shows which of the platform's jobs an earlier try started. A job of the same query may be another
    task's, or this task's from before it was cleared, and lack what was written since. So none is taken up.
    """

    def kept(self) -> Kept | None:
        """Return none."""
        return None

    def in_doubt_since(self) -> float | None:
        """Return none."""
        return None

    def starts(self) -> None:
        """Note nothing."""

    def keep(self, job: Kept) -> None:
        """Note nothing."""

    def forget(self) -> None:
        """Forget nothing."""
