"""Hold what a reading found, and hand it on in parts.

A part costs as much as its own rows, however many wait behind it: a watcher hands on parts of a large backlog
on the event loop of a triggerer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import merge
from itertools import chain, islice, takewhile
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.arguments import require_count
from airflow_provider_cloudelements.events.cursor import EventCursor, PartlyTold
from airflow_provider_cloudelements.events.query import EventRow

#: Smallest limit of bytes: one row is always smaller.
LEAST_BYTES = 32_768
#: Rows that are sorted in one go. Python sorts without a pause for other threads: an event loop in the same
#: process stands still meanwhile.
_AT_ONCE = 4096
#: Rows that are freed in one go.
_PIECE = 1024
#: Where a row without a date stands: before all others.
_NO_DATE = pendulum.datetime(1970, 1, 1)

_Pieces = tuple[tuple[EventRow, ...], ...]


@dataclass(frozen=True, slots=True)
class EventLimits:
    """Limit the size of one batch and of one reading. Make limits with :meth:`of`.

    :param rows: Most rows.
    :param size: Most bytes of the rows as JSON. A batch has at least one row, which is smaller than the least
        value of this limit.
    :param pages: Most pages (of 200 events) of one reading.
    """

    rows: int
    size: int
    pages: int

    @classmethod
    def of(cls, *, max_events: int, max_bytes: int, max_pages: int) -> EventLimits:
        """Make limits from arguments.

        :raises ValueError: An argument is not an integer, or out of bounds.
        """
        for name, value, least in (
            ("max_events", max_events, 1),
            ("max_bytes", max_bytes, LEAST_BYTES),
            ("max_pages", max_pages, 1),
        ):
            require_count(name, value, least)
        return cls(max_events, max_bytes, max_pages)

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments that make the limits again."""
        return {"max_events": self.rows, "max_bytes": self.size, "max_pages": self.pages}


class EventBatch:
    """Hold the result of a reading for one look, oldest first.

    :param rows: The rows found, in the order of :func:`sorted_rows`.
    :param before: Where the reading began.
    :param after: Where the next reading begins, once all rows are handed on.
    """

    def __init__(self, rows: Iterable[EventRow], before: EventCursor, after: EventCursor) -> None:
        given = tuple(rows)
        # In pieces, so that those handed on are freed while others wait, and not all at the end.
        pieces = tuple(given[at : at + _PIECE] for at in range(0, len(given), _PIECE))
        end = _Place(before, after)
        begin = _Place(before, after, given[0]) if given else _Place(before, before)
        self._set(pieces, 0, len(given), begin, end)

    def _set(self, pieces: _Pieces, first: int, count: int, begin: _Place, end: _Place) -> None:
        #: The rows, of which the first ones do not belong to the batch, and how many belong to it.
        self._pieces, self._first, self._count = pieces, first, count
        self._begin, self._end = begin, end

    @classmethod
    def _part(cls, pieces: _Pieces, first: int, count: int, begin: _Place, end: _Place) -> EventBatch:
        part = cls.__new__(cls)
        part._set(pieces, first, count, begin, end)
        return part

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows, before={self.before!r}, after={self.after!r})"

    @property
    def rows(self) -> tuple[EventRow, ...]:
        """The rows. To count them, ``len()`` of the batch costs less."""
        return tuple(islice(chain.from_iterable(self._pieces), self._first, self._first + self._count))

    @property
    def before(self) -> EventCursor:
        """Where the reading of these rows began."""
        return self._begin.cursor

    @property
    def after(self) -> EventCursor:
        """Where the next reading begins, once these rows are handed on."""
        return self._end.cursor

    def take(self, limits: EventLimits) -> tuple[EventBatch, EventBatch]:
        """Return a first part within the limits, of at least one row if there is one, and the rest."""
        told: list[EventRow] = []
        size = 0
        rows = islice(chain.from_iterable(self._pieces), self._first, self._first + self._count)
        following: EventRow | None = None
        for row in rows:
            size += row.size + 2  # the comma between two rows
            if len(told) == limits.rows or (told and size > limits.size):
                following = row
                break
            told.append(row)
        if following is None:
            return self, self._part((), 0, 0, self._end, self._end)
        between = self._begin.after(told, following)
        done, first = divmod(self._first + len(told), _PIECE)
        return (
            self._part((tuple(told),), 0, len(told), self._begin, between),
            self._part(self._pieces[done:], first, self._count - len(told), between, self._end),
        )

    def free(self) -> None:
        """Drop the rows, a few at a time, so that other threads get their turn. The batch is empty then."""
        pieces, self._pieces, self._count = list(self._pieces), (), 0
        while pieces:
            pieces.pop()

    def as_json(self) -> dict[str, Any]:
        """Return the rows and the cursor to go on from, as JSON for XCom."""
        return {"events": [row.data for row in self.rows], "cursor": self.after.as_json()}


