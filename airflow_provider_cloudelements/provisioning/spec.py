"""Specify an instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_cloudelements.client.arguments import dictionary, text, texts
from airflow_provider_cloudelements.client.frozen import lazy
from airflow_provider_cloudelements.client.tags import (
    Identity,
    named_text,
    origin_tag,
    own_tags,
    without_ends,
)
from airflow_provider_cloudelements.client.wire.secrecy import is_secret_key
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints

#: Name under which the result of a login (the code) has its fingerprint.
PROVIDER_DATA = "providerData"


@dataclass(frozen=True)
class InstanceSpec:
    """Specify an instance.

    :param element: Key of the element.
    :param name: Name of the instance.
    :param key: The instance key. With ``namespace`` it identifies the instance in later runs.
    :param configuration: Configuration keys and values, event keys included.
    :param provider_data: The result of a vendor's login, such as ``{"code": ...}``. Sent only once.
    :param external_authentication: ``initial`` with a refresh token in the configuration.
    :param tags: Tags that it must have; ``None`` leaves them to the platform and to people.
    :param origin: Name of the caller, the same in each try. It shows later whether this caller made the
        instance.
    :param namespace: The connection's namespace. Default: none.
    :raises CloudElementsValidationError: The key is no text, or blank, or ``None``; a tag is one by which
        this provider recognises instances; or a value is of another type.
    """

    element: str
    name: str
    key: str
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    provider_data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    external_authentication: str | None = None
    tags: tuple[str, ...] | None = None
    origin: str | None = None
    namespace: str = ""

    def __post_init__(self) -> None:
        """Refuse a key that names nothing, and tags that would make the instance another key's as well."""
        named_text("key", self.key)
        text("name", self.name)
        text("namespace", self.namespace)
        for name in ("configuration", "provider_data"):
            object.__setattr__(self, name, dictionary(name, getattr(self, name)))
        if self.tags is not None:
            object.__setattr__(self, "tags", texts("tags", self.tags))
        if isinstance(self.element, str):  # the client refuses anything else
            object.__setattr__(self, "element", without_ends(self.element))
        if self.tags and own_tags(self.tags):
            raise CloudElementsValidationError(
                "tags holds a tag by which this provider recognises instances. It sets these by itself: name "
                "people's tags only."
            )

    @lazy
    def identity(self) -> Identity:
        """The identity of the instance: namespace and key."""
        return Identity(self.namespace, self.key)

    @property
    def marker(self) -> str:
        """The marker tag of the identity."""
        return self.identity.marker

    @property
    def credentials(self) -> dict[str, Any]:
        """All its secrets, by name: reading back shows them as asterisks, or not at all."""
        found = {key: value for key, value in self.configuration.items() if is_secret_key(key)}
        if self.provider_data:
            found[PROVIDER_DATA] = self.login
        return found

    @property
    def login(self) -> Any:
        """The part of a login's result that works once."""
        return login_of(self.provider_data)

    def without_credentials(self) -> InstanceSpec:
        """Return the same specification without credentials."""
        plain = {key: value for key, value in self.configuration.items() if not is_secret_key(key)}
        return replace(self, configuration=plain, provider_data={}, external_authentication=None)

    def tags_to_create(self, fingerprints: Fingerprints) -> list[str]:
        """Return the tags of a new instance: people's tags, those of the identity, fingerprint and origin."""
        # The platform makes a tag of the name when a create sends none (fact F172). This provider always
        # sends the marker, so it adds the name here. Otherwise its instances would lack that tag.
        people = self.tags if self.tags is not None else (self.name,)
        fingerprint = fingerprints.tag(self.credentials)
        own = [*self.identity.tags, fingerprint, origin_tag(self.origin) if self.origin else None]
        return list(dict.fromkeys([*people, *(tag for tag in own if tag)]))


def login_of(provider_data: Mapping[str, Any]) -> Any:
    """Return the part of a login's result that works once: the code alone, or else the whole result."""
    return provider_data.get("code") or dict(provider_data)
