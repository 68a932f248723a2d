"""Operator that reads all events since the last run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.arguments import require_count
from airflow_provider_cloudelements.events.batch import sorted_rows
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.query import EventRow
from airflow_provider_cloudelements.events.reading import EventLook, EventStream
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator
from airflow_provider_cloudelements.operators._parts.event_arguments import (
    BEGIN_OF_RUN as BEGIN_OF_RUN,  # for callers that give it as ``since``
)
from airflow_provider_cloudelements.operators._parts.event_arguments import (
    END_OF_RUN,
    FIRST_BEGIN,
    EventArguments,
)
from airflow_provider_cloudelements.operators._parts.json_lines import JsonLines
from airflow_provider_cloudelements.operators._parts.reading_place import ReadingPlace
from airflow_provider_cloudelements.operators._parts.whole_file import storage_path

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

__all__ = ["XCOM_CURSOR", "CloudElementsReadEventsOperator"]

#: Key of the XCom that says where a later task continues.
XCOM_CURSOR = "cursor"
#: Most pages that the operator reads: far more than a repeated look does, because they cost no memory.
READING_MAX_PAGES = 1000


class CloudElementsReadEventsOperator(EventArguments, CloudElementsBaseOperator):
    """Read all events since the last run, however many: return few of them, or write many to a file.

    The operator reads the platform's list of events, so no callback needs to reach Airflow. The events of the
    instances must be on. Give exactly one of ``instance_id``, ``instance_key`` and ``tag``.

    It reads the whole list, 200 events a call, because the platform documents neither its order nor a filter
    by date. It holds in memory two pages, at most the events that go to XCom, and twelve characters for each
    event of the ten minutes before the newest, in which further ones may still appear.

    Without ``since`` a run goes on where the last successful run before it ended. "Before" goes by the
    logical dates of runs (or when they were due), not by when they ran. So a retry, a cleared run and
    backfilled days in any order return the events of their own time. Airflow 3's own timetables have empty
    data intervals, and with them no event is missed either. If the run before is not a success (yet), this
    run begins where that one began: events then come twice. The first run begins at ``start``. So does a run
    that selects other events than any run before it, or whose earlier runs have no XComs any more.

    No event is lost, if the platform lists it no later than ten minutes after its date. If the platform lists
    an event after its run has ended, the next run returns it. ``cursor`` says where another task continues.

    :param instance_id: The instance of the events: an integer, its digits, or what the create operator
        returned. The operator does not check whether it exists. Templated.
    :param instance_key: Key of the instance, as given to the create operator. Templated.
    :param tag: Takes the events of all instances that have this tag now, or had it at the event. Templated.
    :param object_types: Only these kinds of object, as the element names them. Templated.
    :param event_types: Only ``CREATED``, ``UPDATED``, ``DELETED``, ``UNKNOWN``, in any case. Templated.
    :param where: Only events whose fields have these values, as in
        :class:`~airflow_provider_cloudelements.sensors.events.CloudElementsEventSensor`. Templated.
    :param since: Only events that the platform received since then: an ISO date; ``earliest``; or what this
        operator or the sensor returned, or its ``cursor``. Not ``now``, which would be a later moment in a
        retry. Each try begins there again. Default: where the last successful run ended. Templated.
    :param until: Only events that the platform received before then: an ISO date; or ``latest``: all that it
        lists. Default: the end of the run's data interval. If that is empty or missing and there is no
        ``since``, a scheduled or backfill run ends at the moment that it was due. All other runs read all. So
        backfilled and cleared runs return no events of today. Templated.
    :param start: Where the first run begins: an ISO date, ``earliest``, or a cursor. Only without ``since``.
        Default: the begin of the run's data interval; if that is empty or missing, ``earliest``, all that the
        platform still has. Templated.
    :param path: File for events that are too many for XCom, in any storage that Airflow's
        ``ObjectStoragePath`` reaches, such as ``s3://aws_default@bucket/{{ run_id }}.jsonl``. The operator
        overwrites it, so that a retry doubles nothing: put the run's id into its name, and give each task its
        own file. The file appears only when it is complete. Default: none, so that too many events are a
        failure. Templated.
    :param max_xcom_events: Most events to return; 0: none, so that there is always a file, even an empty one.
        Default: 1,000.
    :param max_xcom_bytes: Most bytes of these events, as JSON. Default: 262,144.
    :param max_pages: Most pages to read. Default: 1,000, that is 200,000 events.
    :param include_raw: Whether to add the vendor's body, up to 16,384 bytes of each. It is not known what a
        vendor puts there (unknown U321). Default: ``False``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``count``; ``events``, in the form that the sensor returns, oldest first, or ``None`` if they are
        in the file; ``path`` of the file, or ``None``; and ``cursor``, which is also XCom ``cursor``. A line
        of the file is an event as JSON. Lines have the order of the list, because sorting would have to keep
        them all in memory.
    :raises CloudElementsValidationError: An argument is malformed, the list has more than ``max_pages``, or
        there are too many events for XCom and there is no ``path``.
    :raises CloudElementsConnectionError: A field of the connection is missing or malformed.
    :raises CloudElementsError: A call failed.
    """

    template_fields: Collection[str] = (
        "cloudelements_conn_id",
        *EventArguments.event_fields,
        "start",
        "path",
    )

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
        if since is not None and start != FIRST_BEGIN:
            raise ValueError("start is where the first run of a task without since begins: give one of them.")
        self.path = path
        self.max_xcom_events = require_count("max_xcom_events", max_xcom_events, 0)
        self.max_xcom_bytes = require_count("max_xcom_bytes", max_xcom_bytes)
        if path is None and not max_xcom_events:
            raise ValueError("max_xcom_events=0 needs a path.")
        self.max_pages = require_count("max_pages", max_pages)

    def perform(self, context: Context) -> dict[str, Any]:
        """Read the events, return few or write many, and push the cursor."""
        target = None if self.path is None else storage_path(self.path)
        query, until = self.query(), self.end()
        place = ReadingPlace(context, [self.cloudelements_conn_id, query.selection()], until)
        begin = place.begin(self._first_begin()) if self._goes_on else self.cursor()
        look = EventLook(query, begin, self.max_pages, self.include_raw, until=until)
        stream = EventStream(self.hook.get_conn().http, look)
        rows = iter(stream)
        first, fits = self._first(rows)
        if fits:
            count = len(first)
            self.log.info("There are %d events.", count)
        elif target is None:
            raise CloudElementsValidationError(
                f"There are more events than go to XCom (max_xcom_events={self.max_xcom_events}, "
                f"max_xcom_bytes={self.max_xcom_bytes}): give path, a file in object storage for them."
            )
        else:
            count = _write(target, first, rows)
            self.log.info("There are %d events; they are in %s.", count, target)
        if self._goes_on:
            place.keep(begin, stream.cursor)  # also with do_xcom_push=False: the next run goes on there
        cursor = stream.cursor.as_json()
        if self.do_xcom_push:  # Airflow itself applies it only to the returned value
            context["ti"].xcom_push(key=XCOM_CURSOR, value=cursor)
        return {
            "count": count,
            "events": [row.data for row in sorted_rows(first)] if fits else None,
            "path": None if fits else str(target),
            "cursor": cursor,
        }

    def _first_begin(self) -> EventCursor:
        return EventCursor.given("earliest" if self.start == FIRST_BEGIN else self.start, "start")

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


def _write(target: ObjectStoragePath, first: list[EventRow], rows: Iterator[EventRow]) -> int:
    """Write all rows, those in ``first`` before the others, and return how many. It empties ``first``."""
    count = len(first)
    with JsonLines(target) as lines:
        for row in first:
            lines.write_row(row.data)
        first.clear()
        for row in rows:
            lines.write_row(row.data)
            count += 1
    return count