@dataclass(frozen=True, slots=True)
class _Told:
    """Hold keys of rows that were handed on, as a chain, so that a further part costs only its own rows.

    :param keys: Keys of one part.
    :param last: Date of its last row.
    :param earlier: The parts before it.
    """

    keys: tuple[str, ...]
    last: pendulum.DateTime | None
    earlier: _Told | None

    def __iter__(self) -> Iterator[str]:
        part: _Told | None = self
        while part is not None:
            yield from part.keys
            part = part.earlier


@dataclass(frozen=True)
class _Place:
    """Hold a place between two rows of a reading.

    :param first: Where the reading began.
    :param last: Where the next reading begins, once all rows are handed on.
    :param following: The row after the place; ``None`` at the end.
    :param begins: Whether no row was handed on.
    :param cut: Marks of the rows before it that belong to the event of the following row.
    :param undated: The rows without a date before it.
    :param dated: The rows before it that are not older than its cursor.
    """

    first: EventCursor
    last: EventCursor
    following: EventRow | None = None
    begins: bool = True
    cut: _Told | None = None
    undated: _Told | None = None
    dated: _Told | None = None

    def after(self, rows: Sequence[EventRow], following: EventRow) -> _Place:
        """Return the place after some more rows.

        :param rows: The rows.
        :param following: The row after them.
        """
        place = _Place(self.first, self.last, following, begins=False)
        since = place.since
        undated = tuple(row.key for row in rows if row.date is None)
        young = tuple(row.key for row in rows if row.date is not None and row.date >= since)
        earlier = self.dated
        if earlier is not None and (earlier.last is None or earlier.last < since):
            earlier = None
        marks = tuple(row.mark for row in takewhile(lambda row: row.key == following.key, reversed(rows)))
        goes_on = self.following is not None and self.following.key == following.key
        cut = _Told(marks, None, self.cut if goes_on else None) if marks else None
        return replace(
            place,
            cut=cut,
            undated=_Told(undated, None, self.undated) if undated else self.undated,
            dated=_Told(young, rows[-1].date, earlier) if young else earlier,
        )

    @property
    def since(self) -> pendulum.DateTime:
        """The moment before which every row was handed on."""
        date = self.last.since if self.following is None else self.following.date
        return self.first.since if date is None else max(self.first.since, min(self.last.since, date))

    @cached_property
    def cursor(self) -> EventCursor:
        """The cursor at this place: an event is done with its last row.

        Between two rows it holds the events that were handed on and are not older than it, and none that were
        read and not wanted: to read these once more costs less than to carry them along.
        """
        if self.following is None:
            return self.last
        if self.begins:
            return self.first
        seen = set(self.first.seen)
        for told in (self.undated, self.dated):
            seen.update(told or ())
        seen.discard(self.following.key)  # an event of several rows, of which some are left
        known = frozenset(seen)
        return EventCursor(
            self.since,
            known,
            partly=self._partly(known),
            local=self.first.local and self.since == self.first.since,
        )

    def _partly(self, seen: frozenset[str]) -> dict[str, PartlyTold]:
        """Return the events of which only some rows were handed on, before this reading or in it."""
        partly = self.first.partly_after(self.since, seen)
        if self.following is not None and self.cut is not None:
            earlier = partly.get(self.following.key)
            marks = frozenset(self.cut).union(() if earlier is None else earlier.rows)
            partly[self.following.key] = PartlyTold(self.following.date, marks)
        return partly


def joined(batches: Sequence[EventBatch]) -> EventBatch:
    """Return one batch of the batches of successive readings.

    :param batches: The batches, one at least, in the order of the readings.
    """
    rows = sorted_rows(row for batch in batches for row in batch.rows)
    return EventBatch(rows, batches[0].before, batches[-1].after)


def sorted_rows(rows: Iterable[EventRow]) -> tuple[EventRow, ...]:
    """Sort rows by date, oldest first, and keep the rows of one event together; rows without a date first."""
    order: Callable[[EventRow], Any] = _order
    given = list(rows)
    if len(given) <= _AT_ONCE:
        return tuple(sorted(given, key=order))
    pieces = [sorted(given[at : at + _AT_ONCE], key=order) for at in range(0, len(given), _AT_ONCE)]
    return tuple(merge(*pieces, key=order))


def _order(row: EventRow) -> tuple[pendulum.DateTime, str]:
    return _date(row), row.key


def _date(row: EventRow) -> pendulum.DateTime:
    return row.date or _NO_DATE
