"""What a task remembers over its tries, for the client's ``ensure``."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from typing import Any

from airflow_provider_cloudelements.compat import task_state_store
from airflow_provider_cloudelements.provisioning.memory import Journal, MemoryJournal


def journal_of(context: Any) -> Journal:
    """Return the journal of the running task.

    :param context: The context that ``execute`` received.
    :return: On Airflow 3.3 and later one that lies in the task state store; before, one that knows no more
        than which try this is.
    """
    store = task_state_store(context)
    if store is not None:
        return StoredJournal(store)
    if not context:
        return TryJournal(1)
    delay = getattr(context.get("task"), "retry_delay", None)
    return TryJournal(
        getattr(context.get("ti"), "try_number", 1),
        delay.total_seconds() if isinstance(delay, datetime.timedelta) else 0.0,
    )


class StoredJournal:
    """Remembers in the task state store. Ids and keyed fingerprints only: the store is shown in clear.

    :param store: The task's state store.
    """

    ID = "cloudelements_instance_id"
    CREATE = "cloudelements_create_began"
    CODES = "cloudelements_codes_sent"
    ENABLED = "cloudelements_enabled"

    def __init__(self, store: Any) -> None:
        self._store = store

    def instance_id(self, marker: str) -> int | None:
        """Return the id kept for a marker. One kept for another key (the DAG was edited) does not count."""
        kept = self._store.get(self.ID)
        if isinstance(kept, Mapping) and kept.get("marker") == marker and isinstance(kept.get("id"), int):
            return int(kept["id"])
        return None

    def remember(self, marker: str, instance_id: int) -> None:
        """Keep the id."""
        kept = {"marker": marker, "id": instance_id}
        if self._store.get(self.ID) != kept:
            self._store.set(self.ID, kept)

    def create_begins(self, marker: str) -> None:
        """Note the time of a create."""
        self._store.set(self.CREATE, {"marker": marker, "at": time.time()})

    def create_ended(self, marker: str) -> None:
        """Forget it."""
        self._store.set(self.CREATE, {"marker": marker, "at": None})

    def since_create(self, marker: str) -> float | None:
        """Return the seconds since a create began, in this or an earlier try, and did not end."""
        kept = self._store.get(self.CREATE)
        if not isinstance(kept, Mapping) or kept.get("marker") != marker:
            return None
        began = kept.get("at")
        # Two workers' clocks may differ; a create never began in the future.
        return max(0.0, time.time() - began) if isinstance(began, int | float) else None

    def enabling(self, instance_id: int) -> None:
        """Note an instance."""
        self._store.set(self.ENABLED, {"id": instance_id})

    def enabling_ended(self, instance_id: int) -> None:
        """Forget an instance."""
        if self.enabled(instance_id):
            self._store.set(self.ENABLED, {"id": None})

    def enabled(self, instance_id: int) -> bool:
        """Say whether the instance was noted by any try, and not forgotten."""
        kept = self._store.get(self.ENABLED)
        return isinstance(kept, Mapping) and kept.get("id") == instance_id

    def code_sent(self, fingerprint: str) -> bool:
        """Say whether the code was noted by any try."""
        return fingerprint in self._codes()

    def sending_code(self, fingerprint: str) -> None:
        """Note a code."""
        self._store.set(self.CODES, [*self._codes(), fingerprint])

    def code_kept(self, fingerprint: str) -> None:
        """Forget a code."""
        self._store.set(self.CODES, [each for each in self._codes() if each != fingerprint])

    def _codes(self) -> list[str]:
        kept = self._store.get(self.CODES)
        return [each for each in kept if isinstance(each, str)] if isinstance(kept, list) else []


class TryJournal(MemoryJournal):
    """Knows only which try this is (Airflow 3.1 and 3.2).

    A killed first try leaves no trace of whether its create, or its code, went out. So a later one takes it
    that a create may be under way, begun no later than the pause between the tries ago, and does not send
    the code. An instance that it finds enabled it takes to have been so.

    :param try_number: Number of the try, from 1.
    :param pause: Seconds that Airflow waits between two tries.
    """

    def __init__(self, try_number: int, pause: float = 0.0) -> None:
        super().__init__()
        self._later = try_number > 1
        self._pause = pause

    def since_create(self, marker: str) -> float | None:
        """Return the seconds since this try's create began, or the least since an earlier one's did."""
        own = super().since_create(marker)
        return own if own is not None or not self._later else self._pause

    def code_sent(self, fingerprint: str) -> bool:
        """Say whether the code may have been sent by this try or an earlier one."""
        return self._later or super().code_sent(fingerprint)
