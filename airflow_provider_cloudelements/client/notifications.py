"""The models of events: the notification that the platform delivers, and the event that it lists.

The same models serve both. A notification has two shapes. Real payloads have ``message`` (fact F247).
An older shape, which is still documented, has ``response`` (fact F252).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pendulum

from airflow_provider_cloudelements.client.frozen import maker
from airflow_provider_cloudelements.client.parsing import (
    JSON_OBJECT,
    date_text,
    optional_id,
    parse_date,
    parse_object,
    parse_text,
)
from airflow_provider_cloudelements.client.shapes import (
    NotificationShape,
    ObjectShape,
    WholeMessageShape,
    WholeNotificationShape,
    objects_in,
    read_whole_notification,
)
from airflow_provider_cloudelements.client.wire.decoding import decode
from airflow_provider_cloudelements.exceptions import CloudElementsServerError

__all__ = ["EVENT_TYPES", "Event", "Notification", "ObjectEvent"]

#: The platform's word for a change whose kind it does not know. It is legal (fact F218).
UNKNOWN = "UNKNOWN"
#: The documented kinds of change (fact F218).
EVENT_TYPES = frozenset({"CREATED", "UPDATED", "DELETED", UNKNOWN})

#: States of an event that the platform has not worked out.
EARLY = frozenset({"NEW", "RECEIVED"})
#: Longer numbers are no ids: a Java long has 19 digits.
_NO_ID = 10**20
#: How deep lists and JSON texts may nest: more than two of each make no sense.
_MOST_WRAPPINGS = 4


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """One change of one object at the vendor: the fields that are alike for every vendor.

    :param object_id: Id of the object at the vendor. It may be composite, such as ``2|0``.
    :param object_type: Kind of object, such as ``events``, as the element names it.
    :param event_type: ``CREATED``, ``UPDATED``, ``DELETED``, ``UNKNOWN`` or an undocumented word; in
        upper case.
    :param date: When it happened, in UTC; ``None`` if the platform does not say.
    :param poll_date: When the platform found it. Only polled elements have it.
    :param element_key: Key of the element.
    :param hub_key: Key of the element's hub.
    """

    object_id: str
    object_type: str
    event_type: str = UNKNOWN
    date: pendulum.DateTime | None = None
    poll_date: pendulum.DateTime | None = None
    element_key: str | None = None
    hub_key: str | None = None

    @property
    def date_text(self) -> str | None:
        """:attr:`date` in ISO 8601."""
        return date_text(self.date)

    def __hash__(self) -> int:
        """Hash the most distinctive fields: hashing a date costs more than all the rest."""
        return hash((self.object_id, self.object_type, self.event_type))

    @classmethod
    def parse(cls, body: Any, element_key: str | None = None) -> ObjectEvent | None:
        """Read one event of a notification.

        :param body: The event's JSON.
        :param element_key: The element of the notification, used if the event names none.
        :return: The event; ``None`` if the body is no event. One bad event is no reason to lose the rest.
        """
        return cls.of(ObjectShape.of(body), element_key) if isinstance(body, JSON_OBJECT) else None

    @classmethod
    def of(cls, shape: ObjectShape, element_key: str | None = None) -> ObjectEvent:
        """Read one event of a notification from its shape. See :meth:`parse`."""
        make = _make_object if cls is ObjectEvent else cls
        return make(
            id_text(shape.object_id) or "",
            shape.object_type or "",
            word(shape.event_type) or UNKNOWN,
            parse_date(shape.date),
            parse_date(shape.poll_date),
            shape.element_key or element_key,
            shape.hub_key,
        )

    @classmethod
    def parse_older(cls, body: Any, element_key: str | None = None) -> ObjectEvent | None:
        """Read an event of the older shape: ``path`` and ``metadata`` (fact F252).

        Its ``type`` may be a kind of object or a kind of change (unknown U246).
        """
        if not isinstance(body, Mapping):
            return None
        metadata = body.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        path = parse_text(body.get("path")) or parse_text(metadata.get("path"))
        kind = parse_text(metadata.get("type")) or ""
        change = word(kind)
        if change in EVENT_TYPES:
            return cls(path or "", "", change, element_key=element_key)
        return cls(path or "", kind, element_key=element_key)


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification that the platform delivered, or would have delivered.

    :param event_id: Id of the event. A repeated delivery has the same id and the same body. The deliveries of
        one event for several instances have the same id and different bodies. The signature does not protect
        from replay (fact F245).
    :param instance_id: The instance.
    :param element_key: Key of its element.
    :param events: The changes, at most 20 of a webhook and 10 of a poll (fact F251).
    :param id: Id of the notification.
    :param topic: Its topic, such as ``instance-12-microsoftgraph-events``.
    :param instance_name: Name of the instance.
    :param instance_tags: Its tags.
    :param created_date: When it was made, in UTC.
    :param raw: The vendor's own body. If the platform splits a large body into several notifications, each of
        them has all of it: it is not the list of this notification's events. Never in ``repr``: its content
        is not known (U321). Comparison ignores it, since it may be of any type and any depth.
    """

    event_id: str
    instance_id: int | None
    element_key: str | None = None
    events: tuple[ObjectEvent, ...] = ()
    id: str | None = None
    topic: str | None = None
    instance_name: str | None = None
    instance_tags: tuple[str, ...] = ()
    created_date: pendulum.DateTime | None = None
    raw: Any = field(default=None, repr=False, compare=False)

    def __hash__(self) -> int:
        """Hash the most distinctive fields."""
        return hash((self.event_id, self.instance_id, self.id))

    @classmethod
    def parse(cls, body: Any) -> Notification:
        """Read a notification of either shape.

        :param body: The body of a delivery, as bytes or as parsed JSON; or its ``message`` alone. Bytes take
            less time than ``json.loads`` would take alone.
        :raises CloudElementsServerError: The body is no notification.
        """
        if isinstance(body, bytes):
            body = _decoded(body)
        if isinstance(body, NotificationShape | WholeNotificationShape):
            return cls._of(body)
        data = parse_object(body, "notification")
        message = _from_json(data.get("message"))
        if not isinstance(message, JSON_OBJECT):
            if isinstance(data.get("response"), Mapping):
                return cls._parse_older(data, data["response"])
            message = data
        return cls._of(
            WholeNotificationShape(
                WholeMessageShape.of(message),
                data.get("id"),
                parse_text(data.get("topic")),
                data.get("createdDate"),
            )
        )

    @classmethod
    def _of(cls, shape: NotificationShape | WholeNotificationShape) -> Notification:
        message = shape.message
        event_id = id_text(message.event_id)
        if not event_id:
            raise CloudElementsServerError("The notification holds no eventId.")
        element_key = message.element_key
        instance_id = optional_id(message.instance_id) or optional_id(message.other_instance_id)
        events = tuple([ObjectEvent.of(each, element_key) for each in message.events or ()])
        tags = message.instance_tags or ()
        if not isinstance(shape, WholeNotificationShape):
            return cls(event_id, instance_id, element_key, events, id_text(shape.id), instance_tags=tags)
        make = _make_notification if cls is Notification else cls
        return make(
            event_id,
            instance_id,
            element_key,
            events,
            id_text(shape.id),
            shape.topic,
            shape.message.instance_name,
            tags,
            parse_date(shape.created_date),
            shape.message.raw,
        )

    @classmethod
    def _parse_older(cls, data: Mapping[str, Any], response: Mapping[str, Any]) -> Notification:
        event_id = id_text(data.get("eventId"))
        if not event_id:
            raise CloudElementsServerError("The notification holds no eventId.")
        return cls(
            event_id=event_id,
            instance_id=optional_id(data.get("instanceId")),
            events=tuple(
                [
                    event
                    for each in objects_in(response.get("events"))
                    if (event := ObjectEvent.parse_older(each)) is not None
                ]
            ),
            id=id_text(data.get("notificationId")),
            raw=response,
        )


