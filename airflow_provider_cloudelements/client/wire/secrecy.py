"""Keep secrets out of texts: recognise the keys that hold one, and remove known values from a message."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

ASTERISKS = "***"

#: Words that make a configuration key's value a secret. The platform itself masks password, oauth.api.key
#: and oauth.api.secret on reading (fact F169); the rest comes from elements' own keys and the signature key.
_SECRET_WORDS = re.compile(
    r"passw|passphrase|passcode|pwd|secret|token|credential|cookie|jwt|certificate|authorization"
    r"|(api|app|account|access|client|consumer|encryption|license|private|shared|signature|subscription)[._-]?key"
    r"|\b(pass|pin|sas|signature|code)$",
    re.IGNORECASE,
)
# Keys that contain such a word, but whose values are no secrets.
_NOT_SECRET = re.compile(r"(url|interval|type|enabled|expir\w*)$", re.IGNORECASE)


# Keys whose values may be shown. Elements name their own keys, so not all secret ones are known (U164).
_SHOWN = re.compile(
    r"^event\.|(scope|url|username|domain|site|type|enabled|interval|name|version)$", re.IGNORECASE
)


def is_secret_key(key: str) -> bool:
    """Say whether a configuration key's value is a secret."""
    return bool(_SECRET_WORDS.search(key)) and not _NOT_SECRET.search(key)


def is_shown_key(key: str) -> bool:
    """Say whether a configuration key's value is known to be no secret."""
    return bool(_SHOWN.search(key)) and not is_secret_key(key)


def secret_values(body: Any, *, inside: bool = False) -> Iterator[str]:
    """Yield every secret that a request's body or query holds.

    :param body: The body or query. ``providerData`` is secret as a whole. So is ``propertyValue``, whose row
        may be a password's. Elsewhere the key decides.
    :param inside: Whether everything below is secret.
    """
    if isinstance(body, Mapping):
        for key, value in body.items():
            secret = inside or key in ("providerData", "propertyValue") or is_secret_key(str(key))
            yield from secret_values(value, inside=secret)
    elif isinstance(body, list | tuple):
        for value in body:
            yield from secret_values(value, inside=inside)
    elif inside and isinstance(body, str | int | float) and not isinstance(body, bool) and body != "":
        yield str(body)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Remove secrets from a text, as they are and as a URL, JSON, HTML or base64 writes them.

    :param text: A message from elsewhere.
    :param secrets: The values to remove. Longer ones go first, so that no part of one remains.
    """
    found = {form for secret in secrets for form in _forms(secret) if form and form in text}
    if not found:
        return text
    # One pass: a second one could find a short secret in the asterisks of a longer one.
    return re.sub("|".join(map(re.escape, sorted(found, key=len, reverse=True))), ASTERISKS, text)


def one_line(text: str) -> str:
    """Turn a foreign text into one line that cannot steer a terminal.

    :param text: A message of the server, or a name that people gave.
    """
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    safe = secret.encode("utf-8", "replace").decode()
    # The last form is that of JavaScript's encodeURIComponent.
    for quoted in (quote(safe, safe=""), quote(safe), quote_plus(safe), quote(safe, safe="!'()*")):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    # A vendor's own answer arrives as text (providerMessage), and may hold JSON or an HTML page.
    for in_json in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield in_json
        yield in_json.replace("/", "\\/")
    yield html.escape(secret)
    octets = secret.encode("utf-8", "surrogatepass")
    for encoded in (base64.b64encode(octets), base64.urlsafe_b64encode(octets)):
        yield encoded.decode().rstrip("=")
