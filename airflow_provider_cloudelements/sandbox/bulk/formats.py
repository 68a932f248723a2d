"""How records are written in a result: CSV, JSON or JSON lines (facts F368, F373)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from airflow_provider_cloudelements.sandbox.vendors.records import without_nulls
from airflow_provider_cloudelements.sandbox.vendors.shapes import Record

CSV, JSON, JSONL = "CSV", "JSON", "JSONL"
#: The Content-Type of each format, exactly as it is sent. JSON is written as JSON lines, too (fact F368).
TYPES = {CSV: "text/csv", JSON: "application/json", JSONL: "application/jsonl"}
#: How a job's description names the formats: v3 writes ``txt/csv`` (fact F363), the others are choice C361.
NAMES = {
    "txt/csv": CSV,
    **{kind: name for name, kind in TYPES.items()},
    **{name.lower(): name for name in TYPES},
}

_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes records, each on its own: what one becomes does not depend on the others.

    :param format: one of :data:`TYPES`.
    :param columns: the names of the fields, in the order of a CSV's columns.
    :param fields: the fields that the caller asked for; none means all.
    :param no_nulls: whether empty fields are left out; a CSV has its columns either way.
    """

    format: str
    columns: tuple[str, ...]
    fields: tuple[str, ...] = ()
    no_nulls: bool = False

    def head(self) -> bytes:
        """Return what stands before the records: a CSV's line of names."""
        return self._csv([dict(zip(self.columns, self.columns, strict=True))]) if self.format == CSV else b""

    def write(self, records: Iterable[Record]) -> bytes:
        """Return the lines of some records.

        :param records: the records.
        """
        if self.format == CSV:
            return self._csv(records)
        return b"".join(self._json(record) for record in records)

    def _csv(self, records: Iterable[Record]) -> bytes:
        # Lines end with CR LF: then the module quotes a lone carriage return, too (choice C362).
        text = io.StringIO(newline="")
        columns = self.columns
        csv.writer(text).writerows([_cell(record.get(name)) for name in columns] for record in records)
        return text.getvalue().encode("utf-8", "replace")

    def _json(self, record: Record) -> bytes:
        if self.fields:
            record = {name: record[name] for name in self.fields if name in record}
        if self.no_nulls:
            record = without_nulls(record)
        try:
            return _ENCODER.encode(record) + b"\n"
        except (UnicodeError, ValueError, TypeError):
            # Half of a surrogate pair, which the writer cannot encode, stays an escape.
            return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def _cell(value: Any) -> Any:
    """Return a value as a CSV holds it: nothing for null, JSON for objects and lists (choice C362)."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value
