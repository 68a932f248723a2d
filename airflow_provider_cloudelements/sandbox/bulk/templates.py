"""Rows of generated records, written without making the records.

Records whose numbers have the same remainder and as many digits differ in that number and their dates alone.
One of them becomes a template, with places for these. A template counts only if it writes some others just as
they are written one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from airflow_provider_cloudelements.sandbox.bulk.formats import Writer
from airflow_provider_cloudelements.sandbox.vendors.shapes import PERIOD, Shape, moments

#: Shorter numbers may stand in a row by chance.
_FEWEST_DIGITS = 5
#: A template is tried on the numbers so many periods further on.
_TRIED = (1, 7, 29, 41)


class Templates:
    """The templates of one resource in one format.

    :param shape: makes the records.
    :param writer: writes them.
    """

    def __init__(self, shape: Shape, writer: Writer) -> None:
        self._shape = shape
        self._writer = writer
        self._found: dict[tuple[int, int], str | None] = {}

    def write(self, numbers: Iterable[int]) -> bytes:
        """Return the rows of generated records.

        :param numbers: their numbers.
        """
        found, rows = self._found, []
        for number in numbers:
            digits = str(number)
            key = number % PERIOD, len(digits)
            if key not in found:
                found[key] = self._make(*key) if len(digits) >= _FEWEST_DIGITS else None
            template = found[key]
            rows.append(
                self._plain(number) if template is None else template.format(digits, *moments(number))
            )
        return "".join(rows).encode("utf-8", "replace")

    def _plain(self, number: int) -> str:
        return self._writer.write([self._shape.record(number)]).decode()

    def _make(self, remainder: int, digits: int) -> str | None:
        """Return the template of a remainder and a number of digits, or None if there is none."""
        # A number from the middle, so that it and its dates stand nowhere by chance.
        number = 10 ** (digits - 1) * 37 // 10
        number += (remainder - number) % PERIOD
        values = str(number), *moments(number)
        places = {value: place for place, value in reversed(list(enumerate(values)))}
        pieces = re.split("(" + "|".join(map(re.escape, places)) + ")", self._plain(number))
        template = "".join(
            f"{{{places[piece]}}}" if piece in places else piece.replace("{", "{{").replace("}", "}}")
            for piece in pieces
        )
        others = (number + PERIOD * step for step in _TRIED)
        fits = all(template.format(str(other), *moments(other)) == self._plain(other) for other in others)
        return template if fits else None
