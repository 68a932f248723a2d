"""Sensor that waits for events of instances."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from airflow.sdk import PokeReturnValue

from airflow_provider_cloudelements.client.arguments import require_count
from airflow_provider_cloudelements.events.batch import EventLimits
from airflow_provider_cloudelements.events.reading import EventLook, read_one
from airflow_provider_cloudelements.events.scan import MAX_PAGES
from airflow_provider_cloudelements.operators._parts.event_arguments import (
    BEGIN_OF_RUN,
    END_OF_INTERVAL,
    EventArguments,
)
from airflow_provider_cloudelements.operators.event_reading import XCOM_CURSOR
from airflow_provider_cloudelements.sensors.base import CloudElementsBaseSensor

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

__all__ = ["CloudElementsEventSensor"]


class CloudElementsEventSensor(EventArguments, CloudElementsBaseSensor):
    """Wait until there are events, and return them.

    It reads the platform's list of events, so no callback needs to reach Airflow. The events of the instance
    must be on. Give exactly one of ``instance_id``, ``instance_key`` and ``tag``.

    Each look, of each try and mode, begins at ``since`` again. So a reschedule, a retry or a restart of the
    triggerer loses nothing, and a retry may return the same events once more. A look reads the list of events
    (200 a page) down to ``since``. It reads the whole list until it has observed the platform's order, which
    is not documented. So for a long wait choose ``deferrable=True``: the triggerer learns the order, and all
    waiters on one connection share one reading.

    A later sensor goes on at XCom ``cursor``, or with ``since=sensor.output``: it then returns the events
    that this one has not returned.

    :param instance_id: Events of this instance: an integer, its digits, or what the create operator returned.
        The sensor does not check whether it exists. Templated.
    :param instance_key: Events of the instance with this key, as given to the create operator. Templated.
    :param tag: Events of all instances that have this tag now, or had it at the event. Templated.
    :param object_types: Only events of these kinds of object, as the element names them. Templated.
    :param event_types: Only ``CREATED``, ``UPDATED``, ``DELETED``, ``UNKNOWN``, in any case. Templated.
    :param where: Only events whose values match: a dictionary of paths, each with a value or a list of
        values. One of these values must be there. A path is a key of a returned event, such as ``object_id``,
        or leads into the vendor's body, such as ``raw.value.resource``. It searches lists on its way. A
        number equals its digits. Templated.
    :param since: Only events that the platform took in since then: an ISO date; ``earliest``; or what an
        earlier sensor returned. Not ``now``, because a retry would take it for a later moment. Default: the
        begin of the run's data interval, or without one the moment that the run was due. Templated.
    :param until: Only events that the platform took in before then: an ISO date, or ``latest`` for no end.
        The sensor waits on after this moment, because events become visible late. Default: the end of the
        run's data interval; if that is empty or missing, no end. Templated.
    :param min_events: How many events there must be since then, in all. Default: 1.
    :param max_events: Most events to return, the oldest; the cursor is after these. Default: 1,000.
    :param max_bytes: Most bytes to return, as JSON. So the sensor may return fewer than ``min_events``; the
        cursor is after those returned. Default: 262,144.
    :param max_pages: Most pages that a look reads. Default: 100, that is 20,000 events.
    :param include_raw: Whether to return the vendor's body as well, up to 16,384 bytes of each. What a vendor
        puts there is not known (unknown U321). Default: ``False``.
    :param deferrable: Whether to wait in the triggerer, where it holds no worker. Default: Airflow's
        ``[operators] default_deferrable``.
    :param poll_interval: Seconds between two looks of a deferred sensor, at least 1. Default:
        ``poke_interval`` (60), but at least 10.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :param kwargs: Arguments of every Airflow sensor, such as ``mode`` and ``soft_fail``. Without ``timeout``
        the wait ends after Airflow's ``[sensors] default_timeout``: seven days, unless configured. An expired
        ``timeout`` fails the task without a retry, or skips it with ``soft_fail``. An expired
        ``execution_timeout`` fails the try, also while the sensor is deferred.
    :return: ``events``, oldest first, one for each object that changed: ``id`` and ``date`` of the event,
        ``instance_id``, ``element``, ``notification_id``, ``object_type``, ``object_id``, ``event_type``,
        ``object_date``. The last four are ``None`` if the instance has no notification, because the platform
        then worked out no objects. And ``cursor``.
    :raises AirflowSensorTimeout: The wait took longer than ``timeout``.
    :raises AirflowTaskTimeout: The try took longer than ``execution_timeout``.
    :raises CloudElementsAuthError: The platform refuses the connection's secrets; in a deferred sensor, at
        ten looks in a row.
    :raises CloudElementsConnectionError: A field of the connection is missing or malformed.
    :raises CloudElementsValidationError: An argument is malformed, or the list has more than ``max_pages``.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id", *EventArguments.event_fields)
    told_as = "found"

    def __init__(
        self,
        *,
        since: Any = BEGIN_OF_RUN,
        until: Any = END_OF_INTERVAL,
        min_events: int = 1,
        max_events: int = 1000,
        max_bytes: int = 262_144,
        max_pages: int = MAX_PAGES,
        **kwargs: Any,
    ) -> None:
        super().__init__(since=since, until=until, **kwargs)
        self.min_events = require_count("min_events", min_events)
        self.limits = EventLimits.of(max_events=max_events, max_bytes=max_bytes, max_pages=max_pages)
        if min_events > max_events:
            raise ValueError("min_events must not be more than max_events.")

    def look(self, context: Context) -> bool | PokeReturnValue:
        """Read the list once."""
        look = EventLook(self.query(), self.cursor(), self.limits.pages, self.include_raw, until=self.end())
        batch = read_one(self.hook.get_conn().http, look)
        if len(batch.rows) < self.min_events:
            self.log.info("Found %d of %d events so far.", len(batch.rows), self.min_events)
            return False
        return PokeReturnValue(True, batch.take(self.limits)[0].as_json())

    def trigger(self, interval: float) -> BaseTrigger:
        """Return the trigger that waits for the events."""
        from airflow_provider_cloudelements.triggers.events import CloudElementsEventSensorTrigger

        until = self.end()
        return CloudElementsEventSensorTrigger(
            cloudelements_conn_id=self.cloudelements_conn_id,
            cursor=self.cursor().as_json(),
            until=None if until is None else until.isoformat(),
            min_events=self.min_events,
            **self.limits.as_arguments(),
            include_raw=self.include_raw,
            poll_interval=interval,
            **self.query().as_arguments(),
        )

    def found(self, context: Context, value: Any) -> Any:
        """Push the cursor, return the events."""
        self.log.info("There are %d events.", len(value["events"]))
        if self.do_xcom_push:  # Airflow itself applies it to the returned value only
            context["ti"].xcom_push(key=XCOM_CURSOR, value=value["cursor"])
        return value
