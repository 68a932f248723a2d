"""Write a query of the platform from fields and values, and read one (facts F324, F325).

Its language is CEQL, at SAP OCNQL.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_cloudelements.client.plain import plain_text
from airflow_provider_cloudelements.client.wire.request import bare
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

#: A field, and after a space the operator, if it is not "=".
_KEY = re.compile(r"(?P<field>[^\W\d][\w.\-]*)(?: +(?P<operator>=|!=|<=|>=|<|>|LIKE|IN))?", re.IGNORECASE)
#: Words of the language, which no field can be.
_WORDS = frozenset({"and", "or", "not", "in", "is", "null", "like"})

#: A text in a query. Two of them side by side are one with a quote in it.
_QUOTED = re.compile(r"""('[^']*'|"[^"]*")""")
#: The object of a whole query (fact F365): a word after ``from``, with a clause or nothing after it, since a
#: field may be called ``from``, too.
_OBJECT = re.compile(
    r"(?<![\w.-])from\s+([\w.-]+)(?=\s+(?:where|order|group|limit)(?![\w.-])|\s*$)", re.IGNORECASE
)


def where_of(where: Any) -> str | None:
    """Return the text of a query.

    :param where: A dictionary whose entries must all hold: ``{"Name": "O'Hara"}`` is ``Name='O''Hara'``. A
        key is a field, or a field and one of ``= != < > <= >= LIKE IN``, as in ``{"Amount >=": 5}``. A value
        is a text, a number, a boolean, a date, ``None`` (``IS NULL``) or a list of these (``IN``). No value
        can change the query. Or a text: a query that you wrote yourself. ``None`` and ``{}``: no query.
    :raises CloudElementsValidationError: A key names no field, or a value cannot be written.
    """
    if where is None or isinstance(where, str):
        return where or None
    if not isinstance(where, Mapping):
        raise CloudElementsValidationError("where must be a dictionary of fields and values, or a query.")
    return " AND ".join(_condition(key, value) for key, value in where.items()) or None


def plain_field(name: str, value: Any) -> str:
    """Return a value that must name a field, without an operator.

    :param name: The argument's name, for the error.
    :param value: The value.
    :raises CloudElementsValidationError: It names no field.
    """
    found = _KEY.fullmatch(value) if isinstance(value, str) else None
    if found is None or found["operator"] or value.lower() in _WORDS:
        raise CloudElementsValidationError(f"{name} must be the name of one field, such as 'external_id'.")
    return str(value)


def _condition(key: Any, value: Any) -> str:
    found = _KEY.fullmatch(key.strip()) if isinstance(key, str) else None
    if found is None or found["field"].lower() in _WORDS:
        raise CloudElementsValidationError(
            "A key of where must be a field, or a field and one of = != < > <= >= LIKE IN, such as "
            "'Amount >='."
        )
    field, operator = found["field"], (found["operator"] or "").upper()
    if isinstance(value, list | tuple | set | frozenset):
        if operator not in ("", "IN") or not value:
            raise CloudElementsValidationError(
                f"where[{field!r}]: a list needs at least one value, and no operator but IN."
            )
        return f"{field} IN ({', '.join(_literal(field, each) for each in value)})"
    if operator == "IN":
        raise CloudElementsValidationError(f"where[{field!r}]: IN needs a list.")
    if value is None:
        if operator not in ("", "="):
            raise CloudElementsValidationError(f"where[{field!r}]: None goes with = alone.")
        return f"{field} IS NULL"
    if operator == "LIKE":
        return f"{field} LIKE {_literal(field, value)}"
    return f"{field}{operator or '='}{_literal(field, value)}"


def _literal(field: str, value: Any) -> str:
    """Write a value. A quote in a text is doubled, numbers stand bare, dates are ISO texts."""
    value = bare(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    if isinstance(value, datetime.date):
        value = value.isoformat()
    if not isinstance(value, str):
        raise CloudElementsValidationError(
            f"where[{field!r}]: a value must be a text, a number, a boolean, a date, None or a list of these."
        )
    if "\\" in value or "\0" in value:
        # If it is an escape there, the text ends elsewhere, and its rest becomes part of the query.
        raise CloudElementsValidationError(
            f"where[{field!r}]: the value holds a backslash, and no document says how the platform reads "
            "one. Query without it, and filter the records."
        )
    if plain_text(value) != value:
        raise CloudElementsValidationError(
            f"where[{field!r}]: the value holds half of a surrogate pair, as a text that was cut within an "
            "emoji does. No query can hold one."
        )
    return "'{}'".format(value.replace("'", "''"))


def object_in(query: str) -> str | None:
    """Return the object that a whole query selects from; ``None`` if that is not sure.

    :param query: ``select fields from object where ... limit n``.
    """
    found = _OBJECT.search(_QUOTED.sub("''", query))
    return None if found is None else found[1]


def evenly_spaced(query: str) -> str:
    """Return a query with single spaces where it has blanks, so that two can be compared. Texts in it stay.

    :param query: The query.
    """
    parts = _QUOTED.split(query)
    parts[::2] = [re.sub(r"\s+", " ", each) for each in parts[::2]]
    return "".join(parts).strip()
