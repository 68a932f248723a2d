"""The records of one resource of one instance: generated ones, and what callers changed of them."""

from __future__ import annotations

import itertools
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cloudelements.sandbox.core.ceql import Condition, field_value
from airflow_provider_cloudelements.sandbox.vendors.shapes import PERIOD, Record, Shape


@dataclass(slots=True)
class Changes:
    """What differs from the generated records, by number.

    :param kept: the records that were changed or added.
    :param gone: the numbers of those that were deleted, ascending.
    """

    kept: dict[int, Record] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)


class Table:
    """The records in the order of their numbers; added ones come last.

    Its cost grows with what callers changed, not with how many records there are.

    :param shape: makes the records.
    :param count: how many there are at first.
    """

    def __init__(self, shape: Shape, count: int) -> None:
        self.shape = shape
        self.count = count
        #: The highest number that was given out.
        self.last = count
        self._changes = Changes()
        self._version = 0
        self._ordered: tuple[object, list[int]] | None = None

    def __len__(self) -> int:
        """Return how many records there are."""
        return self.last - len(self._changes.gone)

    def at(self, number: int) -> Record | None:
        """Return the record with this number, or None if it was deleted. Callers must not change it.

        :param number: from 1 to :attr:`last`.
        """
        kept = self._changes.kept.get(number)
        if kept is not None:
            return kept
        gone = self._changes.gone
        if gone:
            place = bisect_left(gone, number)
            if gone[place : place + 1] == [number]:
                return None
        return self.shape.record(number) if 1 <= number <= self.count else None

    def number_of(self, record_id: str) -> int | None:
        """Return the number of the record with this id, or None.

        :param record_id: text of a path or of a condition.
        """
        number = self.shape.number_of(record_id)
        return number if number is not None and self.at(number) is not None else None

    def get(self, record_id: str) -> Record | None:
        """Return the record with this id, or None.

        :param record_id: text of the path.
        """
        number = self.number_of(record_id)
        return None if number is None else self.at(number)

    def add(self, fields: Record) -> Record:
        """Keep a new record and return it, with an id and its dates.

        :param fields: what the caller gave.
        """
        self.last += 1
        record = {**fields, "id": self.shape.id_of(self.last)}
        self.shape.stamp(record, time.time(), new=True)
        return self._keep(self.last, record)

    def change(self, number: int, fields: Record, *, replace: bool = False) -> Record:
        """Change a record and return it.

        :param number: its number.
        :param fields: the fields to change.
        :param replace: whether all other fields go.
        """
        old = self.at(number) or {}
        record = {**({} if replace else old), **fields, "id": self.shape.id_of(number)}
        if replace and (path := self.shape.created) is not None and "." not in path and path in old:
            record[path] = old[path]
        self.shape.stamp(record, time.time(), new=False)
        return self._keep(number, record)

    def _keep(self, number: int, record: Record) -> Record:
        self._changes.kept[number] = record
        self._version += 1
        return record

    def remove(self, number: int) -> None:
        """Delete a record.

        :param number: its number.
        """
        self._changes.kept.pop(number, None)
        insort(self._changes.gone, number)
        self._version += 1

    def place(self, position: int) -> int:
        """Return the number of the record before which so many others are.

        :param position: from 0; a position behind the last record gives a number above :attr:`last`.
        """
        number = position + 1
        gone = self._changes.gone
        while (further := position + 1 + bisect_right(gone, number)) != number:
            number = further
        return number

    def numbers(self, after: int = 0) -> Iterator[int]:
        """Yield the numbers of the records behind one.

        :param after: a number; 0 for all.
        """
        gone = self._changes.gone
        place = bisect_right(gone, after)
        for number in range(after + 1, self.last + 1):
            if place < len(gone) and gone[place] == number:
                place += 1
                continue
            yield number

    def matching(self, condition: Condition | None, after: int = 0) -> Iterator[tuple[int, Record]]:
        """Yield the records that meet a condition, with their numbers.

        A condition on the id costs one look; any other costs a look at each record.

        :param condition: None for all.
        :param after: only records behind this number.
        """
        known = None if condition is None else condition.equals.get("id")
        if known is not None:
            number = self.number_of(known)
            numbers: Iterator[int] = iter(() if number is None or number <= after else (number,))
        else:
            numbers = self.numbers(after)
        for number in numbers:
            record = self.at(number)
            if record is not None and (condition is None or condition(record)):
                yield number, record

    def ordered(self, condition: Condition | None, path: str, *, descending: bool) -> list[int]:
        """Return the numbers of the records that meet a condition, in the order of a field (choice C327).

        The last answer is kept, so that the pages of a long list are sorted once.

        :param condition: None for all.
        :param path: the dotted name of the field.
        :param descending: whether the greatest comes first.
        """
        wanted = (None if condition is None else condition.text, path, descending, self._version)
        if self._ordered is None or self._ordered[0] != wanted:
            found = [
                (_rank(field_value(record, path)), number) for number, record in self.matching(condition)
            ]
            found.sort(key=lambda each: each[0], reverse=descending)
            self._ordered = wanted, [number for _, number in found]
        return self._ordered[1]

    def snapshot(self) -> Table:
        """Return a table that stays as this one is now."""
        copy = Table(self.shape, self.count)
        copy.last = self.last
        copy._changes = Changes(dict(self._changes.kept), list(self._changes.gone))
        return copy

    def changed(self) -> Changes:
        """Return what differs from the generated records; callers must not change it."""
        return self._changes

    def columns(self) -> list[str]:
        """Return the names of all fields that a record has, those of the generated ones first."""
        names: dict[str, None] = {}
        samples = (self.shape.record(number) for number in range(1, min(self.count, PERIOD) + 1))
        for record in itertools.chain(samples, self._changes.kept.values()):
            names |= dict.fromkeys(record)
        return list(names)


def _rank(value: object) -> tuple[int, float, str]:
    """Return a value's place among others of any type: none, then numbers, then texts."""
    if value is None:
        return 0, 0.0, ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return 1, _number(value), ""
    return 2, 0.0, str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def without_nulls(record: Record) -> Record:
    """Return a record without its empty fields, those of inner objects too (fact F221; inner: choice C325).

    :param record: the record.
    """
    return {name: _without(value) for name, value in record.items() if value is not None}


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return without_nulls(value)
    return [_without(inner) for inner in value] if isinstance(value, list) else value
