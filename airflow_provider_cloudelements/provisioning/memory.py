"""Remember over the tries of a task what the platform does not keep."""

from __future__ import annotations

import time
from typing import Protocol


class Memory(Protocol):
    """Remember created instances and sent codes. Hold ids and keyed fingerprints, never a secret."""

    def instance_id(self, marker: str) -> int | None:
        """Return the id that an earlier try made or found under this marker."""

    def remember(self, marker: str, instance_id: int) -> None:
        """Keep the id."""

    def create_begins(self, marker: str) -> None:
        """Note, before it happens, that a create is about to be sent."""

    def create_ended(self, marker: str) -> None:
        """Take the note back: the create's outcome is known."""

    def since_create(self, marker: str) -> float | None:
        """Return the seconds since a create of unknown outcome began; ``None`` without one."""

    def enabling(self, instance_id: int) -> None:
        """Note, before it happens, that a disabled instance is about to be enabled for mending."""

    def enabling_ended(self, instance_id: int) -> None:
        """Forget the notes about enabling and disabling: the instance works, or was never enabled."""

    def enabled(self, instance_id: int) -> bool:
        """Return whether an earlier try enabled the instance and did not finish."""

    def disabling(self, instance_id: int) -> None:
        """Note that a try which had enabled the instance disabled it again: no person did."""

    def disabled(self, instance_id: int) -> bool:
        """Return whether an earlier try disabled the instance again."""

    def code_sent(self, fingerprint: str) -> bool:
        """Return whether an earlier try may have sent a code."""

    def sending_code(self, fingerprint: str) -> None:
        """Note, before it happens, that a code is about to be sent."""

    def code_kept(self, fingerprint: str) -> None:
        """Take the note back: it is proven that the vendor was not asked."""


class CallMemory:
    """Remember as long as the object exists."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._creates: dict[str, float] = {}
        self._codes: set[str] = set()
        self._enabled: set[int] = set()
        self._disabled: set[int] = set()

    def instance_id(self, marker: str) -> int | None:
        """Return the id kept for a marker."""
        return self._ids.get(marker)

    def remember(self, marker: str, instance_id: int) -> None:
        """Keep the id."""
        self._ids[marker] = instance_id

    def create_begins(self, marker: str) -> None:
        """Note a create."""
        self._creates[marker] = time.monotonic()

    def create_ended(self, marker: str) -> None:
        """Forget a create."""
        self._creates.pop(marker, None)

    def since_create(self, marker: str) -> float | None:
        """Return the seconds since a create was noted and not forgotten."""
        began = self._creates.get(marker)
        return None if began is None else time.monotonic() - began

    def enabling(self, instance_id: int) -> None:
        """Note an instance that is being enabled."""
        self._enabled.add(instance_id)
        self._disabled.discard(instance_id)

    def enabling_ended(self, instance_id: int) -> None:
        """Forget an instance."""
        self._enabled.discard(instance_id)
        self._disabled.discard(instance_id)

    def enabled(self, instance_id: int) -> bool:
        """Return whether the instance was noted as enabled and not forgotten."""
        return instance_id in self._enabled

    def disabling(self, instance_id: int) -> None:
        """Note an instance that is disabled again."""
        self._enabled.discard(instance_id)
        self._disabled.add(instance_id)

    def disabled(self, instance_id: int) -> bool:
        """Return whether the instance was noted as disabled again and not forgotten."""
        return instance_id in self._disabled

    def code_sent(self, fingerprint: str) -> bool:
        """Return whether the code was noted."""
        return fingerprint in self._codes

    def sending_code(self, fingerprint: str) -> None:
        """Note a code."""
        self._codes.add(fingerprint)

    def code_kept(self, fingerprint: str) -> None:
        """Forget a code."""
        self._codes.discard(fingerprint)
