"""What the records of a resource look like: each is made from its number, so that any number of them is free.

A shape makes record 1, 2, 3 ... on demand and finds the number of an id. A rule holds for all of them: how
long a record is as text depends on its number's remainder by :data:`PERIOD` and on the number's digits alone.
So the size of a result of a billion records is known without making them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from airflow_provider_cloudelements.sandbox.core.dates import iso_milliseconds

Record = dict[str, Any]

#: How many forms the records of a resource have. The length of each list of values divides it.
PERIOD = 60
#: The most records that a resource is given.
MOST_RECORDS = 1_000_000_000

FIRST_NAMES = (
    *("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "John", "Katherine", "Ken"),
    *("Margaret", "Niklaus", "Radia", "Tony", "Zoë"),
)
LAST_NAMES = (
    "Lovelace",
    "Hopper",
    "O'Neill",
    "Dijkstra",
    "Liskov",
    "Knuth",
    "Allen",
    "Müller",
    "Johnson",
    "王",
)
COMPANIES = ("Acme", "Globex, Inc.", "Initech", 'Hooli "West"', "Umbrella", "Stark & Sons")
CITIES = (
    ("Dresden", "01067", "DE"),
    ("Boston", "02108", "US"),
    ("Zürich", "8001", "CH"),
    ("Oslo", "0150", "NO"),
)
INDUSTRIES = ("Energy", "Banking", "Education", "Retail", "Media")

_START = datetime(2025, 1, 1, tzinfo=UTC)
_DAYS = tuple((_START + timedelta(days=day)).strftime("%Y-%m-%d") for day in range(370))


def pick(values: tuple[Any, ...], number: int) -> Any:
    """Return one of some values by a record's number.

    :param values: as many as divide :data:`PERIOD`.
    :param number: the record's number.
    """
    return values[number % len(values)]


@cache
def _times() -> tuple[str, ...]:
    """Return every second of a day as text."""
    return tuple(f"{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}" for at in range(86_400))


def moments(number: int) -> tuple[str, str, str]:
    """Return the day on which a record was made, the day of its last change, and the time of both.

    A record was made at some moment of 2025 and changed last up to four days later.

    :param number: the record's number.
    """
    day, second = divmod(number * 7919 % 31_536_000, 86_400)
    return _DAYS[day], _DAYS[day + number % 5], _times()[second]


def created(number: int) -> tuple[str, str]:
    """Return date and time at which a record was made.

    :param number: the record's number.
    """
    day, _, time = moments(number)
    return day, time


def updated(number: int) -> tuple[str, str]:
    """Return date and time of a record's last change.

    :param number: the record's number.
    """
    _, day, time = moments(number)
    return day, time


@dataclass(frozen=True, slots=True)
class Shape:
    """The records of one resource.

    :param make: returns the fields of a record but its id, by its number.
    :param prefix: what an id begins with.
    :param width: how many digits the number in an id has at least.
    :param suffix: what an id ends with.
    :param numeric: whether ids are numbers.
    :param created: dotted name of the field with the date at which a record was made, or None.
    :param updated: dotted name of the field with the date of its last change, or None.
    :param write: how the vendor writes a date, given in seconds since 1970.
    :param mask: the same as a Java date format (fact F336).
    :param required: whether a record needs at least one field (closeio's contacts, fact F333).
    """

    make: Callable[[int], Record]
    prefix: str = ""
    width: int = 1
    suffix: str = ""
    numeric: bool = False
    created: str | None = None
    updated: str | None = None
    write: Callable[[float], str] = iso_milliseconds
    mask: str = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"
    required: bool = False

    def id_of(self, number: int) -> str | int:
        """Return a record's id.

        :param number: its number.
        """
        return number if self.numeric else f"{self.prefix}{number:0{self.width}d}{self.suffix}"

    def number_of(self, record_id: str) -> int | None:
        """Return the number of an id, or None if no record can have it.

        :param record_id: text of a path or of a condition.
        """
        digits = record_id[len(self.prefix) : len(record_id) - len(self.suffix)]
        if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
            return None
        number = int(digits)
        return number if number > 0 and str(self.id_of(number)) == record_id else None

    def record(self, number: int) -> Record:
        """Return a record.

        :param number: its number, from 1.
        """
        return {"id": self.id_of(number), **self.make(number)}

    def within(self, parent_field: str | None, parent_id: str | int) -> Shape:
        """Return the shape of the records that belong to one record of another resource.

        :param parent_field: the field that holds the other record's id, or None where none does.
        :param parent_id: that id.
        """
        make = self.make
        inside = {} if parent_field is None else {parent_field: parent_id}
        return replace(
            self, make=lambda number: {**make(number), **inside}, prefix=f"{self.prefix}{parent_id}-"
        )

    def stamp(self, record: Record, now: float, *, new: bool) -> None:
        """Write the dates of a change into a record, as its vendor does (choice C326).

        :param record: the record.
        :param now: seconds since 1970.
        :param new: whether it is new.
        """
        for path in (self.created if new else None, self.updated):
            if path is not None:
                place = record
                *parents, name = path.split(".")
                for parent in parents:
                    inner = place.get(parent)
                    place[parent] = place = dict(inner) if isinstance(inner, dict) else {}
                place[name] = self.write(now)
