"""Which keys hold a secret, and taking known values out of a text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.wire.secrecy import is_secret_key, redact, secret_values


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "Password",
        "oauth.api.key",
        "oauth.api.secret",
        "oauth.user.token",
        "oauth.user.refresh_token",
        "oauth.user.token.secret",
        "event.notification.signature.key",
        "apiKey",
        "api_key",
        "api-key",
        "x-api-key",
        "apikey",
        "apiSecret",
        "access.key",
        "private_key",
        "private-key",
        "passphrase",
        "client.key",
        "credentials",
        "requestToken",
        "session.token",
        "organization_secret",
    ],
)
def test_keys_of_secrets(key: str) -> None:
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "username",
        "oauth.scope",
        "oauth.callback.url",
        "event.notification.enabled",
        "oauth.token.url",
        "event.notification.callback.url",
        "oauth.user.refresh_interval",
        "token_type",
        "oauth.token.expires_in",
        "event.poller.refresh_interval",
        "filter.response.nulls",
        "name",
        "keyword",
        "",
    ],
)
def test_keys_of_what_may_be_shown(key: str) -> None:
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    ("body", "secrets"),
    [
        (None, []),
        ("text", []),
        ({"name": "a", "tags": ["b"]}, []),
        ({"password": "a"}, ["a"]),
        ({"password": ""}, []),
        ({"password": None, "token": True}, []),
        ({"page": 1, "api.token": 123456}, ["123456"]),
        ({"providerData": {"code": "a", "more": {"x": ["b", 2.5]}}}, ["a", "b", "2.5"]),
        ([{"configuration": {"oauth.api.key": "a", "oauth.scope": "s"}}, ({"secret": "b"},)], ["a", "b"]),
        ({"secrets": {"any": "a"}}, ["a"]),
        ({"propertyValue": "a"}, ["a"]),
        ({5: {"token": "a"}}, ["a"]),
    ],
    ids=repr,
)
def test_secrets_of_a_body(body: Any, secrets: list[str]) -> None:
    assert list(secret_values(body)) == secrets


def test_the_longer_secret_goes_first() -> None:
    assert redact("x abcdef y", ["abc", "abcdef"]) == "x *** y"


def test_a_secret_of_asterisks_makes_no_more_of_them() -> None:
    assert redact("long-secret *", ["long-secret", "*"]) == "*** ***"


def test_nothing_to_take_out_changes_nothing() -> None:
    assert redact("a text", []) == redact("a text", [""]) == "a text"


@given(st.text(), st.lists(st.text(max_size=12), max_size=4))
def test_no_secret_is_left_whole(text: str, secrets: list[str]) -> None:
    left = redact(text + "".join(secrets), secrets)
    for secret in secrets:
        if secret and "*" not in secret:
            assert secret not in left


@given(st.text(st.characters(), min_size=1, max_size=12))
def test_any_secret_can_be_looked_for(secret: str) -> None:
    assert secret not in redact(f"«{secret}»", [secret]).strip("«»") or set(secret) <= set("*")
