"""An upload: rows of a file become records, one after the other (facts F370, F375)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from airflow_provider_cloudelements.sandbox.core.errors import bad_request
from airflow_provider_cloudelements.sandbox.core.jsontext import parse_body
from airflow_provider_cloudelements.sandbox.vendors.records import Table
from airflow_provider_cloudelements.sandbox.vendors.shapes import Record

#: The most records that callers add to a resource. Further ones of an upload are counted and dropped (C366).
MOST_ADDED = 200_000
#: The most texts of errors that a job keeps; all are counted.
MOST_ERRORS = 10_000
#: A line of JSON may be as long as a body.
_LONGEST_LINE = 8 * 1024 * 1024
_ROWS = 500


@dataclass(frozen=True, slots=True)
class Order:
    """What an upload's ``metaData`` says (fact F375).

    :param json: whether the file holds a JSON record in each line; otherwise it is CSV.
    :param identifier: the field by which a row finds the record that it changes, or None: each row is new.
    """

    json: bool = False
    identifier: str | None = None


@dataclass(slots=True)
class Tally:
    """How far an upload has come.

    :param rows: how many rows were read.
    :param failed: how many of them failed.
    :param errors: a text for each that failed, the first of them.
    """

    rows: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list)

    def fail(self, text: str) -> None:
        """Count the row that was read last as failed.

        :param text: why.
        """
        self.failed += 1
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(f"Row {self.rows}: {text}")


def read_order(meta: bytes | None) -> Order:
    """Return what the field ``metaData`` says.

    :param meta: JSON, or None.
    :raises ApiError: 400 if it is none.
    """
    try:
        value = parse_body(meta)[0] if meta and meta.strip() else {}
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise bad_request("Field metaData must be a JSON object")
    kind = value.get("format", "csv")
    name = value.get("identifierFieldName") or value.get("primaryKeyName") or None
    if kind not in ("csv", "json") or not isinstance(name, (str, type(None))):
        raise bad_request("Field metaData has format csv or json, and identifierFieldName is a string")
    return Order(kind == "json", name)


def apply(file: IO[bytes], order: Order, table: Table | None, tally: Tally) -> Iterator[None]:
    """Apply the rows of a file; yield each time that others may have their turn.

    :param file: the file.
    :param order: how to read it.
    :param table: the records, or None if there is no such resource: then each row fails (fact F370).
    :param tally: counts the rows.
    """
    index: dict[str, int] | None = None
    for row in _json_rows(file) if order.json else _csv_rows(file):
        tally.rows += 1
        if table is None:
            tally.fail("The object is unknown")
        elif isinstance(row, str):
            tally.fail(row)
        else:
            if order.identifier is not None and index is None:
                index = {}
                yield from _fill(index, table, order.identifier)
            if problem := _apply(row, order.identifier, table, index):
                tally.fail(problem)
        if tally.rows % _ROWS == 0:
            yield None


def _apply(row: Record, identifier: str | None, table: Table, index: dict[str, int] | None) -> str | None:
    """Make a record of a row or change one, and return what is wrong, if anything is."""
    if identifier is None or index is None:
        if table.last - table.count < MOST_ADDED:
            table.add(row)
        return None
    value = row.get(identifier)
    if value in (None, ""):
        return f"The field {identifier} is empty"
    number = table.number_of(str(value)) if identifier == "id" else index.get(str(value))
    if number is not None:
        table.change(number, row)
    elif table.last - table.count < MOST_ADDED:
        table.add(row)
        index[str(value)] = table.last
    return None


def _fill(index: dict[str, int], table: Table, identifier: str) -> Iterator[None]:
    """Note which record has which value of the identifying field."""
    if identifier == "id":
        return
    for looks, (number, record) in enumerate(table.matching(None)):
        if (value := record.get(identifier)) is not None:
            index.setdefault(str(value), number)
        if looks % _ROWS == 0:
            yield None


def _csv_rows(file: IO[bytes]) -> Iterator[Record | str]:
    """Yield the rows of a CSV with a line of names, or what is wrong with a row."""
    text = io.TextIOWrapper(file, "utf-8-sig", "replace", newline="")  # closes the file when nobody reads it
    reader = csv.reader(text)
    names: list[str] | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield "The line cannot be read"
            continue
        if not cells:
            continue
        if names is None:
            names = cells
        elif len(cells) != len(names):
            yield f"The line has {len(cells)} values, and there are {len(names)} names"
        else:
            yield dict(zip(names, cells, strict=True))


def _json_rows(file: IO[bytes]) -> Iterator[Record | str]:
    """Yield the records of a file with one in each line, or what is wrong with a line."""
    while line := file.readline(_LONGEST_LINE):
        if not line.strip():
            continue
        try:
            row: Any = parse_body(line)[0]
        except (ValueError, json.JSONDecodeError):
            row = None
        yield row if isinstance(row, dict) else "The line is no JSON object"
