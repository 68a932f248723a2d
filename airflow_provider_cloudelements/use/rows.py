"""Count the rows of a file while it streams through, whatever its parts are."""

from __future__ import annotations

import json
import re

#: Most bytes of a last line without a line break that is looked at whether it is whole.
_LONGEST_LINE = 16 * 1024 * 1024
#: So many bytes at the end of a part are looked at first: to strip all of it copies it.
_END = 16
#: All bytes but quotes and line feeds.
_UNMARKED = bytes(each for each in range(256) if each not in b'"\n')


class _Lines:
    """Counts lines that end in one byte. Empty ones at the end are no lines.

    :param end: The byte.
    :param with_empty: Whether to count the empty lines between others, too, in :attr:`empty`.
    """

    def __init__(self, end: bytes, *, with_empty: bool = False) -> None:
        self._end = end
        #: A line's end, and the empty lines behind it.
        self._empty = re.compile(rb"%b(?:\r?%b)+" % (end, end)) if with_empty else None
        self.empty = 0
        self._breaks = 0
        #: Whether a line has begun, and the line breaks after it that nothing has followed yet.
        self._begun = False
        self._held = b""
        #: Whether the first line has ended, and how many commas it has.
        self.named = False
        self._commas = 0

    @property
    def count(self) -> int:
        """Lines so far, the last of which may be incomplete."""
        return self._breaks + self._begun

    @property
    def ended(self) -> bool:
        """Whether the last line has ended."""
        return self._end in self._held or not self._begun

    @property
    def blank(self) -> int:
        """Empty lines at the end, if the first line has no comma."""
        one_column = self.named and not self._commas
        return max(self._held.count(self._end) - 1, 0) if one_column else 0

    def add(self, data: bytes, ends: int | None = None) -> None:
        """Go on with the next bytes.

        :param data: The bytes.
        :param ends: How often the byte is in them, if that is known.
        """
        if not self.named:
            names, found, _ = data.partition(self._end)
            self._commas += names.count(b",")
            self.named = bool(found)
        breaks = _breaks_at_the_end(data)
        if len(breaks) == len(data):
            self._held += breaks
            return
        if self._empty is not None:
            between = self._held + data[: len(data) - len(breaks)]
            self.empty += sum(each.count(self._end) - 1 for each in self._empty.findall(between))
            # No line ends before the first one: of the line breaks there, the first is an empty line, too.
            self.empty += not self._begun and between.startswith((self._end, b"\r" + self._end))
        self._begun = True
        ends = data.count(self._end) if ends is None else ends
        self._breaks += self._held.count(self._end) + ends - breaks.count(self._end)
        self._held = breaks


class RowCount:
    """Counts rows of CSV, without the line of names, or of JSON lines.

    A line break between quotes of a CSV ends no row. Empty lines at the end are no rows, but :attr:`blank`
    tells how many of them may be. A row ends in a line feed, with a carriage return before it or not (RFC
    4180); any other carriage return is a character of a value. Only in a CSV that has no line feed at all,
    outside of quotes, rows end in carriage returns alone.

    :param file_format: ``csv`` or ``jsonl``.
    :param with_empty: Whether to count the empty lines between rows, too, in :attr:`empty`. It costs time.
    """

    def __init__(self, file_format: str, *, with_empty: bool = False) -> None:
        self._csv = file_format == "csv"
        self._quoted = False
        self._feeds = _Lines(b"\n", with_empty=with_empty)
        #: The same bytes by carriage returns, until a line feed comes.
        self._returns = _Lines(b"\r", with_empty=with_empty) if self._csv else None
        #: What came after the last line break, up to a limit.
        self._line = bytearray()

    @property
    def _lines(self) -> _Lines:
        by_returns = self._returns is not None and (self._returns.count > 1 or self._returns.ended)
        return self._returns if self._returns is not None and by_returns else self._feeds

    @property
    def blank(self) -> int:
        """Empty lines at the end that are rows if the job says so: a CSV of one column has them."""
        return self._lines.blank if self._csv else 0

    @property
    def empty(self) -> int:
        """Empty lines between rows, which are counted as rows, and which not every reader takes for such."""
        return self._lines.empty

    @property
    def ended(self) -> bool:
        """Whether the last row is complete, for all that its end shows.

        A CSV ends in a line break outside of quotes. The last of the JSON lines may lack its line break.
        """
        if self._csv:
            return self._lines.ended and not self._quoted
        return not self._line.strip() or _is_record(self._line)

    @property
    def rows(self) -> int:
        """Rows so far, the last of which may be incomplete."""
        return max(self._lines.count - self._csv, 0)

    def add(self, data: bytes) -> None:
        """Go on with the next bytes.

        :param data: The bytes.
        """
        ends = None
        if not self._csv:
            self._keep_line(data)
        elif self._quoted or b'"' in data:
            data, ends = self._by_lines(data) or (self._outside(data), None)
        self._feeds.add(data, ends)
        if self._returns is not None:
            if b"\n" in data:
                self._returns = None
            else:
                self._returns.add(data)

    def _keep_line(self, data: bytes) -> None:
        line_break = data.rfind(b"\n")
        if line_break >= 0:
            self._line.clear()
        self._line += data[line_break + 1 :][: _LONGEST_LINE - len(self._line)]

    def _by_lines(self, data: bytes) -> tuple[bytes, int] | None:
        """Return the bytes and their number of line feeds, if no line breaks between quotes.

        Only what is open at their end is marked. That is usual, and it is found in a fifth of the time that
        :meth:`_outside` takes. The line of names, and a CSV that may have no line feed, need more than that.
        """
        if self._returns is not None or not self._feeds.named:
            return None
        # Of each line its quotes alone are left, so that its length is their number.
        first, *lines = data.translate(None, _UNMARKED).split(b"\n")
        if not lines or len(first) % 2 != self._quoted:
            return None
        last = lines.pop()
        if any(quotes % 2 for quotes in set(map(len, lines))):
            return None
        self._quoted = bool(len(last) % 2)
        return data + b'"' if self._quoted else data, len(lines) + 1

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
