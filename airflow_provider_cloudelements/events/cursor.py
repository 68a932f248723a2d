"""Store the position of a reader of events.

A cursor is plain data, small and without a secret, fit for XCom, a trigger and a state store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.parsing import given_date, parse_date
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

__all__ = ["EventCursor"]

#: Seconds for which a reader trusts an observed order. Then it reads the whole list again: no document
#: defines the order (unknown U281), so it may change, or was chance.
TRUST_TIME = 900.0

#: Most ids that are sorted when a cursor is written. To sort 200,000 holds up an event loop for a tenth of a
#: second, and their order only makes a cursor easier to read.
_MOST_SORTED = 10_000

#: A date as errors show one.
_A_DATE = "2026-11-24T08:00:00Z"

#: A date before any event. It replaces every earlier date.
_EARLIEST = pendulum.datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class PartlyTold:
    """Store which rows of an event were returned, if a limit cut the event.

    :param date: When the platform took the event in.
    :param rows: Short hashes of the rows. A count would not do, because the platform may add rows in between.
    """

    date: pendulum.DateTime | None
    rows: frozenset[str] = field(repr=False)


@dataclass(frozen=True)
class EventCursor:
    """Store how far a reader has come: small, JSON, and without a secret.

    :param since: Every event before this moment was read in a whole list, or is not wanted.
    :param seen: Short hashes of the ids of events that were read and are not older than ``since``.
    :param newest_first: Whether the last whole reading found the newest events first. If so, a reading may
        stop where only older events follow.
    :param stop: Where such a reading may stop: earlier readings listed all older events.
    :param whole: When the list was last read whole, by this machine's clock.
    :param partly: The events of which only some rows were returned, by the short hash of their id.
    :param local: Whether ``since`` is a moment of Airflow's clock, and not of the platform's.
    """

    since: pendulum.DateTime
    seen: frozenset[str] = field(default_factory=frozenset, repr=False)
    newest_first: bool = False
    stop: pendulum.DateTime | None = None
    whole: pendulum.DateTime | None = None
    partly: Mapping[str, PartlyTold] = field(default_factory=dict, repr=False)
    local: bool = field(default=False, compare=False)

    @classmethod
    def start(cls, when: Any = "now", argument: str = "start") -> EventCursor:
        """Return the cursor to begin with.

        :param when: ``now``; ``earliest``, everything that the platform still has; or a date: ISO 8601 or a
            ``datetime``, in UTC if it names no zone. The cursor begins at the start of the date's second. The
            platform may cut its dates to whole seconds (fact F57), so an event just after the date would
            seem older.
        :param argument: The argument's name, for errors.
        :raises CloudElementsValidationError: ``when`` is none of these.
        """
        if when == "now":
            when = pendulum.now("UTC")
        if when == "earliest":
            return cls(_EARLIEST)
        date = given_date(when)
        if date is None:
            raise CloudElementsValidationError(
                f"{argument} must be 'now', 'earliest' or a date such as {_A_DATE}{_instead_of(when)}."
            )
        return cls(max(date.start_of("second"), _EARLIEST), local=True)

    @classmethod
    def given(cls, since: Any, argument: str = "since") -> EventCursor:
        """Read the argument ``since`` or ``start`` of a task. The task begins there in each of its tries.

        :param since: A value for :meth:`start` other than ``now``; a cursor; or the return value of a task
            that holds one as ``cursor``. Each also as JSON, because a template returns JSON.
        :param argument: The argument's name, for errors.
        :raises CloudElementsValidationError: ``since`` is none of these.
        """
        if isinstance(since, str) and since.lstrip().startswith(("{", '"')):
            try:
                since = json.loads(since)
            except (ValueError, RecursionError):
                raise CloudElementsValidationError(
                    f"{argument} is not valid JSON; use the filter tojson in a template."
                ) from None
        if isinstance(since, Mapping):
            since = since.get("cursor", since)
            # Drop what it knows of the list's order, because it may come from another list.
            return cls.parse(since, argument).place
        if since == "now":
            raise CloudElementsValidationError(
                f"{argument} must not be 'now': a retry would miss what came before it. Name a moment that "
                "stays the same, such as {{ dag_run.run_after }}, or keep the default."
            )
        if since != "earliest" and given_date(since) is None:
            raise CloudElementsValidationError(
                f"{argument} must be a date such as {_A_DATE}, 'earliest', or what an earlier task returned"
                f"{_instead_of(since)}."
            )
        return cls.start(since, argument)

    @classmethod
    def parse(cls, value: Any, argument: str = "cursor") -> EventCursor:
        """Read what :meth:`as_json` wrote.

        :param value: What it wrote.
        :param argument: The argument's name, for errors.
        :raises CloudElementsValidationError: ``value`` is something else.
        """
        since = parse_date(value.get("since")) if isinstance(value, Mapping) else None
        # An XCom backend may give a list back as a tuple.
        seen = value.get("seen", []) if isinstance(value, Mapping) else None
        if since is None or not isinstance(seen, list | tuple) or set(map(type, seen)) - {str}:
            raise CloudElementsValidationError(
                f"{argument} is no cursor of events: give what the read operator or the sensor returned."
            )
        return cls(
            max(since, _EARLIEST),
            frozenset(seen),
            value.get("newest_first") is True,
            parse_date(value.get("stop")),
            parse_date(value.get("whole")),
            _partly(value.get("partly")),
            value.get("local") is True,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the cursor as JSON for XCom or a state store."""
        written: dict[str, Any] = {
            "since": self.since.isoformat(),
            "seen": sorted(self.seen) if len(self.seen) <= _MOST_SORTED else list(self.seen),
            "newest_first": self.newest_first,
            "stop": None if self.stop is None else self.stop.isoformat(),
            "whole": None if self.whole is None else self.whole.isoformat(),
        }
        if self.partly:
            written["partly"] = {
                key: {"date": None if each.date is None else each.date.isoformat(), "rows": sorted(each.rows)}
                for key, each in sorted(self.partly.items())
            }
        return {**written, "local": True} if self.local else written

    @property
    def place(self) -> EventCursor:
        """The cursor without its knowledge of the list's order, which is useless after a restart."""
        return EventCursor(self.since, self.seen, partly=self.partly, local=self.local)

    def on_platform(self, ahead: float) -> EventCursor:
        """Return the cursor for the platform's clock, by which events are dated.

        It only ever begins earlier: a date of the platform may have been given as well, and an event that
        comes twice is better than one that is lost.

        :param ahead: Seconds by which the platform's clock is ahead of this machine's; negative: behind.
        """
        if not self.local:
            return self
        behind = pendulum.duration(seconds=max(0.0, -ahead))
        stop = None if self.stop is None else self.stop - behind
        return replace(self, since=max(self.since - behind, _EARLIEST), stop=stop, local=False)

    def partly_after(self, since: pendulum.DateTime, seen: frozenset[str]) -> dict[str, PartlyTold]:
        """Return the partly returned events that a later reading still has to finish.

        :param since: Where the later reading begins.
        :param seen: The events that it passes over.
        """
        return {
            key: each
            for key, each in self.partly.items()
            if key not in seen and (each.date is None or each.date >= since)
        }

    @property
    def reach(self) -> pendulum.DateTime:
        """The date down to which a reading goes that may stop early."""
        return self.since if self.stop is None else max(self.since, self.stop)

    def trusted(self, now: pendulum.DateTime) -> bool:
        """Return whether a reading may stop early: a recent reading observed the order."""
        if not self.newest_first or self.whole is None:
            return False
        return 0 <= (now - self.whole).total_seconds() < TRUST_TIME


