"""Notifications, their subscriptions and their deliveries (facts F251 to F263).

An event becomes a notification when a subscription to its instance's topic exists. An instance with a
callback gets a subscription by itself (fact F209). Each notification has one delivery for each matching
subscription, from the moment it exists (fact F262).
"""

from __future__ import annotations

import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from airflow_provider_cloudelements.sandbox.account.store import QUEUE
from airflow_provider_cloudelements.sandbox.core.agenda import Agenda
from airflow_provider_cloudelements.sandbox.elements.catalogue import CALLBACK_URL
from airflow_provider_cloudelements.sandbox.events.models import (
    POLLED_BATCH,
    WEBHOOK_BATCH,
    Delivery,
    Event,
    Notification,
    Recipient,
    Subscription,
)
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.settings import Behaviour

WEBHOOK = "webhook"
CHANNELS = (WEBHOOK, "email", "sms", "push")
SEVERITIES = ("low", "medium", "high")

#: A delivery's status (fact F263).
CREATED, DELIVERED, NOTIFIED, RETRYING, QUEUED = "created", "delivered", "notified", "retry", "queued"


#: Most notifications that the API has created: more push the oldest out (C244). Those of events go with
#: their event.
KEPT_OWN = 10_000

_FIRST_NOTIFICATION_ID, _FIRST_SUBSCRIPTION_ID = 1_496_771, 8_301
#: The longest pause in seconds (about 31 years), whatever the settings multiply to.
_LONGEST_PAUSE = 1e9


