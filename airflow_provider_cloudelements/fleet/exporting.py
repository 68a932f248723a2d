"""Write a manifest of the instances that an account has. Secrets stay out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.models import MASK, Instance
from airflow_provider_cloudelements.client.plain import plain_text
from airflow_provider_cloudelements.client.tags import (
    Identity,
    belongs,
    element_key,
    optional_text,
    user_tags,
)
from airflow_provider_cloudelements.client.wire.secrecy import (
    is_secret_key,
    is_shown_key,
    one_line,
    shown,
    shown_text,
)
from airflow_provider_cloudelements.connections import FIELD_OF_KEY, ConnectionSettings, is_web_url
from airflow_provider_cloudelements.keys import EVENT_CALLBACK_URL, EVENTS_ENABLED, PLATFORMS_OWN
from airflow_provider_cloudelements.provisioning.arguments import default_key
from airflow_provider_cloudelements.provisioning.difference import comparable_text

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client import CloudElementsClient

#: Configuration keys that the platform writes by itself (facts F201 to F210).
_PLATFORMS = ("event.metadata", "event.notification.subscription.id", "event.notification.instance.finder")
#: What needs no quotes in any reader of YAML.
_SIMPLE = re.compile(r"[A-Za-z][A-Za-z0-9_./@+-]*( [A-Za-z0-9_./@+-]+)*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "none"})


@dataclass(frozen=True, slots=True)
class Exported:
    """A manifest of what an account has.

    :param text: The manifest, in YAML.
    :param instances: How many instances it names.
    :param left_out: Ids of instances that no row can name, with the reason.
    """

    text: str = field(repr=False)
    instances: int
    left_out: tuple[tuple[int, str], ...] = ()


def export(client: CloudElementsClient, *, element: str | None = None, tag: str | None = None) -> Exported:
    """Write a manifest of the instances of an account. A plan of it is empty.

    Rows name instances by ``instance_id``, unless their key is the default of element and name. Secrets, and
    values that may be secrets, stay out. Comments propose element connections for them.

    :param client: The account's client.
    :param element: Only instances of the element with this key. Default: all.
    :param tag: Only instances with this tag. Default: all.
    :raises CloudElementsValidationError: Tag or element is no text, or names nothing.
    :raises CloudElementsError: The list could not be read whole.
    """
    instances = client.instances
    element, tag = element_key(element), optional_text("tag", tag)
    found = [
        each if each.complete else instances.get(each.id)
        for page in instances.pages()
        for each in page
        if element in (None, each.element_key) and (tag is None or tag in each.tags)
    ]
    writer = _Writer(client.settings)
    for each in sorted(found, key=lambda one: one.id):
        writer.add(each)
    return Exported("\n".join(writer.lines()) + "\n", len(writer.rows), tuple(writer.left_out))


class _Writer:
    """Collects rows."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings
        self.rows: list[list[str]] = []
        self.left_out: list[tuple[int, str]] = []
        #: Keys of configuration that stay out, by element.
        self._missing: dict[str, set[str]] = {}
        self._keys: set[str] = set()

    def add(self, instance: Instance) -> None:
        """Add the row of an instance."""
        element, name = instance.element_key, instance.name.strip()
        if (why := _unfit(element, name)) is not None:
            self.left_out.append((instance.id, why))
            return
        key = default_key(element, name)
        identity = Identity.of(self._settings, key)
        has_key = belongs(instance.tags, (identity.marker, *identity.former_markers), identity.key_tag)
        row = [f"name: {_text(name)}", f"element: {_text(element)}"]
        if identity.key in self._keys or not has_key:
            if identity.key in self._keys:
                key = f"{key} ({instance.id})"
                row.insert(0, f"key: {_text(key)}")
            row.insert(0, f"instance_id: {instance.id}")
        self._keys.add(Identity.of(self._settings, key).key)
        row += self._events(instance)
        row += self._configuration(instance)
        tags = [each for each in user_tags(instance.tags) if _is_tag(each)]
        if tags:
            row.append(f"tags: [{', '.join(map(_text, tags))}]")
        if instance.disabled:
            row.append("state: disabled")
        self.rows.append(row)

    def _events(self, instance: Instance) -> Iterator[str]:
        url = instance.event_callback_url
        yield f"events_enabled: {'true' if instance.events_enabled else 'false'}"
        if url and is_web_url(url) and shown_text(url) == url and plain_text(url) == url:
            yield f"event_callback_url: {_text(url)}"
            return
        if url:
            self._missing.setdefault(instance.element_key, set()).add(EVENT_CALLBACK_URL)
        if url or instance.events_enabled:
            yield "event_callback_url: null"

    def _configuration(self, instance: Instance) -> Iterator[str]:
        lines = []
        for key, value in sorted(instance.configuration.items()):
            if (
                value is None
                or key in (EVENTS_ENABLED, EVENT_CALLBACK_URL, *_PLATFORMS)
                or key.startswith(PLATFORMS_OWN)
            ):
                continue
            harmless = is_shown_key(key) and not is_secret_key(key) and value != MASK
            if harmless and shown({key: value})[key] == value == plain_text(value):
                lines.append(f"  {_text(key)}: {_text(value)}")
            else:
                self._missing.setdefault(instance.element_key, set()).add(key)
        if lines:
            yield "configuration:"
            yield from lines

    def lines(self) -> Iterator[str]:
        """Yield the lines of the manifest."""
        yield "# Instances of an account, exported. A plan of this file is empty until you change it."
        yield "# Give it an ownership_tag before you let a plan delete, for example:"
        yield "# ownership_tag: managed-by-airflow"
        if self._missing:
            yield "#"
            yield "# Secrets, and values that may be secrets, are not in this file. To create such instances"
            yield "# anew, or to rotate a secret, make connections of type cloudelements_element, and name"
            yield "# one in each row:"
            for element, keys in sorted(self._missing.items()):
                yield f"#   element_conn_id: {_connection_id(element)}   # {_fields_of(keys)}"
        for instance_id, why in self.left_out:
            yield f"# Instance {instance_id} is left out: {why}"
        yield "instances:" if self.rows else "instances: []"
        for row in self.rows:
            for number, line in enumerate(row):
                yield f"  {'  ' if number else '- '}{line}"


def _unfit(element: str, name: str) -> str | None:
    """Return why no row can name an instance; ``None`` if one can."""
    if not element or plain_text(element) != element:
        return "the platform names no element of it."
    if not comparable_text(name) or name == "None" or plain_text(name) != name:
        return "it has no name that a row can have."
    return None


def _is_tag(tag: str) -> bool:
    return tag.strip() not in ("", "None") and plain_text(tag) == tag


def _connection_id(element: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', element)}_login"


def _fields_of(keys: Iterable[str]) -> str:
    """Return which fields of a connection hold some configuration keys."""
    told = [f"{one_line(key)} -> {FIELD_OF_KEY.get(key, 'configuration')}" for key in sorted(keys)]
    return ", ".join(told)


def _text(value: str) -> str:
    """Return a text as every reader of YAML reads it as that text."""
    if _SIMPLE.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _quoted(value)


def _quoted(value: Any) -> str:
    return "".join(
        char if char.isprintable() else f"\\U{ord(char):08x}"
        for char in json.dumps(value, ensure_ascii=False)
    )
