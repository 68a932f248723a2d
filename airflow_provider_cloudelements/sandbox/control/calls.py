"""The sandbox's own calls, under /sandbox (docs/sandbox.md). None of them shows a secret."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.errors import bad_request
from airflow_provider_cloudelements.sandbox.core.faults import read_fault
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply
from airflow_provider_cloudelements.sandbox.elements.calls import element_of
from airflow_provider_cloudelements.sandbox.elements.catalogue import find
from airflow_provider_cloudelements.sandbox.events.poller import is_polled
from airflow_provider_cloudelements.sandbox.instances.calls import instance_of
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.state import Call
from airflow_provider_cloudelements.sandbox.vendors.store import code_view


def reset(call: Call) -> Response:
    """POST /sandbox/reset: forgets instances, codes, faults, log, and changed settings."""
    call.state.reset()
    return empty_reply()


def get_settings(call: Call) -> Response:
    """GET /sandbox/settings: returns the settings that docs/sandbox.md lists, never the secrets."""
    return json_reply(asdict(call.state.behaviour))


def patch_settings(call: Call) -> Response:
    """PATCH /sandbox/settings: changes settings until the next reset."""
    try:
        call.state.behaviour = call.state.behaviour.changed(call.json_object())
    except (ValueError, TypeError) as error:
        raise bad_request(str(error)) from None
    return get_settings(call)


def list_requests(call: Call) -> Response:
    """GET /sandbox/requests?since=number: the last 10,000 API calls; ``counters`` of all since the reset."""
    since = call.value("since") or "0"
    if not since.isascii() or not since.isdigit() or len(since) > 15:
        raise bad_request("Query parameter since must be a number")
    journal = call.state.journal
    return json_reply({"requests": journal.entries(int(since)), "counters": journal.counters()})


def list_instances(call: Call) -> Response:
    """GET /sandbox/instances: lists all instances, without token and configuration."""
    return json_reply([summary_of(instance) for instance in call.state.store.all()])


def summary_of(instance: Instance) -> dict[str, Any]:
    """Return an instance without its secrets."""
    return {
        "id": instance.id,
        "name": instance.name,
        "element": instance.element.key,
        "tags": instance.tags,
        "createdDate": instance.created,
        "valid": instance.valid,
        "disabled": instance.disabled,
        "failedRefreshes": instance.failed_refreshes,
        "eventsEnabled": instance.events_enabled,
        "eventsBy": "polling" if is_polled(instance) else "webhook",
        "externalAuthentication": instance.external,
    }


def patch_instance(call: Call) -> Response:
    """PATCH /sandbox/instances/{id} {valid, disabled}: breaks or repairs it, as no API call can.

    ``valid`` false ends the session until the instance gets other credentials; true undoes that and every
    revocation.
    """
    instance, sessions = instance_of(call), call.state.sessions
    body = call.json_object()
    if not set(body) <= {"valid", "disabled"} or not all(isinstance(value, bool) for value in body.values()):
        raise bad_request("Fields are valid and disabled, each true or false")
    for name, (to_true, to_false) in {
        "valid": (sessions.restore, sessions.expire),
        "disabled": (sessions.disable, sessions.enable),
    }.items():
        if name in body:
            (to_true if body[name] else to_false)(instance)
    return json_reply(summary_of(instance))


def revoke_instance(call: Call) -> Response:
    """POST /sandbox/instances/{id}/revoke: ends its session; the vendor no longer accepts its credentials."""
    instance = instance_of(call)
    call.state.sessions.revoke(instance)
    return json_reply(summary_of(instance))


def set_vendor(call: Call) -> Response:
    """PUT /sandbox/vendors/{element} {accepted}: sets the secrets that its vendor accepts; null for any."""
    element = element_of(call)
    body = call.json_object()
    accepted = body.get("accepted")
    if set(body) != {"accepted"} or not isinstance(accepted, (list, type(None))):
        raise bad_request("Field accepted must be a list of strings or null")
    if not all(isinstance(value, str) for value in accepted or ()):
        raise bad_request("Field accepted must be a list of strings or null")
    call.state.vendor.accept_only(element, None if accepted is None else frozenset(accepted))
    for instance in call.state.store.of_element(element):
        call.state.sessions.judge(instance)
    count = None if accepted is None else len(set(accepted))
    return json_reply({"element": element.key, "key": element.rotated_key, "accepted": count})


def list_codes(call: Call) -> Response:
    """GET /sandbox/codes: lists codes by index and fingerprint, and how often each was presented."""
    lifetime = call.state.behaviour.code_lifetime
    return json_reply([code_view(code, lifetime) for code in call.state.vendor.codes()])


def mint_code(call: Call) -> Response:
    """POST /sandbox/codes {element, client_id, oauth_callback_url, scope, lifetime}: makes one directly."""
    body = call.json_object() if call.body.strip() else {}
    texts: dict[str, str | None] = {}
    for name in ("element", "client_id", "oauth_callback_url", "scope"):
        value = body.get(name)
        if value is not None and not isinstance(value, str):
            raise bad_request(f"Field {name} must be a string")
        texts[name] = value
    lifetime = body.get("lifetime")
    if lifetime is not None and (isinstance(lifetime, bool) or not isinstance(lifetime, (int, float))):
        raise bad_request("Field lifetime must be a number of seconds")
    element = find(texts["element"] or "microsoftgraph")
    if element is None or element.authentication != "oauth2":
        raise bad_request("Field element must be the key of an element with OAuth2")
    value, code = call.state.vendor.mint(
        element, texts["client_id"], texts["oauth_callback_url"], texts["scope"], lifetime
    )
    return json_reply({"code": value, "index": code.index, "fingerprint": code.fingerprint})


def list_faults(call: Call) -> Response:
    """GET /sandbox/faults: lists all rules and how often the sandbox applied each."""
    return json_reply(call.state.faults.view())


def add_fault(call: Call) -> Response:
    """POST /sandbox/faults: adds a rule for the next matching calls."""
    return json_reply(call.state.faults.add(read_fault(call.json_object())).view())


def clear_faults(call: Call) -> Response:
    """DELETE /sandbox/faults: forgets all rules."""
    call.state.faults.clear()
    return empty_reply()
