"""A task's memory over its tries, for ``ensure``."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from typing import Any

from airflow_provider_cloudelements.compat import task_state_store
from airflow_provider_cloudelements.provisioning.memory import CallMemory, Memory


def memory_of(context: Any) -> Memory:
    """Return the memory of the running task.

    :param context: The context that ``execute`` received.
    :return: On Airflow 3.3 and later a memory in the task state store; before, one that knows only the number
        of the try.
    """
    store = task_state_store(context)
    if store is not None:
        return StoredMemory(store)
    if not context:
        return TryMemory(1)
    delay = getattr(context.get("task"), "retry_delay", None)
    return TryMemory(
        getattr(context.get("ti"), "try_number", 1),
        delay.total_seconds() if isinstance(delay, datetime.timedelta) else 0.0,
    )


class StoredMemory:
    """A memory in the task state store: only ids and keyed fingerprints, since Airflow shows it in clear.

    :param store: The task's state store.
    """

    ID = "cloudelements_instance_id"
    CREATE = "cloudelements_create_began"
    CODES = "cloudelements_codes_sent"
    ENABLED = "cloudelements_enabled"

    def __init__(self, store: Any) -> None:
        self._store = store

    def instance_id(self, marker: str) -> int | None:
        """Return the id kept for a marker, but not one kept for another key (before an edit of the DAG)."""
        kept = self._store.get(self.ID)
        if isinstance(kept, Mapping) and kept.get("marker") == marker and isinstance(kept.get("id"), int):
            return int(kept["id"])
        return None

    def remember(self, marker: str, instance_id: int) -> None:
        """Keep the id for a marker."""
        kept = {"marker": marker, "id": instance_id}
        if self._store.get(self.ID) != kept:
            self._store.set(self.ID, kept)

    def create_begins(self, marker: str) -> None:
        """Note the time at which a create begins."""
        self._store.set(self.CREATE, {"marker": marker, "at": time.time()})

    def create_ended(self, marker: str) -> None:
        """Forget the create."""
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
        """Note that the task enables an instance."""
        self._store.set(self.ENABLED, {"id": instance_id})

    def enabling_ended(self, instance_id: int) -> None:
        """Forget the note about an instance."""
        if self.enabled(instance_id) or self.disabled(instance_id):
            self._store.set(self.ENABLED, {"id": None})

    def enabled(self, instance_id: int) -> bool:
        """Return whether any try noted that it enables the instance, and none forgot it."""
        return self._noted(instance_id) == "enabled"

    def disabling(self, instance_id: int) -> None:
        """Note that the task disabled an instance again that it had enabled."""
        self._store.set(self.ENABLED, {"id": instance_id, "disabled": True})

    def disabled(self, instance_id: int) -> bool:
        """Return whether any try noted that it disabled the instance again, and none forgot it."""
        return self._noted(instance_id) == "disabled"

    def _noted(self, instance_id: int) -> str | None:
        kept = self._store.get(self.ENABLED)
        if not isinstance(kept, Mapping) or kept.get("id") != instance_id:
            return None
        return "disabled" if kept.get("disabled") is True else "enabled"

    def code_sent(self, fingerprint: str) -> bool:
        """Return whether any try noted the code."""
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


class TryMemory(CallMemory):
    """A memory that knows only the number of the try (Airflow 3.1 and 3.2).

    A killed first try leaves no trace of whether it sent its create or its code. So a later try assumes that
    a create may be under way, which began at least one pause between tries ago, and it does not send the
    code. It assumes that an instance which it finds enabled was enabled before.

    :param try_number: Number of the try, from 1.
    :param pause: Seconds that Airflow waits between two tries.
    """

    def __init__(self, try_number: int, pause: float = 0.0) -> None:
        super().__init__()
        self._later = try_number > 1
        self._pause = pause

    def since_create(self, marker: str) -> float | None:
        """Return the seconds since this try's create began, or the least time since an earlier try's did."""
        own = super().since_create(marker)
        return own if own is not None or not self._later else self._pause

    def code_sent(self, fingerprint: str) -> bool:
        """Return whether this try or an earlier one may have sent the code."""
        return self._later or super().code_sent(fingerprint)
