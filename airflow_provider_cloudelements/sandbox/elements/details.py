"""What an element tells of itself beyond its list: its configuration, and metadata in detail."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_cloudelements.sandbox.elements.catalogue import POLLER_CONFIGURATION, Element


def expanded_metadata(element: Element) -> dict[str, Any]:
    """Return the metadata with ``expand=true``: 21 fields (fact F88), of which some are made up (choice C86).

    :param element: the element.
    """
    return {
        **element.metadata,
        "hub": element.hub,
        "objects": list(element.objects),
        "image": element.view["image"],
        "displayOrder": 0,
        "active": True,
        "beta": False,
        "transformations": True,
        "elementType": "element",
        "cloneable": True,
        "authenticationType": element.authentication,
        "discovery": True,
        "bulk": {"upload": True, "download": True},
        "api": {"type": "rest", "contentType": "application/json"},
        "resources": [{"path": f"/hubs/{element.hub}/{name}"} for name in element.objects],
        "normalizedPaging": True,
        "swaggerValidated": True,
    }


def configuration_rows(element: Element) -> dict[str, list[dict[str, Any]]]:
    """Return the answer of GET /elements/{keyOrId}/configuration: an object (fact F84).

    :param element: the element.
    """
    rows = [
        {
            "id": element.id * 100 + number,
            "name": key.name,
            "key": key.key,
            "description": key.name,
            "defaultValue": _poller(element) if key.key == POLLER_CONFIGURATION else key.default,
            "resellerConfig": False,
            "companyConfig": False,
            "active": True,
            "internal": False,
            "groupControl": False,
            "displayOrder": number,
            "type": key.type,
            "hideFromConsole": False,
            "required": key.required,
        }
        for number, key in enumerate(element.keys.values())
    ]
    provider = [{"name": "code", "key": "code", "type": "TEXTFIELD_128", "required": True}]
    return {"configuration": rows, "providerData": provider if element.authentication == "oauth2" else []}


def _poller(element: Element) -> str | None:
    """Return what the poller watches unless an instance says otherwise, as a text of JSON (fact F97)."""
    if "polling" not in element.event_methods:
        return None
    urls = {name: f"/hubs/{element.hub}/{name}" for name in element.objects}
    return json.dumps({name: {"url": url, "idField": "id"} for name, url in urls.items()})
