"""Handlers of /instances, its id-less twins and /elements/{keyOrId}/instances (facts F8, F161 to F192)."""

from __future__ import annotations

import math
import time
from collections import Counter

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.account.store import check_account
from airflow_provider_cloudelements.sandbox.core.errors import ApiError, bad_request, not_found
from airflow_provider_cloudelements.sandbox.core.paging import cut_page
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply
from airflow_provider_cloudelements.sandbox.elements.calls import element_of
from airflow_provider_cloudelements.sandbox.instances.fields import read_debug, read_element, read_flag
from airflow_provider_cloudelements.sandbox.instances.resource_calls import object_rows
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.instances.views import instance_view
from airflow_provider_cloudelements.sandbox.settings import TRACE_DURATION_UNIT
from airflow_provider_cloudelements.sandbox.state import Call

#: A longer trace-logging duration has no end.
_NO_END = 10**12


def instance_of(call: Call) -> Instance:
    """Return the instance that a call is about: the path's, or the Element token's for an id-less twin.

    :param call: the request.
    """
    if "id" not in call.params:
        if call.instance is None:
            raise RuntimeError("an id-less twin was routed without its token")
        return call.instance
    instance = call.state.store.get(call.number("id"))
    if instance is None or ("element" in call.params and instance.element is not element_of(call)):
        raise not_found("element instance with this id")
    return instance


def shown(call: Call, instance: Instance) -> Response:
    """Return one instance as the answer.

    :param call: the request.
    :param instance: the instance.
    """
    return json_reply(instance_view(instance, call.state.behaviour))


def create_instance(call: Call) -> Response:
    """POST /instances and POST /elements/{keyOrId}/instances: 200 with the whole object (F161, F163)."""
    body = call.json_object()
    # The path's element wins over the body's (choice C172).
    element = element_of(call) if "element" in call.params else read_element(body)
    if element is None:
        raise bad_request("Missing required field element.key")
    retrieve, debug = read_flag(body, "retrieveObjectsAfterInstantiation"), read_debug(body)
    try:
        instance = call.state.provisioning.create(element, body)
    except ApiError as error:
        if debug and error.provider_message is not None:
            call.state.traces.note(call.trace_id, element, error)
        raise
    if debug:
        call.state.traces.note(call.trace_id, element)
    view = instance_view(instance, call.state.behaviour)
    if retrieve:
        # The objects with their origin (fact F191); the field's name is choice C170.
        view["objects"] = object_rows(instance.element)
    return json_reply(view)


def get_trace(call: Call) -> Response:
    """GET /elements/{key}/trace/{Elements-Trace-Id}: how a create authenticated (fact F136)."""
    view = call.state.traces.view(call.params["trace"], element_of(call))
    if view is None:
        raise not_found("trace with this id")
    return json_reply(view)


def get_instance(call: Call) -> Response:
    """GET /instances/{id} and its element-scoped twin (fact F192)."""
    return shown(call, instance_of(call))


def put_instance(call: Call) -> Response:
    """PUT /instances/{id} and its twins."""
    instance = instance_of(call)
    call.state.provisioning.update(
        instance, call.json_object(), authenticate=call.flag("reAuthenticate", True)
    )
    return shown(call, instance)


def patch_instance(call: Call) -> Response:
    """PATCH /instances/{id} and its id-less twin."""
    instance = instance_of(call)
    call.state.provisioning.update(instance, call.json_object())
    return shown(call, instance)


def delete_instance(call: Call) -> Response:
    """DELETE /instances/{id} and its twins: 200 and no body (facts F58, F185)."""
    instance = instance_of(call)
    call.state.store.remove(instance)
    call.state.sessions.forget(instance)
    call.state.notifications.forget_instance(instance)
    return empty_reply()


def enable_instance(call: Call) -> Response:
    """PUT /instances/{id}/enabled and its id-less twin (fact F187, choice C164)."""
    call.state.sessions.enable(instance_of(call))
    return empty_reply()


def disable_instance(call: Call) -> Response:
    """DELETE /instances/{id}/enabled and its id-less twin."""
    call.state.sessions.disable(instance_of(call))
    return empty_reply()


def start_trace_logging(call: Call) -> Response:
    """PUT /instances/{id}/trace-logging and its id-less twin; ``duration`` ends it by itself (fact F190)."""
    instance = instance_of(call)
    duration = call.json_object().get("duration") if call.body.strip() else None
    if duration is None:
        instance.trace_until = math.inf
        return empty_reply()
    if isinstance(duration, bool) or not isinstance(duration, (int, float)) or duration < 0:
        raise bad_request("Field duration must be a number, not below 0")
    # Whoever sends a number too big for a float wants no end.
    seconds = duration * TRACE_DURATION_UNIT if duration < _NO_END else math.inf
    instance.trace_until = time.monotonic() + seconds
    return empty_reply()


def stop_trace_logging(call: Call) -> Response:
    """DELETE /instances/{id}/trace-logging and its id-less twin."""
    instance_of(call).trace_until = 0.0
    return empty_reply()


def list_instances(call: Call) -> Response:
    """GET /instances: tags[], searchText, hydrate, pageSize, nextPage (fact F175).

    With a filter and no match it is 404 (fact F53); without a filter the settings decide (unknown U44).
    searchText is a part of the name, in any case (fact F176, choice C165).
    """
    behaviour = call.state.behaviour
    tags = [tag for tag in call.values("tags[]") if tag]
    text = (call.value("searchText") or "").lower()
    store = call.state.store
    found = store.tagged(tags, behaviour.tags_match == "all") if tags else store.all()
    if text:
        found = [instance for instance in found if text in instance.name.lower()]
    if not found and (tags or text or behaviour.empty_list == "missing"):
        raise not_found("element instances")
    descending = behaviour.order == "descending"
    if descending:
        found.reverse()
    return _page(call, found, descending=descending)


def list_element_instances(call: Call) -> Response:
    """GET /elements/{keyOrId}/instances: 404 when there are none (fact F53).

    It has no filters (fact F178), so tags[] and searchText do nothing here; pages are as elsewhere (C167).
    """
    element = element_of(call)
    found = [instance for instance in call.state.store.all() if instance.element is element]
    if not found:
        raise not_found("element instances")
    return _page(call, found)


def _page(call: Call, found: list[Instance], *, descending: bool = False) -> Response:
    """Return one page of instances."""
    behaviour = call.state.behaviour
    hydrate = call.flag("hydrate", True)
    page, headers = cut_page(call, behaviour, found, lambda instance: instance.id, descending=descending)
    return json_reply([instance_view(instance, behaviour, hydrate=hydrate) for instance in page], headers)


def count_instances(call: Call) -> Response:
    """GET /instances/count: {totalInstances, elementInstances[]} (fact F179; its rows are choice C168)."""
    counts = Counter(instance.element.key for instance in call.state.store.all())
    rows = [{"elementKey": key, "count": count} for key, count in sorted(counts.items())]
    return json_reply({"totalInstances": sum(counts.values()), "elementInstances": rows})


def list_account_instances(call: Call) -> Response:
    """GET /accounts/instances and /accounts/{id}/instances: the same objects (fact F180)."""
    if "id" in call.params:
        check_account(call.number("id"))
    return list_instances(call)
