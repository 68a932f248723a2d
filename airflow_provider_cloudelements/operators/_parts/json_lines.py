"""Rows as JSON lines that every reader can read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_provider_cloudelements.operators._parts.whole_file import WholeFile

#: A number of nineteen digits or more, or something that looks like one.
_MANY_DIGITS = re.compile(rb"[0-9]{19}")
#: Largest integer that every reader holds: that of 64 bits.
_LARGEST = 2**63 - 1


class JsonLines(WholeFile):
    """Writes a file of JSON lines that is whole or not there.

    :param path: The address of the file.
    """

    def write_row(self, row: Any) -> None:
        """Write a line."""
        self.write(json_line(row))


def json_line(row: Any) -> bytes:
    """Return a row as a line of JSON in UTF-8.

    For one half of a surrogate pair, duckdb, pyarrow and jq refuse a whole file, and polars for one NaN.
    duckdb rounds integers beyond 64 bits. So the line has U+FFFD in place of such a half, ``null`` in place
    of a number that is none, and the digits of such an integer as a text.

    :param row: What a JSON document holds.
    """
    try:
        line = msgspec.json.encode(row)
    except UnicodeEncodeError:
        line = b""
    if not line or _MANY_DIGITS.search(line):
        line = msgspec.json.encode(_readable(row))
    return line + b"\n"


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, Mapping):
        return {_whole(key) if isinstance(key, str) else key: _readable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        return str(value)
    return value


def _whole(text: str) -> str:
    """Return a text without halves of surrogate pairs; two that fit become the character that they mean."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
