"""The shapes of notifications and events in JSON: what of them is used, and of which kinds of values.

msgspec decodes a shape straight from the bytes, and makes no object of the rest. If a value is of another
kind, the whole page or text is decoded as plain JSON, and read with patience.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import msgspec

from airflow_provider_cloudelements.client.models import parse_tags
from airflow_provider_cloudelements.client.parsing import JSON_OBJECT, dated, parse_text
from airflow_provider_cloudelements.client.wire.decoding import REFUSED, decode_as, may_skip

#: An id may be text in one place and a number in another (fact F56).
Id = str | int | None
#: An id above 0, of a Java long.
InstanceId = Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1)] | str | None
Text = str | None
Date = str | int | float | None


class Shape(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """Base of all shapes: a missing key is null, and a key that is not named is passed over."""


class ObjectShape(Shape, frozen=True, gc=False):
    """One change of one object."""

    object_id: Id = None
    object_type: Text = None
    event_type: Text = None
    date: Date = None
    poll_date: Date = None
    element_key: Text = None
    hub_key: Text = None

    @property
    def date_text(self) -> str | None:
        """Its date in ISO 8601, in UTC."""
        return dated(self.date)[1]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Take the shape from plain JSON."""
        return cls(
            body.get("objectId"),
            parse_text(body.get("objectType")),
            parse_text(body.get("eventType")),
            body.get("date"),
            body.get("pollDate"),
            parse_text(body.get("elementKey")),
            parse_text(body.get("hubKey")),
        )


class MessageShape(Shape, frozen=True, gc=False):
    """What a row needs of a notification's message."""

    event_id: str = ""
    instance_id: InstanceId = None
    other_instance_id: InstanceId = msgspec.field(default=None, name="instance_id")
    element_key: Text = None
    events: tuple[ObjectShape, ...] | None = None
    instance_tags: tuple[str, ...] | None = None


class NotificationShape(Shape, frozen=True, gc=False):
    """What a row needs of a notification."""

    message: MessageShape
    id: Text = None


class WholeMessageShape(MessageShape, frozen=True, gc=False):
    """The message of a notification."""

    instance_name: Text = None
    raw: Any = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Take the shape from plain JSON."""
        return cls(
            body.get("eventId", ""),
            body.get("instanceId"),
            body.get("instance_id"),
            parse_text(body.get("elementKey")),
            tuple([ObjectShape.of(each) for each in objects_in(body.get("events"))]),
            parse_tags(body.get("instanceTags")),
            parse_text(body.get("instanceName")),
            body.get("raw"),
        )


class WholeNotificationShape(Shape, frozen=True, gc=False):
    """A notification."""

    message: WholeMessageShape
    id: Text = None
    topic: Text = None
    created_date: Date = None


class ConcernedShape(Shape, frozen=True, gc=False):
    """An instance that an event concerns, and what was told of it: a notification as text."""

    element_instance_id: InstanceId = None
    notified_data: Text = None


class EventShape(Shape, frozen=True, gc=False):
    """What a row needs of an event in a list."""

    id: str
    event_date: Date = None
    status: Text = None
    notified_data: tuple[NotificationShape, ...] | None = None
    event_element_instances: tuple[ConcernedShape, ...] | None = None


_WHOLE_NOTIFICATION = msgspec.json.Decoder(WholeNotificationShape)
_NOTIFICATION = msgspec.json.Decoder(NotificationShape)
_PAGE = msgspec.json.Decoder(list[EventShape])


def read_page(content: bytes) -> list[EventShape] | Any:
    """Decode a page of events: to shapes if all of it has them, else to plain JSON.

    :raises ValueError: It is not JSON.
    :raises RecursionError: It is nested too deeply.
    """
    return decode_as(_PAGE, content)


def read_notification(text: str) -> NotificationShape | None:
    """Decode what a row needs of a notification that is text; ``None`` if the text is something else."""
    if not may_skip(text):
        return None
    try:
        return _NOTIFICATION.decode(text)
    except REFUSED:
        return None


def read_whole_notification(content: bytes) -> WholeNotificationShape | Any:
    """Decode a notification, else plain JSON. It raises as :func:`read_page` does."""
    return decode_as(_WHOLE_NOTIFICATION, content)


def objects_in(value: Any) -> list[Mapping[str, Any]]:
    """Return the JSON objects of a list; none if it is no list."""
    return [each for each in value if isinstance(each, JSON_OBJECT)] if isinstance(value, list) else []
