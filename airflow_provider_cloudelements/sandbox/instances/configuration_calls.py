"""Handlers of /instances/{id}/configuration and its id-less twin (facts F189, F8)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.errors import bad_request, not_found
from airflow_provider_cloudelements.sandbox.core.paging import RETURNED_HEADER, TOTAL_HEADER
from airflow_provider_cloudelements.sandbox.core.web import json_reply
from airflow_provider_cloudelements.sandbox.instances.calls import instance_of
from airflow_provider_cloudelements.sandbox.instances.fields import read_configuration
from airflow_provider_cloudelements.sandbox.instances.provisioning import masked_keys
from airflow_provider_cloudelements.sandbox.instances.store import Instance
from airflow_provider_cloudelements.sandbox.instances.views import row_view
from airflow_provider_cloudelements.sandbox.state import Call


def list_rows(call: Call) -> Response:
    """GET /instances/{id}/configuration: returns all rows, with secrets as asterisks."""
    instance = instance_of(call)
    rows = [_view(call, instance, key) for key in instance.configuration]
    return json_reply(rows, {RETURNED_HEADER: str(len(rows)), TOTAL_HEADER: str(len(rows))})


def get_row(call: Call) -> Response:
    """GET /instances/{id}/configuration/{configId}: returns one row."""
    instance = instance_of(call)
    return json_reply(_view(call, instance, _key_of(call, instance)))


def patch_row(call: Call) -> Response:
    """PATCH /instances/{id}/configuration/{configId} {propertyValue}: changes one row (fact F189)."""
    instance = instance_of(call)
    key = _key_of(call, instance)
    body = call.json_object()
    if "propertyValue" not in body:
        raise bad_request("Missing required field propertyValue")
    behaviour = call.state.behaviour
    masked = masked_keys(instance.element, behaviour)
    call.state.provisioning.configure(
        instance,
        read_configuration({"configuration": {key: body["propertyValue"]}}, behaviour, masked),
    )
    return json_reply(_view(call, instance, key))


def _view(call: Call, instance: Instance, key: str) -> dict[str, Any]:
    """Return a row as the API shows it."""
    return row_view(instance, key, call.state.store.row_id(instance, key), call.state.behaviour)


def _key_of(call: Call, instance: Instance) -> str:
    """Return the key of the row in the path. The path holds the row's numeric id, not its key."""
    wanted = call.number("row")
    for key in instance.configuration:
        if call.state.store.row_id(instance, key) == wanted:
            return key
    raise not_found("configuration with this id")
