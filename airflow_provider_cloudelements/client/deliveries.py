"""The deliveries of notifications: the queued ones, and the account's policy for those that fail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pendulum

from airflow_provider_cloudelements.client.arguments import one_of
from airflow_provider_cloudelements.client.notifications import id_text
from airflow_provider_cloudelements.client.parsing import (
    optional_id,
    parse_bool,
    parse_date,
    parse_object,
    parse_text,
    parse_word,
)
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.client.wire.listing import readable
from airflow_provider_cloudelements.exceptions import (
    CloudElementsServerError,
    CloudElementsValidationError,
)

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi
    from airflow_provider_cloudelements.client.target import Target

__all__ = ["DeliveriesApi", "Delivery", "Subscription"]

#: Policies for a delivery that fails: the platform sends it again a few times, or keeps it (fact F255).
POLICIES = ("retry", "queue")
#: Key of the account's setting (facts F255, F258).
POLICY_SETTING = "notification.webhook.failure.policy"

#: Status of a delivery that its receiver took, and of one that waits for its release (fact F263).
DELIVERED, QUEUED = "delivered", "queued"
#: Subscriptions on other channels (email, SMS, push: fact F261) are not ours.
WEBHOOK = "webhook"

_NOTIFICATIONS = "/notifications"
_SUBSCRIPTIONS = f"{_NOTIFICATIONS}/subscriptions"
_DELIVERIES = f"{_SUBSCRIPTIONS}/deliveries"
_SETTINGS = "/accounts/settings"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver one notification to one subscriber (fact F263).

    :param notification_id: Id of the notification.
    :param subscription_id: Id of the subscription.
    :param status: ``created``, ``delivered``, ``notified``, ``retry``, ``queued``, or an undocumented
        word; in lower case.
    :param created_date: When it was made, in UTC.
    :param updated_date: When its status last changed, in UTC.
    :param instance_id: Id of the instance whose events the notification tells; ``None`` if the row shows no
        notification, or one of another topic.
    """

    notification_id: str | None
    subscription_id: str | None
    status: str
    created_date: pendulum.DateTime | None = None
    updated_date: pendulum.DateTime | None = None
    instance_id: int | None = None

    @classmethod
    def parse(cls, body: Any) -> Delivery:
        """Read a delivery.

        :raises CloudElementsServerError: The body is no delivery.
        """
        data = parse_object(body, "delivery")
        return cls(
            notification_id=id_text(data.get("notificationId")),
            subscription_id=id_text(data.get("subscriptionId")),
            status=parse_word(data.get("status")),
            created_date=parse_date(data.get("createdDate")),
            updated_date=parse_date(data.get("updatedDate")),
            instance_id=_instance_shown(data.get("notification")),
        )


@dataclass(frozen=True, slots=True)
class Subscription:
    """The subscription of one receiver to the notifications of some topics (fact F261).

    :param id: Its id.
    :param channel: ``webhook``, or a channel over which the platform posts nothing; in lower case.
    :param topics: Topics of the notifications, such as ``instance-12-microsoftgraph-events``.
    :param url: Address of the receiver. Never in ``repr``: it may hold a secret.
    :param active: Whether the platform sends to it. After the last failed retry it does not (fact F257).
    """

    id: str | None
    channel: str
    topics: tuple[str, ...] = ()
    url: str | None = field(default=None, repr=False)
    active: bool = True

    @classmethod
    def parse(cls, body: Any) -> Subscription:
        """Read a subscription.

        :raises CloudElementsServerError: The body is no subscription.
        """
        data = parse_object(body, "subscription")
        topics, config = data.get("topics"), data.get("config")
        return cls(
            id=id_text(data.get("id")),
            channel=parse_word(data.get("channel")),
            topics=tuple(each for each in topics if isinstance(each, str))
            if isinstance(topics, list)
            else (),
            url=parse_text(config.get("url")) if isinstance(config, Mapping) else None,
            active=parse_bool(data.get("active"), True),
        )

    @property
    def instance_ids(self) -> frozenset[int]:
        """Ids of the instances that its topics name."""
        ids = map(_instance_of_topic, self.topics)
        return frozenset(each for each in ids if each is not None)


#: The topic of an instance's events (fact F253).
_TOPIC = re.compile(r"instance-(\d+)-")


def _instance_of_topic(topic: str) -> int | None:
    found = _TOPIC.match(topic)
    return None if found is None else optional_id(found.group(1))


def _instance_shown(notification: Any) -> int | None:
    """Return the instance of a notification that a row of a list shows (fact F264)."""
    topic = notification.get("topic") if isinstance(notification, Mapping) else None
    return _instance_of_topic(topic) if isinstance(topic, str) else None


