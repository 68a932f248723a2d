"""An instance as it shall be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_cloudelements.client.tags import marker_tag, origin_tag
from airflow_provider_cloudelements.client.wire.secrecy import is_secret_key
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints

#: Name under which what a login gave (the code) has its fingerprint.
PROVIDER_DATA = "providerData"


@dataclass(frozen=True)
class InstanceSpec:
    """An instance as it shall be.

    :param element: Key of the element.
    :param name: Name of the instance.
    :param key: The whole instance key, with the connection's namespace: what makes it the same instance
        next time.
    :param configuration: Configuration keys and values, event keys included.
    :param provider_data: What a vendor's login gave, such as ``{"code": ...}``. Sent once, ever.
    :param external_authentication: ``initial`` with a refresh token in the configuration.
    :param tags: Tags that it shall have; ``None`` leaves them to the platform and to people.
    :param origin: Who asks, the same in each try: tells later whether it made the instance itself.
    """

    element: str
    name: str
    key: str
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    provider_data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    external_authentication: str | None = None
    tags: tuple[str, ...] | None = None
    origin: str | None = None

    @property
    def marker(self) -> str:
        """The marker tag of the key."""
        return marker_tag(self.key)

    @property
    def credentials(self) -> dict[str, Any]:
        """Everything secret in it, by name: what reading back shows as asterisks, or not at all."""
        found = {key: value for key, value in self.configuration.items() if is_secret_key(key)}
        if self.provider_data:
            found[PROVIDER_DATA] = self.login
        return found

    @property
    def login(self) -> Any:
        """What a vendor's login gave, as far as it works once."""
        return login_of(self.provider_data)

    def without_credentials(self) -> InstanceSpec:
        """Return the same with nothing that authenticates."""
        plain = {key: value for key, value in self.configuration.items() if not is_secret_key(key)}
        return replace(self, configuration=plain, provider_data={}, external_authentication=None)

    def tags_to_create(self, fingerprints: Fingerprints) -> list[str]:
        """Return the tags of a new instance: people's, the marker, the fingerprint, the origin."""
        # The platform makes a tag of the name when none is sent (fact F172). The marker is always
        # sent, so the name is added here, or instances made by Airflow alone would lack it.
        people = self.tags if self.tags is not None else (self.name,)
        fingerprint = fingerprints.tag(self.credentials)
        own = [self.marker, fingerprint, origin_tag(self.origin) if self.origin else None]
        return list(dict.fromkeys([*people, *(tag for tag in own if tag)]))


def login_of(provider_data: Mapping[str, Any]) -> Any:
    """Return what a vendor's login gave, as far as it works once: the code, whatever else came beside it."""
    return provider_data.get("code") or dict(provider_data)
