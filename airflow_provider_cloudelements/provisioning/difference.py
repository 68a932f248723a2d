"""What differs between an instance as it is and as it is asked for."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cloudelements.client.models import MASK, Instance, configuration_text
from airflow_provider_cloudelements.client.parsing import parse_bool
from airflow_provider_cloudelements.client.wire.secrecy import is_secret_key
from airflow_provider_cloudelements.exceptions import CloudElementsServerError
from airflow_provider_cloudelements.keys import (
    EVENT_CALLBACK_URL,
    EVENT_SIGNATURE_KEY,
    EVENTS_ENABLED,
    PLATFORMS_OWN,
)
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints, Known, fingerprinted
from airflow_provider_cloudelements.provisioning.spec import PROVIDER_DATA, InstanceSpec, login_of


@dataclass(frozen=True)
class Difference:
    """What is to be written to make an instance as asked.

    :param configuration: Keys and values to write.
    :param provider_data: A login to use.
    :param tags: The whole list of tags to write, or ``None``.
    :param unknown: Names of credentials of which nobody can tell whether the instance has them.
    :param name: A new name.
    """

    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    provider_data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tags: tuple[str, ...] | None = None
    unknown: tuple[str, ...] = ()
    name: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What changes, by name."""
        return (
            *(["name"] if self.name is not None else []),
            *self.configuration,
            *([PROVIDER_DATA] if self.provider_data else []),
            *(["tags"] if self.tags is not None else []),
        )

    @property
    def mends(self) -> bool:
        """Whether a credential for the vendor's login is among what is written."""
        return bool(self.provider_data) or any(
            is_secret_key(key) and key != EVENT_SIGNATURE_KEY for key in self.configuration
        )

    @classmethod
    def between(cls, spec: InstanceSpec, instance: Instance, fingerprints: Fingerprints) -> Difference:
        """Compare.

        What reads as asterisks is compared by its fingerprint. Where none tells, a healthy instance keeps
        the credentials that it has; one that needs mending is given everything. The signature key, and what
        this element masks without being a secret by its name, are written in that case as well: that spends
        nothing, re-authenticates nothing, and leaves the fingerprint that tells next time.

        :param spec: As it shall be.
        :param instance: As it is, with configuration and tags.
        :param fingerprints: Made with the marker of ``spec``.
        """
        writes: dict[str, Any] = {}
        unknown: list[str] = []
        for key, value in spec.configuration.items():
            if not hidden(key, instance):
                if not same_value(key, value, instance):
                    writes[key] = value
                continue
            known = _known(key, value, instance, fingerprints)
            if known is Known.CHANGED:
                writes[key] = value
            elif known is Known.UNKNOWN:
                if key == EVENT_SIGNATURE_KEY or not is_secret_key(key) or not instance.healthy:
                    writes[key] = value
                else:
                    unknown.append(key)
        provider_data: Mapping[str, Any] = {}
        if spec.provider_data:
            known = fingerprints.compare(instance.tags, PROVIDER_DATA, spec.login)
            if known is Known.CHANGED or (known is Known.UNKNOWN and not instance.healthy):
                provider_data = spec.provider_data
            elif known is Known.UNKNOWN:
                unknown.append("authorization code")
        return cls.of(
            instance, fingerprints, writes, _tags(spec, instance), provider_data, unknown=tuple(unknown)
        )

    @classmethod
    def of(
        cls,
        instance: Instance,
        fingerprints: Fingerprints,
        configuration: Mapping[str, Any],
        tags: tuple[str, ...],
        provider_data: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Difference:
        """Return what writes these values, and in the same call the fingerprint that tells of them.

        :param instance: As it is.
        :param fingerprints: Made with the instance's marker.
        :param configuration: Keys and values to write.
        :param tags: The tags that it shall have, but for the fingerprint.
        :param provider_data: A login to use.
        :param more: ``name`` and ``unknown``.
        """
        written = {key: value for key, value in configuration.items() if hidden(key, instance)}
        if provider_data:
            written[PROVIDER_DATA] = login_of(provider_data)
        tags = fingerprinted(tags, fingerprints, written)
        return cls(configuration, provider_data or {}, None if tags == tuple(instance.tags) else tags, **more)


def same_value(key: str, wanted: Any, instance: Instance) -> bool:
    """Say whether a configuration value, which the platform keeps as text, is the one wanted."""
    if key == EVENTS_ENABLED:
        # As read back: in Python's spelling too, which is how Jinja writes a boolean.
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
    """Say whether reading back cannot be relied on to show a value: a secret, or masked nevertheless."""
    return is_secret_key(key) or instance.configuration.get(key) == MASK


def _known(key: str, value: Any, instance: Instance, fingerprints: Fingerprints) -> Known:
    current = instance.configuration.get(key)
    if current and current.strip("*") and not key.startswith(PLATFORMS_OWN):
        # Not masked: older samples show secrets in clear (fact F169). A refresh token that shows is no
        # measure: Microsoft replaces it at each use (fact F130), and writing the first one back would undo
        # that, each time, until it has expired.
        return Known.SAME if current == configuration_text(value) else Known.CHANGED
    return fingerprints.compare(instance.tags, key, value)


def _tags(spec: InstanceSpec, instance: Instance) -> tuple[str, ...]:
    """Return the tags that an instance shall have: asked ones and the marker added, people's others kept."""
    present = {plain_text(tag) for tag in instance.tags}
    asked = (tag for tag in spec.tags or () if plain_text(tag) not in present)
    return tuple(dict.fromkeys([*instance.tags, *asked, spec.marker]))


def changed_values(
    configuration: Mapping[str, Any], instance: Instance, fingerprints: Fingerprints | None
) -> dict[str, Any]:
    """Return the values that an instance does not have, or of which nobody can tell.

    :param configuration: Values wanted, by key.
    :param instance: As it is, with configuration and tags.
    :param fingerprints: Tell of what reads as asterisks; ``None`` takes none of that for known.
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
    """Make sure that an instance shows what was asked about its events.

    :param instance: As read back.
    :param asked: The configuration asked for.
    :param keys: Which keys to look at; default: all of events that can be read back.
    :raises CloudElementsServerError: It shows something else.
    """
    if keys is None:
        keys = (key for key in asked if key.startswith("event.") and not hidden(key, instance))
    wrong = [key for key in keys if key in asked and not same_value(key, asked[key], instance)]
    if wrong:
        raise CloudElementsServerError(
            f"Instance {instance.id}: the platform accepted {', '.join(wrong)}, but reading back shows "
            "something else. Does the element support events in this way?"
        )


def plain_text(text: str) -> str:
    """Make names and tags comparable: the platform strips HTML (fact F171), by an unknown rule (U165)."""
    # Until nothing changes: what is left of nested markup by one pass is markup to the next one, and texts
    # are compared that the platform has passed over already. Markup goes first, as on the platform.
    while (plain := re.sub(r"<[^<>]*>", "", text)) != text or (plain := html.unescape(text)) != text:
        text = plain
    return " ".join(text.split())
