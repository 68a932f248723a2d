"""
Every value of Airflow's metadata database, for searches.

This module imports only the standard library, and SQLAlchemy where the database is not SQLite.
"""

from __future__ import annotations

import contextlib
import sqlite3
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Any


def let_readers_and_writers_be(path: str) -> None:
    """
    Switch a SQLite file to a write-ahead log, so that readers do not block writers. The file keeps the mode.

    :param path: the file
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def dump_sqlite(path: str) -> Iterator[tuple[str, str, str | bytes]]:
    """
    Yield every value of a SQLite file as stored: JSON as its text, blobs as bytes.

    :param path: the file
    """
    with contextlib.closing(
        sqlite3.connect(f"file:{urllib.parse.quote(path, safe='')}?mode=ro", uri=True)
    ) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            columns = [one[0] for one in rows.description]
            for row in rows:
                yield from _cells(table, columns, row)


def dump_by_sqlalchemy(url: str) -> Iterator[tuple[str, str, str | bytes]]:
    """
    Yield every value of another database, whose driver this interpreter must be able to import.

    :param url: SQLAlchemy's address of the database
    """
    from sqlalchemy import create_engine, inspect, text

    engine = create_engine(url)
    try:
        inspector = inspect(engine)
        with engine.connect() as connection:
            quoted = engine.dialect.identifier_preparer.quote
            for table in inspector.get_table_names():
                described = inspector.get_columns(table)
                # Select as text: if the driver parsed JSON, it would change its form.
                selected = ", ".join(
                    quoted(one["name"])
                    if "BYTEA" in str(one["type"]).upper()
                    else f"CAST({quoted(one['name'])} AS TEXT)"
                    for one in described
                )
                rows = connection.execute(text(f"SELECT {selected} FROM {quoted(table)}"))  # noqa: S608
                for row in rows:
                    yield from _cells(table, [one["name"] for one in described], row)
    finally:
        engine.dispose()


def _cells(table: str, columns: Sequence[str], row: Sequence[Any]) -> Iterator[tuple[str, str, str | bytes]]:
    """
    Yield the non-null values of a row.

    :param table: the table
    :param columns: names of the columns
    :param row: the values, in the same order
    """
    for column, value in zip(columns, row, strict=True):
        if value is None:
            continue
        if isinstance(value, bytes | memoryview):
            yield table, column, bytes(value)
        else:
            yield table, column, str(value)
