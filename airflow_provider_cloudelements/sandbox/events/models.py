"""The records of events, their notifications and their deliveries.

They share a module because they refer to each other: an event to its notifications, a notification to its
event and its deliveries, a delivery to its notification and its subscription.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cloudelements.sandbox.elements.catalogue import Element

#: The sender of the notifications of events.
SENDER = "notifications@cloud-elements.com"
#: The most objects in one notification (fact F251).
POLLED_BATCH, WEBHOOK_BATCH = 10, 20


@dataclass(frozen=True, slots=True)
class Recipient:
    """An instance as it was when an event arrived.

    :param id: the instance's id.
    :param element: its element.
    :param name: its name.
    :param tags: its tags.
    """

    id: int
    element: Element
    name: str
    tags: list[str]

    @property
    def topic(self) -> str:
        """The topic of its event notifications (fact F253)."""
        return f"instance-{self.id}-{self.element.key}-events"


@dataclass(slots=True, eq=False)
class Event:
    """One event.

    :param number: rises with each event.
    :param id: 20 characters, url-safe (fact F249).
    :param recipients: the instances that it belongs to.
    :param polled: whether a poller fetched it.
    :param text: the vendor's body.
    :param first: index of the first of the body's objects that are its own,
    :param last: index after the last.
    :param arrived: when it arrived, in seconds since 1970.
    :param begun: the same on the monotonic clock.
    :param settled: when it has its last status, on the monotonic clock.
    :param place: rises with each event that becomes visible; 0 before that.
    :param notifications: its notifications.
    :param gone: whether the sandbox forgot it.
    """

    number: int
    id: str
    recipients: tuple[Recipient, ...]
    polled: bool
    text: str = field(repr=False)
    first: int
    last: int
    arrived: float
    begun: float
    settled: float
    place: int = 0
    notifications: tuple[Notification, ...] = ()
    gone: bool = False

    @property
    def element(self) -> Element:
        """The element whose vendor sent it."""
        return self.recipients[0].element


@dataclass(slots=True, eq=False)
class Subscription:
    """A receiver of the notifications of some topics.

    :param id: a number.
    :param channel: webhook, email, sms or push.
    :param topics: exact names.
    :param config: ``{"url": ...}`` for a webhook.
    :param created: seconds since 1970.
    :param instance_id: id of the instance that it belongs to, or None.
    :param active: False after the last failure: the platform then queues further notifications.
    :param replaced: whether its instance has another callback now: it gets no new notifications.
    """

    id: int
    channel: str
    topics: list[str]
    config: dict[str, Any]
    created: float
    instance_id: int | None = None
    active: bool = True
    replaced: bool = False

    @property
    def url(self) -> str:
        """The address of its receiver."""
        return str(self.config.get("url") or "")


@dataclass(slots=True, eq=False)
class Notification:
    """One notification.

    :param id: a number; text in the envelope (facts F247, F262).
    :param topic: its topic.
    :param created: seconds since 1970.
    :param event: the event that it reports, or None.
    :param recipient: the instance of the event.
    :param first: index of the first of the body's objects that it lists,
    :param last: index after the last.
    :param message: its message, if it has no event.
    :param sender: its sender.
    :param severity: low, medium or high.
    :param acknowledged: whether a caller acknowledged it.
    :param deliveries: one for each matching subscription.
    """

    id: int
    topic: str
    created: float
    event: Event | None = None
    recipient: Recipient | None = None
    first: int = 0
    last: int = 0
    message: Any = None
    sender: str = SENDER
    severity: str = "medium"
    acknowledged: bool = False
    deliveries: list[Delivery] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Delivery:
    """One notification on its way to one subscription.

    :param number: rises with each delivery.
    :param notification: the notification.
    :param subscription: the subscription.
    :param status: its status.
    :param updated: when its status changed last, in seconds since 1970.
    :param attempts: number of tries since it was made or released.
    :param outcome: result of the last try, in words without secrets.
    :param waiting: rises with every change that makes an earlier plan void.
    :param gone: whether its notification or subscription was removed.
    """

    number: int
    notification: Notification
    subscription: Subscription
    status: str
    updated: float
    attempts: int = 0
    outcome: str = ""
    waiting: int = 0
    gone: bool = False
