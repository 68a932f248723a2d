"""Handlers of the catalogue: /elements and /hubs (facts F81 to F94)."""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.ceql import parse_where
from airflow_provider_cloudelements.sandbox.core.errors import not_found
from airflow_provider_cloudelements.sandbox.core.paging import RETURNED_HEADER, TOTAL_HEADER, cut_page
from airflow_provider_cloudelements.sandbox.core.web import json_reply
from airflow_provider_cloudelements.sandbox.elements.catalogue import (
    ELEMENTS,
    HUBS,
    Element,
    find,
    find_by_id,
)
from airflow_provider_cloudelements.sandbox.elements.details import configuration_rows, expanded_metadata
from airflow_provider_cloudelements.sandbox.state import Call

#: What is no field in the ``where`` of the list of elements (fact F82).
_SWITCHES = frozenset({"abridged", "extended"})


def element_of(call: Call) -> Element:
    """Return the element of the path, or raise 404.

    :param call: the request.
    """
    element = find(call.params["element"])
    if element is None:
        raise not_found("element with this key or id")
    return element


def list_elements(call: Call) -> Response:
    """GET /elements: lists elements, with ``where``, ``abridged`` and pages of up to 200 (facts F55, F81)."""
    where = call.value("where")
    if not where:
        return _page(call, list(ELEMENTS))
    condition = parse_where(where, _SWITCHES)
    switched = condition.equals.get("abridged", "").lower() == "true"
    return _page(call, [element for element in ELEMENTS if condition(element.view)], abridged=switched)


def list_hub_elements(call: Call) -> Response:
    """GET /hubs/{key}/elements: returns the same objects as /elements, paged and abridged like it (C82)."""
    hub = call.params["hub"]
    if hub not in HUBS:
        raise not_found("hub with this key")
    return _page(call, [element for element in ELEMENTS if element.hub == hub])


def _page(call: Call, found: list[Element], *, abridged: bool = False) -> Response:
    """Return one page of elements."""
    abridged = call.flag("abridged", abridged)
    page, headers = cut_page(call, call.state.behaviour, found, lambda element: element.id)
    return json_reply([element.abridged if abridged else element.view for element in page], headers)


def list_keys(_call: Call) -> Response:
    """GET /elements/keys: lists the keys (fact F94), as plain strings (choice C83)."""
    return _all([element.key for element in ELEMENTS])


def list_hubs(_call: Call) -> Response:
    """GET /hubs: lists the hubs (fact F91; their fields are choice C82)."""
    return _all([{"key": hub, "name": hub.capitalize(), "active": True} for hub in HUBS])


def get_hub(call: Call) -> Response:
    """GET /hubs/{hub}: returns a hub; ``hydrate=true`` adds the resources of its elements (fact F96, C82)."""
    hub = call.params["hub"]
    if hub not in HUBS:
        raise not_found("hub with this key")
    row: dict[str, object] = {
        "id": HUBS.index(hub) + 1,
        "key": hub,
        "name": hub.capitalize(),
        "description": f"Elements of the hub {hub}",
        "active": True,
    }
    if call.flag("hydrate", False):
        names = {name for element in ELEMENTS if element.hub == hub for name in element.objects}
        row["resources"] = sorted(names)
    return json_reply(row)


def list_hub_keys(_call: Call) -> Response:
    """GET /hubs/keys: lists the keys as plain strings, like /elements/keys."""
    return _all(list(HUBS))


def list_metadata(_call: Call) -> Response:
    """GET /elements/metadata: returns the metadata, in which ``events`` is an array of strings (fact F87)."""
    return _all([{**element.metadata, "events": list(element.event_methods)} for element in ELEMENTS])


def _all(rows: list[object]) -> Response:
    """Return a list that is not paged."""
    return json_reply(rows, {RETURNED_HEADER: str(len(rows)), TOTAL_HEADER: str(len(rows))})


def get_element(call: Call) -> Response:
    """GET /elements/{keyOrId}: returns one element, with the rows of its configuration (fact F83)."""
    element = element_of(call)
    return json_reply({**element.view, "configuration": configuration_rows(element)["configuration"]})


def get_configuration(call: Call) -> Response:
    """GET /elements/{keyOrId}/configuration: returns the keys that a create takes, an object (F84)."""
    return json_reply(configuration_rows(element_of(call)))


def get_metadata(call: Call) -> Response:
    """GET /elements/{id}/metadata: returns it, by the numeric id only, with ``expand`` (fact F85).

    A key gets 404 like an unknown id. ``expand=true`` adds detail (fact F88).
    """
    element: Element | None = find_by_id(call.params["element"])
    if element is None:
        raise not_found("element with this id")
    return json_reply(expanded_metadata(element) if call.flag("expand", False) else element.metadata)
