"""The fields of a manifest and of its rows, each once: the parser and the JSON Schema come from this list.

A row's own arguments are those of ``provisioning.arguments.InstanceArguments``, which the create operator
takes too. Those that hold a person's consent are left out: a plan holds no secret.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_cloudelements.client.parsing import optional_id
from airflow_provider_cloudelements.client.plain import plain_json
from airflow_provider_cloudelements.client.wire.secrecy import is_secret_key, is_shown_key, shown_text
from airflow_provider_cloudelements.connections import FIELD_OF_KEY
from airflow_provider_cloudelements.fleet.located import Plain, is_null, json_value, mappings
from airflow_provider_cloudelements.keys import EVENT_CALLBACK_URL
from airflow_provider_cloudelements.provisioning.arguments import CONSENT, KINDS, InstanceArguments

#: States that a row can ask for.
PRESENT, ABSENT, DISABLED = "present", "absent", "disabled"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a row or of a manifest.

    :param name: Its name.
    :param kind: What it takes: ``text``, ``text or null``, ``boolean``, ``object``, ``texts``, ``state``,
        ``id``, ``row`` or ``rows``.
    :param doc: What it is for.
    :param short: A shorter name for it.
    """

    name: str
    kind: str
    doc: str
    short: str | None = None


def _documented() -> dict[str, str]:
    """Return what the docstring of the arguments says of each."""
    found = re.findall(r":param (\w+): (.*?)(?=\n\s*:|\Z)", InstanceArguments.__doc__ or "", re.DOTALL)
    return {name: " ".join(text.split()) for name, text in found}


def _arguments() -> tuple[Field, ...]:
    docs = _documented()
    shorts = {"instance_key": "key", "instance_name": "name"}
    return tuple(
        Field(each.name, KINDS[each.name], docs.get(each.name, ""), shorts.get(each.name))
        for each in dataclasses.fields(InstanceArguments)
        if each.name not in CONSENT
    )


#: Fields of a row that are arguments of the create operator by the same names.
ARGUMENTS = _arguments()
#: Further fields of a row.
OWN = (
    Field(
        "element_conn_id",
        "text",
        "Connection of type cloudelements_element: the login at the vendor, and all secrets.",
    ),
    Field(
        "instance_id",
        "id",
        "Id of an existing instance that this row is about, if no key was ever written to it.",
    ),
    Field(
        "protect", "boolean", "Whether no plan may delete, replace or disable the instance. Default: false."
    ),
    Field("moved_from", "text", "The instance's former key: the instance keeps its id and gets the new key."),
    Field(
        "state",
        "state",
        "absent: the instance shall not exist. disabled: it shall exist and refuse calls. Default: present.",
    ),
)
ROW = (*ARGUMENTS, *OWN)
#: Fields that cannot have a default, because each instance has its own.
SINGULAR = ("instance_key", "instance_name", "instance_id", "moved_from")
DEFAULTS = tuple(each for each in ROW if each.name not in SINGULAR)
MANIFEST = (
    Field(
        "ownership_tag",
        "text",
        "Tag of all instances that this manifest manages. A plan deletes and changes no others.",
    ),
    Field(
        "defaults",
        "row",
        "Fields for all rows of this file. A row's own field wins; configuration is joined key by key.",
    ),
    Field("instances", "rows", "The instances that shall exist."),
)
STATES = (PRESENT, ABSENT, DISABLED)

#: Function that gets a field's name and what is wrong with it.
Wrong = Callable[[str, str], None]


def read_fields(raw: dict[str, Any], fields: Collection[Field], wrong: Wrong) -> dict[str, Any]:
    """Read the fields of a row or of its defaults, by their long names.

    :param raw: The mapping.
    :param fields: The fields that it may have.
    :param wrong: Function that gets each problem.
    """
    by_name = {name: each for each in fields for name in (each.name, each.short) if name}
    found: dict[str, Any] = {}
    for name, value in raw.items():
        field = by_name.get(name) if isinstance(name, str) else None
        if field is None:
            wrong(str(name), unknown_field(str(name), by_name))
        elif field.name in found:
            wrong(name, f"{field.short} and {field.name} are one field: give one of them.")
        else:
            try:
                found[field.name] = _read(field, value)
            except ValueError as error:
                wrong(name, str(error))
    for name, value in found.items():
        if not _can_be_carried(value):
            wrong(
                name,
                "Airflow cannot carry it: it holds NUL, half a character or more than 64 bits.",
            )
    for name in ("configuration", "event_configuration"):
        _refuse_secrets(name, found.get(name), wrong)
    url = found.get("event_callback_url")
    if isinstance(url, str) and shown_text(url) != url:
        wrong(
            "event_callback_url",
            _belongs_elsewhere("its login or its query may be a secret", EVENT_CALLBACK_URL),
        )
    return found


