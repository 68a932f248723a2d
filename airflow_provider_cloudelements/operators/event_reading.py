"""Operators that read all events since the last run: all of them, or those that a receiver did not get."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.arguments import require_count
from airflow_provider_cloudelements.events.reading import EventLook, EventStream
from airflow_provider_cloudelements.events.reconcile import MAX_CALLS, MissedEvents
from airflow_provider_cloudelements.events.scan import LONGEST_SETTLE_TIME, SETTLE_TIME
from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator
from airflow_provider_cloudelements.operators._parts.event_arguments import (
    BEGIN_OF_RUN as BEGIN_OF_RUN,  # for callers that give it as ``since``
)
from airflow_provider_cloudelements.operators._parts.event_arguments import EventArguments
from airflow_provider_cloudelements.operators._parts.kept_reading import XCOM_CURSOR, KeptReading
from airflow_provider_cloudelements.operators._parts.receiver_arguments import ReceiverArguments

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["XCOM_CURSOR", "CloudElementsReadEventsOperator", "CloudElementsReconcileEventsOperator"]


class CloudElementsReadEventsOperator(KeptReading, EventArguments, CloudElementsBaseOperator):
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
        *KeptReading.kept_fields,
    )

    def perform(self, context: Context) -> dict[str, Any]:
        """Read the events, return few or write many, and push the cursor."""
        target = self.target()
        query, until = self.query(), self.end()
        place = self.place(context, query.selection(), until)
        begin = self.begin(place)
        look = EventLook(query, begin, self.max_pages, self.include_raw, until=until)
        stream = EventStream(self.hook.get_conn().http, look)
        return self.hand_on(context, stream, place, begin, target)


class CloudElementsReconcileEventsOperator(KeptReading, ReceiverArguments, CloudElementsBaseOperator):
    """Compare the platform's events with its deliveries to a receiver, and return those that it did not get.

    Run it after an outage of the receiver, or by schedule. Give exactly one of ``callback_url``,
    ``instance_id`` and ``instance_key``. The operator compares the events of all instances that deliver to
    that receiver.

    Only a delivery that the platform says arrived counts as received, and only to this receiver. In doubt an
    event counts as missed: a repetition is better than a loss. A delivery that the platform still repeats or
    queues may arrive later, so that this event comes twice. To avoid most of these, release the queue first
    (``CloudElementsReleaseDeliveriesOperator``), and keep ``settle_time`` longer than the platform repeats.

    Without ``since`` a run goes on where the last successful run before it ended, in the same way as
    :class:`CloudElementsReadEventsOperator`. So successive runs return no event twice and pass over none, if
    the platform lists it no later than ``settle_time`` after its date.

    It reads the list of events once, 200 events a call, into a temporary file, and for each 20,000 events of
    the receiver the list of deliveries. It holds 20,000 events in memory, and at most the events that go to
    XCom.

    :param callback_url: Address of the receiver, as the instances have it. Templated.
    :param instance_id: An instance that has it: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: Instead of ``instance_id``: as given to the create operator. Templated.
    :param since: Only events that the platform received since then: an ISO date; ``earliest``; or what this
        operator returned, or its ``cursor``. Not ``now``, which would be a later moment in a retry. Each try
        begins there again. Default: where the last successful run ended. Templated.
    :param until: Only events that the platform received before then: an ISO date; or ``latest``. Default: the
        end of the run's data interval. If that is empty or missing and there is no ``since``, a scheduled or
        backfill run ends at the moment that it was due. All other runs have no end but ``settle_time``.
        Templated.
    :param start: Where the first run begins: an ISO date, ``earliest``, or a cursor. Only without ``since``.
        Default: the begin of the run's data interval; if that is empty or missing, ``earliest``, all that the
        platform still has. Templated.
    :param settle_time: Seconds that an event must be old, so that the platform lists it and had the time to
        deliver it. A later run takes younger ones. Default: 600. With 0 the operator also takes events that
        the platform is still at work on.
    :param path: File for events that are too many for XCom, in any storage that Airflow's
        ``ObjectStoragePath`` reaches, such as ``s3://aws_default@bucket/{{ run_id }}.jsonl``. The operator
        overwrites it, so that a retry doubles nothing: put the run's id into its name, and give each task its
        own file. The file appears only when it is complete. Default: none, so that too many events are a
        failure. Templated.
    :param max_xcom_events: Most events to return; 0: none, so that there is always a file, even an empty one.
        Default: 1,000.
    :param max_xcom_bytes: Most bytes of these events, as JSON. Default: 262,144.
    :param max_pages: Most pages (of 200) of the list of events, and of the list of deliveries. A longer list
        of events is an error. If the list of deliveries is longer, the operator looks up the remaining
        notifications. Default: 1,000.
    :param max_calls: Most notifications to look up one by one, because the list of deliveries did not show
        them. Those beyond count as missed. Default: 1,000.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``listed``, ``delivered`` and ``missing``: numbers of events; ``states``: how many notifications
        were not delivered, by the state of their delivery; ``unattributed``: how many events name no
        instance. And of the missed events ``count``, the number of rows: one for each object that changed;
        ``events``, the rows in the form that the sensor returns, oldest first, or ``None`` if they are in the
        file; ``path`` of the file, or ``None``; and ``cursor``, which is also XCom ``cursor``. A line of the
        file is a row as JSON. Lines have the order of the platform's list.
    :raises CloudElementsValidationError: An argument is malformed, the instance has no callback URL, the list
        has more than ``max_pages``, or there are too many events for XCom and there is no ``path``.
    :raises CloudElementsNotFoundError: No subscription brings an instance's events to this receiver.
    :raises CloudElementsConnectionError: A field of the connection is missing or malformed.
    :raises CloudElementsError: A call failed.
    """

    template_fields: Collection[str] = (
        "cloudelements_conn_id",
        *ReceiverArguments.receiver_fields,
        "since",
        "until",
        *KeptReading.kept_fields,
    )

    def __init__(
        self, *, settle_time: int = int(SETTLE_TIME), max_calls: int = MAX_CALLS, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.settle_time = require_count("settle_time", settle_time, 0, int(LONGEST_SETTLE_TIME))
        self.max_calls = require_count("max_calls", max_calls, 0)

    def perform(self, context: Context) -> dict[str, Any]:
        """Compare, return few or write many, and push the cursor."""
        target = self.target()
        until = self.end()
        url = self.receiver(self.hook)
        place = self.place(context, {"reconciled": url}, until)
        begin = self.begin(place)
        missed = MissedEvents(
            self.hook.get_conn(),
            url,
            begin,
            until=until,
            settle_time=self.settle_time,
            max_pages=self.max_pages,
            max_calls=self.max_calls,
        )
        handed_on = self.hand_on(context, missed, place, begin, target)
        counts = {
            "listed": missed.listed,
            "delivered": missed.listed - missed.missing,
            "missing": missed.missing,
            "states": dict(sorted(missed.states.items())),
            "unattributed": missed.unattributed,
        }
        self.log.info("Compared: %s", counts)
        return {**counts, **handed_on}
