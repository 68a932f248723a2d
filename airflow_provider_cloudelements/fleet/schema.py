"""The JSON Schema of manifests, for editors. It is made of the same list of fields as the parser."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from airflow_provider_cloudelements.fleet.fields import DEFAULTS, MANIFEST, ROW, STATES, Field

#: Name of the file in this package that holds the schema.
FILE = "manifest.schema.json"
#: A scalar without quotes is a text here. An editor's YAML reader takes some of these for numbers.
_TEXT = {"type": ["string", "number", "boolean"]}
_OBJECT = {"type": "object"}


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of a manifest."""
    fields = {each.name: each for each in MANIFEST}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Cloud Elements instances",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "ownership_tag": {**_TEXT, "description": fields["ownership_tag"].doc},
            "defaults": {"$ref": "#/$defs/defaults", "description": fields["defaults"].doc},
            "instances": {
                "type": ["array", "null"],
                "items": {"$ref": "#/$defs/instance"},
                "description": fields["instances"].doc,
            },
        },
        "$defs": {"instance": _mapping(ROW), "defaults": {**_mapping(DEFAULTS), "type": ["object", "null"]}},
    }


def shipped_schema() -> str:
    """Return the text of the schema that this package ships."""
    return (files("airflow_provider_cloudelements.fleet") / FILE).read_text("utf-8")


def schema_text() -> str:
    """Return the schema as the text of a file."""
    return json.dumps(manifest_schema(), indent=2) + "\n"


def _mapping(fields: Iterable[Field]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for each in fields:
        for name in (each.short, each.name):
            if name is not None:
                properties[name] = {**_KINDS[each.kind], "description": each.doc}
    both = [{"not": {"required": [each.short, each.name]}} for each in fields if each.short is not None]
    made: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**made, "allOf": both} if both else made


_KINDS: dict[str, dict[str, Any]] = {
    "text": _TEXT,
    "text or null": {"type": ["string", "null"]},
    "boolean": {"type": "boolean"},
    "object": _OBJECT,
    "texts": {"type": "array", "items": _TEXT},
    "state": {"enum": list(STATES)},
    "id": {"type": ["integer", "string"], "minimum": 1, "pattern": "^[1-9][0-9]*$"},
}
