"""Read JSON so that each scalar is the text that stands there, with the line of each field.

A reader of YAML takes most JSON and not all of it: not a line break before a colon, nor a key of more than
1,024 characters.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from airflow_provider_cloudelements.fleet.located import MOST_LEVELS, Located, Plain
from airflow_provider_cloudelements.fleet.problems import Place, Problem

_SPACE = re.compile(r"[ \t\r\n]*")
#: true, false, null or a number: what stands until the value ends.
_PLAIN = re.compile(r"[^ \t\r\n,\]}]+")


def read_json(text: str, source: str) -> tuple[Any, list[Problem]]:
    """Read a document of JSON.

    :param text: The document.
    :param source: Its name, for problems.
    :return: The value (``Located``, a list or a text), and what is wrong with it.
    """
    problems: list[Problem] = []
    try:
        json.loads(text, parse_constant=_refuse_constant)
        value = _Reader(text, source, problems).value(0)
    except RecursionError:
        return None, [Problem(Place(source), "it is nested too deeply.")]
    except ValueError as error:
        line = getattr(error, "lineno", None)
        what = getattr(error, "msg", "it cannot be read")
        return None, [Problem(Place(source, line), f"this is not JSON: {what}.")]
    return value, problems


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise json.JSONDecodeError(f"{name} is no value of JSON", "", 0)


class _Reader:
    """Makes values of a text that is JSON."""

    def __init__(self, text: str, source: str, problems: list[Problem]) -> None:
        self._text = text
        self._source = source
        self._problems = problems
        self._at = 0
        self._line = 1

    def value(self, level: int) -> Any:
        """Return the value that stands next.

        :raises RecursionError: It is nested too deeply.
        """
        if level > MOST_LEVELS:
            raise RecursionError
        char = self._next()
        if char == '"':
            return self._string()
        if char == "{":
            return self._mapping(level)
        if char == "[":
            return self._list(level)
        found = _PLAIN.match(self._text, self._at)
        if found is None:
            raise AssertionError("json.loads has read the text")  # pragma: no cover
        self._at = found.end()
        return Plain(found[0])

    def _next(self) -> str:
        """Go to the next character that is no space, and return it."""
        end = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches nothing, too
        self._line += self._text.count("\n", self._at, end)
        self._at = end
        return self._text[end]

    def _string(self) -> str:
        made: str
        made, self._at = scanstring(self._text, self._at + 1, True)
        return made

    def _list(self, level: int) -> list[Any]:
        made: list[Any] = []
        self._at += 1
        while (char := self._next()) != "]":
            if char == ",":
                self._at += 1
            made.append(self.value(level + 1))
        self._at += 1
        return made

    def _mapping(self, level: int) -> Located:
        made = Located(self._line)
        self._at += 1
        while (char := self._next()) != "}":
            if char == ",":
                self._at += 1
                self._next()
            line = self._line
            key = self._string()
            self._next()
            self._at += 1  # the colon
            value = self.value(level + 1)
            if key in made:
                message = "the field stands twice in one mapping."
                self._problems.append(Problem(Place(self._source, line), message, field=key))
                continue
            made[key] = value
            made.lines[key] = line
        self._at += 1
        return made
