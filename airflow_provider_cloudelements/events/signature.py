"""Sign a notification, and verify its signature.

The signature proves who wrote the body, but not when: it holds no time. So anybody who saw a notification
can send it again. Receivers recognise repetitions by ``message.eventId`` and drop them (fact F245).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from airflow_provider_cloudelements.exceptions import (
    CloudElementsSignatureError,
    CloudElementsValidationError,
)

__all__ = ["SIGNATURE_HEADER", "WEBHOOK_ID_HEADER", "sign", "verify"]

#: Header with the signature. Deliveries have it only when the instance has a signature key (fact F242).
SIGNATURE_HEADER = "Elements-Webhook-Signature"
#: Header that every delivery has, never empty (fact F241); what it means is not known (unknown U242).
WEBHOOK_ID_HEADER = "Elements-Webhook-Id"

_PREFIX = "sha256="
#: What the platform sent until early 2016 (fact F246).
_OLD_PREFIX = "sha1="
_DIGEST_SIZE = hashlib.sha256().digest_size


def sign(body: bytes, key: str) -> str:
    """Return the signature that the platform puts into ``Elements-Webhook-Signature`` (facts F243, F244).

    :param body: The raw body, byte for byte as it is sent.
    :param key: The instance's signature key (``event.notification.signature.key``), not empty.
    :return: ``sha256=`` and the standard base64, with padding, of the HMAC-SHA256 of the body under the
        key's UTF-8 bytes.
    :raises CloudElementsValidationError: The body is not bytes, or the key is not a valid text.
    """
    if not isinstance(body, bytes):
        raise CloudElementsValidationError(
            "body must be the raw bytes of the request, before anything decoded or parsed them; it is of "
            f"type {type(body).__name__}."
        )
    return _PREFIX + base64.b64encode(hmac.digest(_key_bytes(key), body, "sha256")).decode()


def verify(body: bytes, signature: str | None, key: str) -> None:
    """Check that a notification was signed with the instance's signature key.

    :param body: The raw body, byte for byte as received: JSON that was parsed and written again has another
        signature.
    :param signature: Value of the header ``Elements-Webhook-Signature``; ``None`` when there is none.
    :param key: The instance's signature key, not empty.
    :raises CloudElementsSignatureError: There is no signature, or it is not that of this body under this
        key. The message says why, and shows neither key nor signature.
    :raises CloudElementsValidationError: An argument is wrong, so that nothing could be checked: the body is
        not bytes, the signature is not text, or the key is not a valid text.
    """
    expected = sign(body, key)
    if signature is not None and not isinstance(signature, str):
        raise CloudElementsValidationError(
            f"signature must be the header's text; it is of type {type(signature).__name__}."
        )
    if fault := _fault(signature, expected):
        raise CloudElementsSignatureError(fault)


def _fault(signature: str | None, expected: str) -> str | None:
    """Return what is wrong with a signature. Only the comparison depends on the key."""
    # Compare text, not bytes: base64 can spell the same bytes in several ways, and the platform uses one.
    if signature and signature.isascii() and hmac.compare_digest(signature, expected):
        return None
    if not signature:
        return (
            f"There is no signature (header {SIGNATURE_HEADER}). The platform signs when the instance has a "
            "signature key, event.notification.signature.key."
        )
    if signature.startswith(_OLD_PREFIX):
        return (
            "The signature is of the old kind, sha1. The platform no longer sends it, and this check does "
            "not accept it."
        )
    if not signature.startswith(_PREFIX):
        return f"The signature is malformed: it does not begin with {_PREFIX!r}."
    digest = _decoded(signature.removeprefix(_PREFIX))
    if digest is None:
        return f"The signature is malformed: what follows {_PREFIX!r} is not standard base64 with padding."
    if len(digest) != _DIGEST_SIZE:
        return (
            f"The signature has the wrong length: {len(digest)} bytes, where HMAC-SHA256 has {_DIGEST_SIZE}. "
            "It is written in base64, not in hex."
        )
    return (
        "The signature does not match: the body is not as it was sent (the raw bytes are signed, not the "
        "parsed JSON), or it was signed with another key."
    )


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _key_bytes(key: Any) -> bytes:
    if not isinstance(key, str):
        raise CloudElementsValidationError(
            f"The signature key must be a string; it is of type {type(key).__name__}."
        )
    # Anyone can sign with an empty key.
    if not key:
        raise CloudElementsValidationError("The signature key is empty. Give the one that the instance has.")
    try:
        return key.encode()
    except UnicodeEncodeError:
        pass  # raise below, outside the handler: the encoder's error holds the key
    raise CloudElementsValidationError("The signature key holds a character that UTF-8 cannot write.")
