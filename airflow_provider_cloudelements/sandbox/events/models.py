"""Events, their notifications and deliveries: what is remembered of each.

In one module, since they name each other: an event its notifications, a notification its event and its
deliveries, a delivery what is brought to whom.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cloudelements.sandbox.elements.catalogue import Element

#: Who makes the notifications of events.
SENDER = "notifications@cloud-elements.com"
#: So many objects at most in one notification (fact F251).
POLLED_BATCH, WEBHOOK_BATCH = 10, 20


@dataclass(frozen=True, slots=True)
class Recipient:
    """An instance as it was when an event came.

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
    :param id: 20 characters, url-safe (UC).
    :param recipients: whose event it is.
    :param polled: whether a poller brought it.
    :param text: the vendor's body.
    :param first: which of the body's objects are its own: from this one
    :param last: to the one before this.
    :param arrived: when it came, in seconds since 1970.
    :param begun: the same on the monotonic clock.
    :param settled: when it has its last status, on the monotonic clock.
    :param place: rises with each event that becomes visible; 0 until it is.
    :param notifications: what was made of it.
    :param gone: whether it was forgotten.
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
        """The element whose vendor brought it."""
        return self.recipients[0].element


@dataclass(slots=True, eq=False)
class Subscription:
    """Who wants the notifications of some topics, and where.

    :param id: a number.
    :param channel: webhook, email, sms or push.
    :param topics: exact names.
    :param config: ``{"url": ...}`` for a webhook.
    :param created: seconds since 1970.
    :param instance_id: of the instance that it belongs to, or None.
    :param active: False after the last failure: what comes meanwhile is queued.
    :param replaced: whether its instance has another callback now: nothing new comes to it.
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
        """Where it is called."""
        return str(self.config.get("url") or "")


@dataclass(slots=True, eq=False)
class Notification:
    """One notification.

    :param id: a number; text in the envelope (facts F247, F262).
    :param topic: what it is about.
    :param created: seconds since 1970.
    :param event: the event that it tells of, or None.
    :param recipient: whose event it is.
    :param first: which of the body's objects it lists: from this one
    :param last: to the one before this.
    :param message: what its maker said, without an event.
    :param sender: who made it.
    :param severity: low, medium or high.
    :param acknowledged: whether somebody said so.
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
    """One notification on its way to one subscriber.

    :param number: rises with each delivery.
    :param notification: what is brought.
    :param subscription: to whom.
    :param status: how far it is.
    :param updated: when that changed last, in seconds since 1970.
    :param attempts: how often it was tried since it was made or released.
    :param outcome: what came of the last try, in words without secrets.
    :param waiting: rises with everything that makes an earlier plan void.
    :param gone: whether notification or subscription were removed.
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
