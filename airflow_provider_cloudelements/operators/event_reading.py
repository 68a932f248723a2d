"""Operator that reads all events since a moment; and what it has in common with the sensor."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.query import EventQuery, EventRow
from airflow_provider_cloudelements.events.reading import (
    EventLook,
    EventStream,
    require_count,
    sorted_rows,
)
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator, require_bool
from airflow_provider_cloudelements.operators._parts.json_lines import JsonLines, storage_path

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

#: Key of the XCom that says where a later task goes on.
XCOM_CURSOR = "cursor"
#: The moment that stays the same for all tries of a run, cleared ones too.
BEGIN_OF_RUN = "{{ dag_run.data_interval_start or dag_run.run_after }}"
#: Most pages that the operator reads. Far more than of a look that is repeated: it costs no memory.
MAX_PAGES = 1000


class EventArguments:
    """The arguments that say which events, read once they are rendered."""

    event_fields = ("instance_id", "instance_key", "tag", "object_types", "event_types", "fields", "since")

    instance_id: int | str | Mapping[str, Any] | None
    instance_key: str | None
    tag: str | None
    object_types: Collection[str] | None
    event_types: Collection[str] | None
    fields: Mapping[str, Any] | None
    since: Any

    def query(self) -> EventQuery:
        """Return which events are wanted.

        :raises CloudElementsValidationError: An argument is malformed.
        """
        return EventQuery.of(
            instance_id=self.instance_id,
            instance_key=self.instance_key,
            tag=self.tag,
            object_types=self.object_types,
            event_types=self.event_types,
            fields=self.fields,
        )

    def cursor(self) -> EventCursor:
        """Return where to begin.

        :raises CloudElementsValidationError: ``since`` is malformed.
        """
        return EventCursor.given(self.since)


class CloudElementsReadEventsOperator(EventArguments, CloudElementsBaseOperator):
    """Read all events since a moment, of any number: few are returned, many are written to a file.

    It reads what the platform keeps of events, so no callback needs to reach Airflow; the events of the
    instances must be on. Exactly one of ``instance_id``, ``instance_key`` and ``tag`` is given.

    The list is read whole, 200 events a call: the platform documents neither its order nor a filter by date.
    Memory is that of two pages, of the events that go to XCom at most, and of twelve characters for each
    event of the ten minutes before the newest, in which further ones may still appear.

    Nothing is lost, as long as an event is listed no later than ten minutes after its date: ``cursor`` says
    where a later task goes on, and that returns what this one has not, though it may be older. Each try
    begins at ``since`` again. With this as ``since``, each run goes on where the last one ended (by
    ``map_indexes`` Airflow gives the last cursor, and not a list of all)::

        {{ ((ti.xcom_pull('read', map_indexes=-1, include_prior_dates=True) or {}).get('cursor')
            or '2026-11-24') | tojson }}

    (XCom ``cursor`` alone may be that of a run which failed before it could return its events.)

    :param instance_id: Of this instance: an integer, its digits, or what the create operator returned.
        Whether it exists is not checked. Templated.
    :param instance_key: Of the instance with this key, as given to the create operator. Templated.
    :param tag: Of all instances that have this tag now, or had it at the event. Templated.
    :param object_types: Only of these kinds of object, as the element names them. Templated.
    :param event_types: Only ``CREATED``, ``UPDATED``, ``DELETED``, ``UNKNOWN``, in any case. Templated.
    :param fields: Only those whose values fit, as of
        :class:`~airflow_provider_cloudelements.sensors.events.CloudElementsEventSensor`. Templated.
    :param since: Only events that the platform took in since then: an ISO date; ``earliest``; or what this
        operator or the sensor returned, or its ``cursor``. Not ``now``, which a retry would take for a later
        moment. Default: the begin of the run's data interval, or without one the moment that the run was due.
        Templated.
    :param path: File for events that are too many for XCom, in any storage that Airflow's
        ``ObjectStoragePath`` reaches, such as ``s3://aws_default@bucket/{{ run_id }}.jsonl``. It is
        overwritten, so that a retry doubles nothing: name it after the run, and each of several tasks its
        own. It is there when it is whole, and not before. Default: none, so that too many events are a
        failure. Templated.
    :param max_xcom_events: Most events that are returned; 0: none, so that there is always a file, though it
        be empty. Default: 1,000.
    :param max_xcom_bytes: Most bytes of them, as JSON. Default: 262,144.
    :param max_pages: Most pages that are read. Default: 1,000, that is 200,000 events.
    :param include_raw: Whether to tell the vendor's body as well, up to 16,384 bytes of each. What a vendor
        puts there is not known (unknown U321). Default: ``False``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``count``; ``events``, those of the sensor, oldest first, or ``None`` where they were written;
        ``path`` of the file, or ``None``; and ``cursor``, which is also XCom ``cursor``. A line of the file
        is an event as JSON; lines come in the order of the list, since to sort them all would have to be
        kept.
    :raises CloudElementsValidationError: An argument is malformed, the list has more than ``max_pages``, or
        there are too many events for XCom and there is no ``path``.
    :raises CloudElementsConnectionError: A field of the connection is missing or malformed.
    :raises CloudElementsError: A call failed.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id", *EventArguments.event_fields, "path")

    def __init__(
        self,
        *,
        instance_id: int | str | Mapping[str, Any] | None = None,
        instance_key: str | None = None,
        tag: str | None = None,
        object_types: Collection[str] | None = None,
        event_types: Collection[str] | None = None,
        fields: Mapping[str, Any] | None = None,
        since: Any = BEGIN_OF_RUN,
        path: str | ObjectStoragePath | None = None,
        max_xcom_events: int = 1000,
        max_xcom_bytes: int = 262_144,
        max_pages: int = MAX_PAGES,
        include_raw: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.instance_id = instance_id
        self.instance_key = instance_key
        self.tag = tag
        self.object_types = object_types
        self.event_types = event_types
        self.fields = fields
        self.since = since
        self.path = path
        self.max_xcom_events = require_count("max_xcom_events", max_xcom_events, 0)
        self.max_xcom_bytes = require_count("max_xcom_bytes", max_xcom_bytes)
        if path is None and not max_xcom_events:
            raise ValueError("max_xcom_events=0 needs a path.")
        self.max_pages = require_count("max_pages", max_pages)
        self.include_raw = require_bool("include_raw", include_raw)

    def perform(self, context: Context) -> dict[str, Any]:
        """Read, return few or write many, push the cursor."""
        target = None if self.path is None else storage_path(self.path)
        look = EventLook(self.query(), self.cursor(), self.max_pages, self.include_raw)
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
        cursor = stream.cursor.as_json()
        if self.do_xcom_push:  # Airflow itself honours it for the returned value only
            context["ti"].xcom_push(key=XCOM_CURSOR, value=cursor)
        return {
            "count": count,
            "events": [row.data for row in sorted_rows(first)] if fits else None,
            "path": None if fits else str(target),
            "cursor": cursor,
        }

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
    """Write all rows, return how many; those that were taken from them go first, and are kept no longer."""
    count = len(first)
    with JsonLines(target) as lines:
        for row in first:
            lines.write(row.data)
        first.clear()
        for row in rows:
            lines.write(row.data)
            count += 1
    return count
