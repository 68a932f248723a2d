"""Scalars as the texts that stand in a file, and mappings that know their lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

#: Most levels of nested lists and mappings.
MOST_LEVELS = 100
#: Most values of one field.
_MOST_VALUES = 10_000


class Plain(str):
    """A scalar without quotes. It is a text, unless its field takes true, false, null or a number."""

    __slots__ = ()


class Located(dict[str, Any]):
    """A mapping that knows where it stands.

    :param line: Its line.
    """

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        #: The line of each field.
        self.lines: dict[str, int] = {}


def json_value(value: Any) -> Any:
    """Return a value as JSON has it: an unquoted true, false, null or number is one, all else is text.

    A number is one only if JSON writes it in the same way. So ``1.50`` and ``0123`` stay texts.

    :param value: A value of a file, or that came as JSON.
    :raises ValueError: It holds too many values: aliases of aliases double them with each line.
    """
    return _json_value(value, [_MOST_VALUES])


def _json_value(value: Any, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise ValueError(f"it holds more than {_MOST_VALUES} values.")
    if isinstance(value, Plain):
        return _plain(value)
    if isinstance(value, dict):
        return {key: _json_value(each, left) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(each, left) for each in value]
    return value


def _plain(text: Plain) -> Any:
    if text == "true":
        return True
    if text == "false":
        return False
    if text in ("null", "~", ""):
        return None
    if len(text) < 20 and text[-1:].isdigit():
        try:
            number = json.loads(text)
        except ValueError:
            return str(text)
        if json.dumps(number) == text:
            return number
    return str(text)


def is_null(value: Any) -> bool:
    """Return whether a value is null: none, or an unquoted ``null`` or ``~``, or nothing after the colon."""
    return value is None or (isinstance(value, Plain) and value in ("null", "~", ""))


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield a value's mappings, at any depth."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each
