"""Recognise an instance again: by a marker tag, and by a fingerprint of what authenticated it.

The platform has neither an idempotency key nor unique names (fact F162), and shows secrets as asterisks.
Tags are the one thing that it keeps for us, searches by, and shows as written.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from airflow_provider_cloudelements.connections import ConnectionSettings

MARKER_PREFIX = "airflow:"
FINGERPRINT_PREFIX = "airflow-auth:"
ORIGIN_PREFIX = "airflow-run:"
# The whole tag must match, since people may write tags such as "airflow:production".
_OURS = re.compile(
    f"({MARKER_PREFIX}|{ORIGIN_PREFIX})[0-9a-f]{{20}}"
    # The second alternative is the first form of fingerprints.
    f"|{FINGERPRINT_PREFIX}([0-9a-f]{{8}}([.][0-9a-f]{{22}})*|[0-9a-f]{{6}}([.][0-9a-f]{{14}})*)"
)


def marker_tag(instance_key: str) -> str:
    """Return the tag that marks the instance of a key.

    :param instance_key: The whole key, with the connection's namespace. The tag holds a hash of it, so
        that neither length nor markup (which the platform strips from tags) can change the tag.
    """
    return MARKER_PREFIX + hashlib.sha256(instance_key.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def origin_tag(origin: str) -> str:
    """Return the tag that records which task instance made an instance, for ``if_exists="fail"``."""
    return ORIGIN_PREFIX + hashlib.sha256(origin.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def user_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that people set, without this provider's own."""
    return tuple(tag for tag in tags if not _OURS.fullmatch(tag))


def full_key(settings: ConnectionSettings, key: str) -> str:
    """Return an instance key with the connection's namespace before it."""
    return f"{settings.namespace}/{key}" if settings.namespace else key


def own_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that are this provider's own."""
    return tuple(tag for tag in tags if _OURS.fullmatch(tag))
