"""Count the rows of a file while it streams through, whatever its parts are."""

from __future__ import annotations

#: So many bytes at the end of a part are looked at first: to strip all of it copies it.
_END = 16


class RowCount:
    """Counts rows of CSV, without the line of names, or of JSON lines.

    A line break between quotes of a CSV ends no row. Empty lines at the end are no rows.

    :param file_format: ``csv`` or ``jsonl``.
    """

    def __init__(self, file_format: str) -> None:
        self._csv = file_format == "csv"
        self._quoted = False
        self._breaks = 0
        #: Whether a line has begun, and the line breaks after it that nothing has followed yet.
        self._begun = False
        self._held = b""

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


def _breaks_at_the_end(data: bytes) -> bytes:
    end = data[-_END:]
    found = end[len(end.rstrip(b"\r\n")) :]
    return data[len(data.rstrip(b"\r\n")) :] if len(found) == _END else found
