"""What Airflow's rendered fields show of a manifest's rows and of a plan: what is known to be harmless.

A row may hold a secret by mistake. The manifest refuses one that it recognises, and Airflow stores the fields
before that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_cloudelements.client.wire.secrecy import ASTERISKS, shown, shown_text
from airflow_provider_cloudelements.fleet.fields import STATES, literal_secrets
from airflow_provider_cloudelements.fleet.problems import Place, Problem, manifest_error

#: Fields of a row that hold names, and are shown. No field but the configuration may hold a secret.
_OF_ROW = (
    *("key", "name", "instance_key", "instance_name", "element", "element_conn_id", "tags", "moved_from"),
)
#: Fields of a row that hold a switch, a number or one of a few words.
_CHOICES = ("events_enabled", "instance_id", "protect", "state")
_WORDS = frozenset({"", "true", "false", *STATES})
#: Fields of a plan, of a part, and of a reference to one in a file.
_OF_PLAN = (
    *("version", "namespace", "ownership_tag", "whole", "listed", "managed", "unchanged", "left", "counts"),
    *("checksum", "part", "chunk_size", "notes", "violations"),
)
_OF_CHANGE = (
    *("kind", "key", "name", "element", "instance_id", "why", "grave", "digest"),
    # The plan has asterisks in them already.
    "fields",
)
_ADDRESSES = ("base_url", "plan_path")


def visible_manifest(value: Any) -> Any:
    """Return what may be shown of a manifest: a path, rows, or a whole manifest.

    :param value: The rendered argument.
    """
    if isinstance(value, str):
        return shown_text(value) if value.lstrip()[:1] not in ("[", "{") else ASTERISKS
    if isinstance(value, Mapping):
        rows = value.get("instances")
        return {
            "ownership_tag": value.get("ownership_tag"),
            "defaults": _row(value.get("defaults")),
            "instances": visible_manifest(rows) if isinstance(rows, Sequence) else shown(rows),
        }
    if isinstance(value, Sequence):
        return [_row(each) for each in value]
    return value if hasattr(value, "read_bytes") else shown(value)


def visible_plan(value: Any) -> Any:
    """Return what may be shown of a plan, a part of one, or several.

    :param value: The rendered argument: an object, a list of them, or JSON.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return ASTERISKS
    if isinstance(value, Mapping):
        return {name: _plan_field(str(name), each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [visible_plan(each) for each in value]
    return shown(value)


def _plan_field(name: str, value: Any) -> Any:
    if name in _OF_PLAN:
        return value
    if name in _ADDRESSES:
        return shown_text(str(value))
    if name == "changes" and isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_change(each) for each in value]
    return shown({name: value})[name]


def _change(change: Any) -> Any:
    if not isinstance(change, Mapping):
        return shown(change)
    return {
        name: value if name in _OF_CHANGE else _row(value) if name == "row" else ASTERISKS
        for name, value in change.items()
    }


def _row(row: Any) -> Any:
    if not isinstance(row, Mapping):
        return shown(row)
    return {
        name: _field(value)
        if name in _OF_ROW
        else _choice(value)
        if name in _CHOICES
        else shown({"configuration": value})["configuration"]
        for name, value in row.items()
    }


def _choice(value: Any) -> Any:
    """Return a switch, a number or a known word; asterisks for what does not belong there."""
    known = isinstance(value, str) and (value.isdecimal() or value.lower() in _WORDS)
    return value if known or isinstance(value, bool | int | None) else ASTERISKS


def _field(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_field(each) for each in value]
    # A mapping does not belong there, and may hold anything.
    return shown(value) if isinstance(value, Mapping) else value


def refuse_literal_secrets(manifest: Any) -> Any:
    """Refuse secrets as written in the DAG's source, before Airflow stores them in the serialized DAG.

    :param manifest: The argument as written. A template is no literal.
    :raises CloudElementsManifestError: It holds some. The error names the fields.
    """
    if problems := list(_literals(manifest)):
        raise manifest_error(problems)
    return manifest


def _literals(manifest: Any) -> Iterator[Problem]:
    if isinstance(manifest, Mapping):
        for name, message in literal_secrets(manifest.get("defaults")):
            yield Problem(Place("manifest"), message, field=f"defaults.{name}")
        if "instances" not in manifest:  # a row, as in expand(manifest=[row, row]) by mistake
            for name, message in literal_secrets(manifest):
                yield Problem(Place("manifest"), message, field=name)
        manifest = manifest.get("instances")
    if isinstance(manifest, list | tuple):
        for number, row in enumerate(manifest, 1):
            for name, message in literal_secrets(row):
                yield Problem(Place("manifest", None, number), message, field=name)
