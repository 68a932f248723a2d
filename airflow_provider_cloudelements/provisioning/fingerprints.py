"""Keep fingerprints of an instance's last credentials in a tag that reveals nothing of them.

The platform shows secrets as asterisks, so no client can compare them. A keyed fingerprint beside the
marker shows whether a credential is the one that the instance last received.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.tags import FINGERPRINT_PREFIX, MARKER_PREFIX, own_tags
from airflow_provider_cloudelements.connections import ConnectionSettings

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi


class Known(StrEnum):
    """Result of comparing a credential with an instance's fingerprint."""

    SAME = "same"
    CHANGED = "changed"
    UNKNOWN = "unknown"


class Fingerprints:
    """Keyed fingerprints of credentials, each bound to its instance and key.

    The tag is ``airflow-auth:`` and parts joined by dots: first which key made it, then for each credential
    four digits of its name's hash and ten of the HMAC of its value. The HMAC's key comes from the
    connection's own secrets, so a reader of the tags can neither look a password up nor compare two.

    :param settings: The settings whose secrets make the key.
    :param marker: The instance's marker tag.
    """

    def __init__(self, settings: ConnectionSettings, marker: str) -> None:
        material = "\n".join(
            (settings.user_secret or "", settings.organization_secret or "", settings.authorization or "")
        )
        purpose = b"airflow-provider-cloudelements: fingerprints of credentials, version 1"
        self._key = hmac.digest(material.encode(), purpose, "sha256")
        self._marker = marker
        self._key_id = self._hmac("which key")[:6]

    def _hmac(self, *parts: str) -> str:
        message = json.dumps(parts).encode()
        return hmac.digest(self._key, message, "sha256").hex()

    def _part(self, name: str, value: Any) -> tuple[str, str]:
        text = json.dumps(value, sort_keys=True, default=str)
        return hashlib.sha256(name.encode()).hexdigest()[:4], self._hmac(self._marker, name, text)[:10]

    def of(self, name: str, value: Any) -> str:
        """Return the fingerprint of one credential, fit to be stored anywhere."""
        return "".join(self._part(name, value))

    def tag(self, credentials: Mapping[str, Any], before: Iterable[str] = ()) -> str | None:
        """Return the tag for an instance that has just received these credentials.

        :param credentials: Values by name.
        :param before: The instance's tags; the new tag keeps their fingerprints of other credentials.
        :return: ``None`` when there is no fingerprint.
        """
        parts = self._read(before) or {}
        parts |= dict(self._part(name, value) for name, value in credentials.items())
        if not parts:
            return None
        return FINGERPRINT_PREFIX + ".".join([self._key_id, *(a + b for a, b in sorted(parts.items()))])

    def compare(self, tags: Iterable[str], name: str, value: Any) -> Known:
        """Return whether an instance with these tags last received this value of a credential."""
        parts = self._read(tags)
        short, digest = self._part(name, value)
        if parts is None or short not in parts:
            return Known.UNKNOWN
        return Known.SAME if hmac.compare_digest(parts[short], digest) else Known.CHANGED

    def _read(self, tags: Iterable[str]) -> dict[str, str] | None:
        """Return the parts by short name; ``None`` when no tag was made with this key."""
        for tag in tags:
            if tag.startswith(FINGERPRINT_PREFIX):
                key_id, *parts = tag.removeprefix(FINGERPRINT_PREFIX).split(".")
                if hmac.compare_digest(key_id.encode(), self._key_id.encode()):
                    return {part[:4]: part[4:] for part in parts if len(part) == 14}
        return None


def fingerprints_of(instances: InstancesApi, instance: Instance) -> Fingerprints:
    """Return the fingerprints of an instance's credentials.

    They are bound to its marker, so that the create finds them. If a person made the instance, they are
    bound to its id.
    """
    markers = [tag for tag in own_tags(instance.tags) if tag.startswith(MARKER_PREFIX)]
    return Fingerprints(instances.http.settings, min(markers, default=f"instance {instance.id}"))


def fingerprinted(
    tags: tuple[str, ...], fingerprints: Fingerprints, written: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return tags with the fingerprints of credentials that are about to be written.

    :param tags: The tags before; the result keeps their fingerprints of other credentials.
    :param fingerprints: Made with the instance's marker.
    :param written: The credentials, by name.
    """
    fingerprint = fingerprints.tag(written, tags) if written else None
    if fingerprint is None:
        return tags
    # People may write tags that begin like ours. Replace only tags that have the whole shape of ours.
    old = {tag for tag in own_tags(tags) if tag.startswith(FINGERPRINT_PREFIX)}
    return (*(tag for tag in tags if tag not in old), fingerprint)
