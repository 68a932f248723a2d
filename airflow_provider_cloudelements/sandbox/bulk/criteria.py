"""What a download is to hold: the query of v2, and the description of v3 (facts F363, F365, F369)."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_provider_cloudelements.sandbox.bulk.results import Selection
from airflow_provider_cloudelements.sandbox.core.ceql import Condition, field_value, parse_where
from airflow_provider_cloudelements.sandbox.core.dates import read_iso
from airflow_provider_cloudelements.sandbox.core.errors import ApiError, bad_request
from airflow_provider_cloudelements.sandbox.vendors.records import Table
from airflow_provider_cloudelements.sandbox.vendors.shapes import Record

_QUERY = re.compile(
    r"\s*select\s+(?P<fields>\*|[\w.\s,@-]+?)\s+from\s+(?P<object>[\w.-]+)"
    r"(?:\s+where\s+(?P<where>.+?))?(?:\s+limit\s+(?P<limit>\d{1,12}))?\s*",
    re.IGNORECASE | re.DOTALL,
)
#: How many records are looked at before others have their turn.
_LOOKS = 5_000


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a download is to hold.

    :param object_name: the resource.
    :param fields: the fields; none means all.
    :param where: a condition in CEQL, or None.
    :param limit: the most records, or None.
    :param skipped: how many matching records come before the first.
    :param since: the earliest date of a record, or None.
    :param until: the latest date of a record, or None.
    :param date_field: the field that holds the date; None for that of the last change.
    """

    object_name: str
    fields: tuple[str, ...] = ()
    where: Condition | None = None
    limit: int | None = None
    skipped: int = 0
    since: datetime | None = None
    until: datetime | None = None
    date_field: str | None = None

    @property
    def text(self) -> str:
        """The query that says the same."""
        parts = ["select", ",".join(self.fields) or "*", "from", self.object_name]
        parts += [f"where {self.where.text}"] if self.where else []
        parts += [f"limit {self.limit}"] if self.limit is not None else []
        return " ".join(parts)

    def _fits(self, table: Table, record: Record) -> bool:
        """Return whether a record meets the condition and the dates (fact F369, choice C369)."""
        if self.where is not None and not self.where(record):
            return False
        if self.since is None and self.until is None:
            return True
        date = read_iso(field_value(record, self.date_field or table.shape.updated or ""))
        if date is None:
            return False
        return (self.since is None or date >= self.since) and (self.until is None or date <= self.until)

    def select(self, table: Table) -> Iterator[Selection | None]:
        """Yield the selection, and before it None each time that others may have their turn.

        :param table: the records, which must not change meanwhile.
        """
        if self.where is None and self.since is None and self.until is None:
            yield Selection(table, None, self.skipped, self.limit)
            return
        found: array[int] = array("q")
        most = None if self.limit is None else self.skipped + self.limit
        known = self.where.equals.get("id") if self.where is not None else None
        for looks, (number, record) in enumerate(table.matching(self.where if known else None)):
            if most is not None and len(found) >= most:
                break
            if self._fits(table, record):
                found.append(number)
            if looks % _LOOKS == _LOOKS - 1:
                yield None
        yield Selection(table, found[self.skipped :])


def read_query(text: str) -> Criteria:
    """Return what a query of v2 asks for (fact F365).

    :param text: ``select fields from object where ... limit n``.
    :raises ApiError: 400 if it is malformed.
    """
    match = _QUERY.fullmatch(text)
    if match is None:
        raise bad_request("Parameter q cannot be read: send select * from an object")
    fields = () if match["fields"].strip() == "*" else _names(match["fields"])
    limit = None if match["limit"] is None else int(match["limit"])
    return Criteria(match["object"], fields, _where(match["where"]), limit)


def between(criteria: Criteria, values: Mapping[str, Any]) -> Criteria:
    """Return criteria with the dates of a request's ``from``, ``lastRunDate`` and ``to``.

    :param criteria: the others.
    :param values: parameters or fields by name.
    :raises ApiError: 400 if one is no date.
    """
    dates: dict[str, datetime] = {}
    for name in ("from", "lastRunDate", "to"):
        if values.get(name) not in (None, ""):
            date = read_iso(values[name])
            if date is None:
                raise bad_request(f"{name} must be an ISO date")
            dates[name] = date
    since = dates.get("from", dates.get("lastRunDate", criteria.since))
    return replace(criteria, since=since, until=dates.get("to", criteria.until))


def read_body(body: dict[str, Any]) -> Criteria:
    """Return what the description of a download in v3 asks for (fact F363; what has no effect: choice C371).

    :param body: the request's body.
    :raises ApiError: 400; it names the field that does not fit.
    """
    for name in ("objectName", "where", "selectFields", "query", "filterDateField"):
        if not isinstance(body.get(name, ""), (str, type(None))):
            raise bad_request(f"Field {name} must be a string")
    if not body.get("objectName"):
        raise bad_request("Field objectName is required")
    limit = body.get("limit")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise bad_request("Field limit must be a number")
    own = read_query(body["query"]) if body.get("query") else Criteria(body["objectName"])
    if own.object_name != body["objectName"]:
        raise bad_request("Field query must be about objectName")
    criteria = Criteria(
        body["objectName"],
        _names(body.get("selectFields") or "") or own.fields,
        _where(body.get("where")) or own.where,
        own.limit if limit is None else limit,
        date_field=body.get("filterDateField") or None,
    )
    return between(criteria, body)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _where(text: str | None) -> Condition | None:
    if not text:
        return None
    try:
        return parse_where(text)
    except ApiError:
        raise bad_request("The condition of the query cannot be read") from None
