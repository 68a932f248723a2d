"""The records that changed since a reader was last there: none lost, and each once by its id."""

from __future__ import annotations

import datetime
import hashlib
import heapq
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.parsing import parse_date, parse_object
from airflow_provider_cloudelements.client.resources import InstanceClient
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.use.vendor_dates import VendorDates

log = logging.getLogger(__name__)

#: A date before any record. A reader that begins there asks for all.
EARLIEST = pendulum.datetime(1970, 1, 1)
#: What becomes of a record without a date.
UNDATED = ("fail", "skip", "write")
#: Most records that a cursor knows one by one. It goes to XCom, with sixteen characters for each.
MOST_SEEN = 10_000


@dataclass(frozen=True)
class ChangeCursor:
    """Store how far a reader of changed records has come: small, JSON, and without a secret.

    :param since: The newest date of a record that was read, by the vendor's clock.
    :param floor: Where the first reader began. No later one asks for older records.
    :param seen: Short hashes of records that were read and that the overlap finds again.
    """

    since: pendulum.DateTime
    floor: pendulum.DateTime = EARLIEST
    seen: frozenset[str] = field(default_factory=frozenset, repr=False)

    @classmethod
    def start(cls, date: pendulum.DateTime) -> ChangeCursor:
        """Return the cursor of a first reader, which begins at a date."""
        return cls(date, date)

    @classmethod
    def parse(cls, value: Any, argument: str = "cursor") -> ChangeCursor:
        """Read what :meth:`as_json` wrote.

        :param value: What it wrote.
        :param argument: The argument's name, for errors.
        :raises CloudElementsValidationError: It is something else.
        """
        given = value if isinstance(value, Mapping) else {}
        since, floor, seen = parse_date(given.get("since")), parse_date(given.get("floor")), given.get("seen")
        # An XCom backend may give a list back as a tuple.
        marks = frozenset(seen) if isinstance(seen, list | tuple) and set(map(type, seen)) <= {str} else None
        if since is None or floor is None or marks is None:
            raise CloudElementsValidationError(f"{argument} is no cursor of changed records.")
        return cls(since, floor, marks)

    def as_json(self) -> dict[str, Any]:
        """Return the cursor as JSON for XCom."""
        dates = {"since": self.since.isoformat(), "floor": self.floor.isoformat()}
        return {**dates, "seen": sorted(self.seen)}

    @property
    def place(self) -> ChangeCursor:
        """The cursor itself: a later run needs all of it."""
        return self


@dataclass(frozen=True)
class ChangeQuery:
    """Say which records are wanted, and how their dates and ids are found.

    :param path: The object, such as ``/contacts``, or its parts in a list.
    :param updated_field: Field with the date of a record's last change; dots lead into objects.
    :param id_field: Field with its id; dots lead into objects.
    :param dates: How the vendor writes dates.
    :param overlap: How far a reader goes back behind the newest record that was read.
    :param undated: What becomes of a record without a date, one of :data:`UNDATED`.
    :param where: Further conditions, without one on ``updated_field``.
    :param params: Further parameters of the list.
    :param paging: How the list goes on.
    :param first_page: Number of the first page, if ``paging`` is ``page``.
    """

    path: str | Sequence[str | int]
    updated_field: str
    id_field: str
    dates: VendorDates
    overlap: datetime.timedelta
    undated: str = "fail"
    where: Mapping[str, Any] = field(default_factory=dict, repr=False)
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    paging: str = "token"
    first_page: int = 1

    def bound(self, cursor: ChangeCursor) -> datetime.datetime | None:
        """Return the oldest date that a reader with this cursor asks for; ``None``: it asks for all.

        It is as coarse as the vendor's format, so that no record seems older because its date is cut off.
        """
        begin = max(cursor.since - self.overlap - self.dates.ambiguity, cursor.floor)
        return None if begin <= EARLIEST else self.dates.read(self.dates.write(begin))

    def listed(self, instance: InstanceClient, bound: datetime.datetime | None) -> Iterator[Any]:
        """Yield what the vendor lists.

        :param instance: The instance.
        :param bound: What :meth:`bound` returned.
        """
        if bound is None:
            yield from self._records(instance, self.where)
            return
        newer = {f"{self.updated_field} >=": self.dates.write(bound)}
        yield from self._records(instance, {**self.where, **newer})
        if self.undated == "write":
            yield from self._records(instance, {**self.where, self.updated_field: None})

    def _records(self, instance: InstanceClient, where: Mapping[str, Any]) -> Iterator[Any]:
        return instance.records(
            self.path, where=where, paging=self.paging, first_page=self.first_page, params=self.params
        )

    def date_of(self, record: Mapping[str, Any]) -> datetime.datetime | None:
        """Return the date of a record's last change; ``None`` if it has none.

        :raises CloudElementsValidationError: It has something else there.
        """
        value = _value_at(record, self.updated_field)
        if value is None or value == "":
            return None
        date = self.dates.read(value)
        if date is None:
            raise CloudElementsValidationError(
                f"The field {self.updated_field!r} (updated_field) of a record holds no date in the format "
                f"{self.dates.format!r}: set date_format to the vendor's, such as '%Y-%m-%d' for dates "
                "without a time."
            )
        return date

    def id_of(self, record: Mapping[str, Any]) -> str | int:
        """Return a record's id.

        :raises CloudElementsValidationError: It has none.
        """
        value = _value_at(record, self.id_field)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return value
        raise CloudElementsValidationError(
            f"A record has no id in the field {self.id_field!r} (id_field). Name the field that holds it, "
            "and, if the query names fields, that one too."
        )


