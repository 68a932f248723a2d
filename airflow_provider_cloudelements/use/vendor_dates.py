"""Dates of a vendor's records: read them, and write one for a query, in the vendor's own format."""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.parsing import parse_date

#: Formats that are words. All others are patterns of :meth:`datetime.datetime.strftime`.
ISO, MILLISECONDS, SECONDS = "iso", "milliseconds", "seconds"
#: A moment by which a pattern is tried out: no two parts of it are the same.
_SAMPLE = datetime.datetime(2031, 10, 29, 17, 43, 58, tzinfo=datetime.UTC)
#: How much a format may cut off a date: a day, and what a zone adds to it.
_MOST_CUT = datetime.timedelta(days=2)
#: The hour that a clock shows twice when it is put back. Dates in it that name no zone are ambiguous.
_PUT_BACK = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class VendorDates:
    """Read and write dates as a vendor does.

    :param format: ``iso``: ISO 8601; ``milliseconds`` or ``seconds`` since 1970, as a number or its digits;
        or a pattern of ``strftime``, such as ``%Y-%m-%dT%H:%M:%S.000%z``.
    :param zone: The zone of dates that name none, and in which dates are written: a name such as
        ``Europe/Berlin``. Default: UTC.
    :raises ValueError: The zone does not exist, or the pattern does not hold a whole date.
    """

    format: str = ISO
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if not isinstance(self.format, str) or (self.format not in _WORDS and "%" not in self.format):
            raise ValueError(
                "date_format must be 'iso', 'milliseconds', 'seconds' or a pattern such as "
                "'%Y-%m-%d %H:%M:%S'; it is not templated."
            )
        try:
            known = isinstance(self.zone, str) and bool(self._zone)
        except Exception:
            known = False
        if not known:
            raise ValueError(
                "timezone must be the name of a time zone, such as 'Europe/Berlin'; it is not templated."
            )
        found = self.read(self.write(_SAMPLE))
        # The date is that of the zone, so the sample's own fields must come back.
        if found is None or not datetime.timedelta() <= _SAMPLE - found < _MOST_CUT:
            raise ValueError(
                f"date_format {self.format!r} does not hold a whole date, with year, month and day."
            )

    @cached_property
    def _zone(self) -> datetime.tzinfo:
        return pendulum.timezone(self.zone)

    @property
    def ambiguity(self) -> datetime.timedelta:
        """By how much a date may seem later than it is: the hour that a zone's clock shows twice."""
        return datetime.timedelta() if self.zone == "UTC" else _PUT_BACK

    def read(self, value: Any) -> datetime.datetime | None:
        """Return the moment that a record's date names, in UTC; ``None`` if it is no date in the format.

        In ``iso`` a date without a time is none: it stands for a whole day, and only a pattern makes the
        query ask for whole days.
        """
        if isinstance(value, bool):
            return None
        try:
            date = _WORDS.get(self.format, _by_pattern)(value, self.format)
            if date is not None and date.tzinfo is None:
                date = date.replace(tzinfo=self._zone)
            return None if date is None else date.astimezone(datetime.UTC)
        except (ValueError, OverflowError, OSError):
            return None

    def write(self, moment: datetime.datetime) -> str | int:
        """Return a moment as a query names it: a text, which it quotes, or a number.

        What the format does not hold, such as parts of a second, is cut off: the date is never later.
        """
        if self.format == MILLISECONDS:
            return _since_1970(moment) * 1000 + moment.microsecond // 1000
        if self.format == SECONDS:
            return _since_1970(moment)
        local = moment.astimezone(self._zone)
        if self.format == ISO:
            return local.isoformat(timespec="seconds").replace("+00:00", "Z")
        return local.strftime(self.format)


def _since_1970(moment: datetime.datetime) -> int:
    """Return whole seconds; a timestamp, which is a float, could be rounded up."""
    return calendar.timegm(moment.utctimetuple())


def _iso(value: Any, _: str) -> datetime.datetime | None:
    if not isinstance(value, str) or value.isdigit() or len(value) <= len("2026-07-03"):
        return None
    if value[:1].isalpha():  # Java's Date.toString (fact F57), which names its zone
        java = parse_date(value)
        # Not a date of pendulum's: with a zone of the standard library, its subtraction drops the zone.
        return None if java is None else datetime.datetime.fromtimestamp(java.timestamp(), datetime.UTC)
    return datetime.datetime.fromisoformat(value)  # much faster than pendulum


def _milliseconds(value: Any, _: str) -> datetime.datetime | None:
    number = _number(value)
    return None if number is None else datetime.datetime.fromtimestamp(number / 1000, datetime.UTC)


def _seconds(value: Any, _: str) -> datetime.datetime | None:
    number = _number(value)
    return None if number is None else datetime.datetime.fromtimestamp(number, datetime.UTC)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float | str) else None


def _by_pattern(value: Any, pattern: str) -> datetime.datetime | None:
    return datetime.datetime.strptime(value, pattern) if isinstance(value, str) else None  # noqa: DTZ007


_WORDS: dict[str, Callable[[Any, str], datetime.datetime | None]] = {
    ISO: _iso,
    MILLISECONDS: _milliseconds,
    SECONDS: _seconds,
}