_make_object = maker(ObjectEvent)
_make_notification = maker(Notification)


@dataclass(frozen=True, slots=True)
class Event:
    """An event as the platform lists it (facts F281 to F283).

    :param id: Its id; a delivered notification has it as ``event_id``.
    :param date: When the platform took it in, in UTC.
    :param status: ``NEW``, ``RECEIVED``, ``DISPATCHED``, ``CONSUMED``, ``NOTIFIED`` or an undocumented
        word; in upper case.
    :param notifications: The notifications that the platform delivered, or would have delivered.
    :param instance_ids: Ids of the instances that it concerns.
    :param provider_data: The vendor's body, as text. Never in ``repr``.
    """

    id: str
    date: pendulum.DateTime | None = None
    status: str = ""
    notifications: tuple[Notification, ...] = ()
    instance_ids: tuple[int, ...] = ()
    provider_data: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, body: Any) -> Event:
        """Read an item of ``GET /instances/events``.

        :raises CloudElementsServerError: The body is no event, or has no id.
        """
        data = parse_object(body, "event")
        event_id = id_text(data.get("id"))
        if not event_id:
            raise CloudElementsServerError("The platform's answer holds no id of the event.")
        concerned = objects_in(data.get("eventElementInstances"))
        notifications = told_in([data.get("notifiedData"), *(each.get("notifiedData") for each in concerned)])
        ids = [optional_id(each.get("elementInstanceId")) for each in concerned]
        ids += [each.instance_id for each in notifications]
        return cls(
            id=event_id,
            date=parse_date(data.get("eventDate")),
            status=word(data.get("status")),
            notifications=notifications,
            instance_ids=tuple(dict.fromkeys(each for each in ids if each is not None)),
            provider_data=_as_text(data.get("providerData")),
        )

    @property
    def date_text(self) -> str | None:
        """:attr:`date` in ISO 8601."""
        return date_text(self.date)

    @property
    def objects(self) -> tuple[ObjectEvent, ...]:
        """The changes, each once; empty until the platform has worked them out."""
        return tuple(dict.fromkeys(event for each in self.notifications for event in each.events))

    @property
    def settled(self) -> bool:
        """Whether the platform has worked it out: it is past the early states, or has notifications."""
        return self.status not in EARLY or bool(self.notifications)