class ChangedRecords:
    """Read the changed records as lines, once. Afterwards it knows where the next reader goes on.

    It asks for what is dated since the cursor, less an overlap, for records that the vendor lists late. A
    record that comes again exactly as an earlier reader got it is passed over. It checks the dates itself,
    too, for vendors that ignore the query.

    :param query: Which records.
    :param instance: The instance.
    :param begin: Where to begin.
    :param until: Only records dated before then; ``None`` for no end.
    :param encode: Returns a record as a line.
    """

    def __init__(
        self,
        query: ChangeQuery,
        instance: InstanceClient,
        begin: ChangeCursor,
        until: pendulum.DateTime | None,
        encode: Callable[[Any], bytes],
    ) -> None:
        self._query = query
        self._instance = instance
        self._begin = begin
        self._until = until
        self._encode = encode
        #: The oldest date that it asks for; ``None``: it asks for all.
        self.bound = query.bound(begin)
        #: How many records it returned; passed over because an earlier reader got them; left to a later
        #: reader because of their dates; found without a date.
        self.count = self.repeated = self.later = self.undated = 0
        self._started = time.monotonic()
        self._recent = _Recent(query, begin, self._end)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines.

        :raises CloudElementsValidationError: A record has no id or no readable date.
        """
        dated = False
        self._started = time.monotonic()
        with closing(_Ids()) as ids:
            for each in self._query.listed(self._instance, self.bound):
                record = parse_object(each, "record")
                date = self._query.date_of(record)
                dated = dated or date is not None
                if not self._is_wanted(date):
                    continue
                line = self._encode(record)
                mark = hashlib.blake2b(line, digest_size=8).hexdigest()
                if date is not None and mark in self._begin.seen:
                    self.repeated += 1
                    self._recent.note(mark, date)
                elif ids.add(self._query.id_of(record)):
                    self.count += 1
                    if date is not None:
                        self._recent.note(mark, date)
                    yield line
        if self.undated and not dated and self.bound is None:
            log.warning("No record has a date in %r: is that the right field?", self._query.updated_field)

    def _is_wanted(self, date: datetime.datetime | None) -> bool:
        if date is None:
            self.undated += 1
            if self._query.undated == "fail":
                raise CloudElementsValidationError(
                    f"A record has no date in the field {self._query.updated_field!r} (updated_field), so "
                    "nobody can say whether it changed. Name another field, or say by undated='skip' or "
                    "'write' what becomes of such records."
                )
            return self._query.undated == "write"
        if self._until is not None and date >= self._until:
            self.later += 1
            return False
        return self.bound is None or date >= self.bound

    def _end(self) -> pendulum.DateTime:
        """Return the newest date that counts: when the reading began, by the platform's clock.

        A record may have changed while the list was read, and after the page that would hold it. No later
        date may keep the next reader from it, be it of another record that was read late, or a wrong one.
        """
        # Not by a moment noted at the begin: the worker's clock may have been set since.
        passed = time.monotonic() - self._started
        started = self._instance.platform_time(time.time() - passed)
        return started if self._until is None else min(self._until, started)

    @property
    def cursor(self) -> ChangeCursor:
        """Where the next reader goes on, once all lines were taken."""
        return self._recent.cursor()


class _Recent:
    """The newest date, and marks of the records that the next reader finds again: a bounded number.

    :param query: The query.
    :param begin: Where the reader began.
    :param end: Returns the newest date that counts. It is called once the platform has answered.
    """

    def __init__(self, query: ChangeQuery, begin: ChangeCursor, end: Callable[[], pendulum.DateTime]) -> None:
        self._query = query
        self._begin = begin
        self._end = end
        self._met: datetime.datetime = begin.since
        self._marks: dict[str, datetime.datetime] = {}

    def note(self, mark: str, date: datetime.datetime) -> None:
        self._met = max(self._met, date)
        self._marks[mark] = date
        if len(self._marks) > 2 * MOST_SEEN:
            self._forget()

    def cursor(self) -> ChangeCursor:
        if self._forget():
            log.warning("More than %d records changed of late: the next run finds some again.", MOST_SEEN)
        return ChangeCursor(self._newest, self._begin.floor, frozenset(self._marks))

    @property
    def _newest(self) -> pendulum.DateTime:
        return max(self._begin.since, min(pendulum.instance(self._met), self._end()))

    def _forget(self) -> bool:
        """Forget what no reader finds again, and the oldest of too many; return whether there were."""
        bound = self._query.bound(ChangeCursor(self._newest, self._begin.floor))
        kept = [each for each in self._marks.items() if bound is None or each[1] >= bound]
        self._marks = dict(heapq.nlargest(MOST_SEEN, kept, key=lambda each: each[1]))
        return len(kept) > MOST_SEEN


class _Ids:
    """Ids that were met, in a private database on disk, because memory would grow with them.

    SQLite keeps a page cache of 8 MiB, and removes the file when the database is closed.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA cache_size = -8192",
            "CREATE TABLE ids (id BLOB PRIMARY KEY) WITHOUT ROWID",
            "BEGIN",
        ):
            self._database.execute(statement)

    def add(self, record_id: str | int) -> bool:
        """Add an id, and return whether it was not there."""
        name = f"{type(record_id).__name__} {record_id}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(name, digest_size=16).digest()
        return self._database.execute("INSERT OR IGNORE INTO ids VALUES (?)", (digest,)).rowcount == 1

    def close(self) -> None:
        self._database.close()


def _value_at(record: Mapping[str, Any], path: str) -> Any:
    """Return the value of a field; dots lead into objects, if no field has the whole name."""
    if path in record:
        return record[path]
    value: Any = record
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
