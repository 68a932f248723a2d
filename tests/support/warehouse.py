"""What lies in a database into which a DAG has loaded something."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any


def ask(connection: Mapping[str, Any], query: str) -> list[tuple[Any, ...]]:
    """
    Send a statement to PostgreSQL, and return its rows.

    :param connection: an Airflow connection
    :param query: the statement; one that changes rows returns none
    """
    import psycopg2

    place = {"host": connection["host"], "port": connection["port"]}
    name = {"user": connection["login"], "dbname": connection["schema"]}
    with (
        contextlib.closing(psycopg2.connect(**place, **name)) as database,
        database,
        database.cursor() as cursor,
    ):
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else []
