"""A result: which records it holds, how long it is, and its bytes from any place on.

Nothing of it is stored: its length is computed, and its rows are made while they are sent.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, islice

from airflow_provider_cloudelements.sandbox.bulk.formats import Writer
from airflow_provider_cloudelements.sandbox.bulk.templates import Templates
from airflow_provider_cloudelements.sandbox.vendors.records import Table
from airflow_provider_cloudelements.sandbox.vendors.shapes import PERIOD

#: Rows that are made at once, and rows between two noted lengths of a result with a condition.
_BATCH, _STRIDE = 500, 1000


class Selection:
    """The records of a result, in the order of their numbers.

    :param table: the records as they were when the job began.
    :param numbers: the numbers of those that met a condition, or None for a stretch of all.
    :param start: of a stretch: how many records come before it.
    :param size: of a stretch: the most records in it.
    """

    def __init__(
        self, table: Table, numbers: array[int] | None = None, start: int = 0, size: int | None = None
    ) -> None:
        self.table = table
        self.numbers = numbers
        self.start = min(start, len(table))
        left = len(table) - self.start
        self.size = len(numbers) if numbers is not None else left if size is None else min(size, left)

    def number(self, row: int) -> int:
        """Return the number of the record in a row.

        :param row: from 0.
        """
        return self.table.place(self.start + row) if self.numbers is None else self.numbers[row]

    def numbers_from(self, row: int) -> Iterator[int]:
        """Yield the numbers of the records from a row on.

        :param row: from 0.
        """
        if row >= self.size:
            return iter(())
        if self.numbers is not None:
            return islice(self.numbers, row, None)
        return islice(self.table.numbers(self.number(row) - 1), self.size - row)


class _Lengths:
    """The lengths of a table's rows, by number. Those of generated ones follow from their shape's rule."""

    def __init__(self, table: Table, writer: Writer) -> None:
        self._table = table
        self._writer = writer
        self._generated: dict[int, list[int]] = {}
        changes = table.changed()
        self._kept = {number: len(writer.write([record])) for number, record in changes.kept.items()}
        deltas = {number: length - self._of_generated(number) for number, length in self._kept.items()}
        deltas |= {number: -self._of_generated(number) for number in changes.gone}
        self._changed = sorted(deltas)
        self._sums = [0, *accumulate(deltas[number] for number in self._changed)]

    def of(self, number: int) -> int:
        """Return the length of the row of an existing record."""
        kept = self._kept.get(number)
        return self._of_generated(number) if kept is None else kept

    def _of_generated(self, number: int) -> int:
        return self._class(len(str(number)))[number % PERIOD] if number <= self._table.count else 0

    def _class(self, digits: int) -> list[int]:
        """Return the lengths of the rows whose numbers have so many digits, by the numbers' remainder."""
        if digits not in self._generated:
            first = 10 ** (digits - 1)
            shape, found = self._table.shape, [0] * PERIOD
            for number in range(first, min(first + PERIOD, 10 * first)):
                found[number % PERIOD] = len(self._writer.write([shape.record(number)]))
            self._generated[digits] = found
        return self._generated[digits]

    def through(self, number: int) -> int:
        """Return the length of all rows up to this number, itself included."""
        total, last = 0, min(number, self._table.count)
        for digits in range(1, len(str(max(last, 0))) + 1):
            first = 10 ** (digits - 1)
            count = min(last, 10 * first - 1) - first + 1
            if count > 0:
                lengths = self._class(digits)
                rounds, rest = divmod(count, PERIOD)
                total += rounds * sum(lengths)
                total += sum(lengths[each % PERIOD] for each in range(first, first + rest))
        return total + self._sums[bisect_right(self._changed, number)]


class Result:
    """The bytes of a result.

    :param selection: its records.
    :param writer: how they are written.
    """

    def __init__(self, selection: Selection, writer: Writer) -> None:
        self._selection = selection
        self._writer = writer
        self._head = writer.head()
        self._templates = Templates(selection.table.shape, writer)
        self._lengths = _Lengths(selection.table, writer)
        numbers = selection.numbers
        self._marks = [0]
        if numbers is not None:
            for begin in range(0, len(numbers), _STRIDE):
                self._marks.append(self._marks[-1] + self._sum(begin, begin + _STRIDE))
        #: The length of all of it.
        self.size = len(self._head) + self._before(selection.size)

    def _sum(self, begin: int, end: int) -> int:
        numbers = self._selection.numbers or ()
        return sum(self._lengths.of(number) for number in numbers[begin:end])

    def _before(self, row: int) -> int:
        """Return the length of the rows before one."""
        selection = self._selection
        if selection.numbers is not None:
            mark = min(row // _STRIDE, len(self._marks) - 1)
            return self._marks[mark] + self._sum(mark * _STRIDE, row)
        if row == 0:
            return 0
        return self._lengths.through(selection.number(row - 1)) - self._lengths.through(
            selection.number(0) - 1
        )

    def _rows(self, numbers: list[int]) -> bytes:
        """Return the rows of some records. Those that nobody changed come from templates."""
        kept = self._selection.table.changed().kept
        if kept.keys().isdisjoint(numbers):
            return self._templates.write(numbers)
        parts = []
        for number in numbers:
            record = kept.get(number)
            parts.append(self._templates.write([number]) if record is None else self._writer.write([record]))
        return b"".join(parts)

    def chunks(self, begin: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from one place to another.

        :param begin: the first byte.
        :param end: the byte behind the last one.
        """
        if begin < len(self._head):
            yield self._head[begin:end]
        place = max(begin, len(self._head))
        inside = place - len(self._head)
        row = max(bisect_right(range(self._selection.size + 1), inside, key=self._before) - 1, 0)
        skip = inside - self._before(row)
        numbers = self._selection.numbers_from(row)
        while place < end and (batch := list(islice(numbers, _BATCH))):
            part = self._rows(batch)[skip:][: end - place]
            skip = 0
            place += len(part)
            yield part