def require_cursor(name: str, value: Any) -> EventCursor:
    """Return an argument that must be a cursor.

    :param name: The argument's name, for the error.
    :param value: The value.
    :raises CloudElementsValidationError: It is something else.
    """
    if not isinstance(value, EventCursor):
        raise CloudElementsValidationError(
            f"{name} must be an EventCursor. EventCursor.start makes one of a date, and EventCursor.given of "
            "what a task returned."
        )
    return value


def read_until(value: Any) -> pendulum.DateTime | None:
    """Read the argument ``until`` of a task: the moment before which events are wanted.

    :param value: A date: ISO 8601 or a ``datetime``, in UTC if it names no zone; ``latest``, ``None`` or an
        empty text for no end.
    :raises CloudElementsValidationError: ``value`` is none of these.
    """
    if value is None or (isinstance(value, str) and value.strip() in ("", "None", "latest")):
        return None  # a template of Airflow renders None as a text
    date = given_date(value)
    if date is None:
        raise CloudElementsValidationError(
            f"until must be 'latest' or a date such as {_A_DATE}{_instead_of(value)}."
        )
    return date


def _instead_of(value: Any) -> str:
    """Return what an error adds about a value that no date is: words of ours, never the value."""
    if value is None or (isinstance(value, str) and value.strip() in ("", "None")):
        return "; it is None or empty, so look at the task or the template that it comes from"
    return "" if isinstance(value, str) else f"; it is of type {type(value).__name__}"


def _partly(value: Any) -> dict[str, PartlyTold]:
    """Read what was stored of partly returned events; something malformed only makes rows come twice."""
    return {
        key: PartlyTold(parse_date(each.get("date")), frozenset(map(str, each.get("rows") or ())))
        for key, each in (value.items() if isinstance(value, Mapping) else ())
        if isinstance(each, Mapping) and isinstance(each.get("rows"), list | tuple)
    }
