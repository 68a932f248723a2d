"""The PostgreSQL into which ``example_load_into_postgresql`` loads, where Debian's is installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from scripts.postgres import newest, postgres

#: The example, and its connection.
LOADS, CONNECTION = "example_load_into_postgresql", "warehouse"


def connection(address: str) -> dict[str, Any]:
    """
    Return an Airflow connection to a database, in the form that ``AIRFLOW_CONN_<ID>`` accepts as JSON.

    :param address: SQLAlchemy's address of the database
    """
    parts = urlsplit(address)
    return {
        "conn_type": "postgres",
        "host": parts.hostname,
        "port": parts.port,
        "login": parts.username,
        "password": "demo-warehouse/w+rd=",  # made up; the server trusts everybody
        "schema": parts.path.strip("/"),
    }


def is_installed() -> bool:
    """Return whether there is a PostgreSQL to run."""
    return newest() is not None


@contextlib.contextmanager
def warehouses() -> Iterator[dict[str, dict[str, Any]]]:
    """Run a PostgreSQL and yield its connection by its id; nothing if PostgreSQL is not installed."""
    if not is_installed():
        yield {}
        return
    with postgres() as address:
        yield {CONNECTION: connection(address)}
