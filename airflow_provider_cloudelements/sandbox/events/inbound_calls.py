"""Handlers of /events/{elementKey}[/{base64 of an instance id}], which vendors call (fact F213).

They check no Authorization. If no instance takes a body, they drop it and answer 200 nevertheless (choice
C201): no document says otherwise, and another answer would not help a vendor.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.auth import ELEMENT, Access, authorize
from airflow_provider_cloudelements.sandbox.core.errors import not_found
from airflow_provider_cloudelements.sandbox.core.router import Handler
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, to_id
from airflow_provider_cloudelements.sandbox.elements.catalogue import Element, find
from airflow_provider_cloudelements.sandbox.instances.resource_calls import get_record
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.settings import POLLING_SUFFIX
from airflow_provider_cloudelements.sandbox.state import Call
from airflow_provider_cloudelements.sandbox.vendors.payloads import read_content

#: Fields of a body or query that may hold the instance's id. On the platform each element names its own in
#: event.notification.instance.finder (fact F214); here they are the same for all elements (choice C204).
_FINDERS = ("instance_id", "instanceId")


def receive_event(call: Call) -> Response:
    """POST, GET /events/{elementKey}[/{base64 of id}]: returns 200, even for a dropped body (F222, C202)."""
    key = call.params["element"]
    element, polled = find(key), False
    if element is None and key.endswith(POLLING_SUFFIX):
        element, polled = find(key.removesuffix(POLLING_SUFFIX)), True
    if element is None:
        return _resource(call, key)
    handshake = call.value("validationToken")
    if element.key == "microsoftgraph" and call.method == "POST" and handshake is not None:
        # Microsoft tests an address with this, and expects the text back (fact F224).
        return Response(handshake.encode("utf-8", "replace"), 200, None, "text/plain")
    payload, text = read_content(call.method, call.headers.get("content-type", ""), call.body, call.query)
    targets = _targets(call, element, payload)
    if targets:
        call.state.intake.receive(targets, payload, text, polled=polled)
    return empty_reply()


def _resource(call: Call, record: str) -> Response:
    """Answer a key that is no element's: it may be a record of the resource named events (choice C211)."""
    if call.method != "GET" or ELEMENT not in call.words or "instance" in call.params:
        raise not_found("element with this key")
    call.instance = authorize(Access.RESOURCE, call.words, call.state.settings, call.state.store)
    call.params = {"object": "events", "record": record}
    return get_record(call)


def as_record(handler: Handler) -> Handler:
    """Return a handler for /events/{id} that acts on a record of the resource events.

    :param handler: of any resource's records.
    """

    def answer(call: Call) -> Response:
        """Answer as the vendor's resource ``events``: a record's id stands in place of the element's key."""
        call.params = {"object": "events", "record": call.params["element"]}
        return handler(call)

    return answer


def drop_oversize(call: Call) -> Response:
    """Drop a body over 8 MB and answer without an error (fact F217).

    :param call: the request, without its body.
    """
    call.state.events.drop("too_big")
    return empty_reply()


def _targets(call: Call, element: Element, payload: Any) -> list[Instance]:
    """Return the instances that a call is for, and count those that take no events."""
    state = call.state
    ids = _ids(call, payload)
    if not ids:
        state.events.drop("no_instance_named")
    found: list[Instance] = []
    for number in dict.fromkeys(ids):
        instance = state.store.get(number)
        if instance is None or instance.element is not element:
            state.events.drop("unknown_instance")
        elif state.intake.listening(instance):
            found.append(instance)
    return found


def _ids(call: Call, payload: Any) -> list[int | None]:
    """Return the ids in a call, with None for a malformed one; the first place with a value counts (C203).

    The places: path, header Element-Instances, header Id, and a field of query or body (fact F214).
    """
    if "instance" in call.params:
        return [_decoded(call.params["instance"])]
    for header in ("element-instances", "id"):
        value = call.headers.get(header)
        if value:
            return [to_id(part.strip()) for part in value.split(",")]
    for name in _FINDERS:
        given: Any = call.value(name)
        if given is None and isinstance(payload, dict):
            given = payload.get(name)
        if given is not None and given != "":
            whole = isinstance(given, int) and not isinstance(given, bool) and abs(given) < 10**18
            return [to_id(str(given).strip()) if whole or isinstance(given, str) else None]
    return []


def _decoded(part: str) -> int | None:
    """Return the id in the last part of the path: base64 of its decimal digits."""
    text = part.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        return to_id(plain.decode("ascii"))
    except (binascii.Error, ValueError):
        return None