class DeliveriesApi:
    """Deliveries of one account, and its policy for those that fail.

    :param http: Sends the calls.
    """

    def __init__(self, http: HttpSession) -> None:
        self._http = http

    def queued(self, callback_url: str) -> Iterator[Delivery]:
        """Yield the deliveries that wait in the queue of a callback URL.

        :param callback_url: The URL, as the instances have it.
        :raises CloudElementsValidationError: The platform's query language cannot express the URL.
        """
        query = {"where": _where(callback_url, QUEUED)}
        rows = self._http.list_items(_DELIVERIES, params=query)
        for delivery in readable(rows, Delivery.parse, "deliveries"):
            # How well the platform heeds the condition is not known (unknown U244), so the client checks
            # it again.
            if delivery.status == QUEUED:
                yield delivery

    def queued_pages(self) -> Iterator[list[Delivery]]:
        """Yield the queued deliveries to all receivers, with their instances, a page at a time.

        A page may be empty although others follow, if the platform does not heed the condition (unknown
        U244).
        """
        query = {"where": f"channel='{WEBHOOK}' and status='{QUEUED}'", "hydrate": "true"}
        for page in self._http.list_pages(_DELIVERIES, params=query):
            found = readable(page, Delivery.parse, "deliveries")
            yield [each for each in found if each.status == QUEUED]

    def waiting(self, callback_url: str, newest: pendulum.DateTime | None) -> bool:
        """Say whether a released delivery still waits for the platform to send it.

        A delivery that fails again may return to the queue (fact F257). Only its date shows the attempt.

        :param callback_url: The URL, as the instances have it.
        :param newest: Date of the last change of the newest released delivery. A queued delivery with a later
            date has failed again. ``None``: not known, so that every queued delivery counts as waiting.
        :raises CloudElementsValidationError: The platform's query language cannot express the URL.
        """
        return any(
            newest is None or each.updated_date is None or each.updated_date <= newest
            for each in self.queued(callback_url)
        )

    def pages(self, callback_url: str) -> Iterator[list[Delivery]]:
        """Yield the deliveries to a callback URL, of any status, a page at a time.

        Their order, how long the platform keeps them, and whether it heeds the condition are not known
        (unknown U244): compare with :meth:`subscriptions`.

        :param callback_url: The URL, as the instances have it.
        :raises CloudElementsValidationError: The platform's query language cannot express the URL.
        """
        for page in self._http.list_pages(_DELIVERIES, params={"where": _where(callback_url)}):
            yield list(readable(page, Delivery.parse, "deliveries"))

    def of_notification(self, notification_id: str) -> list[Delivery]:
        """Return the deliveries of one notification, one for each subscription (fact F265).

        :param notification_id: Its id, as a :class:`~.notifications.Notification` has it.
        :return: The deliveries; an empty list if there is no such notification, or no longer.
        :raises CloudElementsValidationError: The id is not a number, as a notification's id is (fact F262).
        """
        if not (isinstance(notification_id, str) and notification_id.isascii() and notification_id.isdigit()):
            raise CloudElementsValidationError("notification_id must be digits.")
        path = f"{_NOTIFICATIONS}/{quote(notification_id)}/subscriptions/deliveries"
        return list(readable(self._http.list_items(path), Delivery.parse, "deliveries"))

    def subscriptions(self, callback_url: str) -> list[Subscription]:
        """Return the subscriptions of a receiver: each instance with a callback has one (fact F209).

        :param callback_url: The URL, as the instances have it.
        """
        found = readable(self._http.list_items(_SUBSCRIPTIONS), Subscription.parse, "subscriptions")
        return [each for each in found if each.channel == WEBHOOK and each.url == callback_url]

    def release(self, callback_url: str) -> None:
        """Make the platform send a callback URL's queue again, and reactivate its subscription (fact F264).

        :param callback_url: The URL, as the instances have it.
        :raises CloudElementsValidationError: The platform's query language cannot express the URL.
        """
        self._http.send("PUT", _DELIVERIES, params={"where": _where(callback_url, QUEUED)})

    def policy(self) -> str | None:
        """Return the account's policy for deliveries that fail; ``None`` if the settings hold none."""
        return _policy_in(self._http.send("GET", _SETTINGS).body)

    def set_policy(self, policy: str) -> None:
        """Set the account's policy for deliveries that fail.

        :param policy: ``retry`` or ``queue``.
        :raises CloudElementsValidationError: The policy is another word.
        :raises CloudElementsServerError: Reading back shows another policy.
        """
        one_of("policy", policy, POLICIES)
        self._http.send("PATCH", _SETTINGS, body={POLICY_SETTING: policy}, repeatable=True)
        if (shown := self.policy()) != policy:
            raise CloudElementsServerError(
                f"The platform accepted the policy {policy!r}, but reading back shows {shown!r}."
            )


def callback_url_of(target: Target, instances: InstancesApi) -> str:
    """Return the URL to which the platform delivers an instance's events.

    :param target: The instance.
    :param instances: The account's instances, for the look-up.
    :raises CloudElementsValidationError: The instance has no callback URL.
    :raises CloudElementsError: The look-up failed, or there is no such instance.
    """
    instance = target.get(instances)
    if not instance.event_callback_url:
        raise CloudElementsValidationError(
            f"Instance {instance.id} has no callback URL, so the platform delivers its events nowhere."
        )
    return instance.event_callback_url


def _where(callback_url: str, status: str | None = None) -> str:
    # Values stand in single quotes (fact F325). How to write a quote in a value here is not known (U243).
    if (
        not isinstance(callback_url, str)
        or not callback_url
        or "'" in callback_url
        or not callback_url.isprintable()
    ):
        raise CloudElementsValidationError(
            "callback_url must be the address of a receiver, without single quotes and control characters."
        )
    # The conditions have the order of the vendor's own tests (fact F264).
    only = "" if status is None else f"status='{status}' and "
    return f"channel='{WEBHOOK}' and {only}config.url='{callback_url}'"


def _policy_in(settings: Any) -> str | None:
    value = settings.get(POLICY_SETTING) if isinstance(settings, Mapping) else None
    return value.strip().lower() if isinstance(value, str) else None
