"""What became of a plan: progress while it is applied, and a report at the end. Neither holds a secret."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_cloudelements.fleet.changes import Kind
from airflow_provider_cloudelements.fleet.render import escaped, markdown_table


class Status(StrEnum):
    """What became of a change."""

    DONE = "done"
    #: The instance was as it shall be before this apply began, such as after an earlier one that was killed.
    ALREADY = "already"
    FAILED = "failed"
    #: The instance has changed since the plan, so that it is not what was approved. Nothing was written.
    STALE = "stale"
    #: The change was not begun, because the apply ended before.
    SKIPPED = "skipped"


#: Seconds between two lines of progress.
_PACE = 10.0
#: What counts as success.
GOOD = (Status.DONE, Status.ALREADY)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one change.

    :param kind: What it should do.
    :param key: The instance key.
    :param status: What became of it.
    :param instance_id: Id of the instance; ``None`` if there is none.
    :param message: Why it failed, or what is worth knowing.
    """

    kind: Kind
    key: str
    status: Status
    instance_id: int | None = None
    message: str | None = None

    @property
    def good(self) -> bool:
        """Whether the instance is as it shall be."""
        return self.status in GOOD


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an apply has come.

    :param done: Changes that ended well.
    :param failed: Changes that did not.
    :param total: All changes.
    :param seconds: Seconds since the first change began.
    """

    done: int
    failed: int
    total: int
    seconds: float

    @property
    def left(self) -> int:
        """Changes that have not ended."""
        return self.total - self.done - self.failed

    @property
    def rate(self) -> float:
        """Changes a second."""
        return (self.done + self.failed) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the rest will take at this rate; ``None`` if nothing has ended."""
        return self.left / self.rate if self.rate else None

    def __str__(self) -> str:
        """Return it as a line for a log."""
        left = "" if self.seconds_left is None else f", {self.seconds_left:.0f} s left"
        told = f"{self.done} done, {self.failed} failed, {self.left} of {self.total} left"
        return f"{told}, {self.rate:.1f} a second{left}"


class Pace:
    """Tells progress every ten seconds.

    :param tell: Function that gets it.
    """

    def __init__(self, tell: Callable[[Progress], object]) -> None:
        self._tell = tell
        self._told = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Tell it if the last time was long ago."""
        now = time.monotonic()
        if now - self._told >= _PACE:
            self._told = now
            self._tell(progress)


@dataclass(frozen=True)
class Report:
    """What became of a plan.

    :param results: A result for each change, in the order of the plan.
    :param checksum: The plan's checksum.
    :param seconds: Seconds that the apply took.
    :param verified: Whether a reading at the end showed that the account is as it shall be.
    :param twins_deleted: Ids of instances that were made twice, because something else made an instance of
        the same key at the same time, and that were deleted again.
    :param note: What prevented the reading at the end, if anything did.
    """

    results: tuple[Result, ...]
    checksum: str
    seconds: float = 0.0
    verified: bool = True
    twins_deleted: tuple[int, ...] = ()
    note: str | None = None

    @property
    def failed(self) -> list[Result]:
        """The results that are no success."""
        return [each for each in self.results if not each.good]

    @property
    def ok(self) -> bool:
        """Whether all changes took place."""
        return all(each.good for each in self.results)

    @property
    def counts(self) -> dict[str, int]:
        """How many changes there are of each status, for an asset event."""
        counts = Counter(str(each.status) for each in self.results)
        return {str(status): counts[str(status)] for status in Status} | {"total": len(self.results)}

    @property
    def by_kind(self) -> dict[str, dict[str, int]]:
        """How many changes there are of each status, by kind."""
        counts = Counter((str(each.kind), str(each.status)) for each in self.results)
        found: dict[str, dict[str, int]] = {}
        for (kind, status), number in sorted(counts.items()):
            found.setdefault(kind, {})[status] = number
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON, fit for XCom."""
        return {
            "ok": self.ok,
            "verified": self.verified,
            "note": self.note,
            "checksum": self.checksum,
            "seconds": round(self.seconds, 3),
            "counts": self.counts,
            "by_kind": self.by_kind,
            "twins_deleted": list(self.twins_deleted),
            "results": [asdict(each) for each in self.results],
        }

    @classmethod
    def from_json(cls, made: Mapping[str, Any]) -> Report:
        """Make a report of what :meth:`to_json` returned."""
        results = tuple(
            Result(
                Kind(each["kind"]), each["key"], Status(each["status"]), each["instance_id"], each["message"]
            )
            for each in made["results"]
        )
        return cls(
            results,
            made["checksum"],
            made["seconds"],
            made["verified"],
            tuple(made["twins_deleted"]),
            made["note"],
        )

    @classmethod
    def together(cls, reports: Sequence[Report], checksum: str) -> Report:
        """Return one report of the parts of a plan.

        :param reports: The reports of the parts.
        :param checksum: The whole plan's checksum.
        """
        return cls(
            tuple(result for each in reports for result in each.results),
            checksum,
            max((each.seconds for each in reports), default=0.0),
            all(each.verified for each in reports),
            tuple(twin for each in reports for twin in each.twins_deleted),
            next((each.note for each in reports if each.note), None),
        )

    def markdown(self) -> str:
        """Return the report in Markdown: counts, and each change that is no success."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        counts = self.counts
        told = ", ".join(f"{counts[status]} {status}" for status in map(str, Status) if counts[status])
        yield f"**{told or 'Nothing to do'}; {self.seconds:.1f} s.**"
        if self.by_kind:
            yield ""
            heads = [str(each) for each in Status]
            rows = (
                [kind, *(str(found.get(each, 0)) for each in heads)] for kind, found in self.by_kind.items()
            )
            yield from markdown_table(["change", *heads], rows)
        if self.failed:
            yield ""
            failed = (
                [str(each.kind), each.key, str(each.status), each.message or ""] for each in self.failed
            )
            yield from markdown_table(["change", "key", "status", "message"], failed)
        if self.twins_deleted:
            yield f"\nDeleted twins: {', '.join(map(str, self.twins_deleted))}."
        if self.note:
            yield f"\n{escaped(self.note)}"
