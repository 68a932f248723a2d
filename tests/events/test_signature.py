"""A signature is that of these bytes under this key, and everything else is refused with its reason."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.events.signature import (
    SIGNATURE_HEADER,
    WEBHOOK_ID_HEADER,
    sign,
    verify,
)
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsSignatureError,
    CloudElementsValidationError,
)
from tests.support.hidden import assert_hidden, shown

# Published by the platform (fact F244), brackets included.
BODY = b"<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>"
KEY = "MySecretEventSignatureKey"
SIGNATURE = "sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ="

KEYS = st.text(min_size=1).filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text))


def refused(body: Any = BODY, signature: Any = SIGNATURE, key: Any = KEY) -> CloudElementsError:
    with pytest.raises(CloudElementsError) as caught:
        verify(body, signature, key)
    return caught.value


def test_the_published_vector() -> None:
    assert sign(BODY, KEY) == SIGNATURE
    verify(BODY, SIGNATURE, KEY)


def test_the_published_body_without_its_brackets_is_another() -> None:
    assert sign(BODY.strip(b"<>"), KEY) != SIGNATURE


def test_the_names_of_the_headers() -> None:
    assert (SIGNATURE_HEADER, WEBHOOK_ID_HEADER) == ("Elements-Webhook-Signature", "Elements-Webhook-Id")


@given(body=st.binary(), key=KEYS)
def test_what_is_signed_is_verified(body: bytes, key: str) -> None:
    signature = sign(body, key)
    verify(body, signature, key)
    digest = hmac.new(key.encode("utf-8"), body, hashlib.sha256).digest()
    assert base64.standard_b64decode(signature.removeprefix("sha256=")) == digest


@given(body=st.binary(), key=KEYS, other=st.binary())
def test_another_body_is_refused(body: bytes, key: str, other: bytes) -> None:
    if body != other:
        assert isinstance(refused(other, sign(body, key), key), CloudElementsSignatureError)


# A key and the same with zero bytes after it are one to HMAC, as long as they fit a block.
@given(body=st.binary(), key=KEYS, other=KEYS)
def test_another_key_is_refused(body: bytes, key: str, other: str) -> None:
    if key.rstrip("\0") != other.rstrip("\0"):
        assert isinstance(refused(body, sign(body, key), other), CloudElementsSignatureError)


@given(body=st.binary(), flipped=st.integers(0, len(SIGNATURE) - 1), char=st.characters())
def test_one_changed_character_is_refused(body: bytes, flipped: int, char: str) -> None:
    signature = sign(body, KEY)
    if signature[flipped] != char:
        changed = f"{signature[:flipped]}{char}{signature[flipped + 1 :]}"
        assert isinstance(refused(body, changed), CloudElementsSignatureError)


@given(body=st.binary(), signature=st.none() | st.text())
def test_any_text_is_a_signature_or_is_refused(body: bytes, signature: str | None) -> None:
    assert isinstance(refused(body, signature), CloudElementsSignatureError)


#: One and the same once it is parsed. The third is what Python writes, the fourth the shortest.
SPELLINGS = (
    b'{"a": 1,  "b":2}',
    b'{"b": 2, "a": 1}',
    b'{"a": 1, "b": 2}',
    b'{"a":1,"b":2}',
    b'{"a": 1, "b": 2}\n',
    b'{"\\u0061": 1, "b": 2}',
)


@pytest.mark.parametrize(("signed", "sent"), itertools.permutations(SPELLINGS, 2))
def test_parsed_and_written_again_is_another_body(signed: bytes, sent: bytes) -> None:
    assert json.loads(signed) == json.loads(sent)
    verify(signed, sign(signed, KEY), KEY)
    assert "raw bytes" in str(refused(sent, sign(signed, KEY)))


OTHER_SPELLING = SIGNATURE.replace("jQ=", "jR=")  # decodes to the same bytes


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (None, "no signature (header Elements-Webhook-Signature)"),
        ("", "no signature"),
        ("sha1=" + base64.b64encode(hmac.digest(KEY.encode(), BODY, "sha1")).decode(), "sha1"),
        (SIGNATURE.removeprefix("sha256="), "does not begin with 'sha256='"),
        (SIGNATURE.upper(), "does not begin with 'sha256='"),
        (f" {SIGNATURE}", "does not begin with 'sha256='"),
        (f"{SIGNATURE} ", "not standard base64"),
        (SIGNATURE.rstrip("="), "not standard base64"),
        (SIGNATURE.replace("+", "-"), "not standard base64"),
        (SIGNATURE.replace("R", "Ä"), "not standard base64"),
        (SIGNATURE.replace("R", "\ud800"), "not standard base64"),
        ("sha256=", "0 bytes"),
        ("sha256=" + base64.b64encode(b"x" * 31).decode(), "31 bytes"),
        ("sha256=" + hmac.digest(KEY.encode(), BODY, "sha256").hex(), "48 bytes"),
        (sign(BODY, "another key"), "does not match"),
        (OTHER_SPELLING, "does not match"),
    ],
)
def test_each_fault_has_its_reason(signature: str | None, reason: str) -> None:
    error = refused(signature=signature)
    assert isinstance(error, CloudElementsSignatureError)
    assert reason in str(error)
    assert error.retryable is False


def test_the_other_spelling_would_decode_to_the_same() -> None:
    texts = [each.removeprefix("sha256=") for each in (SIGNATURE, OTHER_SPELLING)]
    assert texts[0] != texts[1]
    assert base64.b64decode(texts[0]) == base64.b64decode(texts[1])


@pytest.mark.parametrize("signature", [None, "sha1=eA==", "eA==", "sha256=??", "sha256=eA==", sign(b"", KEY)])
def test_neither_key_nor_signature_shows(signature: str | None) -> None:
    text = shown(refused(signature=signature))
    assert_hidden(text, KEY, SIGNATURE.removeprefix("sha256="))


@pytest.mark.parametrize("body", [BODY.decode(), None, bytearray(BODY), memoryview(BODY), {"a": 1}, 7])
def test_only_bytes_are_a_body(body: Any) -> None:
    for misuse in (lambda: sign(body, KEY), lambda: verify(body, SIGNATURE, KEY)):
        with pytest.raises(CloudElementsValidationError, match=f"raw bytes.*{type(body).__name__}"):
            misuse()


@pytest.mark.parametrize("signature", [SIGNATURE.encode(), 7, [SIGNATURE], b""])
def test_only_text_is_a_signature(signature: Any) -> None:
    error = refused(signature=signature)
    assert isinstance(error, CloudElementsValidationError)
    assert "signature must be the header's text" in str(error)


@pytest.mark.parametrize("key", [None, "", KEY.encode(), 7, "hidden\ud800"])
def test_only_text_is_a_key(key: Any) -> None:
    for misuse in (
        lambda: sign(BODY, key),
        lambda: verify(BODY, SIGNATURE, key),
        lambda: verify(BODY, None, key),
    ):
        with pytest.raises(CloudElementsValidationError, match="signature key") as caught:
            misuse()
        assert_hidden(shown(caught.value), "hidden", KEY)
