"""The query language of ``where`` (CEQL, at SAP OCNQL), as far as it is documented (fact F325)."""

from __future__ import annotations

import contextlib
import operator as op
import re
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_cloudelements.sandbox.core.errors import bad_request

Predicate = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<op>!=|<=|>=|=|<|>)|(?P<punctuation>[(),])|(?P<word>[^\s'=!<>(),]+))"
)
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": op.eq,
    "!=": op.ne,
    "<": op.lt,
    ">": op.gt,
    "<=": op.le,
    ">=": op.ge,
}
_MAX_LENGTH = 4000
_MAX_DEPTH = 40


def parse_where(text: str) -> Predicate:
    """Return a predicate over records for a ``where`` expression.

    It knows AND, OR, parentheses, = != < > <= >=, LIKE with %, IN (...), IS [NOT] NULL. It compares values in
    single quotes as text, and bare ones as numbers if both sides are numbers (choice C88).

    :param text: the expression.
    :raises ApiError: 400 if it is malformed.
    """
    return _Parser(text).parse()


def field_value(record: Mapping[str, Any], path: str) -> Any:
    """Return the value of a dotted path in a record, or None.

    :param record: the record.
    :param path: for example ``config.url``.
    """
    if path in record:
        return record[path]
    value: Any = record
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        position = 0
        text = text.strip()
        while position < len(text) <= _MAX_LENGTH:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error()
            self._tokens.append(match.group().strip())
            position = match.end()
        if not self._tokens:
            raise self._error()

    @staticmethod
    def _error() -> Exception:
        return bad_request("Query parameter where cannot be read")

    def parse(self) -> Predicate:
        predicate = self._either(0)
        if self._tokens:
            raise self._error()
        return predicate

    def _next(self) -> str:
        if not self._tokens:
            raise self._error()
        return self._tokens.pop(0)

    def _take(self, word: str) -> bool:
        if self._tokens and self._tokens[0].upper() == word:
            self._tokens.pop(0)
            return True
        return False

    def _either(self, depth: int) -> Predicate:
        parts = [self._both(depth)]
        while self._take("OR"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else lambda record: any(part(record) for part in parts)

    def _both(self, depth: int) -> Predicate:
        parts = [self._term(depth)]
        while self._take("AND"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else lambda record: all(part(record) for part in parts)

    def _term(self, depth: int) -> Predicate:
        if depth > _MAX_DEPTH:
            raise self._error()
        if self._take("("):
            inner = self._either(depth + 1)
            if not self._take(")"):
                raise self._error()
            return inner
        name = self._next()
        operator = self._next().upper()
        if operator == "IS":
            negated = self._take("NOT")
            if not self._take("NULL"):
                raise self._error()
            return lambda record: (field_value(record, name) is None) != negated
        if operator == "IN":
            values = self._list()
            return lambda record: any(_compare(field_value(record, name), "=", value) for value in values)
        if operator not in ("=", "!=", "<", ">", "<=", ">=", "LIKE"):
            raise self._error()
        value = self._next()
        return lambda record: _compare(field_value(record, name), operator, value)

    def _list(self) -> list[str]:
        if not self._take("("):
            raise self._error()
        values = [self._next()]
        while self._take(","):
            values.append(self._next())
        if not self._take(")"):
            raise self._error()
        return values


def _compare(actual: Any, operator: str, token: str) -> bool:
    """Compare a record's value with a token of the expression."""
    quoted = token.startswith("'")
    text = token[1:-1].replace("''", "'") if quoted else token
    if actual is None:
        return operator == "!="
    shown = str(actual).lower() if isinstance(actual, bool) else str(actual)
    if operator == "LIKE":
        pattern = ".*".join(re.escape(part) for part in re.sub("%+", "%", text).split("%"))
        return re.fullmatch(pattern, shown, re.DOTALL) is not None
    if not quoted and isinstance(actual, (int, float)) and not isinstance(actual, bool):
        with contextlib.suppress(ValueError):
            return bool(_OPERATORS[operator](actual, float(text)))
    return bool(_OPERATORS[operator](shown, text))
