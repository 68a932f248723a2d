"""Rows as JSON lines that every reader can read."""

from __future__ import annotations

import hashlib
import re
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_cloudelements.client.plain import fitted
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.whole_file import WholeFile

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: A number of nineteen digits or more, or something that looks like one.
_MANY_DIGITS = re.compile(rb"[0-9]{19}")


class JsonLines(WholeFile):
    """Writes a file of JSON lines that is whole or not there.

    :param path: The address of the file.
    """

    def __init__(self, path: ObjectStoragePath) -> None:
        super().__init__(path)
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """SHA-256 of what was written so far, in hexadecimal digits."""
        return self._digest.hexdigest()

    def write_row(self, row: Any) -> None:
        """Write a row as a line."""
        self.write(json_line(row))

    def write(self, data: bytes) -> int:
        """Write a line that :func:`json_line` returned."""
        self._digest.update(data)
        return super().write(data)


def json_line(row: Any) -> bytes:
    """Return a row as a line of JSON in UTF-8.

    For one half of a surrogate pair, duckdb, pyarrow and jq refuse a whole file, and polars for one NaN.
    duckdb rounds integers beyond 64 bits. So the line has U+FFFD in place of such a half, ``null`` in place
    of a number that is none, and the digits of such an integer as a text.

    :param row: What a JSON document holds.
    :raises CloudElementsValidationError: It holds something else, or is nested too deeply.
    """
    try:
        return _line(row) + b"\n"
    except TypeError as error:
        unfit = str(error)  # it names the type alone
    except RecursionError:
        unfit = "It is nested too deeply"
    raise CloudElementsValidationError(
        f"A value cannot be written as JSON: {unfit}. If response_filter makes it, return texts, numbers, "
        "booleans, None, lists and dictionaries."
    )


def _line(row: Any) -> bytes:
    try:
        line = msgspec.json.encode(row)
    except UnicodeEncodeError:
        line = b""
    if line and not _MANY_DIGITS.search(line):
        return line
    # In a file, the levels have no other bound than that of Python.
    return msgspec.json.encode(fitted(row, _whole, sys.maxsize))


def _whole(text: str) -> str:
    """Return a text without halves of surrogate pairs; two that fit become the character that they mean."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
