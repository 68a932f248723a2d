"""The query language of ``where`` (CEQL, at SAP OCNQL), as far as it is documented (fact F325)."""

from __future__ import annotations

import contextlib
import operator as op
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_cloudelements.sandbox.core.dates import read_iso
from airflow_provider_cloudelements.sandbox.core.errors import bad_request

Predicate = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<op>!=|<=|>=|=|<|>)|(?P<punctuation>[(),])|(?P<word>[^\s'=!<>(),]+))"
)
#: What a date begins with.
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]|$)")
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


@dataclass(frozen=True, slots=True)
class Condition:
    """A ``where`` expression: call it with a record to learn whether the record meets it.

    :param text: the expression.
    :param predicate: says whether a record meets it.
    :param equals: the values that fields must have in any case.
    """

    text: str
    predicate: Predicate
    equals: dict[str, str]

    def __call__(self, record: Mapping[str, Any]) -> bool:
        """Return whether a record meets the condition.

        :param record: the record.
        """
        return self.predicate(record)


def parse_where(text: str, switches: frozenset[str] = frozenset()) -> Condition:
    """Return a condition on records for a ``where`` expression.

    It knows AND, OR, parentheses, = != < > <= >=, LIKE with %, IN (...), IS [NOT] NULL. A quote inside a text
    is doubled (fact F329). It compares values in single quotes as dates if both sides are dates, else as
    text, and bare ones as numbers if both sides are numbers (choice C88).

    :param text: the expression.
    :param switches: names that are no fields: a comparison with one is met by every record.
    :raises ApiError: 400 if it is malformed.
    """
    parser = _Parser(text, switches)
    return Condition(text, parser.parse(), parser.equals)


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

    def __init__(self, text: str, switches: frozenset[str]) -> None:
        self._tokens: list[str] = []
        self._switches = switches
        #: The comparisons for equality that hold in any case: those that no OR and no parentheses enclose.
        self.equals: dict[str, str] = {}
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
            self.equals.clear()
            parts.append(self._both(depth))
            self.equals.clear()
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
        if name in self._switches:
            self.equals[name] = unquote(value)
            return lambda _: True
        if operator == "=" and depth == 0 and value.startswith("'"):
            self.equals[name] = unquote(value)
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


def unquote(token: str) -> str:
    """Return the text of a token in single quotes, or of a bare one.

    :param token: the token.
    """
    return token[1:-1].replace("''", "'") if token.startswith("'") else token


def _number(text: str) -> int | float:
    """Return the number that a text writes, a whole one digit by digit.

    :param text: the text.
    :raises ValueError: it writes none.
    """
    try:
        return int(text)
    except ValueError:
        return float(text)


def _compare(actual: Any, operator: str, token: str) -> bool:
    """Compare a record's value with a token of the expression."""
    quoted, text = token.startswith("'"), unquote(token)
    if actual is None:
        return operator == "!="
    shown = str(actual).lower() if isinstance(actual, bool) else str(actual)
    if operator == "LIKE":
        pattern = ".*".join(re.escape(part) for part in re.sub("%+", "%", text).split("%"))
        return re.fullmatch(pattern, shown, re.DOTALL) is not None
    if not quoted and isinstance(actual, (int, float)) and not isinstance(actual, bool):
        with contextlib.suppress(ValueError):
            return bool(_OPERATORS[operator](actual, _number(text)))
    if quoted and isinstance(actual, str) and _DATE.match(actual) and _DATE.match(text):
        dates = read_iso(actual), read_iso(text)
        if None not in dates:
            return bool(_OPERATORS[operator](*dates))
    return bool(_OPERATORS[operator](shown, text))
