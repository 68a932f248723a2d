"""Handlers of /instances, its id-less twins and /elements/{keyOrId}/instances (facts F8, F161 to F192)."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.account.store import check_account
from airflow_provider_cloudelements.sandbox.core.errors import ApiError, bad_request, not_found
from airflow_provider_cloudelements.sandbox.core.paging import cut_page
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply
from airflow_provider_cloudelements.sandbox.elements.calls import element_of
from airflow_provider_cloudelements.sandbox.instances.discovery_calls import object_rows
from airflow_provider_cloudelements.sandbox.instances.fields import read_debug, read_element, read_flag
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.instances.views import instance_view
from airflow_provider_cloudelements.sandbox.settings import TRACE_DURATION_UNIT
from airflow_provider_cloudelements.sandbox.state import Call

#: What a short row of a list leaves out (unknown U167).
_NOT_IN_SHORT_ROWS = {"configuration", "disabled", "provisionInteractions"}
#: A trace-logging duration from this number on has no end.
_NO_END = 10**12


def instance_of(call: Call) -> Instance:
    """Return the instance in the path, or for an id-less twin the instance of the Element token.

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
    """POST /instances and /elements/{keyOrId}/instances: creates one and returns all of it (F161, F163)."""
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
        # The objects with their origin (fact F191). The field's name is choice C170.
        view["objects"] = object_rows(instance.element)
    return json_reply(view)


def get_trace(call: Call) -> Response:
    """GET /elements/{key}/trace/{Elements-Trace-Id}: returns how a create authenticated (fact F136)."""
    view = call.state.traces.view(call.params["trace"], element_of(call))
    if view is None:
        raise not_found("trace with this id")
    return json_reply(view)


def get_instance(call: Call) -> Response:
    """GET /instances/{id} and its element-scoped twin: returns one instance (fact F192)."""
    return shown(call, instance_of(call))


def put_instance(call: Call) -> Response:
    """PUT /instances/{id} and its twins: replaces the instance; a new code authenticates it again."""
    instance = instance_of(call)
    call.state.provisioning.update(
        instance, call.json_object(), authenticate=call.flag("reAuthenticate", True)
    )
    return shown(call, instance)


def patch_instance(call: Call) -> Response:
    """PATCH /instances/{id} and its id-less twin: changes the fields that the body names."""
    instance = instance_of(call)
    call.state.provisioning.update(instance, call.json_object())
    return shown(call, instance)


def delete_instance(call: Call) -> Response:
    """DELETE /instances/{id} and its twins: deletes the instance; 200 and no body (facts F58, F185)."""
    instance = instance_of(call)
    call.state.store.remove(instance)
    call.state.sessions.forget(instance)
    call.state.notifications.forget_instance(instance)
    return empty_reply()


def enable_instance(call: Call) -> Response:
    """PUT /instances/{id}/enabled and its id-less twin: lets calls through (fact F187, choice C164)."""
    call.state.sessions.enable(instance_of(call))
    return empty_reply()


def disable_instance(call: Call) -> Response:
    """DELETE /instances/{id}/enabled and its id-less twin: refuses calls with 403."""
    call.state.sessions.disable(instance_of(call))
    return empty_reply()


def start_trace_logging(call: Call) -> Response:
    """PUT /instances/{id}/trace-logging and its twin: starts trace logging; ``duration`` ends it (F190)."""
    instance = instance_of(call)
    duration = call.json_object().get("duration") if call.body.strip() else None
    if duration is None:
        instance.trace_until = math.inf
        return empty_reply()
    if isinstance(duration, bool) or not isinstance(duration, (int, float)) or duration < 0:
        raise bad_request("Field duration must be a number, not below 0")
    # A number too big for a float means no end.
    seconds = duration * TRACE_DURATION_UNIT if duration < _NO_END else math.inf
    instance.trace_until = time.monotonic() + seconds
    return empty_reply()


def stop_trace_logging(call: Call) -> Response:
    """DELETE /instances/{id}/trace-logging and its id-less twin: stops trace logging."""
    instance_of(call).trace_until = 0.0
    return empty_reply()


def list_instances(call: Call) -> Response:
    """GET /instances: lists instances, with ``tags[]``, ``searchText``, ``hydrate`` and pages (fact F175).

    A filter without a match returns 404 (fact F53). For an empty list without a filter the settings decide
    (unknown U44). searchText matches a part of the name and ignores case (fact F176, choice C165).
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
    return _page(call, found, descending=behaviour.order == "descending")


def list_element_instances(call: Call) -> Response:
    """GET /elements/{keyOrId}/instances: lists an element's instances; 404 when it has none (fact F53).

    It has no filters (fact F178), so tags[] and searchText do nothing here. Pages work as elsewhere (C167).
    """
    found = call.state.store.of_element(element_of(call))
    if not found:
        raise not_found("element instances")
    return _page(call, found)


def _page(call: Call, found: Sequence[Instance], *, descending: bool = False) -> Response:
    """Return one page of instances."""
    behaviour = call.state.behaviour
    hydrate = call.flag("hydrate", True)
    page, headers = cut_page(call, behaviour, found, lambda instance: instance.id, descending=descending)
    rows = [instance_view(instance, behaviour, hydrate=hydrate) for instance in page]
    if behaviour.list_rows == "short":
        rows = [{key: row[key] for key in row if key not in _NOT_IN_SHORT_ROWS} for row in rows]
    return json_reply(rows, headers)


def count_instances(call: Call) -> Response:
    """GET /instances/count: counts the instances, in all and by element (fact F179; rows: choice C168)."""
    counts = call.state.store.elements()
    rows = [{"elementKey": key, "count": count} for key, count in counts.items()]
    return json_reply({"totalInstances": sum(counts.values()), "elementInstances": rows})


def list_account_instances(call: Call) -> Response:
    """GET /accounts/instances and /accounts/{id}/instances: returns the same list (fact F180)."""
    if "id" in call.params:
        check_account(call.number("id"))
    return list_instances(call)
