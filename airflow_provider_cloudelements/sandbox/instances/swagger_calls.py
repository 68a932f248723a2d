"""Handlers of the documents of an element and of an instance: swagger 2 of its resources (fact F92).

The content of one operation's document and definitions, and the operations' names, are choice C85.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.errors import not_found
from airflow_provider_cloudelements.sandbox.core.web import json_reply
from airflow_provider_cloudelements.sandbox.elements.calls import element_of
from airflow_provider_cloudelements.sandbox.elements.catalogue import Element
from airflow_provider_cloudelements.sandbox.instances.calls import instance_of
from airflow_provider_cloudelements.sandbox.instances.discovery_calls import fields_of
from airflow_provider_cloudelements.sandbox.settings import API_PREFIX
from airflow_provider_cloudelements.sandbox.state import Call
from airflow_provider_cloudelements.sandbox.vendors.resources import shape_of

#: The operations of every resource: verb, whether its path names a record, and how to make its id.
_OPERATIONS: tuple[tuple[str, bool, Callable[[str], str]], ...] = (
    ("get", False, lambda name: f"get{name}"),
    ("post", False, lambda name: f"create{name}"),
    ("get", True, lambda name: f"get{name}ById"),
    ("patch", True, lambda name: f"update{name}ById"),
    ("put", True, lambda name: f"replace{name}ById"),
    ("delete", True, lambda name: f"delete{name}ById"),
)


def element_docs(call: Call) -> Response:
    """GET /elements/{id}/docs: returns the document of an element, by id or (choice C84) by key."""
    return json_reply(_document(call, element_of(call)))


def instance_docs(call: Call) -> Response:
    """GET /instances/{id}/docs and its twin: returns its document; only version: ``-1``, the latest (F92)."""
    return json_reply(_document(call, instance_of(call).element))


def operation_docs(call: Call) -> Response:
    """GET /instances/{id}/docs/{operationId}: returns the document with this operation alone."""
    return json_reply(_document(call, instance_of(call).element, call.params["operation"]))


def operation_definitions(call: Call) -> Response:
    """GET /instances/{id}/docs/{operationId}/definitions: returns the models of this operation."""
    return json_reply(_document(call, instance_of(call).element, call.params["operation"])["definitions"])


def _document(call: Call, element: Element, operation: str | None = None) -> dict[str, Any]:
    """Return the swagger document of an element, or its part about one operation.

    ``baseUrl`` sets host and schemes (fact F99).
    """
    paths: dict[str, dict[str, Any]] = {}
    definitions: dict[str, Any] = {}
    for name in element.objects:
        for verb, by_id, identify in _OPERATIONS:
            operation_id = identify(name.capitalize())
            if operation in (None, operation_id):
                path = f"/{name}/{{id}}" if by_id else f"/{name}"
                paths.setdefault(path, {})[verb] = _operation(operation_id, name, verb, by_id)
                definitions[name] = _definition(element, name)
    if not paths:
        raise not_found("operation with this id")
    origin = urlsplit(call.value("baseUrl") or call.state.origin)
    return {
        "swagger": "2.0",
        "info": {"title": element.name, "version": "api-v2"},
        "host": origin.netloc,
        "schemes": [origin.scheme],
        "basePath": f"{API_PREFIX}/hubs/{element.hub}",
        "paths": paths,
        "definitions": definitions,
    }


def _operation(operation_id: str, name: str, verb: str, by_id: bool) -> dict[str, Any]:
    """Return one operation. Every operation returns 200 on success (fact F58)."""
    model: dict[str, Any] = {"$ref": f"#/definitions/{name}"}
    parameters: list[dict[str, Any]] = []
    if by_id:
        parameters.append({"name": "id", "in": "path", "type": "string", "required": True})
    if verb in ("post", "patch", "put"):
        parameters.append({"name": name, "in": "body", "schema": model, "required": True})
    answer: dict[str, Any] = {"description": "OK"}
    if verb != "delete":
        answer["schema"] = model if by_id or verb == "post" else {"type": "array", "items": model}
    return {"operationId": operation_id, "parameters": parameters, "responses": {"200": answer}}


def _definition(element: Element, name: str) -> dict[str, Any]:
    """Return the model of a resource, derived from its records (fact F336)."""
    shape = shape_of(element, name)
    dates = (shape.created, shape.updated)
    return {
        "type": "object",
        "properties": {
            field: {"type": kind, "x-mask": shape.mask} if field in dates else {"type": kind}
            for field, kind in fields_of(shape).items()
        },
        "x-primary-key": "id",
    }
