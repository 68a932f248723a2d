"""Load each file of contacts into PostgreSQL, as soon as its asset says that it is there.

The bulk download of ``example_download_contacts`` has the asset as its outlet. The asset's event starts this
DAG and says which file it is, and how many rows and which SHA-256 it has. A run that a person starts takes
the file of the newest event. If there is none yet, it loads nothing.

A file goes into the table as a whole or not at all: ``COPY`` brings it into a temporary table, and the task
compares rows and SHA-256 with the event before it commits. A contact is one row by its primary key. So you
can clear a run, and load a file twice or two files in either order: the newer state of each contact stays.

When several files come while a run is at work, Airflow gives the next run only the first of them, and leaves
the others to a later run. Each file has all contacts, so the table lags behind until then, and misses none.

Needs a connection ``warehouse`` of type ``postgres``, a user who may make a table, and the package
``psycopg2-binary``. It does not need Airflow's provider for PostgreSQL. See ``docs/files.md``.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib

import pendulum
from airflow.sdk import DAG, Asset, BaseHook, ObjectStoragePath, chain, get_current_context, task

CONTACTS = Asset("example contacts")
TABLE = """
CREATE TABLE IF NOT EXISTS contacts (
    id text PRIMARY KEY,  -- as text: leading zeros stay, and twenty digits are not rounded
    name text,
    title text,
    date_updated timestamptz NOT NULL
)
"""
STAGE = "CREATE TEMPORARY TABLE staged (id text, name text, title text, date_updated text) ON COMMIT DROP"
#: In the order of the primary key, so that two loads at once cannot wait for each other.
MERGE = """
INSERT INTO contacts (id, name, title, date_updated)
SELECT DISTINCT ON (id) id, name, title, date_updated::timestamptz
FROM staged ORDER BY id, date_updated::timestamptz DESC
ON CONFLICT (id) DO UPDATE
SET name = EXCLUDED.name, title = EXCLUDED.title, date_updated = EXCLUDED.date_updated
WHERE contacts.date_updated <= EXCLUDED.date_updated
"""


def connect():
    """Connect to the warehouse."""
    import psycopg2

    known = BaseHook.get_connection("warehouse")
    return contextlib.closing(
        psycopg2.connect(
            host=known.host, port=known.port, user=known.login, password=known.password, dbname=known.schema
        )
    )


class Hashed:
    """A file that is hashed while ``COPY`` reads it."""

    def __init__(self, file) -> None:
        self.file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read a part."""
        part = self.file.read(size)
        self.sha256.update(part)
        return part


with DAG(
    "example_load_into_postgresql",
    description="Load each file of contacts into PostgreSQL, as soon as its asset says that it is there.",
    schedule=[CONTACTS],
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["cloudelements", "example", "use"],
    doc_md=__doc__,
) as dag:

    @task(inlets=[CONTACTS])
    def new_files(triggering_asset_events=None, inlet_events=None) -> list[dict]:
        """Return what the asset's events say of the files: ``path``, ``rows``, ``sha256`` and more."""
        events = triggering_asset_events.get(CONTACTS) or inlet_events[CONTACTS][-1:]
        return [event.extra for event in events]

    @task
    def create_table() -> None:
        """Make the table if it is not there."""
        with connect() as database, database, database.cursor() as cursor:
            cursor.execute(TABLE)

    # [start: load]
    @task(map_index_template="{{ file_name }}", max_active_tis_per_dag=1)
    def load(file: dict) -> int:
        """Load a file and return the number of contacts that are new or newer than in the table."""
        from psycopg2 import sql

        path = ObjectStoragePath(file["path"])
        get_current_context()["file_name"] = path.name
        with path.open(encoding="utf-8", newline="") as lines:
            columns = next(csv.reader(lines), [])
        # The platform chooses the order of the columns, and the first line names them.
        copy = sql.SQL("COPY staged ({}) FROM STDIN (FORMAT csv, HEADER)").format(
            sql.SQL(", ").join(map(sql.Identifier, columns or ["id"]))
        )
        with connect() as database, database, database.cursor() as cursor, path.open("rb") as opened:
            cursor.execute(STAGE)
            cursor.copy_expert(copy, hashed := Hashed(opened))
            if (cursor.rowcount, hashed.sha256.hexdigest()) != (file["rows"], file["sha256"]):
                raise ValueError(f"{path} is not the file that the asset's event names.")
            cursor.execute(MERGE)
            return cursor.rowcount

    # [end: load]

    chain(create_table(), load.expand(file=new_files()))