class Notifications:
    """All notifications, subscriptions and deliveries.

    :param behaviour: returns the sandbox's current settings.
    :param agenda: runs the retries of failed deliveries at their time.
    :param policy: returns the account's current policy for failed deliveries.
    :param recipient: returns an instance as an event would name it.
    :param send: sends a delivery and reports its outcome: succeeded, failed or skipped.
    """

    def __init__(
        self,
        behaviour: Callable[[], Behaviour],
        agenda: Agenda,
        policy: Callable[[], object],
        recipient: Callable[[Instance], Recipient],
        send: Callable[[Delivery], None],
    ) -> None:
        self._behaviour = behaviour
        self._agenda = agenda
        self._policy = policy
        self._recipient = recipient
        self._send = send
        self._notification_ids = itertools.count(_FIRST_NOTIFICATION_ID)
        self._subscription_ids = itertools.count(_FIRST_SUBSCRIPTION_ID)
        self._delivery_numbers = itertools.count(1)
        self.clear()

    def clear(self) -> None:
        """Forget everything. Ids continue."""
        self._notifications: dict[int, Notification] = {}
        self._by_topic: dict[str, dict[int, Notification]] = {}
        self._own: deque[Notification] = deque()
        self._subscriptions: dict[int, Subscription] = {}
        self._subscribers: dict[str, dict[int, Subscription]] = {}
        self._of_instance: dict[int, Subscription] = {}
        #: Replaced ones too, by the instance and then by the subscription's id.
        self._all_of_instance: dict[int, dict[int, Subscription]] = {}

    # Subscriptions

    def subscribe(
        self, channel: str, topics: list[str], config: dict[str, Any], instance_id: int | None = None
    ) -> Subscription:
        """Keep a new subscription.

        :param channel: one of :data:`CHANNELS`.
        :param topics: exact names.
        :param config: the channel's own fields.
        :param instance_id: id of the instance that it belongs to, or None.
        """
        subscription = Subscription(
            next(self._subscription_ids), channel, topics, config, time.time(), instance_id
        )
        self._subscriptions[subscription.id] = subscription
        if instance_id is not None:
            self._all_of_instance.setdefault(instance_id, {})[subscription.id] = subscription
        for topic in topics:
            self._subscribers.setdefault(topic, {})[subscription.id] = subscription
        return subscription

    def subscription(self, number: int | None) -> Subscription | None:
        """Return a subscription.

        :param number: its id, or None for a text that is no id.
        """
        return None if number is None else self._subscriptions.get(number)

    def subscriptions(self) -> list[Subscription]:
        """Return all subscriptions in ascending order of id."""
        return list(self._subscriptions.values())

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a subscription and stop its deliveries (choice C252).

        :param subscription: the subscription.
        """
        del self._subscriptions[subscription.id]
        self._stop(subscription)
        if subscription.instance_id is not None:
            self._forget_owner(subscription, subscription.instance_id)
        for topic in subscription.topics:
            for notification in self._by_topic.get(topic, {}).values():
                for delivery in notification.deliveries:
                    delivery.gone = delivery.gone or delivery.subscription is subscription
                notification.deliveries = [row for row in notification.deliveries if not row.gone]

    def _forget_owner(self, subscription: Subscription, instance_id: int) -> None:
        """Take a subscription from the instance that it belongs to."""
        if self._of_instance.get(instance_id) is subscription:
            del self._of_instance[instance_id]
        held = self._all_of_instance[instance_id]
        del held[subscription.id]
        if not held:
            del self._all_of_instance[instance_id]

    def _stop(self, subscription: Subscription) -> None:
        """Send no new notification to a subscription."""
        for topic in subscription.topics:
            subscribers = self._subscribers.get(topic, {})
            subscribers.pop(subscription.id, None)
            if not subscribers:
                self._subscribers.pop(topic, None)

    def follow(self, instance: Instance) -> None:
        """Give an instance the subscription that its callback requires (fact F209).

        Another callback makes another subscription. The previous one stays in the list, inactive, so that a
        client can still release its queued deliveries (choice C246).

        :param instance: the instance, after any change to it.
        """
        url = instance.configuration.get(CALLBACK_URL)
        topic = self._recipient(instance).topic
        before = self._of_instance.get(instance.id)
        if before is not None and before.url == url and before.topics == [topic]:
            return
        if before is not None:
            self._stop(before)
            before.active, before.replaced = False, True
            del self._of_instance[instance.id]
        # One documented sample has the word false for "none" (fact F207).
        if url and url != "false":
            self._of_instance[instance.id] = self.subscribe(WEBHOOK, [topic], {"url": url}, instance.id)

    def forget_instance(self, instance: Instance) -> None:
        """Remove the subscriptions of a deleted instance (choice C253); its events stay (choice C285).

        :param instance: the instance.
        """
        for subscription in list(self._all_of_instance.get(instance.id, {}).values()):
            self.unsubscribe(subscription)

    # Notifications

    def tell(self, event: Event) -> None:
        """Make the notifications of an event, for every instance whose topic has a subscription.

        :param event: the event; each notification holds a batch of its objects.
        """
        if event.gone:
            return
        size = POLLED_BATCH if event.polled else WEBHOOK_BATCH
        made: list[Notification] = []
        for recipient in event.recipients:
            if recipient.topic not in self._subscribers:
                continue
            for first in range(event.first, event.last, size):
                last = min(first + size, event.last)
                notification = Notification(
                    next(self._notification_ids),
                    recipient.topic,
                    time.time(),
                    event,
                    recipient,
                    first,
                    last,
                )
                made.append(notification)
        event.notifications = tuple(made)
        for notification in made:
            self._keep(notification)

    def publish(self, topic: str, severity: str, message: Any, sender: str) -> Notification:
        """Make a notification without an event.

        :param topic: its topic.
        :param severity: one of :data:`SEVERITIES`.
        :param message: its content.
        :param sender: the value of its field from.
        """
        notification = Notification(
            next(self._notification_ids),
            topic,
            time.time(),
            message=message,
            sender=sender,
            severity=severity,
        )
        self._own.append(notification)
        self._keep(notification)
        while len(self._own) > KEPT_OWN:
            self.remove(self._own[0])
        return notification

    def _keep(self, notification: Notification) -> None:
        """Keep a notification and send it to every subscription of its topic."""
        self._notifications[notification.id] = notification
        self._by_topic.setdefault(notification.topic, {})[notification.id] = notification
        for subscription in list(self._subscribers.get(notification.topic, {}).values()):
            delivery = Delivery(
                next(self._delivery_numbers), notification, subscription, CREATED, notification.created
            )
            notification.deliveries.append(delivery)
            if not subscription.active:
                self._set(delivery, QUEUED, "the subscription is not active")
            elif subscription.channel == WEBHOOK:
                self._send(delivery)
            else:  # choice C245
                self._set(delivery, NOTIFIED, "nothing is sent over this channel")

    def get(self, number: int | None) -> Notification | None:
        """Return a notification.

        :param number: its id, or None for a text that is no id.
        """
        return None if number is None else self._notifications.get(number)

    def of_topics(self, topics: Iterable[str]) -> list[Notification]:
        """Return the notifications of some topics in ascending order of id.

        :param topics: exact names.
        """
        found: dict[int, Notification] = {}
        for topic in topics:
            found.update(self._by_topic.get(topic, {}))
        return [found[number] for number in sorted(found)]

    def deliveries(self) -> list[Delivery]:
        """Return all deliveries in ascending order of number."""
        return [delivery for one in self._notifications.values() for delivery in one.deliveries]

    def remove(self, notification: Notification) -> None:
        """Forget a notification and its deliveries.

        :param notification: the notification.
        """
        if self._notifications.pop(notification.id, None) is None:
            return
        rows = self._by_topic[notification.topic]
        del rows[notification.id]
        if not rows:
            del self._by_topic[notification.topic]
        for delivery in notification.deliveries:
            delivery.gone = True
        if notification.event is None:
            self._own.remove(notification)

    def forget_event(self, event: Event) -> None:
        """Forget the notifications of an event.

        :param event: the event, which the sandbox forgets too.
        """
        for notification in event.notifications:
            self.remove(notification)

    # Deliveries

    def _set(self, delivery: Delivery, status: str, outcome: str) -> None:
        """Set the status and outcome of a delivery, with the time."""
        delivery.status, delivery.outcome, delivery.updated = status, outcome, time.time()

    def skipped(self, delivery: Delivery, outcome: str) -> None:
        """Note that the courier does not attempt a delivery.

        :param delivery: the delivery; its status stays the same.
        :param outcome: the reason.
        """
        self._set(delivery, delivery.status, outcome)

    def succeeded(self, delivery: Delivery, outcome: str) -> None:
        """Note that a receiver accepted a delivery.

        :param delivery: the delivery.
        :param outcome: the receiver's answer in words.
        """
        delivery.attempts += 1
        self._set(delivery, DELIVERED, outcome)

    def failed(self, delivery: Delivery, outcome: str) -> None:
        """Apply the account's policy to a failed delivery (facts F255 to F257).

        Under ``queue`` the delivery waits until a client releases it. Under ``retry`` the sandbox tries it
        again, after a longer pause each time. After the last failure the sandbox switches the subscription
        off, and the delivery waits in the queue, too (C247).

        :param delivery: the delivery.
        :param outcome: the error in words.
        """
        behaviour = self._behaviour()
        delivery.attempts += 1
        subscription = delivery.subscription
        if self._policy() == QUEUE or not subscription.active:
            self._set(delivery, QUEUED, outcome)
        elif delivery.attempts <= behaviour.retry_count:
            self._set(delivery, RETRYING, outcome)
            delivery.waiting += 1
            plan = delivery.waiting
            pause = _power(behaviour.retry_base, behaviour.retry_exponent * delivery.attempts)
            moment = time.monotonic() + min(pause * behaviour.time_factor, _LONGEST_PAUSE)
            self._agenda.at(moment, lambda: self._try_again(delivery, plan))
        else:
            self._set(delivery, QUEUED, outcome)
            subscription.active = False

    def _try_again(self, delivery: Delivery, plan: int) -> None:
        """Send a delivery again when its retry is due."""
        if delivery.gone or delivery.waiting != plan:
            return
        if delivery.subscription.active:
            self._send(delivery)
        else:
            self._set(delivery, QUEUED, delivery.outcome)

    def release(self, deliveries: Iterable[Delivery]) -> None:
        """Send queued deliveries again and switch their subscriptions on (fact F264, choice C248).

        :param deliveries: the deliveries; it sends only those that are queued or wait for a retry.
        """
        for delivery in deliveries:
            subscription = delivery.subscription
            if not subscription.replaced:
                subscription.active = True
            if delivery.status in (QUEUED, RETRYING):
                delivery.attempts = 0
                delivery.waiting += 1
                self._send(delivery)


def _power(base: float, exponent: float) -> float:
    """Return base ^ exponent, or infinity."""
    try:
        return float(base**exponent)
    except OverflowError:
        return math.inf
