"""The sandbox's own calls about events and deliveries, under /sandbox (docs/sandbox.md)."""

from __future__ import annotations

import time
from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.control.emission import FIELDS, Emission
from airflow_provider_cloudelements.sandbox.core.errors import bad_request, not_found
from airflow_provider_cloudelements.sandbox.core.web import json_reply
from airflow_provider_cloudelements.sandbox.elements.catalogue import find
from airflow_provider_cloudelements.sandbox.events.models import Delivery
from airflow_provider_cloudelements.sandbox.events.poller import is_polled
from airflow_provider_cloudelements.sandbox.instances.calls import instance_of
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.notifications.callbacks import origin
from airflow_provider_cloudelements.sandbox.state import Call
from airflow_provider_cloudelements.sandbox.vendors.payloads import read_content


def emit_events(call: Call) -> Response:
    """POST /sandbox/events: a vendor reports an event, by the fields of ``emit``; returns the events' ids.

    From the body's text on, the sandbox handles it like a real vendor's call.
    """
    body = call.json_object()
    targets = _targets(call, body)
    try:
        emission = Emission(**{name: body[name] for name in FIELDS if name in body})
    except ValueError as error:
        raise bad_request(str(error)) from None
    state, made, before = call.state, [], dict(call.state.events.dropped)
    for instance in targets:
        polled = is_polled(instance)
        for payload, text in emission.bodies(instance.element, time.time(), polled=polled):
            if emission.body is not None:
                payload, text = read_content("POST", "application/json", text.encode("ascii"), ())
            if state.intake.listening(instance):
                made += state.intake.receive([instance], payload, text, polled=polled)
    after = state.events.dropped
    dropped = {name: after[name] - before.get(name, 0) for name in sorted(after)}
    return json_reply(
        {
            "events": [event.id for event in made],
            "dropped": {name: count for name, count in dropped.items() if count},
        }
    )


def _targets(call: Call, body: dict[str, Any]) -> list[Instance]:
    """Return the instances in a control call's body."""
    unknown = set(body) - {"instance_id", "element", *FIELDS}
    if unknown or ("instance_id" in body) == ("element" in body):
        raise bad_request(f"Fields are instance_id or element, and {', '.join(FIELDS)}")
    if "element" in body:
        element = find(body["element"]) if isinstance(body["element"], str) else None
        if element is None:
            raise bad_request("Field element must be the key of an element")
        found = [one for one in call.state.store.of_element(element) if one.events_enabled]
        if not found:
            raise not_found("element instances with events on")
        return found
    number = body["instance_id"]
    instance = (
        None if isinstance(number, bool) or not isinstance(number, int) else call.state.store.get(number)
    )
    if instance is None:
        raise not_found("element instance with this id")
    return [instance]


def count_events(call: Call) -> Response:
    """GET /sandbox/events: counts events: ``accepted``, ``dropped`` by reason, ``kept`` and ``visible``."""
    return json_reply(call.state.events.counters())


def poll_now(call: Call) -> Response:
    """POST /sandbox/instances/{id}/poll: polls it now; returns the events' ids."""
    return json_reply({"events": [event.id for event in call.state.poller.poll(instance_of(call))]})


def list_deliveries(call: Call) -> Response:
    """GET /sandbox/deliveries: lists each with ``status``, ``attempts``, ``outcome``, callback origin."""
    return json_reply([_summary(delivery) for delivery in call.state.notifications.deliveries()])


def _summary(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery without bodies and without the secrets that a URL may hold."""
    notification, subscription = delivery.notification, delivery.subscription
    return {
        "notificationId": notification.id,
        "subscriptionId": subscription.id,
        "eventId": None if notification.event is None else notification.event.id,
        "instanceId": None if notification.recipient is None else notification.recipient.id,
        "callback": origin(subscription.url) if subscription.url else None,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "outcome": delivery.outcome,
        "active": subscription.active,
    }
