"""How an instance is recognised again: by a marker tag, and by a fingerprint of what authenticated it.

The platform knows neither an idempotency key nor unique names (dossier 8.3), and shows secrets as asterisks.
Tags are the one thing that it keeps for us, finds by, and shows as written.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from airflow_provider_cloudelements.connections import ConnectionSettings

MARKER_PREFIX = "airflow:"
FINGERPRINT_PREFIX = "airflow-auth:"
ORIGIN_PREFIX = "airflow-run:"
# In full, since people may well write tags such as "airflow:production".
_OURS = re.compile(
    f"({MARKER_PREFIX}|{ORIGIN_PREFIX})[0-9a-f]{{20}}|{FINGERPRINT_PREFIX}[0-9a-f]{{6}}([.][0-9a-f]{{14}})*"
)


def marker_tag(instance_key: str) -> str:
    """Return the tag that marks the instance of a key.

    :param instance_key: The whole key, with the connection's namespace. A hash of it is used, so that
        neither length nor markup (which the platform strips from tags) can change it.
    """
    return MARKER_PREFIX + hashlib.sha256(instance_key.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def origin_tag(origin: str) -> str:
    """Return the tag that tells which task instance made an instance, for ``if_exists="fail"``."""
    return ORIGIN_PREFIX + hashlib.sha256(origin.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def user_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that are people's, without this provider's own."""
    return tuple(tag for tag in tags if not _OURS.fullmatch(tag))


def full_key(settings: ConnectionSettings, key: str) -> str:
    """Return an instance key with the connection's namespace before it."""
    return f"{settings.namespace}/{key}" if settings.namespace else key


def own_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that are this provider's own."""
    return tuple(tag for tag in tags if _OURS.fullmatch(tag))


class Known(StrEnum):
    """What a fingerprint tells of a credential that is to be given to an instance."""

    SAME = "same"
    CHANGED = "changed"
    UNKNOWN = "unknown"


class Fingerprints:
    """Keyed fingerprints of credentials, each bound to its instance and key.

    The tag is ``airflow-auth:`` and parts joined by dots: first which key made it, then for each credential
    four digits of its name's hash and ten of the HMAC of its value. The HMAC's key comes from the
    connection's own secrets, so that who reads the tags can neither look a password up nor compare two.

    :param settings: Whose secrets make the key.
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
        """Return the tag for an instance that these credentials have just been given to.

        :param credentials: Values by name.
        :param before: The instance's tags: what they tell of other credentials is kept.
        :return: ``None`` when there is nothing to tell.
        """
        parts = self._read(before) or {}
        parts |= dict(self._part(name, value) for name, value in credentials.items())
        if not parts:
            return None
        return FINGERPRINT_PREFIX + ".".join([self._key_id, *(a + b for a, b in sorted(parts.items()))])

    def compare(self, tags: Iterable[str], name: str, value: Any) -> Known:
        """Say whether an instance with these tags was last given this value of a credential."""
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
