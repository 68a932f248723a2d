"""Notifications, subscriptions and deliveries as the API shows them (facts F259, F262, F263)."""

from __future__ import annotations

from typing import Any

from airflow_provider_cloudelements.sandbox.core.dates import iso
from airflow_provider_cloudelements.sandbox.events.models import Delivery, Notification, Subscription
from airflow_provider_cloudelements.sandbox.events.views import message_of


def notification_view(notification: Notification) -> dict[str, Any]:
    """Return a notification as the API shows it: its id a number, its date ISO (facts F259, F262).

    :param notification: the notification.
    """
    return {
        "id": notification.id,
        "from": notification.sender,
        "topic": notification.topic,
        "severity": notification.severity,
        "message": message_of(notification),
        "createdDate": iso(notification.created),
        "active": True,
        "acknowledged": notification.acknowledged,
    }


def subscription_view(subscription: Subscription) -> dict[str, Any]:
    """Return a subscription as the API shows it.

    :param subscription: the subscription.
    """
    return {
        "id": subscription.id,
        "channel": subscription.channel,
        "topics": subscription.topics,
        "config": subscription.config,
        "createdDate": iso(subscription.created),
        "active": subscription.active,
    }


def delivery_view(delivery: Delivery, *, hydrate: bool) -> dict[str, Any]:
    """Return a delivery as the API shows it (fact F263).

    :param delivery: the delivery.
    :param hydrate: whether to embed notification and subscription.
    """
    view: dict[str, Any] = {
        "notificationId": delivery.notification.id,
        "subscriptionId": delivery.subscription.id,
        "status": delivery.status,
        "createdDate": iso(delivery.notification.created),
        "updatedDate": iso(delivery.updated),
    }
    if hydrate:
        view["notification"] = notification_view(delivery.notification)
        view["subscription"] = subscription_view(delivery.subscription)
    return view
