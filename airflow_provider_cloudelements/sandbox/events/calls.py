"""Handlers that read events: /instances/events and /instances/{id}/events (fact F281)."""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.errors import bad_request, not_found
from airflow_provider_cloudelements.sandbox.core.paging import (
    NEXT_PAGE_HEADER,
    RETURNED_HEADER,
    TOTAL_HEADER,
    decode_token,
    encode_token,
    page_size,
)
from airflow_provider_cloudelements.sandbox.core.web import json_reply, to_id
from airflow_provider_cloudelements.sandbox.events.views import event_view
from airflow_provider_cloudelements.sandbox.instances.calls import instance_of
from airflow_provider_cloudelements.sandbox.state import Call


def list_events(call: Call) -> Response:
    """GET /instances/events: lists all events, or those of ``instanceId``, in pages (fact F281).

    An instance that is deleted or never existed has the events that the sandbox keeps, perhaps none (C284).
    """
    text = call.value("instanceId")
    if not text:
        return _page(call, None)
    number = to_id(text)
    if number is None:
        raise bad_request("Query parameter instanceId must be a number")
    return _page(call, number)


def list_instance_events(call: Call) -> Response:
    """GET /instances/{id}/events: lists those of one instance, in pages."""
    return _page(call, instance_of(call).id)


def _page(call: Call, instance_id: int | None) -> Response:
    """Return one page of events (choice C286); without events it is ``[]`` (choice C284)."""
    state = call.state
    token = call.value("nextPage")
    page, total, after = state.events.page(
        instance_id, decode_token(token) if token else None, page_size(call, state.behaviour)
    )
    headers = {RETURNED_HEADER: str(len(page)), TOTAL_HEADER: str(total)}
    if after is not None:
        headers[NEXT_PAGE_HEADER] = encode_token(after)
    return json_reply([event_view(event, state.events.status(event)) for event in page], headers)


def get_event(call: Call) -> Response:
    """GET /instances/events/{eventId} and /instances/{id}/events/{eventId}: returns one event."""
    instance_id = instance_of(call).id if "id" in call.params else None
    event = call.state.events.get(call.params["event"])
    if event is None or (
        instance_id is not None and all(recipient.id != instance_id for recipient in event.recipients)
    ):
        raise not_found("event with this id")
    return json_reply(event_view(event, call.state.events.status(event)))
