"""The forms in which the platform writes dates (fact F57)."""

from __future__ import annotations

from datetime import UTC, datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def iso(moment: float) -> str:
    """Return a date as the API writes it: 2017-11-30T21:53:35Z.

    :param moment: seconds since 1970.
    """
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_milliseconds(moment: float) -> str:
    """Return a date in the form of a vendor's record, with milliseconds.

    :param moment: seconds since 1970.
    """
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def java(moment: float) -> str:
    """Return a date in the form of Java's Date.toString: Mon Aug 20 15:30:07 UTC 2018.

    This function has its own names, because those of strftime follow the process's locale.

    :param moment: seconds since 1970.
    """
    date = datetime.fromtimestamp(moment, UTC)
    return f"{_DAYS[date.weekday()]} {_MONTHS[date.month - 1]} {date:%d %H:%M:%S} UTC {date:%Y}"


def read_iso(text: object) -> datetime | None:
    """Return an ISO date in UTC, or None for anything else; a date without a zone counts as UTC.

    :param text: a value from a body or a query.
    """
    if not isinstance(text, str):
        return None
    try:
        # An unquoted "+" in a query arrives as a space.
        date = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
