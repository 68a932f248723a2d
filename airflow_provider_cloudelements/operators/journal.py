"""What a task remembers over its tries, for the client's ``ensure``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_cloudelements.client.ensure import Journal, MemoryJournal
from airflow_provider_cloudelements.compat import task_state_store


def journal_of(context: Any) -> Journal:
    """Return the journal of the running task.

    :param context: The context that ``execute`` received.
    :return: On Airflow 3.3 and later one that lies in the task state store; before, one that knows no more
        than which try this is.
    """
    store = task_state_store(context)
    if store is not None:
        return StoredJournal(store)
    return TryJournal(getattr(context.get("ti"), "try_number", 1) if context else 1)


class StoredJournal:
    """Remembers in the task state store. Ids and keyed fingerprints only: the store is shown in clear.

    :param store: The task's state store.
    """

    ID = "cloudelements_instance_id"
    CODES = "cloudelements_codes_sent"

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

    A killed first try leaves no trace of whether its code went out, so a later one does not send it.

    :param try_number: Number of the try, from 1.
    """

    def __init__(self, try_number: int) -> None:
        super().__init__()
        self._later = try_number > 1

    def code_sent(self, fingerprint: str) -> bool:
        """Say whether the code may have been sent by this try or an earlier one."""
        return self._later or super().code_sent(fingerprint)
