"""Keeping secrets out of texts: which keys hold one, and taking known values out of a message."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

ASTERISKS = "***"

#: Words that make a configuration key's value a secret. The platform itself masks password, oauth.api.key
#: and oauth.api.secret on reading (dossier 4.3: CH); the rest is what elements call theirs, and the
#: signature key.
_SECRET_WORDS = re.compile(
    r"password|passwd|passphrase|secret|token|signature[._]?key|api[._]?key|access[._]?key|private[._]?key"
    r"|client[._]?key|credential",
    re.IGNORECASE,
)
# Keys that hold such a word and yet no secret.
_NOT_SECRET = re.compile(r"(url|interval|type|enabled|expir\w*)$", re.IGNORECASE)


def is_secret_key(key: str) -> bool:
    """Say whether a configuration key's value is a secret."""
    return bool(_SECRET_WORDS.search(key)) and not _NOT_SECRET.search(key)


def mask_values(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration to show: secrets as asterisks."""
    return {
        key: ASTERISKS if is_secret_key(key) and value not in (None, "") else value
        for key, value in configuration.items()
    }


def secret_values(body: Any, *, inside: bool = False) -> Iterator[str]:
    """Yield every secret that a request's body or query holds.

    :param body: What is sent: ``providerData`` is secret as a whole, elsewhere the key decides.
    :param inside: Whether everything below is secret.
    """
    if isinstance(body, Mapping):
        for key, value in body.items():
            yield from secret_values(value, inside=inside or key == "providerData" or is_secret_key(str(key)))
    elif isinstance(body, list | tuple):
        for value in body:
            yield from secret_values(value, inside=inside)
    elif inside and isinstance(body, str) and body:
        yield body


def redact(text: str, secrets: Iterable[str]) -> str:
    """Take secrets out of a text, as they are, as they stand in a URL, and as base64.

    :param text: A message from elsewhere.
    :param secrets: The values to take out. Longer ones go first, so that none leaves a rest.
    """
    forms: set[str] = set()
    for secret in secrets:
        encoded = base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode().rstrip("=")
        safe = secret.encode("utf-8", "replace").decode()
        forms.update((secret, quote(safe, safe=""), quote(safe), quote_plus(safe), encoded))
    for form in sorted(forms, key=len, reverse=True):
        if form:
            text = text.replace(form, ASTERISKS)
    return text