def _can_be_carried(value: Any) -> bool:
    if isinstance(value, str) and value.isascii() and "\0" not in value:
        return True
    try:
        return bool(plain_json(value) == value)
    except ValueError:
        return False


def unknown_field(name: str, known: Collection[str]) -> str:
    """Return what to say of a field that does not exist.

    :param name: Its name.
    :param known: The names that there are.
    """
    if name in CONSENT:
        return (
            "a consent is not part of a manifest, because a plan holds no secret. Create the instance with "
            "CloudElementsCreateInstanceOperator under the same key, or put a refresh token into the field "
            "'oauth_user_refresh_token' of a connection of type cloudelements_element."
        )
    if name in FIELD_OF_KEY:
        return "there is no such field. " + _belongs_elsewhere(
            "secrets and logins do not stand in a manifest", name
        )
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no such field. Did you mean {near[0]!r}?" if near else "there is no such field."


def literal_secrets(row: Any) -> list[tuple[str, str]]:
    """Return the fields of a row that hold a secret as written, each with what is wrong. No template is one.

    :param row: The row, or a manifest's defaults, before anything was rendered.
    """
    found: list[tuple[str, str]] = []
    if not isinstance(row, Mapping):
        return found
    own = {name for each in ROW for name in (each.name, each.short)}
    for name, value in row.items():
        if name not in own and (is_secret_key(str(name)) or name in FIELD_OF_KEY) and _is_literal(value):
            found.append((str(name), _belongs_elsewhere("a secret does not stand in a manifest", str(name))))
    for name in ("configuration", "event_configuration"):
        for mapping in mappings(row.get(name)):
            literals = {str(key): each for key, each in mapping.items() if _is_literal(each)}
            _refuse_secrets(name, literals, lambda field, message: found.append((field, message)))
    return found


def _is_literal(value: Any) -> bool:
    return not isinstance(value, Mapping | list | tuple) and not any(
        each in str(value) for each in ("{{", "{%")
    )


def _refuse_secrets(name: str, value: Any, wrong: Wrong) -> None:
    for mapping in mappings(value):
        for key, each in mapping.items():
            if is_secret_key(key):
                wrong(f"{name}[{key!r}]", _belongs_elsewhere("a secret does not stand in a manifest", key))
            elif isinstance(each, str) and is_shown_key(key) and shown_text(each) != each:
                wrong(f"{name}[{key!r}]", _belongs_elsewhere("the address holds what may be a secret", key))


def _belongs_elsewhere(why: str, key: str) -> str:
    field = FIELD_OF_KEY.get(key, "configuration")
    return (
        f"{why}. Put it into the field {field!r} of a connection of type cloudelements_element, and name the "
        "connection in element_conn_id."
    )


def _read(field: Field, value: Any) -> Any:
    """Return the value of a field.

    :raises ValueError: It is of another kind. The error says which, and not the value.
    """
    return _KINDS[field.kind](value)


def _text(value: Any) -> str | None:
    if is_null(value):
        raise ValueError("it is null. Leave the field out, or write the text in quotes.")
    if not isinstance(value, str):
        raise ValueError(f"it must be a text, not of type {type(value).__name__}. Write it in quotes.")
    return str(value)


def _text_or_null(value: Any) -> str | None:
    return None if is_null(value) else _text(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, Plain) and value in ("true", "false"):
        return value == "true"
    raise ValueError("it must be true or false, without quotes.")


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError("it must be a mapping of texts to values.")
    made = json_value(value)
    if not isinstance(made, dict):
        raise AssertionError("a mapping stays one")  # pragma: no cover
    return made


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list | tuple) or not all(
        isinstance(each, str) and not is_null(each) for each in value
    ):
        raise ValueError("it must be a list of texts.")
    return [str(each) for each in value]


def _state(value: Any) -> str:
    if value not in STATES:
        raise ValueError(f"it must be one of {', '.join(STATES)}.")
    return str(value)


def _id(value: Any) -> int:
    number = optional_id(value)
    if number is None or (isinstance(value, str) and value.startswith("0")):
        raise ValueError("it must be an instance's id: a whole number above 0.")
    return number


_KINDS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "text or null": _text_or_null,
    "boolean": _boolean,
    "object": _object,
    "texts": _texts,
    "state": _state,
    "id": _id,
}
