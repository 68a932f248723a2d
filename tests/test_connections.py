"""Both connection types: every form in which Airflow keeps one, and every way to get one wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib.resources import files
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema
import pytest
from airflow.sdk import BaseHook, Connection
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_cloudelements.connection_form import (
    CONNECTION_BEHAVIOUR,
    CONNECTION_FIELDS,
    ELEMENT_BEHAVIOUR,
    ELEMENT_FIELDS,
    FormField,
    form_behaviour,
    provider_form,
)
from airflow_provider_cloudelements.connections import (
    ConnectionSettings,
    ElementSettings,
    is_loopback,
    is_web_url,
)
from airflow_provider_cloudelements.exceptions import CloudElementsConnectionError
from airflow_provider_cloudelements.get_provider_info import get_provider_info
from tests.support.hidden import assert_hidden, shown
from tests.support.wire import ORGANIZATION, USER

HOST = "https://api.cloud-elements.com"
Read = Callable[[Any], Any]


def platform(extra: Any = None, **fields: Any) -> Connection:
    if not isinstance(extra, str):
        extra = json.dumps({"organization_secret": ORGANIZATION, **(extra or {})})
    given = {"host": HOST, "password": USER, "extra": extra, **fields}
    return Connection(conn_id="ce_prod", conn_type="cloudelements", **given)


def element(extra: Any = None, **fields: Any) -> Connection:
    return Connection(
        conn_id="ce_msgraph",
        conn_type="cloudelements_element",
        extra=extra if isinstance(extra, str) else json.dumps(extra or {}),
        **fields,
    )


def refusal(read: Read, connection: Any) -> CloudElementsConnectionError:
    with pytest.raises(CloudElementsConnectionError) as caught:
        read(connection)
    return caught.value


def assert_names(error: CloudElementsConnectionError, conn_id: str, field: str) -> None:
    assert str(error).startswith(f"Connection {conn_id!r}, field {field!r}: ")
    assert error.retryable is False


# --- The forms in which Airflow keeps a connection ---------------------------------------------------------


def test_the_json_form_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_CE_JSON",
        json.dumps(
            {
                "conn_type": "cloudelements",
                "host": "api.openconnectors.us2.ext.hana.ondemand.com",
                "password": USER,
                "extra": {
                    "organization_secret": ORGANIZATION,
                    "namespace": "prod",
                    "request_timeout": 12.5,
                    "create_timeout": 90,
                    "max_retries": 5,
                    "proxy": "http://proxy.example:3128",
                    "verify_tls": False,
                    "ca_bundle": "/etc/ssl/own.pem",
                    "console_url": "https://my.example/instances/{id}",
                },
            }
        ),
    )
    assert ConnectionSettings.from_connection(BaseHook.get_connection("ce_json")) == ConnectionSettings(
        base_url="https://api.openconnectors.us2.ext.hana.ondemand.com",
        user_secret=USER,
        organization_secret=ORGANIZATION,
        conn_id="ce_json",
        namespace="prod",
        request_timeout=12.5,
        create_timeout=90.0,
        max_retries=5,
        proxy="http://proxy.example:3128",
        verify_tls=False,
        ca_bundle="/etc/ssl/own.pem",
        console_url="https://my.example/instances/{id}",
    )


def test_the_uri_form_means_the_same_as_the_json_form(monkeypatch: pytest.MonkeyPatch) -> None:
    query = urlencode(
        {
            "organization_secret": "a/b+c=",
            "request_timeout": "12.5",
            "max_retries": "0",
            "verify_tls": "false",
            "namespace": "prod",
        }
    )
    uri = f"cloudelements://:{quote(USER, safe='')}@api.cloud-elements.com:8443/?{query}"
    monkeypatch.setenv("AIRFLOW_CONN_CE_URI", uri)
    assert ConnectionSettings.from_connection(BaseHook.get_connection("ce_uri")) == ConnectionSettings(
        base_url="https://api.cloud-elements.com:8443",
        user_secret=USER,
        organization_secret="a/b+c=",
        conn_id="ce_uri",
        namespace="prod",
        request_timeout=12.5,
        max_retries=0,
        verify_tls=False,
    )


def test_the_element_types_uri_scheme_has_a_hyphen(monkeypatch: pytest.MonkeyPatch) -> None:
    query = urlencode(
        {
            "element": "microsoftgraph",
            "oauth_scope": "Calendars.Read offline_access",
            "oauth_callback_url": "https://app.example/cb?x=1&y=2",
            "oauth_user_refresh_token": "0.A/b+c=",
            "event_signature_secret": "sig/na+ture=",
            "configuration": json.dumps({"filter.response.nulls": True}),
        }
    )
    uri = f"cloudelements-element://{quote('key/+=', safe='')}:{quote('sec/+=', safe='')}@/?{query}"
    monkeypatch.setenv("AIRFLOW_CONN_CE_ELEMENT", uri)
    connection = BaseHook.get_connection("ce_element")
    assert connection.conn_type == "cloudelements_element"
    settings = ElementSettings.from_connection(connection)
    assert (settings.element, settings.authentication) == ("microsoftgraph", "oauth2")
    assert settings.configuration == {
        "oauth.api.key": "key/+=",
        "oauth.api.secret": "sec/+=",
        "oauth.scope": "Calendars.Read offline_access",
        "oauth.callback.url": "https://app.example/cb?x=1&y=2",
        "oauth.user.refresh_token": "0.A/b+c=",
        "event.notification.signature.key": "sig/na+ture=",
        "filter.response.nulls": True,
    }


@pytest.mark.parametrize("form", ["uri", "json"])
@pytest.mark.parametrize(
    "fields",
    [
        {"host": "api.cloud-elements.com"},
        {"host": HOST},
        {"host": f"{HOST}/elements/api-v2"},
        {"host": f"{HOST}:8443"},
        {"host": "api.cloud-elements.com", "port": 8443},
        {"host": "https://[::1]:8443"},
        {"extra": {"max_retries": 1, "verify_tls": True, "proxy": "http://u:p%40@proxy:3128"}},
    ],
    ids=str,
)
def test_a_connection_survives_airflows_own_forms(
    monkeypatch: pytest.MonkeyPatch, form: str, fields: dict[str, Any]
) -> None:
    before = platform(**fields)
    monkeypatch.setenv("AIRFLOW_CONN_CE_PROD", before.get_uri() if form == "uri" else before.as_json())
    after = BaseHook.get_connection("ce_prod")
    assert ConnectionSettings.from_connection(after) == ConnectionSettings.from_connection(before)


@given(st.text(st.sampled_from([chr(code) for code in range(0x21, 0x7F) if chr(code) != ","]), min_size=1))
@example("/+=")
@example("%2F%2B%3D")
@example("a@b:c?d#e&f")
def test_any_secret_survives_the_uri(secret: str) -> None:
    before = platform({"organization_secret": secret}, password=secret)
    after = Connection(conn_id="ce_prod", uri=before.get_uri())
    settings = ConnectionSettings.from_connection(after)
    assert (settings.user_secret, settings.organization_secret) == (secret, secret)
    assert settings.authorization_header == f"User {secret}, Organization {secret}"


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8).filter(lambda key: key.isprintable()),
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.integers(), max_size=2),
        max_size=4,
    ),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
)
def test_any_element_configuration_survives_the_uri(configuration: dict[str, Any], password: str) -> None:
    before = element(
        {"authentication": "basic", "configuration": configuration}, login="ada", password=password
    )
    after = Connection(conn_id="ce_msgraph", uri=before.get_uri())
    expected = {**configuration, "username": "ada", "password": password}
    if any(key in configuration for key in ("username", "password")):
        return
    assert ElementSettings.from_connection(after).configuration == expected


def test_empty_fields_of_a_saved_form_are_as_good_as_none() -> None:
    empty = dict.fromkeys((each.name for each in CONNECTION_FIELDS), "")
    nulls = dict.fromkeys((each.name for each in CONNECTION_FIELDS), None)
    for extra in (empty, nulls):
        settings = ConnectionSettings.from_connection(
            platform({**extra, "organization_secret": ORGANIZATION}, schema="", login="")
        )
        assert settings == ConnectionSettings(HOST, USER, ORGANIZATION, "ce_prod")
    settings = ElementSettings.from_connection(
        element(dict.fromkeys((each.name for each in ELEMENT_FIELDS), ""), login="", password="")
    )
    assert settings == ElementSettings(conn_id="ce_msgraph")


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "1", "yes", True])
def test_words_for_true(text: Any) -> None:
    assert ConnectionSettings.from_connection(platform({"verify_tls": text})).verify_tls is True


@pytest.mark.parametrize("text", ["false", "False", "0", "no", False])
def test_words_for_false(text: Any) -> None:
    assert ConnectionSettings.from_connection(platform({"verify_tls": text})).verify_tls is False


@pytest.mark.parametrize(
    ("read", "conn_type", "wanted"),
    [
        (ConnectionSettings.from_connection, "http", "cloudelements"),
        (ConnectionSettings.from_connection, "cloudelements_element", "cloudelements"),
        (ElementSettings.from_connection, "cloudelements", "cloudelements_element"),
    ],
)
def test_a_connection_of_another_type_is_told_before_its_fields(
    read: Read, conn_type: str, wanted: str
) -> None:
    error = refusal(read, Connection(conn_id="ce_prod", conn_type=conn_type, extra="no JSON", password=USER))
    assert f"is of type {conn_type!r}" in str(error)
    assert f"needs one of type {wanted!r}" in str(error)
    assert_hidden(shown(error), USER)


# --- The host ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({"host": "api.cloud-elements.com"}, HOST),
        ({"host": HOST}, HOST),
        ({"host": f"{HOST}/"}, HOST),
        ({"host": f" {HOST} "}, HOST),
        ({"host": f"{HOST}/elements/api-v2"}, HOST),
        ({"host": f"{HOST}/elements/api-v2/"}, HOST),
        ({"host": "api.cloud-elements.com/elements/api-v2"}, HOST),
        ({"host": "HTTPS://API.Cloud-Elements.COM"}, HOST),
        ({"host": "api.cloud-elements.com", "schema": "https"}, HOST),
        ({"host": "api.cloud-elements.com", "schema": "whatever"}, HOST),
        ({"host": "api.cloud-elements.com:8443"}, f"{HOST}:8443"),
        ({"host": HOST, "port": 8443}, f"{HOST}:8443"),
        ({"host": f"{HOST}:8443", "port": 1}, f"{HOST}:8443"),
        ({"host": f"{HOST}:8443", "port": 0}, f"{HOST}:8443"),
        ({"host": HOST, "port": 0}, HOST),
        ({"host": "[2001:db8::1]"}, "https://[2001:db8::1]"),
        ({"host": "https://[2001:DB8::1]:8443/elements/api-v2"}, "https://[2001:db8::1]:8443"),
        ({"host": "10.1.2.3"}, "https://10.1.2.3"),
        ({"host": "localhost:8095", "schema": "http"}, "http://localhost:8095"),
        ({"host": "http://127.0.0.1:8095"}, "http://127.0.0.1:8095"),
        ({"host": "http://127.9.9.9"}, "http://127.9.9.9"),
        ({"host": "http://[::1]:8095"}, "http://[::1]:8095"),
        ({"host": "http://LOCALHOST"}, "http://localhost"),
        ({"host": "https.example.com"}, "https://https.example.com"),
        ({"host": "https://gateway.example.com/ce"}, "https://gateway.example.com/ce"),
        ({"host": "gateway.example.com/ce/v1/"}, "https://gateway.example.com/ce/v1"),
        ({"host": "gateway.example.com:8443/ce/elements/api-v2/"}, "https://gateway.example.com:8443/ce"),
        ({"host": "https://gateway.example.com/ce", "port": 8443}, "https://gateway.example.com:8443/ce"),
        ({"host": f"{HOST}/elements/elements/api-v2"}, f"{HOST}/elements"),
        ({"host": "http://lab.example", "extra": {"verify_tls": False}}, "http://lab.example"),
    ],
    ids=str,
)
def test_a_host_is_taken_in_every_form_that_people_store(fields: dict[str, Any], base_url: str) -> None:
    assert ConnectionSettings.from_connection(platform(**fields)).base_url == base_url


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "  ",
        "https://",
        "https:///elements/api-v2",
        "https://ada@api.cloud-elements.com",
        "https://ada:pw@api.cloud-elements.com",
        "https://@api.cloud-elements.com",
        "https://api.cloud-elements.com\\@evil.example",
        "api.cloud-elements.com?x=1",
        "api.cloud-elements.com#x",
        "https://api.cloud-elements.com/elements/api-v1",
        "https://api.cloud-elements.com/elements",
        "https://api.cloud-elements.com/elements/api-v2/instances",
        "https://api.cloud-elements.com/ce/elements/api-v2/instances",
        "https://gateway.example.com/../ce",
        "https://gateway.example.com/ce/./x",
        "https://gateway.example.com//ce",
        "https://gateway.example.com/c%65",
        "https://gateway.example.com/c e",
        "https//api.cloud-elements.com",
        "https:/api.cloud-elements.com",
        "http//127.0.0.1",
        "HTTPS:api.cloud-elements.com",
        "::1",
        "https://2001:db8::1",
        "https://2001:db8::1/elements/api-v2",
        "ftp://api.cloud-elements.com",
        "javascript://api.cloud-elements.com",
        "http://api.cloud-elements.com",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://0.0.0.0",
        "https://api.cloud-elements.com:port",
        "https://api.cloud-elements.com:99999",
        "https://api.cloud-elements.com:0",
        "https://api.cloud-elements.com:-1",
        "https://::1",
        "https://[::1",
        "https://[nonsense]",
        "api cloud-elements com",
        "-api.cloud-elements.com",
        "api..cloud_elements",
        "api.cloud-elements.com,evil.example",
        "https://https://api.cloud-elements.com",
        "%61pi.cloud-elements.com",
        "bücher.example",
    ],
)
def test_any_other_host_is_refused(host: str | None) -> None:
    assert_names(refusal(ConnectionSettings.from_connection, platform(host=host)), "ce_prod", "host")


@pytest.mark.parametrize("port", [-1, 65_536, 70_000, True, False, "80", 80.0, 0.0])
@pytest.mark.parametrize("host", [HOST, f"{HOST}:443"])
def test_any_other_port_is_refused(port: Any, host: str) -> None:
    connection = SimpleNamespace(
        conn_id="ce_prod",
        host=host,
        port=port,
        schema=None,
        password=USER,
        extra=json.dumps({"organization_secret": ORGANIZATION}),
    )
    assert_names(refusal(ConnectionSettings.from_connection, connection), "ce_prod", "port")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("request_timeout", "create_timeout") for value in (0, -1, math.nan)),
        *(
            (name, value)
            for name in ("request_timeout", "create_timeout")
            for value in (math.inf, 10**9, "5")
        ),
        *(("max_retries", value) for value in (-1, math.nan, math.inf, 1.5, 101, "3", True)),
    ],
)
def test_settings_made_by_hand_are_checked_as_well(name: str, value: Any) -> None:
    with pytest.raises(CloudElementsConnectionError, match=f"field '{name}'") as caught:
        ConnectionSettings(HOST, USER, ORGANIZATION, **{name: value})
    assert not caught.value.retryable


def test_an_address_of_a_proxy_that_cannot_be_read_hides_as_a_whole() -> None:
    assert ConnectionSettings(HOST, USER, ORGANIZATION, proxy="http://[::1").secrets[-1] == "http://[::1"


@given(st.text(max_size=40))
def test_any_text_as_host_is_an_origin_or_refused(host: str) -> None:
    try:
        base_url = ConnectionSettings.from_connection(platform(host=host)).base_url
    except CloudElementsConnectionError as error:
        assert_names(error, "ce_prod", "host")
    else:
        assert is_web_url(base_url)
        assert base_url.count("/") == 2
        # Taking it once more changes nothing.
        assert ConnectionSettings.from_connection(platform(host=base_url)).base_url == base_url


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("LocalHost.", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("127.1", False),
        ("::", False),
        ("0.0.0.0", False),
        ("api.example", False),
        ("", False),
    ],
)
def test_loopback_is_what_cannot_be_overheard(host: str, own: bool) -> None:
    assert is_loopback(host) is own


# --- What is wrong is named, and never shown ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("connection", "field"),
    [
        (platform(password=None), "password"),
        (platform(password=""), "password"),
        (platform(password="two words"), "password"),
        (platform(password="two,words"), "password"),
        (platform(password="line\nbreak"), "password"),
        (platform(password=" padded "), "password"),
        (platform(password="sécret"), "password"),
        (platform("{}"), "organization_secret"),
        (platform({"organization_secret": ""}), "organization_secret"),
        (platform({"organization_secret": "a b"}), "organization_secret"),
        (platform({"organization_secret": 5}), "organization_secret"),
        (platform({"organization_secret": ["x"]}), "organization_secret"),
        (platform({"namespace": 5}), "namespace"),
        (platform({"namespace": " "}), "namespace"),
        (platform({"namespace": "None"}), "namespace"),
        (platform({"namespace": "\u200b "}), "namespace"),
        (platform({"request_timeout": "soon"}), "request_timeout"),
        (platform({"request_timeout": 0}), "request_timeout"),
        (platform({"request_timeout": -1}), "request_timeout"),
        (platform({"request_timeout": "nan"}), "request_timeout"),
        (platform({"request_timeout": "inf"}), "request_timeout"),
        (platform({"request_timeout": True}), "request_timeout"),
        (platform({"request_timeout": 1e10}), "request_timeout"),
        (platform('{"organization_secret": "x", "request_timeout": 1' + "0" * 400 + "}"), "request_timeout"),
        (platform({"create_timeout": [1]}), "create_timeout"),
        (platform({"max_retries": 1.5}), "max_retries"),
        (platform({"max_retries": -1}), "max_retries"),
        (platform({"max_retries": 1e9}), "max_retries"),
        (platform({"max_retries": "many"}), "max_retries"),
        (platform({"verify_tls": "maybe"}), "verify_tls"),
        (platform({"verify_tls": 1}), "verify_tls"),
        (platform({"ca_bundle": True}), "ca_bundle"),
        (platform({"proxy": "proxy.example:3128"}), "proxy"),
        (platform({"proxy": "socks5://proxy.example"}), "proxy"),
        (platform({"proxy": "http://proxy.example:99999"}), "proxy"),
        (platform({"proxy": "http://[::1"}), "proxy"),
        (platform({"proxy": " http://proxy.example"}), "proxy"),
        (platform({"proxy": {"http": "x"}}), "proxy"),
        (platform({"authorization": "Bearer a\r\nX: y"}), "authorization"),
        (platform({"authorization": " Bearer a"}), "authorization"),
        (platform({"authorization": "Bearer ünicode"}), "authorization"),
        (platform({"authorization": 7}), "authorization"),
        (platform({"console_url": "my.example/{id}"}), "console_url"),
        (platform({"console_url": "https://my.example/"}), "console_url"),
        (platform({"console_url": "javascript:alert({id})"}), "console_url"),
        (platform({"organisation_secret": "x"}), "extra"),
        (platform("[]"), "extra"),
        (platform('"text"'), "extra"),
        (platform("{"), "extra"),
        (platform("no JSON"), "extra"),
        (platform("[" * 100_000), "extra"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_field_of_the_platforms_connection_is_named(connection: Connection, field: str) -> None:
    assert_names(refusal(ConnectionSettings.from_connection, connection), "ce_prod", field)


@pytest.mark.parametrize(
    ("connection", "field"),
    [
        (element({"element": 5}), "element"),
        (element({"authentication": "oauth3"}), "authentication"),
        (element({"authentication": True}), "authentication"),
        (element({"oauth_scope": ["a"]}), "oauth_scope"),
        (element({"authentication": "basic", "oauth_scope": "a"}), "oauth_scope"),
        (element({"authentication": "custom", "oauth_user_refresh_token": "a"}), "oauth_user_refresh_token"),
        (element({"authentication": "basic", "oauth_callback_url": "https://x"}), "oauth_callback_url"),
        (element({"oauth_callback_url": "app.example/cb"}), "oauth_callback_url"),
        (element({"oauth_user_refresh_token": "a\n"}), "oauth_user_refresh_token"),
        (element({"event_callback_url": "//x"}), "event_callback_url"),
        (element({"event_signature_secret": " a"}), "event_signature_secret"),
        (element({"event_signature_secret": 1}), "event_signature_secret"),
        (element({"configuration": "[1]"}), "configuration"),
        (element({"configuration": "{"}), "configuration"),
        (element({"configuration": ["a"]}), "configuration"),
        (element({"configuration": {"oauth.scope": "a"}, "oauth_scope": "b"}), "configuration"),
        (element({"configuration": {"oauth.api.key": "a"}}, login="b"), "configuration"),
        (element({"authentication": "custom"}, login="a"), "login"),
        (element({"authentication": "custom"}, password="a"), "login"),
        (element({"scope": "a"}), "extra"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_field_of_an_elements_connection_is_named(connection: Connection, field: str) -> None:
    assert_names(refusal(ElementSettings.from_connection, connection), "ce_msgraph", field)


PLANTED = "PlAnted/Secret+Value0123456789abc="


@given(
    st.sampled_from(["host", "schema", "login", "password", "extra", *(f.name for f in CONNECTION_FIELDS)]),
    st.sampled_from(
        ["", " ", "\n", ",", "://", "http://", "https://", "{", "{}", "é", "@", "?", "#", "/", "\0"]
    ),
    st.sampled_from(["", " ", "\n", ",", "@h", ":p@h", "/x", "?q", "}", "é", "\0", "{id}", ":99999"]),
    st.sampled_from([lambda v: v, lambda v: [v], lambda v: {"k": v}, lambda v: {v: 1}]),
)
def test_a_secret_in_any_field_of_the_platforms_connection_is_never_shown(
    field: str, before: str, after: str, wrap: Callable[[str], Any]
) -> None:
    _plant(ConnectionSettings.from_connection, platform, field, before + PLANTED + after, wrap)


@given(
    st.sampled_from(["host", "schema", "login", "password", "extra", *(f.name for f in ELEMENT_FIELDS)]),
    st.sampled_from(["", " ", "\n", "{", '{"oauth.scope": "', "http://", "é", "\0"]),
    st.sampled_from(["", " ", "\n", "}", '"}', "/x", "é", "\0"]),
    st.sampled_from([lambda v: v, lambda v: [v], lambda v: {"k": v}, lambda v: {"oauth.scope": v}]),
    st.sampled_from(["oauth2", "basic", "custom", PLANTED]),
)
def test_a_secret_in_any_field_of_an_elements_connection_is_never_shown(
    field: str, before: str, after: str, wrap: Callable[[str], Any], authentication: str
) -> None:
    def make(extra: Any = None, **fields: Any) -> Connection:
        if not isinstance(extra, str):
            extra = {"authentication": authentication, "oauth_scope": "other", **(extra or {})}
        return element(extra, **{"login": "ada", **fields})

    _plant(ElementSettings.from_connection, make, field, before + PLANTED + after, wrap)


def _plant(read: Read, make: Callable[..., Connection], field: str, value: str, wrap: Any) -> None:
    if field in ("host", "schema", "login", "password", "extra"):
        connection = make(**{field: value})
    else:
        connection = make({field: wrap(value)})
    try:
        settings = read(connection)
    except CloudElementsConnectionError as error:
        refused: CloudElementsConnectionError | None = error
    else:
        refused = None
    if refused is not None:
        assert refused.__cause__ is None
        assert refused.__context__ is None
        assert_hidden(shown(refused), PLANTED)
    else:
        secret = {f.name for f in (*CONNECTION_FIELDS, *ELEMENT_FIELDS) if f.kind in ("secret", "word")}
        if field in {*secret, "login", "password", "configuration"}:
            assert_hidden(repr(settings) + str(settings), PLANTED)


def test_an_unknown_field_gets_the_nearest_known_one_as_a_hint() -> None:
    error = refusal(ConnectionSettings.from_connection, platform({"organisation_secret": "x"}))
    assert "Did you mean 'organization_secret'?" in str(error)
    error = refusal(ConnectionSettings.from_connection, platform({"zzz": "x"}))
    assert "'zzz'" in str(error)
    assert "max_retries" in str(error)


# --- Secrets -----------------------------------------------------------------------------------------------


def test_a_raw_header_takes_the_place_of_both_secrets() -> None:
    settings = ConnectionSettings.from_connection(platform({"authorization": "Bearer tok/en+="}))
    assert settings.authorization_header == "Bearer tok/en+="
    assert settings.user_secret is None
    assert settings.organization_secret is None
    assert set(settings.secrets) == {"Bearer tok/en+=", "tok/en+="}
    basic = ConnectionSettings.from_connection(platform({"authorization": "Basic YWRhOnB3OngvKz0="}))
    assert {"ada:pw:x/+=", "pw:x/+="} < set(basic.secrets)
    for malformed in ("Basic no-base64", "Basic /////w==", "Basic", "Basic YWRh"):
        taken = ConnectionSettings.from_connection(platform({"authorization": malformed}))
        assert taken.secrets[0] == malformed
    alone = ConnectionSettings.from_connection(
        Connection(conn_id="c", host=HOST, extra='{"authorization": "Bearer tok/en+="}')
    )
    assert alone.authorization_header == "Bearer tok/en+="


@pytest.mark.parametrize(
    ("fields", "secrets"),
    [
        ({}, {USER, ORGANIZATION}),
        (
            {"proxy": "http://ada:pw%2Fd@proxy:3128"},
            {USER, ORGANIZATION, "http://ada:pw%2Fd@proxy:3128", "pw%2Fd", "pw/d"},
        ),
        ({"authorization": "opaque"}, {"opaque"}),
        (
            {"authorization": "Organization 0f0f, User us/er="},
            {"Organization 0f0f, User us/er=", "0f0f", "us/er="},
        ),
    ],
    ids=["two secrets", "proxy", "opaque header", "header of words"],
)
def test_secrets_are_all_that_must_be_masked(fields: dict[str, Any], secrets: set[str]) -> None:
    assert set(ConnectionSettings.from_connection(platform(fields)).secrets) == secrets


def test_repr_shows_no_secret() -> None:
    settings = ConnectionSettings.from_connection(platform({"proxy": f"http://ada:{ORGANIZATION}@proxy"}))
    assert_hidden(repr(settings), USER, ORGANIZATION)
    assert HOST in repr(settings)
    vendor = ElementSettings.from_connection(
        element(
            {
                "oauth_user_refresh_token": USER,
                "event_signature_secret": USER,
                "configuration": {"x.secret": USER},
            },
            login=ORGANIZATION,
            password=USER,
        )
    )
    assert_hidden(repr(vendor), USER, ORGANIZATION)


def test_settings_cannot_be_changed() -> None:
    settings = ConnectionSettings.from_connection(platform())
    with pytest.raises(AttributeError):
        settings.base_url = "https://evil.example"  # type: ignore[misc]


def test_anything_with_a_connections_attributes_will_do() -> None:
    connection = SimpleNamespace(
        conn_id="c",
        host=HOST,
        port=None,
        schema=None,
        login=None,
        password=USER,
        extra=json.dumps({"organization_secret": ORGANIZATION}),
    )
    assert ConnectionSettings.from_connection(connection).base_url == HOST


# --- What an element's login becomes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "fields", "configuration"),
    [
        ({}, {}, {}),
        ({}, {"login": "k", "password": "s"}, {"oauth.api.key": "k", "oauth.api.secret": "s"}),
        (
            {"authentication": "basic"},
            {"login": "ada", "password": "p w,=/+"},
            {"username": "ada", "password": "p w,=/+"},
        ),
        (
            {"authentication": "custom", "configuration": {"api.token": "t"}},
            {},
            {"api.token": "t"},
        ),
        (
            {"event_callback_url": "https://h.example/e", "event_signature_secret": "s"},
            {},
            {
                "event.notification.callback.url": "https://h.example/e",
                "event.notification.signature.key": "s",
            },
        ),
        # The same value twice is no contradiction.
        ({"oauth_scope": "a", "configuration": {"oauth.scope": "a"}}, {}, {"oauth.scope": "a"}),
        # A key of the configuration stands where its field is empty.
        ({"configuration": {"oauth.scope": "a"}}, {}, {"oauth.scope": "a"}),
    ],
    ids=str,
)
def test_fields_become_the_platforms_configuration_keys(
    extra: dict[str, Any], fields: dict[str, Any], configuration: dict[str, Any]
) -> None:
    assert ElementSettings.from_connection(element(extra, **fields)).configuration == configuration


# --- The form and what Airflow gets ---------------------------------------------------------------------


@pytest.mark.parametrize("field", [*CONNECTION_FIELDS, *ELEMENT_FIELDS], ids=lambda field: field.name)
def test_each_field_has_what_the_form_shows(field: FormField) -> None:
    schema = field.schema()
    jsonschema.Draft7Validator.check_schema(schema)
    assert field.label
    assert field.description.endswith(".")
    jsonschema.validate(field.default, {key: each for key, each in schema.items() if key != "enum"})
    if field.choices:
        assert schema["enum"] == list(field.choices)
        assert field.default in field.choices
    assert (schema.get("format") == "password") == (field.kind in ("secret", "word"))
    if "secret" in field.name or "token" in field.name or field.name in ("authorization", "proxy"):
        assert schema["format"] == "password"


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("verify_tls", {"type": ["boolean", "null"], "default": True}),
        ("max_retries", {"type": ["integer", "null"], "minimum": 0, "maximum": 100, "default": 3}),
        ("request_timeout", {"type": ["number", "null"], "minimum": 1, "maximum": 86400, "default": 30.0}),
        (
            "organization_secret",
            {
                "type": ["string", "null"],
                "format": "password",
                "section": "Organization secret (required)",
            },
        ),
        ("console_url", {"type": ["string", "null"], "format": "url"}),
    ],
)
def test_schemas_of_some_fields(name: str, schema: dict[str, Any]) -> None:
    assert provider_form(CONNECTION_FIELDS)[name]["schema"] == schema


def test_create_calls_wait_a_minute_unless_told_otherwise() -> None:
    assert ConnectionSettings.from_connection(platform()).create_timeout >= 60


def test_the_metadata_are_of_airflows_shape() -> None:
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_the_metadata_tell_both_types_and_all_their_fields() -> None:
    types = {each["connection-type"]: each for each in get_provider_info()["connection-types"]}
    assert list(types["cloudelements"]["conn-fields"]) == [field.name for field in CONNECTION_FIELDS]
    assert list(types["cloudelements_element"]["conn-fields"]) == [field.name for field in ELEMENT_FIELDS]
    for each in types.values():
        module, _, name = each["hook-class-name"].rpartition(".")
        hook = getattr(__import__(module, fromlist=[name]), name)
        assert (hook.conn_type, hook.hook_name) == (each["connection-type"], each["hook-name"])


@pytest.mark.parametrize("behaviour", [CONNECTION_BEHAVIOUR, ELEMENT_BEHAVIOUR])
def test_the_older_form_of_the_behaviour_says_the_same(behaviour: dict[str, Any]) -> None:
    older = form_behaviour(behaviour)
    assert set(older) == {"hidden_fields", "relabeling", "placeholders"}
    assert older["hidden_fields"] == behaviour["hidden-fields"]


def test_no_field_that_is_read_is_hidden() -> None:
    assert not {"host", "password"} & set(CONNECTION_BEHAVIOUR["hidden-fields"])
    assert not {"login", "password"} & set(ELEMENT_BEHAVIOUR["hidden-fields"])


# -- asterisks, as a page, REST or airflowctl shows a secret ----------------------------------------


@pytest.mark.parametrize(
    ("connection", "field"),
    [
        (platform(password="***"), "password"),
        (platform({"organization_secret": "***"}), "organization_secret"),
        (platform({"authorization": "***"}), "authorization"),
        (platform({"authorization": "Bearer ***"}), "authorization"),
        (platform({"authorization": f"User {USER}, Organization ***"}), "authorization"),
        (platform({"proxy": "***"}), "proxy"),
        (platform({"proxy": "http://ada:***@proxy.example:3128"}), "proxy"),
        (platform({"proxy": "http://ada:%2A%2A%2A@proxy.example:3128"}), "proxy"),
    ],
)
def test_asterisks_in_place_of_the_platform_s_secrets_are_refused(connection: Any, field: str) -> None:
    error = refusal(ConnectionSettings.from_connection, connection)
    assert str(error).startswith(f"Connection 'ce_prod', field {field!r}: it consists of asterisks")


@pytest.mark.parametrize(
    ("connection", "field"),
    [
        (element(login="a", password="***"), "password"),
        (element(login="***", password="b"), "login"),
        (element(login="a", password="*"), "password"),
        (element({"authentication": "basic"}, login="a", password=" ******** "), "password"),
        (element({"oauth_user_refresh_token": "***"}), "oauth_user_refresh_token"),
        (element({"event_signature_secret": "***"}), "event_signature_secret"),
        (element({"event_callback_url": "https://h.example/in?token=***"}), "event_callback_url"),
        (element({"oauth_callback_url": "https://ada:***@h.example/in"}), "oauth_callback_url"),
        (element({"authentication": "custom", "configuration": {"own.word": "***"}}), "configuration"),
        (element({"authentication": "custom", "configuration": {"a": {"b": ["x", "***"]}}}), "configuration"),
    ],
)
def test_asterisks_in_place_of_a_vendor_s_secrets_are_refused(connection: Any, field: str) -> None:
    error = refusal(ElementSettings.from_connection, connection)
    assert str(error).startswith(f"Connection 'ce_msgraph', field {field!r}: ")
    assert "consists of asterisks" in str(error)


def test_a_wildcard_in_a_configuration_stays() -> None:
    settings = ElementSettings.from_connection(element({"configuration": {"own.objects": "*"}}))
    assert settings.configuration["own.objects"] == "*"
