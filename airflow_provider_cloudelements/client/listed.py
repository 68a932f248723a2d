"""An event of a list in short form: what a reading makes rows of, straight from the bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import pendulum

from airflow_provider_cloudelements.client.notifications import (
    EARLY,
    EVENT_TYPES,
    Event,
    Notification,
    ObjectEvent,
    told_in,
    word,
)
from airflow_provider_cloudelements.client.parsing import dated, instance_id_of, optional_id
from airflow_provider_cloudelements.client.shapes import (
    EventShape,
    NotificationShape,
    ObjectShape,
    read_notification,
)
from airflow_provider_cloudelements.exceptions import CloudElementsServerError


class ShortNotification(msgspec.Struct, frozen=True, gc=False):
    """What rows need of a :class:`~.notifications.Notification` of one object, under the same names."""

    instance_id: int | None
    id: str | None
    element_key: str | None
    events: tuple[ObjectShape, ...]
    instance_tags: tuple[str, ...]
    raw: ClassVar[None] = None


AnyObject = ObjectEvent | ObjectShape
AnyNotification = Notification | ShortNotification


class ListedEvent(msgspec.Struct, frozen=True, gc=False):
    """What a reading needs of an :class:`~.notifications.Event`, under the same names."""

    id: str
    date: pendulum.DateTime | None
    date_text: str | None
    settled: bool
    notifications: Sequence[AnyNotification]
    instance_ids: tuple[int, ...]
    provider_data: ClassVar[None] = None

    @classmethod
    def of(cls, shape: EventShape, instance_id: int | None = None) -> ListedEvent:
        """Read an event from its shape.

        :param shape: The event's shape.
        :param instance_id: The instance whose list it is, if it is not the account's.
        :raises CloudElementsServerError: The event has no id.
        """
        event_id = shape.id.strip()
        if not event_id:
            raise CloudElementsServerError("The platform's answer holds no id of the event.")
        date, text = dated(shape.event_date)
        told = _told(shape)
        short = _short(told[0]) if len(told) == 1 else None
        notifications = told_in(told) if short is None else (short,)
        known = _instances(shape, notifications)
        if not known and instance_id is not None:
            known = (instance_id_of(instance_id),)
        settled = bool(notifications) or word(shape.status) not in EARLY
        return cls(event_id, date, text, settled, notifications, known)


AnyEvent = Event | ListedEvent


def _told(shape: EventShape) -> Sequence[Any]:
    """Return what was told of an event: shapes of notifications, and texts that are of no such shape."""
    objects = shape.notified_data or ()
    more: list[Any] = []
    for number, each in enumerate(shape.event_element_instances or ()):
        text = each.notified_data
        if text is None:
            continue
        again = read_notification(text)
        # The platform sends each notification twice: as an object, and as a text of JSON.
        if again is None or number >= len(objects) or again != objects[number]:
            more.append(again or text)
    return [*objects, *more] if more else objects


def _instances(shape: EventShape, told: Sequence[AnyNotification]) -> tuple[int, ...]:
    """Return the ids of the instances that an event concerns, each once."""
    concerned = shape.event_element_instances or ()
    if (
        len(concerned) == len(told) == 1
        and concerned[0].element_instance_id == told[0].instance_id is not None
    ):
        return (told[0].instance_id,)  # most events: one instance, named twice
    ids = [optional_id(each.element_instance_id) for each in concerned]
    ids += [each.instance_id for each in told]
    return tuple({each: None for each in ids if each is not None})


def _short(told: Any) -> ShortNotification | None:
    """Return the short form of a notification; ``None`` if it needs the rules for unusual values.

    One object needs no comparison with others, and so no reading of its dates.
    """
    if not isinstance(told, NotificationShape):
        return None
    message, number = told.message, told.id
    if message.events is None or len(message.events) != 1:
        return None
    one = message.events[0]
    instance_id = message.instance_id or message.other_instance_id
    if (
        one.event_type not in EVENT_TYPES
        or one.object_type is None
        or isinstance(instance_id, str)
        or not isinstance(one.object_id, str)
        # An id without white space around it, and not empty.
        or one.object_id.strip() != one.object_id
        or not message.event_id.strip()
        or (number is not None and (not number or number.strip() != number))
    ):
        return None
    return ShortNotification(
        instance_id, number, message.element_key, message.events, message.instance_tags or ()
    )
