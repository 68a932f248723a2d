"""Find what differs between an instance and its specification."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_cloudelements.client.models import MASK, Instance, configuration_text
from airflow_provider_cloudelements.client.parsing import parse_bool
from airflow_provider_cloudelements.client.tags import Identity
from airflow_provider_cloudelements.client.wire.secrecy import is_secret_key
from airflow_provider_cloudelements.exceptions import CloudElementsConflictError, CloudElementsServerError
from airflow_provider_cloudelements.keys import (
    EVENT_CALLBACK_URL,
    EVENT_SIGNATURE_KEY,
    EVENTS_ENABLED,
    PLATFORMS_OWN,
)
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints, Known, fingerprinted
from airflow_provider_cloudelements.provisioning.spec import PROVIDER_DATA, InstanceSpec, login_of

#: Keys that an instance also shows as fields of its own.
IN_FIELDS = (EVENTS_ENABLED, EVENT_CALLBACK_URL)


@dataclass(frozen=True)
class Difference:
    """Hold what must be written to make an instance match its specification.

    :param configuration: Keys and values to write.
    :param provider_data: A login to use.
    :param tags: The whole list of tags to write, or ``None``.
    :param unknown: Names of credentials that cannot be compared with those of the instance.
    :param name: A new name.
    """

    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    provider_data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tags: tuple[str, ...] | None = None
    unknown: tuple[str, ...] = ()
    name: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what changes."""
        return (
            *(["name"] if self.name is not None else []),
            *self.configuration,
            *([PROVIDER_DATA] if self.provider_data else []),
            *(["tags"] if self.tags is not None else []),
        )

    @property
    def mends(self) -> bool:
        """Whether the difference contains a credential for the vendor's login."""
        return bool(self.provider_data) or any(
            is_secret_key(key) and key != EVENT_SIGNATURE_KEY for key in self.configuration
        )

    @classmethod
    def between(cls, spec: InstanceSpec, instance: Instance, fingerprints: Fingerprints) -> Difference:
        """Compare an instance with its specification.

        Compare a value that reads as asterisks by its fingerprint. If there is no fingerprint of it, an
        instance that is not valid gets all credentials, and a valid one keeps its own. Even a disabled one
        keeps them: a person may have disabled it, and what is not known to have changed must not enable it.
        A valid instance then gets only the signature key, and the values that this element masks although
        their names are not those of secrets. Writing them spends nothing, re-authenticates nothing, and adds
        the fingerprint for the next comparison.

        :param spec: The specification.
        :param instance: As it is, with configuration and tags.
        :param fingerprints: Made with the marker of ``spec``.
        """
        writes: dict[str, Any] = {}
        same: dict[str, Any] = {}
        unknown: list[str] = []
        for key, value in spec.configuration.items():
            if not hidden(key, instance):
                if not same_value(key, value, instance):
                    writes[key] = value
                continue
            known = _known(key, value, instance, fingerprints)
            if known is Known.CHANGED:
                writes[key] = value
            elif known is Known.SAME:
                same[key] = value
            elif key == EVENT_SIGNATURE_KEY or not is_secret_key(key) or not instance.valid:
                writes[key] = value
            else:
                unknown.append(key)
        provider_data: Mapping[str, Any] = {}
        if spec.provider_data:
            known = fingerprints.compare(instance.tags, PROVIDER_DATA, spec.login, instance.id)
            if known is Known.CHANGED or (known is Known.UNKNOWN and not instance.valid):
                provider_data = spec.provider_data
            elif known is Known.SAME:
                same[PROVIDER_DATA] = spec.login
            else:
                unknown.append("authorization code")
        tags = _tags(spec, instance)
        difference = cls.of(
            instance, fingerprints, writes, tags, provider_data, same=same, unknown=tuple(unknown)
        )
        return difference.with_identity(instance, spec.identity)

    @classmethod
    def of(
        cls,
        instance: Instance,
        fingerprints: Fingerprints,
        configuration: Mapping[str, Any],
        tags: tuple[str, ...],
        provider_data: Mapping[str, Any] | None = None,
        same: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Difference:
        """Return the difference that writes these values, and their fingerprint in the same call.

        :param instance: As it is.
        :param fingerprints: Made with the instance's marker.
        :param configuration: Keys and values to write.
        :param tags: The tags that it must have, without the fingerprint.
        :param provider_data: A login to use.
        :param same: Credentials that the instance has already. A new fingerprint tag keeps them, also if it
            replaces one of an older form.
        :param more: ``name`` and ``unknown``.
        """
        written = {key: value for key, value in configuration.items() if hidden(key, instance)}
        if provider_data:
            written[PROVIDER_DATA] = login_of(provider_data)
        if written:
            written = {**(same or {}), **written}
        tags = fingerprinted(tags, fingerprints, written, instance.id)
        return cls(configuration, provider_data or {}, None if tags == tuple(instance.tags) else tags, **more)

    def with_identity(self, instance: Instance, identity: Identity | None) -> Difference:
        """Return the difference that writes the tags of an identity as well, if it writes anything.

        So an instance from before there were key tags gets its own with the next write.

        :param instance: As it is.
        :param identity: The instance's; ``None``: not known.
        """
        if identity is None or not self.names:
            return self
        tags = identity.marked(instance.tags if self.tags is None else self.tags)
        return self if tags == tuple(instance.tags) else replace(self, tags=tags)


def same_value(key: str, wanted: Any, instance: Instance) -> bool:
    """Return whether a configuration value, which the platform keeps as text, equals the wanted one."""
    if key == EVENTS_ENABLED:
        # Parsed as it is on reading back. Jinja writes a boolean in Python's spelling, so accept that too.
        return parse_bool(configuration_text(wanted)) == instance.events_enabled
    current = instance.configuration.get(key)
    if key == EVENT_CALLBACK_URL:
        current = instance.event_callback_url
    if current == configuration_text(wanted):
        return True
    if isinstance(wanted, Mapping | list | tuple) and current is not None:
        try:
            return bool(json.loads(current) == json.loads(json.dumps(wanted)))
        except (ValueError, TypeError, RecursionError):
            return False
    return False


def hidden(key: str, instance: Instance) -> bool:
    """Return whether reading back may hide a value: it is a secret, or the platform masks it nevertheless."""
    return is_secret_key(key) or instance.configuration.get(key) == MASK


def left_out(keys: Iterable[str], instance: Instance) -> bool:
    """Return whether an instance shows nothing of a key that a comparison needs.

    A list may leave out keys that a read shows (unknown U167). A secret is compared by its fingerprint.

    :param keys: Keys to compare.
    :param instance: As listed or read.
    """
    return any(
        key not in instance.configuration and key not in IN_FIELDS and not hidden(key, instance)
        for key in keys
    )


def _known(key: str, value: Any, instance: Instance, fingerprints: Fingerprints) -> Known:
    current = instance.configuration.get(key)
    if current and current.strip("*") and not key.startswith(PLATFORMS_OWN):
        # Not masked: older samples show secrets in clear (fact F169). But a visible refresh token must not be
        # compared: Microsoft replaces it at each use (fact F130). Writing the first one back would undo that
        # each time, until the first one has expired.
        return Known.SAME if current == configuration_text(value) else Known.CHANGED
    return fingerprints.compare(instance.tags, key, value, instance.id)


def _tags(spec: InstanceSpec, instance: Instance) -> tuple[str, ...]:
    """Return the tags that an instance must have: present ones, those of the specification, the marker."""
    if spec.marker in instance.tags and all(tag in instance.tags for tag in spec.tags or ()):
        return instance.tags
    present = {comparable_text(tag) for tag in instance.tags}
    asked = (tag for tag in spec.tags or () if comparable_text(tag) not in present)
    return tuple(dict.fromkeys([*instance.tags, *asked, spec.marker]))


def changed_values(
    configuration: Mapping[str, Any], instance: Instance, fingerprints: Fingerprints | None
) -> dict[str, Any]:
    """Return the values that an instance does not have, and those that cannot be compared.

    :param configuration: Values wanted, by key.
    :param instance: As it is, with configuration and tags.
    :param fingerprints: Identify values that read as asterisks; ``None`` treats all of these as unknown.
    """
    return {
        key: value
        for key, value in configuration.items()
        if not (
            (fingerprints is not None and _known(key, value, instance, fingerprints) is Known.SAME)
            if hidden(key, instance)
            else same_value(key, value, instance)
        )
    }


def check_read_back(instance: Instance, asked: Mapping[str, Any], keys: Iterable[str] | None = None) -> None:
    """Check that an instance shows the event settings that were written.

    :param instance: As read back.
    :param asked: The configuration that was written.
    :param keys: Which keys to check; default: all event keys that can be read back.
    :raises CloudElementsServerError: The instance shows another value.
    """
    if keys is None:
        keys = (key for key in asked if key.startswith("event.") and not hidden(key, instance))
    wrong = [key for key in keys if key in asked and not same_value(key, asked[key], instance)]
    if wrong:
        raise CloudElementsServerError(
            f"Instance {instance.id}: the platform accepted {', '.join(wrong)}, but reading back shows "
            "something else. Does the element support events in this way?"
        )


def check_fit(spec: InstanceSpec, instance: Instance) -> None:
    """Check that the instance of a key has the element and the name of the key's specification.

    :raises CloudElementsConflictError: The instance has another element or name.
    """
    wrong = []
    if instance.element_key != spec.element:
        wrong.append(f"its element is {instance.element_key!r}, not {spec.element!r}")
    if comparable_text(instance.name) != comparable_text(spec.name):
        wrong.append(f"its name is {instance.name!r}, not {spec.name!r}")
    if wrong:
        raise CloudElementsConflictError(
            f"Instance {instance.id} has the instance key {spec.key!r}, but {' and '.join(wrong)}. "
            "Give each instance a key of its own, or rename or delete this one."
        )


def comparable_text(text: str) -> str:
    """Make names and tags comparable: the platform strips HTML (fact F171), by an unknown rule (U165).

    The same text in another Unicode form, as typed on another system, is the same name.
    """
    if text.isascii() and "<" not in text and "&" not in text:
        return " ".join(text.split())
    # Repeat until nothing changes: one pass over nested markup can leave new markup, and the platform has
    # stripped some of these texts already. Strip markup first, as the platform does.
    while (plain := re.sub(r"<[^<>]*>", "", text)) != text or (plain := html.unescape(text)) != text:
        text = plain
    return unicodedata.normalize("NFC", " ".join(text.split()))
