"""What operators that read all events since their last run share: the begin, the limits, and the way on.

Few rows go to XCom, oldest first; many to a file. Then the operator keeps where it ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from airflow_provider_cloudelements.client.parsing import instance_id_of
from airflow_provider_cloudelements.events.batch import sorted_rows
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.query import EventRow
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.early_checks import EarlyChecks, count
from airflow_provider_cloudelements.operators._parts.event_arguments import (
    END_OF_RUN,
    FIRST_BEGIN,
    EventSpan,
)
from airflow_provider_cloudelements.operators._parts.json_lines import JsonLines
from airflow_provider_cloudelements.operators._parts.lineage import FileLineage, WrittenFile
from airflow_provider_cloudelements.operators._parts.reading_place import ReadingPlace
from airflow_provider_cloudelements.operators._parts.whole_file import storage_path

if TYPE_CHECKING:
    import pendulum
    from airflow.sdk import Context, ObjectStoragePath

#: Key of the XCom that says where a later task continues.
XCOM_CURSOR = "cursor"
#: Most pages that an operator reads: far more than a repeated look does, because they cost no memory.
READING_MAX_PAGES = 1000


class Stream(Protocol):
    """Rows, and the place behind them once they are iterated to their end."""

    @property
    def cursor(self) -> EventCursor:
        """Where the next reading begins."""

    def __iter__(self) -> Iterator[EventRow]:
        """Yield the rows."""


def _require_one_begin(since: Any, start: Any) -> None:
    if since is not None and start != FIRST_BEGIN:
        raise ValueError("start is where the first run of a task without since begins: give one of them.")


def _require_a_place_for_events(path: Any, max_xcom_events: int) -> None:
    if path is None and not max_xcom_events:
        raise ValueError("max_xcom_events=0 needs a path.")


class KeptReading(EarlyChecks, FileLineage, EventSpan):
    """Declare the arguments, and do what is alike. The classes that have them document them.

    This base comes before the other ones.

    :param since: Where to begin. Default: where the last successful run ended. Templated.
    :param until: Where to end. Templated.
    :param start: Where the first run begins. Templated.
    :param path: File for rows that are too many for XCom. Templated.
    :param max_xcom_events: Most rows to return.
    :param max_xcom_bytes: Most bytes of these rows, as JSON.
    :param max_pages: Most pages to read.
    """

    kept_fields = ("start", "path")
    written_files = ("path",)
    checks: ClassVar = {
        "max_xcom_events": count("max_xcom_events"),
        "max_xcom_bytes": count("max_xcom_bytes", 1),
        "max_pages": count("max_pages", 1),
    }
    checks_together: ClassVar = (_require_one_begin, _require_a_place_for_events)

    cloudelements_conn_id: str

    def __init__(
        self,
        *,
        since: Any = None,
        until: Any = END_OF_RUN,
        start: Any = FIRST_BEGIN,
        path: str | ObjectStoragePath | None = None,
        max_xcom_events: int = 1000,
        max_xcom_bytes: int = 262_144,
        max_pages: int = READING_MAX_PAGES,
        **kwargs: Any,
    ) -> None:
        super().__init__(since=since, until=until, **kwargs)
        #: Not by the rendered value: a template that finds nothing is a mistake, and no wish to go on.
        self._goes_on = since is None
        self.start = start
        self.path = path
        self.max_xcom_events = self.checks["max_xcom_events"](max_xcom_events)
        self.max_xcom_bytes = self.checks["max_xcom_bytes"](max_xcom_bytes)
        self.max_pages = self.checks["max_pages"](max_pages)
        self.require_together()

    def target(self) -> ObjectStoragePath | None:
        """Return the file for many rows; ``None`` if there is none.

        :raises CloudElementsValidationError: ``path`` is malformed.
        """
        return None if self.path is None else storage_path(self.path, "path")

    def place(
        self, context: Context, selection: Any, until: pendulum.DateTime | None
    ) -> ReadingPlace[EventCursor]:
        """Return what finds and keeps the operator's place.

        :param context: The context that ``execute`` received.
        :param selection: What the operator selects on its connection, as JSON.
        :param until: Where it ends.
        """
        return ReadingPlace(EventCursor, context, [self.cloudelements_conn_id, selection], until)

    def begin(self, place: ReadingPlace[EventCursor]) -> EventCursor:
        """Return where this run begins.

        :param place: What finds the place.
        :raises CloudElementsValidationError: ``since`` or ``start`` is malformed.
        """
        if not self._goes_on:
            return self.cursor()
        start = "earliest" if self.start == FIRST_BEGIN else self.start
        return place.begin(EventCursor.given(start, "start"))

    def hand_on(
        self,
        context: Context,
        stream: Stream,
        place: ReadingPlace[EventCursor],
        begin: EventCursor,
        target: ObjectStoragePath | None,
    ) -> dict[str, Any]:
        """Return few rows or write many, then keep and push the place behind them.

        :param context: The context that ``execute`` received.
        :param stream: The rows.
        :param place: What keeps the place.
        :param begin: Where the stream began.
        :param target: The file for many rows.
        :return: ``count``, ``events``, ``path`` and ``cursor``.
        :raises CloudElementsValidationError: There are too many rows for XCom, and there is no file.
        """
        rows = iter(stream)
        first, fits = self._first(rows)
        if fits:
            count = len(first)
            written = WrittenFile(None, None, count)
            self.log.info("There are %d events.", count)
        elif target is None:
            raise CloudElementsValidationError(
                f"There are more events than go to XCom (max_xcom_events={self.max_xcom_events}, "
                f"max_xcom_bytes={self.max_xcom_bytes}): give path, a file in object storage for them."
            )
        else:
            with self.writing(JsonLines(target)) as lines:
                count = _write(lines, first, rows)
            written = WrittenFile(None, None, count, target, lines.size, lines.sha256)
            self.log.info("There are %d events; they are in %s.", count, target)
        if self._goes_on:
            place.keep(begin, stream.cursor)  # also with do_xcom_push=False: the next run goes on there
        self.tell_file(context, replace(written, instance_id=self._instance()))
        cursor = stream.cursor.as_json()
        if self.do_xcom_push:  # Airflow itself applies it only to the returned value
            context["ti"].xcom_push(key=XCOM_CURSOR, value=cursor)
        return {
            "count": count,
            "events": [row.data for row in sorted_rows(first)] if fits else None,
            "path": None if fits else str(target),
            "cursor": cursor,
        }

    def _instance(self) -> int | None:
        """Return the id of the instance whose events these are, if the operator names it."""
        given = getattr(self, "instance_id", None)
        return None if given is None else instance_id_of(given)

    def _first(self, rows: Iterator[EventRow]) -> tuple[list[EventRow], bool]:
        """Take rows until there are too many for XCom; say whether they all fit."""
        first: list[EventRow] = []
        if not self.max_xcom_events:
            return first, False
        size = 2  # the brackets of the list
        for row in rows:
            first.append(row)
            size += row.size + 2  # the comma between two rows
            if len(first) > self.max_xcom_events or size > self.max_xcom_bytes:
                return first, False
        return first, True


def _write(lines: JsonLines, first: list[EventRow], rows: Iterator[EventRow]) -> int:
    """Write all rows, those in ``first`` before the others; return how many. It empties ``first``."""
    count = len(first)
    for row in first:
        lines.write_row(row.data)
    first.clear()
    for row in rows:
        lines.write_row(row.data)
        count += 1
    return count
