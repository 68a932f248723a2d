"""Handlers of /notifications: notifications, subscriptions and deliveries (facts F259 to F265)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.ceql import parse_where
from airflow_provider_cloudelements.sandbox.core.errors import bad_request, not_found
from airflow_provider_cloudelements.sandbox.core.paging import cut_page
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply, to_id
from airflow_provider_cloudelements.sandbox.events.models import SENDER, Delivery, Notification, Subscription
from airflow_provider_cloudelements.sandbox.notifications.store import CHANNELS, SEVERITIES, WEBHOOK
from airflow_provider_cloudelements.sandbox.notifications.views import (
    delivery_view,
    notification_view,
    subscription_view,
)
from airflow_provider_cloudelements.sandbox.state import Call

_DEFAULT_SEVERITY = "medium"


def _object(call: Call) -> dict[str, Any]:
    """Return the body, which must be an object. Raise 400 for an empty one (fact F259)."""
    body = call.json_object()
    if not body:
        raise bad_request("The body must not be empty")
    return body


def _word(body: dict[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    """Return a field that allows a few words: the default for a missing one (C244), 400 for a wrong one."""
    value = body.get(name)
    if value is None:
        return default
    if value not in allowed:
        raise bad_request(f"Field {name} must be one of {', '.join(allowed)}")
    return str(value)


def create_notification(call: Call) -> Response:
    """POST /notifications {severity, topic, message, from}: creates one; 400 without a topic (fact F259)."""
    body = _object(call)
    topic, sender = body.get("topic"), body.get("from")
    if not isinstance(topic, str) or not topic:
        raise bad_request("Missing required field topic")
    if not isinstance(sender, (str, type(None))):
        raise bad_request("Field from must be a string")
    message = body.get("message")
    notification = call.state.notifications.publish(
        topic,
        _word(body, "severity", SEVERITIES, _DEFAULT_SEVERITY),
        "" if message is None else message,
        sender or SENDER,
    )
    return json_reply(notification_view(notification))


def list_notifications(call: Call) -> Response:
    """GET /notifications?topics[]=...: lists those of topics, none if unknown; 400 without one (F260)."""
    topics = [topic for topic in call.values("topics[]") if topic]
    if not topics:
        raise bad_request("Query parameter topics[] is required")
    found = call.state.notifications.of_topics(topics)
    page, headers = cut_page(call, call.state.behaviour, found, lambda notification: notification.id)
    return json_reply([notification_view(notification) for notification in page], headers)


def _notification(call: Call) -> Notification:
    """Return the notification in the path, or raise 404."""
    notification = call.state.notifications.get(call.number("notification"))
    if notification is None:
        raise not_found("notification with this id")
    return notification


def get_notification(call: Call) -> Response:
    """GET /notifications/{id}: returns one notification."""
    return json_reply(notification_view(_notification(call)))


def delete_notification(call: Call) -> Response:
    """DELETE /notifications/{id}: deletes the notification and stops its deliveries (choice C252)."""
    call.state.notifications.remove(_notification(call))
    return empty_reply()


def acknowledge(call: Call) -> Response:
    """PUT /notifications/{id}/acknowledge: acknowledges the notification and returns it (choice C252)."""
    notification = _notification(call)
    notification.acknowledged = True
    return json_reply(notification_view(notification))


def create_subscription(call: Call) -> Response:
    """POST /notifications/subscriptions {channel, topics[], config{url}}: subscribes a URL (fact F261)."""
    body = _object(call)
    channel = _word(body, "channel", CHANNELS, WEBHOOK)
    topics, config = body.get("topics"), body.get("config")
    if not isinstance(topics, list) or not topics or not all(isinstance(one, str) and one for one in topics):
        raise bad_request("Field topics must be a list of strings")
    if not isinstance(config, (dict, type(None))):
        raise bad_request("Field config must be an object")
    url = (config or {}).get("url")
    if not isinstance(url, (str, type(None))) or (channel == WEBHOOK and not url):
        raise bad_request("Field config.url must be an address")
    subscription = call.state.notifications.subscribe(channel, list(dict.fromkeys(topics)), config or {})
    return json_reply(subscription_view(subscription))


def list_subscriptions(call: Call) -> Response:
    """GET /notifications/subscriptions: lists the subscriptions, those of instances too (fact F209)."""
    found = call.state.notifications.subscriptions()
    page, headers = cut_page(call, call.state.behaviour, found, lambda subscription: subscription.id)
    return json_reply([subscription_view(subscription) for subscription in page], headers)


def _subscription(call: Call) -> Subscription:
    """Return the subscription in the path, or raise 404."""
    subscription = call.state.notifications.subscription(call.number("subscription"))
    if subscription is None:
        raise not_found("subscription with this id")
    return subscription


def get_subscription(call: Call) -> Response:
    """GET /notifications/subscriptions/{id}: returns one subscription."""
    return json_reply(subscription_view(_subscription(call)))


def delete_subscription(call: Call) -> Response:
    """DELETE /notifications/subscriptions/{id}: deletes the subscription; 200 and no body (choice C252)."""
    call.state.notifications.unsubscribe(_subscription(call))
    return empty_reply()


def get_delivery(call: Call) -> Response:
    """GET /notifications/{nid}/subscriptions/{sid}/deliveries: returns one delivery (fact F265)."""
    wanted = to_id(call.params["subscription"])
    for delivery in _notification(call).deliveries:
        if delivery.subscription.id == wanted:
            return json_reply(delivery_view(delivery, hydrate=call.flag("hydrate", False)))
    raise not_found("delivery of this notification to this subscription")


def list_notification_deliveries(call: Call) -> Response:
    """GET /notifications/{nid}/subscriptions/deliveries: lists the deliveries of a notification."""
    return _page(call, list(_notification(call).deliveries))


def list_deliveries(call: Call) -> Response:
    """GET /notifications/subscriptions/deliveries?where=...: lists the matching ones, or all (F264, C249)."""
    return _page(call, _matching(call))


def release_deliveries(call: Call) -> Response:
    """PUT /notifications/subscriptions/deliveries?where=...: sends the queued ones again (fact F264).

    It returns the deliveries that match. Without a where it returns 400 (choice C248).
    """
    if not call.value("where"):
        raise bad_request("Query parameter where is required")
    found = _matching(call)
    call.state.notifications.release(found)
    return _page(call, found)


def _matching(call: Call) -> list[Delivery]:
    """Return the deliveries that match ``where``, over fields of delivery, subscription and notification."""
    found = call.state.notifications.deliveries()
    where = call.value("where")
    if not where:
        return found
    predicate = parse_where(where)
    return [delivery for delivery in found if predicate(_record(delivery))]


def _record(delivery: Delivery) -> dict[str, Any]:
    """Return the fields of a delivery that ``where`` may name (choice C250)."""
    subscription, notification = delivery.subscription, delivery.notification
    return {
        "notificationId": notification.id,
        "subscriptionId": subscription.id,
        "status": delivery.status,
        "channel": subscription.channel,
        "config": subscription.config,
        "topic": notification.topic,
        "severity": notification.severity,
        "active": subscription.active,
    }


def _page(call: Call, found: list[Delivery]) -> Response:
    """Return one page of deliveries."""
    hydrate = call.flag("hydrate", False)
    page, headers = cut_page(call, call.state.behaviour, found, lambda delivery: delivery.number)
    return json_reply([delivery_view(delivery, hydrate=hydrate) for delivery in page], headers)
