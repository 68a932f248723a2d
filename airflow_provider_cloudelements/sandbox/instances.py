"""Handlers of /instances, its id-less twins and /elements/{keyOrId}/instances (dossier 4.1)."""

from __future__ import annotations

from collections import Counter

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.accounts import ACCOUNT
from airflow_provider_cloudelements.sandbox.catalogue import Element, find
from airflow_provider_cloudelements.sandbox.errors import ApiError, bad_request, not_found
from airflow_provider_cloudelements.sandbox.paging import cut_page
from airflow_provider_cloudelements.sandbox.provisioning import create, update
from airflow_provider_cloudelements.sandbox.settings import API_PREFIX
from airflow_provider_cloudelements.sandbox.store import Instance
from airflow_provider_cloudelements.sandbox.views import instance_view
from airflow_provider_cloudelements.sandbox.web import Call, empty_reply, json_reply


def element_of(call: Call) -> Element:
    """Return the element of the path, or raise 404.

    :param call: the request.
    """
    element = find(call.params["element"])
    if element is None:
        raise not_found("element with this key or id")
    return element


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
    """POST /instances and POST /elements/{keyOrId}/instances: 200 with the whole object (CH)."""
    element = element_of(call) if "element" in call.params else None
    return shown(call, create(call.state, element, call.json_object()))


def get_instance(call: Call) -> Response:
    """GET /instances/{id} and its element-scoped twin."""
    return shown(call, instance_of(call))


def put_instance(call: Call) -> Response:
    """PUT /instances/{id} and its twins."""
    instance = instance_of(call)
    update(call.state, instance, call.json_object(), authenticate=call.flag("reAuthenticate", True))
    return shown(call, instance)


def patch_instance(call: Call) -> Response:
    """PATCH /instances/{id} and its id-less twin."""
    instance = instance_of(call)
    update(call.state, instance, call.json_object())
    return shown(call, instance)


def delete_instance(call: Call) -> Response:
    """DELETE /instances/{id} and its twins: 200 and no body (SDK, DP)."""
    call.state.store.remove(instance_of(call))
    return empty_reply()


def enable_instance(call: Call) -> Response:
    """PUT /instances/{id}/enabled and its id-less twin."""
    instance_of(call).disabled = False
    return empty_reply()


def disable_instance(call: Call) -> Response:
    """DELETE /instances/{id}/enabled and its id-less twin."""
    instance_of(call).disabled = True
    return empty_reply()


def start_trace_logging(call: Call) -> Response:
    """PUT /instances/{id}/trace-logging and its id-less twin; ``duration`` is checked and has no effect."""
    instance = instance_of(call)
    if call.body.strip():
        duration = call.json_object().get("duration", 0)
        if isinstance(duration, bool) or not isinstance(duration, (int, float)):
            raise bad_request("Field duration must be a number")
    instance.trace_logging = True
    return empty_reply()


def stop_trace_logging(call: Call) -> Response:
    """DELETE /instances/{id}/trace-logging and its id-less twin."""
    instance_of(call).trace_logging = False
    return empty_reply()


def list_instances(call: Call) -> Response:
    """GET /instances: tags[], searchText, hydrate, pageSize, nextPage.

    With a filter and no match it is 404 (0a no. 3); without a filter the settings decide. searchText is a
    part of the name, in any case (that it matches the name is 0a no. 12, how is the sandbox's choice).
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
    """GET /elements/{keyOrId}/instances: 404 when there are none (HD, TD).

    The swagger gives it no filters (SDK), so tags[] and searchText do nothing here.
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
    """GET /instances/count: {totalInstances, elementInstances[]} (0a no. 12; the rows' shape is a choice)."""
    counts = Counter(instance.element.key for instance in call.state.store.all())
    rows = [{"elementKey": key, "count": count} for key, count in sorted(counts.items())]
    return json_reply({"totalInstances": sum(counts.values()), "elementInstances": rows})


def list_account_instances(call: Call) -> Response:
    """GET /accounts/instances and /accounts/{id}/instances: the same objects (OC:api-reference-instances)."""
    if "id" in call.params and call.number("id") != ACCOUNT["id"]:
        raise ApiError(403, "The account is not yours")
    return list_instances(call)


def instance_docs(call: Call) -> Response:
    """GET /instances/{id}/docs and its id-less twin: a swagger 2 of the instance's resources, kept short."""
    element = instance_of(call).element
    operations = {"get": {"operationId": "list"}, "post": {"operationId": "create"}}
    return json_reply(
        {
            "swagger": "2.0",
            "info": {"title": element.name, "version": "api-v2"},
            "basePath": f"{API_PREFIX}/hubs/{element.hub}",
            "paths": {f"/{name}": operations for name in element.objects},
        }
    )
