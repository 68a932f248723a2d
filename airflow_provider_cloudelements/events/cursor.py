"""Store the position of a reader of events.

A cursor is plain data, small and without a secret, fit for XCom, a trigger and a state store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.parsing import parse_date
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

__all__ = ["EventCursor"]

#: Seconds for which a reader trusts an observed order. Then it reads the whole list again: no document
#: defines the order (unknown U281), so it may change, or was chance.
TRUST_TIME = 900.0

#: A date before any event. It replaces every earlier date.
_EARLIEST = pendulum.datetime(1970, 1, 1)


@dataclass(frozen=True)
class EventCursor:
    """Store how far a reader has come: small, JSON, and without a secret.

    :param since: Every event before this moment was read in a whole list, or is not wanted.
    :param seen: Short hashes of the ids of events that were read and are not older than ``since``.
    :param newest_first: Whether the last whole reading found the newest events first. If so, a reading may
        stop where only older events follow.
    :param stop: Where such a reading may stop: earlier readings listed all older events.
    :param whole: When the list was last read whole.
    """

    since: pendulum.DateTime
    seen: frozenset[str] = field(default_factory=frozenset, repr=False)
    newest_first: bool = False
    stop: pendulum.DateTime | None = None
    whole: pendulum.DateTime | None = None

    @classmethod
    def start(cls, when: Any = "now") -> EventCursor:
        """Return the cursor to begin with.

        :param when: ``now``; ``earliest``, everything that the platform still has; or a date: ISO 8601 or a
            ``datetime``, in UTC if it names no zone. The cursor begins at the start of the date's second. The
            platform may cut its dates to whole seconds (fact F57), so an event just after the date would
            seem older.
        :raises CloudElementsValidationError: ``when`` is none of these.
        """
        if when == "now":
            when = pendulum.now("UTC")
        if when == "earliest":
            return cls(_EARLIEST)
        if hasattr(when, "isoformat"):
            when = when.isoformat()
        date = parse_date(when) if isinstance(when, str) and not when.strip().isdigit() else None
        if date is None:
            raise CloudElementsValidationError(
                "The moment to begin at must be 'now', 'earliest' or a date such as 2026-11-24T08:00:00Z."
            )
        return cls(max(date.start_of("second"), _EARLIEST))

    @classmethod
    def given(cls, since: Any) -> EventCursor:
        """Read the argument ``since`` of a task. The task begins there in each of its tries.

        :param since: A value for :meth:`start` other than ``now``; a cursor; or the return value of a task
            that holds one as ``cursor``. Each also as JSON, because a template returns JSON.
        :raises CloudElementsValidationError: ``since`` is none of these.
        """
        if isinstance(since, str) and since.lstrip().startswith(("{", '"')):
            try:
                since = json.loads(since)
            except ValueError:
                raise CloudElementsValidationError(
                    "since is not valid JSON; use the filter tojson in a template."
                ) from None
        if isinstance(since, Mapping):
            since = since.get("cursor", since)
            # Drop what it knows of the list's order, because it may come from another list.
            return cls.parse(since).place
        if since == "now":
            raise CloudElementsValidationError(
                "since must not be 'now': a retry would miss what came before it. Name a moment that stays "
                "the same, such as the default, the begin of the run's data interval."
            )
        return cls.start(since)

    @classmethod
    def parse(cls, value: Any) -> EventCursor:
        """Read what :meth:`as_json` wrote.

        :raises CloudElementsValidationError: ``value`` is something else.
        """
        since = parse_date(value.get("since")) if isinstance(value, Mapping) else None
        seen = value.get("seen", []) if isinstance(value, Mapping) else None
        if since is None or not isinstance(seen, list) or not all(isinstance(each, str) for each in seen):
            raise CloudElementsValidationError("This is no cursor of events.")
        return cls(
            max(since, _EARLIEST),
            frozenset(seen),
            value.get("newest_first") is True,
            parse_date(value.get("stop")),
            parse_date(value.get("whole")),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the cursor as JSON for XCom or a state store."""
        return {
            "since": self.since.isoformat(),
            "seen": sorted(self.seen),
            "newest_first": self.newest_first,
            "stop": None if self.stop is None else self.stop.isoformat(),
            "whole": None if self.whole is None else self.whole.isoformat(),
        }

    @property
    def place(self) -> EventCursor:
        """The cursor without its knowledge of the list's order, which is useless after a restart."""
        return EventCursor(self.since, self.seen)

    @property
    def reach(self) -> pendulum.DateTime:
        """The date down to which a reading goes that may stop early."""
        return self.since if self.stop is None else max(self.since, self.stop)

    def trusted(self, now: pendulum.DateTime) -> bool:
        """Return whether a reading may stop early: a recent reading observed the order."""
        if not self.newest_first or self.whole is None:
            return False
        return 0 <= (now - self.whole).total_seconds() < TRUST_TIME