def id_text(value: Any) -> str | None:
    """Read an id that is a text in one place and a number in another (fact F56)."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if -_NO_ID < value < _NO_ID else None
    return None


def told_in(told: Iterable[Any]) -> tuple[Notification, ...]:
    """Return the readable notifications of a list, each once.

    :param told: Notifications and lists of them, each as an object, as a text of JSON, or as its shape.
    """
    return tuple(dict.fromkeys(_notifications(list(told))))


def _notifications(told: Any, wrappings: int = _MOST_WRAPPINGS) -> Iterator[Notification]:
    """Yield the readable notifications of an object, of a JSON text, or of a list of either."""
    told = _from_json(told)
    if isinstance(told, list):
        if wrappings:
            for each in told:
                yield from _notifications(each, wrappings - 1)
        return
    try:
        notification = Notification.parse(told)
    except CloudElementsServerError:
        return  # an unreadable notification is no reason to lose the event
    yield notification


def _from_json(value: Any) -> Any:
    """Return the value of a JSON text, and anything else as it is."""
    if isinstance(value, str):
        try:
            return decode(value)
        except (ValueError, RecursionError):
            pass  # a text that is not JSON
    return value


def _decoded(body: bytes) -> Any:
    try:
        return read_whole_notification(body)
    except (ValueError, RecursionError):
        pass  # raised below, outside the handler: the decoder's error holds the text
    raise CloudElementsServerError("The notification is not JSON.")


def _as_text(value: Any) -> str | None:
    """Return a vendor's body as text. In the platform's schema it is a text."""
    if value is None or isinstance(value, str):
        return value
    try:
        return json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None


def word(value: Any) -> str:
    """Read a word of the platform's, in capitals; empty if it is missing."""
    if isinstance(value, str) and value in EVENT_TYPES:
        return value
    return (parse_text(value) or "").strip().upper()
