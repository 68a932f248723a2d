"""Parse the API's values: dates in three forms, booleans that may be strings, ids that may be text."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import pendulum

from airflow_provider_cloudelements.exceptions import (
    CloudElementsServerError,
    CloudElementsValidationError,
)

# Java's Date.toString, e.g. "Mon Aug 20 15:30:07 UTC 2018" (fact F57).
_JAVA_DATE = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\S+) (\d{4})")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: Digits of the largest 64-bit integer. A text with more is no id, and costly to read.
_MOST_DIGITS = 19
_NO_ID = 10**_MOST_DIGITS
#: Types of a parsed JSON object. Most are plain dictionaries, and the check for ``dict`` is much faster.
JSON_OBJECT = (dict, Mapping)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
#: Lengths of an ISO date and of a Java date, in UTC and to the second.
_USUAL_LENGTHS = (20, 28)
_MONTH_NUMBERS = {name: f"{number:02}" for number, name in enumerate(_MONTHS, start=1)}


def parse_date(value: Any) -> pendulum.DateTime | None:
    """Read a date in any form that the API uses.

    :param value: ISO 8601 text, the text of Java's ``Date.toString``, or milliseconds since 1970 as a number
        or as digits.
    :return: The moment, in UTC; ``None`` if the value is missing or no date. A wrong date in one field is no
        reason to lose the rest.
    """
    if isinstance(value, str) and len(value) in _USUAL_LENGTHS and (usual := _usual_date(value)) is not None:
        return usual[0]
    return _patient_date(value)


def given_date(value: Any) -> pendulum.DateTime | None:
    """Return the date that an argument names; ``None`` if it names none. A bare number is not a date."""
    if hasattr(value, "isoformat"):
        value = value.isoformat()
    return parse_date(value) if isinstance(value, str) and not value.strip().isdigit() else None


def dated(value: Any) -> tuple[pendulum.DateTime | None, str | None]:
    """Read a date as :func:`parse_date` does, and write it as :func:`date_text` does."""
    if isinstance(value, str) and len(value) in _USUAL_LENGTHS and (usual := _usual_date(value)) is not None:
        return usual
    date = _patient_date(value)
    return date, date_text(date)


def date_text(date: pendulum.DateTime | None) -> str | None:
    """Write a date in UTC in ISO 8601, as pendulum's ``to_iso8601_string`` does; ``None`` for none."""
    return None if date is None else f"{date.isoformat().removesuffix('+00:00')}Z"


def _patient_date(value: Any) -> pendulum.DateTime | None:
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float) or (isinstance(value, str) and value.isascii() and value.isdigit()):
            return pendulum.from_timestamp(int(value) / 1000)
        if not isinstance(value, str):
            return None
        value = value.strip()
        if java := _JAVA_DATE.fullmatch(value):
            month, day, hour, minute, second, zone, year = java.groups()
            moment = pendulum.datetime(
                int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tz=zone
            )
            return moment.in_timezone("UTC")
        if _ISO_DATE.fullmatch(value):
            parsed = pendulum.parse(value)
            return parsed.in_timezone("UTC") if isinstance(parsed, pendulum.DateTime) else None
    except Exception:  # noqa: S110  each library layer has its own errors for a bad date
        pass
    return None


# An event repeats one date, and so do all events of the same second; and who waits for events reads the same
# pages every few seconds.
@lru_cache(maxsize=1024)
def _usual_date(value: str) -> tuple[pendulum.DateTime, str] | None:
    """Read a date in one of the platform's usual forms: in UTC, to the second. Return its text as well.

    Tasks read events by the thousand, with five dates each, and pendulum takes many times as long.
    """
    if value[19:] == "Z":
        iso = value[:19] if value[10] == "T" else f"{value[:10]}T{value[11:19]}"
    elif value[19:24] == " UTC ":
        iso = f"{value[24:]}-{_MONTH_NUMBERS.get(value[4:7])}-{value[8:10]}T{value[11:19]}"
    else:
        return None
    # ISO 8601 has other forms of that length: weeks, and times without colons.
    if not (iso[4] == iso[7] == "-" and iso[13:14] == iso[16:17] == ":"):
        return None
    try:
        at = datetime.datetime.fromisoformat(iso)
    except ValueError:
        return None
    date = pendulum.DateTime(at.year, at.month, at.day, at.hour, at.minute, at.second, 0, pendulum.UTC)
    return date, iso + "Z"


def parse_bool(value: Any, default: bool = False) -> bool:
    """Read a boolean that may come as text: configuration values always do (fact F168).

    :param value: The API's value.
    :param default: The result if the value is missing, or neither true nor false.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    return default


def parse_id(value: Any, what: str) -> int:
    """Read an id that must be there.

    :param value: An integer, or its digits (ids are text in some places: fact F56).
    :param what: What the id belongs to, for the error.
    :raises CloudElementsServerError: The value is no id.
    """
    number = optional_id(value)
    if number is None:
        raise CloudElementsServerError(f"The platform's answer holds no id of the {what}.")
    return number


def optional_id(value: Any) -> int | None:
    """Read an id that may be missing: an integer above 0, or its digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _NO_ID:
        return value
    return None


def parse_text(value: Any) -> str | None:
    """Read a text that may be missing."""
    return value if isinstance(value, str) else None


def parse_word(value: Any) -> str:
    """Read a word of the platform's, such as a status, in lower case; empty if it is missing."""
    return (parse_text(value) or "").strip().lower()


def parse_object(value: Any, what: str) -> Mapping[str, Any]:
    """Return a value that must be a JSON object.

    :raises CloudElementsServerError: The value is something else.
    """
    if isinstance(value, JSON_OBJECT):
        return value
    raise CloudElementsServerError(f"The platform's answer is not a JSON object, as the {what} is.")


def instance_id_of(value: Any) -> int:
    """Return the instance id that an argument stands for.

    :param value: An integer, its digits, or what the create operator returned: Airflow cannot map over a
        custom XCom key, but it can map over the returned value.
    :raises CloudElementsValidationError: The value is none of these.
    """
    plain = value.get("id") if isinstance(value, Mapping) else value
    if isinstance(plain, str):
        plain = plain.strip()
    number = optional_id(plain)
    # The platform writes no leading zeros: such digits name something else.
    if number is None or (isinstance(plain, str) and plain.startswith("0")):
        raise CloudElementsValidationError(
            "instance_id must be an instance's id (an integer above 0 or its digits), or what "
            f"CloudElementsCreateInstanceOperator returned; {_instead_of_id(value)}."
        )
    return number


def _instead_of_id(value: Any) -> str:
    """Return what an argument is that no id is, in words of ours: never the value."""
    if value is None or (isinstance(value, str) and value.strip() in ("", "None")):
        return "it is None, so the task or the template that it comes from gave no value"
    if isinstance(value, str):
        return "it is a text that is no number (a key goes into instance_key)"
    if isinstance(value, Mapping):
        return "it is a dictionary without an 'id' that is one"
    if isinstance(value, Iterable):
        return (
            f"it is of type {type(value).__name__}: for several instances, expand(instance_id=...) the task"
        )
    return f"it is of type {type(value).__name__}"
