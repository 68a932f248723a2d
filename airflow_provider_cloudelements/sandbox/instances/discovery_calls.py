"""What resources an instance has, and what fields their records have (facts F326, F332, F336)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.errors import not_emulated
from airflow_provider_cloudelements.sandbox.core.paging import RETURNED_HEADER
from airflow_provider_cloudelements.sandbox.core.web import json_reply
from airflow_provider_cloudelements.sandbox.elements.catalogue import Element
from airflow_provider_cloudelements.sandbox.instances.resource_calls import through
from airflow_provider_cloudelements.sandbox.state import Call
from airflow_provider_cloudelements.sandbox.vendors.resources import shape_of
from airflow_provider_cloudelements.sandbox.vendors.shapes import PERIOD, Shape

#: The words for types of fields.
TYPES: dict[type, str] = {
    bool: "boolean",
    dict: "object",
    float: "number",
    int: "integer",
    list: "array",
    str: "string",
}


def list_objects(call: Call) -> Response:
    """GET /objects: lists the resources' names, or objects with ``Elements-Version: Helium`` (fact F326)."""
    if call.instance is None:
        raise RuntimeError("a resource call was routed without its token")
    element = call.instance.element
    helium = call.headers.get("elements-version", "").lower() == "helium"
    rows: list[Any] = object_rows(element) if helium else list(element.objects)
    return json_reply(rows, {RETURNED_HEADER: str(len(rows))})


def object_rows(element: Element) -> list[dict[str, Any]]:
    """Return an element's resources with their origin: normalised names, and the vendor's own (fact F326).

    :param element: the element.
    """
    vendors = dict(element.vendor_names)
    rows = [{"name": name, "vendorName": vendors[name], "type": "ceCanonical"} for name in vendors]
    own = [vendors.get(name, name) for name in element.objects]
    return rows + [{"name": name, "vendorName": name, "type": "vendor"} for name in own]


def object_metadata(call: Call) -> Response:
    """GET /objects/{object}/metadata: returns the fields of a resource's records (facts F332, F336)."""
    element, name = through(call).element, call.params["object"]
    if element.object_named(name) is None:
        raise not_emulated("a resource of this name at this element")
    shape = shape_of(element, name)
    return json_reply({"fields": [_field(shape, path, kind) for path, kind in fields_of(shape).items()]})


def fields_of(shape: Shape) -> dict[str, str]:
    """Return the fields of a resource's records with the words for their types.

    :param shape: what the records look like.
    """
    found: dict[str, str] = {}
    for number in range(1, PERIOD + 1):
        for name, value in shape.record(number).items():
            if value is not None:
                found.setdefault(name, TYPES[type(value)])
    return found


def _field(shape: Shape, path: str, kind: str) -> dict[str, Any]:
    """Return a row about a field (fact F336). Which fields can be written is choice C323."""
    kept = path in ("id", shape.created, shape.updated)
    row: dict[str, Any] = {
        "vendorPath": path,
        "type": kind,
        "filterable": kind not in ("array", "object"),
        "createable": not kept,
        "updateable": not kept,
        "vendorDisplayName": path,
        "vendorReadOnly": kept,
        "vendorRequired": False,
    }
    return {**row, "mask": shape.mask} if path in (shape.created, shape.updated) else row
