"""Which keys hold a secret, and taking known values out of a text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.wire.secrecy import (
    asterisk_keys,
    is_secret_key,
    is_shown_key,
    redact,
    secret_values,
    shown,
    shown_text,
    url_secrets,
)


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
        "api.pass",
        "api_pass",
        "db_pin",
        "dbPin",
        "security.key",
        "auth.key",
        "integration.key",
        "user.key",
        "master.key",
        "partnerKey",
        "site.hash",
        "sessionId",
        "session_id",
        "hmac",
        "otp",
        "client.assertion",
        "keystore",
        "pfx",
        "webservice.key",
        "oauth2.bearer",
        "signing.key",
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
def test_keys_that_name_no_credential(key: str) -> None:
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "oauth.scope",
        "oauth.callback.url",
        "event.notification.enabled",
        "event.notification.callback.url",
        "event.vendor.type",
        "event.poller.refresh_interval",
        "event.poller.configuration",
        "event.objects",
        "filter.response.nulls",
        "siteAddress",
        "zendesk.subdomain",
        "acme.site.address",
        "bulk.enabled",
    ],
)
def test_keys_of_what_is_known_to_be_harmless(key: str) -> None:
    assert is_shown_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "username",
        "user.name",
        "login",
        "id",
        "name",
        "key",
        "email",
        "acme.own.word",
        "event.own.word",
        "event.notification.signature.key",
        "event.helper.key",
        "webhook.url",
        "password.type",
        "token.version",
        "",
    ],
)
def test_any_other_key_hides_its_value(key: str) -> None:
    assert not is_shown_key(key)


POLLER = {
    "contacts": {"url": "/contacts?api=hidden1", "idField": "id", "pageSize": 5, "own": "hidden2"},
    "secret.ones": {"url": "hidden3"},
    "plain": "hidden4",
}
SHOWN_POLLER = {
    "contacts": {"url": "/contacts?api=***", "idField": "id", "pageSize": 5, "own": "***"},
    "secret.ones": {"url": "***"},
    "plain": "***",
}


@pytest.mark.parametrize(
    ("given_values", "visible"),
    [
        ({"username": "ada", "oauth.scope": "a b"}, {"username": "***", "oauth.scope": "a b"}),
        ({"own": ["a", {"scope": 5}]}, {"own": ["***", {"scope": "***"}]}),
        (
            {"own": True, "other": None, "third": "", "n": 5},
            {"own": True, "other": None, "third": "", "n": "***"},
        ),
        ({"own": "False", "other": "true"}, {"own": "False", "other": "true"}),
        ({"event.poller.configuration": POLLER}, {"event.poller.configuration": SHOWN_POLLER}),
        (
            {"event.poller.configuration": json.dumps(POLLER)},
            {"event.poller.configuration": json.dumps(SHOWN_POLLER)},
        ),
        ({"event.metadata": "{broken"}, {"event.metadata": "***"}),
        # A dictionary that a template rendered without the filter tojson.
        ({"event.poller.configuration": str(POLLER)}, {"event.poller.configuration": "***"}),
        ({"host": "[::1]:8080"}, {"host": "[::1]:8080"}),
        ({"oauth.scope": b"hidden5"}, {"oauth.scope": "***"}),
        (
            {"event.notification.callback.url": "https://ada:pw-word@x.example/in?token=hidden5&b#hidden6"},
            {"event.notification.callback.url": "https://***@x.example/in?token=***&***#***"},
        ),
        (
            {"event.notification.callback.url": "https://ada:p@hidden7@x.example/in?token=12|hidden8&b=1"},
            {"event.notification.callback.url": "https://***@x.example/in?token=***&b=***"},
        ),
        (
            {"event.poller.urls": "/contacts?key=hidden9|/accounts?key=hidden10|https://x.example/a"},
            {"event.poller.urls": "/contacts?key=***|/accounts?key=***|https://x.example/a"},
        ),
        ("a text", "***"),
        (["a"], "***"),
        (None, None),
        ("", ""),
    ],
    ids=repr,
)
def test_what_is_shown_of_a_configuration(given_values: Any, visible: Any) -> None:
    assert shown(given_values) == visible
    text = json.dumps(visible)
    for secret in secret_values(given_values, configuration=True):
        assert secret not in text


def test_everything_that_is_hidden_is_taken_out_of_texts_too() -> None:
    configuration = {
        "username": "api_5f3QcloseIoKey",
        "own.word": "own-word",
        "event.poller.configuration": POLLER,
        "event.notification.callback.url": "https://x.example/in?token=to%2Fken",
    }
    found = set(secret_values({"configuration": configuration}))
    hidden = {"hidden1", "hidden2", "hidden3", "hidden4"}
    assert found == {"api_5f3QcloseIoKey", "own-word", "to%2Fken", "to/ken"} | hidden


def test_short_and_plain_values_of_unknown_keys_are_left_in_texts() -> None:
    values = {"own": "eu", "other": "False", "third": True, "page": 100, "pin": "1234", "password": "x"}
    assert list(secret_values(values, configuration=True)) == ["1234", "x"]


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("https://x.example/in?token=1|hidden1", "https://x.example/in?token=***"),
        ("https://x.example/in?token=plain hidden1", "https://x.example/in?token=***"),
        ("https://ada:p@hidden1@x.example/in", "https://***@x.example/in"),
        ("ada:hidden1@x.example", "***@x.example"),
        ("https://x.example/?a=hidden1 https://y.example/b", "https://x.example/?a=*** https://y.example/b"),
        ("leads|/b?c=hidden1", "leads|/b?c=***"),
        ("https://x.example/in;jsessionid=hidden1", "https://x.example/in;jsessionid=***"),
        ("https://x.example/in;v=a;s=hidden1/a?b=hidden1", "https://x.example/in;v=***?b=***"),
        ("/in;token=ab/hidden1==#hidden1", "/in;token=***#***"),
        ("https://x.example/in;hidden1", "https://x.example/in;***"),
        ("https://ada:pass/hidden1@x.example/in", "https://***@x.example/in"),
        ("ada:pass/hidden1@x.example", "***@x.example"),
        ("https://pass/hidden1@x.example/in", "https://***@x.example/in"),
        ("https://x.example/in%3Btoken=hidden1", "https://x.example/in%3Btoken=***"),
        ("https://x.example/in%253btoken%253dhidden1?a", "https://x.example/in%253btoken%253d***?***"),
        ("https://x.example/in%3Ftoken%3Dhidden1", "https://x.example/in%3Ftoken%3D***"),
        ("https://x.example/in%23hidden1", "https://x.example/in%23***"),
        ("https://x.example/in%3Fa=hidden1%26b=hidden1", "https://x.example/in%3Fa=***"),
    ],
)
def test_no_part_of_an_address_s_secrets_is_left(text: str, visible: str) -> None:
    assert shown_text(text) == visible
    assert "hidden1" not in redact(text, url_secrets(text))


@pytest.mark.parametrize(
    "text",
    [
        "https://x.example:8443/@a/b",
        "https://x.example/@me/b:c@d",
        "https://x.example/a/b",
        "https://x.example/a%20b%2Fc",
        "http://localhost/@me/c@d",
        "a@x.example h:80",
        "offline_access https://graph.example/.default",
        "a;b",
        "",
    ],
)
def test_an_address_without_login_and_query_is_shown_whole(text: str) -> None:
    assert shown_text(text) == text
    assert list(url_secrets(text)) == []


def test_asterisks_are_found_wherever_they_stand() -> None:
    values = {
        "password": "*",
        "own": "***",
        "deep": {"list": [{"oauth.token": "***"}]},
        "with space": " ******** ",
        "wildcard": "*",
        "mixed": "***x",
        "empty": "",
        "number": 5,
    }
    assert asterisk_keys(values) == ["password", "own", "deep", "with space"]


@pytest.mark.parametrize(
    "text",
    [
        "https://ada:hidden1@x.example/in",
        "https://hidden1@x.example/in",
        "https://x.example/in?token=hidden1&b=hidden2",
        "https://x.example/in?hidden1",
        "https://x.example/in#hidden1",
        "https://x.example/in;s=hidden1/a?b",
    ],
)
def test_an_address_as_it_is_shown_is_not_taken_for_the_address(text: str) -> None:
    assert asterisk_keys({"event.notification.callback.url": text}) == []
    assert asterisk_keys({"event.notification.callback.url": shown_text(text)}) != []


@pytest.mark.parametrize(
    "text", ["https://x.example/***/a", "https://x.example/a?b=*", "a?b=***", "https://*"]
)
def test_asterisks_that_may_be_a_pattern_are_taken(text: str) -> None:
    assert asterisk_keys({"event.notification.callback.url": text}) == []


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
