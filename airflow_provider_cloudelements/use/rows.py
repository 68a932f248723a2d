"""Count the rows of a file while it streams through, whatever its parts are."""

from __future__ import annotations

import json

#: Most bytes of a last line without a line break that is looked at whether it is whole.
_LONGEST_LINE = 16 * 1024 * 1024
#: So many bytes at the end of a part are looked at first: to strip all of it copies it.
_END = 16


class RowCount:
    """Counts rows of CSV, without the line of names, or of JSON lines.

    A line break between quotes of a CSV ends no row. Empty lines at the end are no rows, but :attr:`blank`
    tells how many of them may be. A row ends in a line feed, with a carriage return before it or not: the
    rows of a file with carriage returns alone are not told apart, so that their count does not fit the job's.

    :param file_format: ``csv`` or ``jsonl``.
    """

    def __init__(self, file_format: str) -> None:
        self._csv = file_format == "csv"
        self._quoted = False
        self._breaks = 0
        #: Whether a line has begun, and the line breaks after it that nothing has followed yet.
        self._begun = False
        self._held = b""
        #: Of a CSV: whether its first line has ended, and how many commas that has.
        self._named = False
        self._commas = 0
        #: What came after the last line break, up to a limit.
        self._line = bytearray()

    @property
    def blank(self) -> int:
        """Empty lines at the end that are rows if the job says so: a CSV of one column has them."""
        one_column = self._csv and self._named and not self._commas
        return max(self._held.count(b"\n") - 1, 0) if one_column else 0

    @property
    def ended(self) -> bool:
        """Whether the last row is complete, for all that its end shows.

        A CSV ends in a line break outside of quotes. The last of the JSON lines may lack its line break.
        """
        if not self._line.strip():
            return not self._quoted
        return not self._csv and _is_record(self._line)

    @property
    def rows(self) -> int:
        """Rows so far, the last of which may be incomplete."""
        lines = self._breaks + self._begun
        return max(lines - self._csv, 0)

    def add(self, data: bytes) -> None:
        """Go on with the next bytes.

        :param data: The bytes.
        """
        if self._csv and (self._quoted or b'"' in data):
            data = self._outside(data)
        if self._csv and not self._named:
            names, found, _ = data.partition(b"\n")
            self._commas += names.count(b",")
            self._named = bool(found)
        line_break = data.rfind(b"\n")
        if line_break >= 0:
            self._line.clear()
        self._line += data[line_break + 1 :][: _LONGEST_LINE - len(self._line)]
        breaks = _breaks_at_the_end(data)
        if len(breaks) == len(data):
            self._held += breaks
            return
        self._begun = True
        self._breaks += self._held.count(b"\n") + data.count(b"\n") - breaks.count(b"\n")
        self._held = breaks

    def _outside(self, data: bytes) -> bytes:
        """Return the bytes outside of quotes, and a quote in place of all those inside.

        A doubled quote, which stands for one, ends a text and begins another: that changes nothing here.
        """
        parts = data.split(b'"')
        outside = b'"'.join(parts[1 if self._quoted else 0 :: 2])
        if self._quoted:
            outside = b'"' + outside
        if len(parts) % 2 == 0:
            self._quoted = not self._quoted
        # Even if all of it stood inside: what follows the line breaks before it.
        return outside + b'"' if self._quoted else outside


def _is_record(line: bytes | bytearray) -> bool:
    """Say whether a line is a whole JSON object or list. Of a cut number, nothing shows that it was cut."""
    try:
        return isinstance(json.loads(line), dict | list)
    except (ValueError, RecursionError):
        return False


def _breaks_at_the_end(data: bytes) -> bytes:
    end = data[-_END:]
    found = end[len(end.rstrip(b"\r\n")) :]
    return data[len(data.rstrip(b"\r\n")) :] if len(found) == _END else found
