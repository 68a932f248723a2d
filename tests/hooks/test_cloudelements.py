"""The hooks against the sandbox: connections as Airflow keeps them, over real HTTP."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import Connection
from airflow.sdk.log import redact

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.compat import mask_secret
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConnectionError,
    CloudElementsNotFoundError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsElementHook, CloudElementsHook
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.hidden import assert_hidden
from tests.support.wire import ORGANIZATION, USER, Answer, Wire, answer

HTML = answer(b"<html><body>Log in</body></html>", headers={"Content-Type": "text/html"})


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def masked() -> Callable[[str], bool]:
    """Say whether Airflow's masker knows a text."""
    return lambda secret: secret not in str(redact(f"before {secret} after"))


@pytest.fixture
def sandbox(cloudelements_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(cloudelements_sandbox.connection()))
    return cloudelements_sandbox


@pytest.fixture
def instance_id(sandbox: Sandbox) -> int:
    with CloudElementsHook().get_conn() as client:
        made = client.instances.create(
            element="closeio", name="an instance", configuration={"username": "ada", "password": "pass-word"}
        )
    return made.id


def platform(host: str = "", **fields: Any) -> Connection:
    extra = {"organization_secret": ORGANIZATION, **fields.pop("extra", {})}
    values = {"host": host, "password": USER, "extra": json.dumps(extra), **fields}
    return Connection(conn_id="tested", conn_type="cloudelements", **values)


def of(sandbox: Sandbox, **changes: Any) -> Connection:
    return platform(
        sandbox.url,
        password=changes.pop("password", sandbox.user_secret),
        extra={"organization_secret": sandbox.organization_secret, **changes},
    )


def put(monkeypatch: pytest.MonkeyPatch, conn_id: str, connection: Connection) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection.as_json())


# --- The client --------------------------------------------------------------------------------------------


def test_the_default_connection_becomes_a_client(sandbox: Sandbox) -> None:
    hook = CloudElementsHook()
    client = hook.get_conn()
    assert isinstance(client, CloudElementsClient)
    assert client.organization()
    assert hook.get_conn() is client
    assert [call["words"] for call in sandbox.requests()] == [["User", "Organization"]]


def test_a_connection_of_another_id_is_used_when_named(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, "other", of(sandbox, namespace="team-a"))
    settings = CloudElementsHook(cloudelements_conn_id="other").settings
    assert (settings.conn_id, settings.namespace) == ("other", "team-a")


def test_a_broken_connection_raises_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, "broken", platform("http://api.cloud-elements.com"))
    with pytest.raises(CloudElementsConnectionError, match="Connection 'broken', field 'host'"):
        CloudElementsHook("broken").get_conn()


def test_making_a_hook_reads_no_connection() -> None:
    CloudElementsHook("there_is_none")
    CloudElementsElementHook("there_is_none")


def test_the_connections_secrets_are_masked_in_every_form(
    monkeypatch: pytest.MonkeyPatch, masked: Callable[[str], bool]
) -> None:
    secret = "MaskedUser/Secret+0001="
    proxy_password = "proxy-pass-0001"
    put(
        monkeypatch,
        "tested",
        platform(
            "https://x.invalid", password=secret, extra={"proxy": f"http://ada:{proxy_password}@p.invalid"}
        ),
    )
    assert CloudElementsHook("tested").settings
    for form in (secret, "MaskedUser%2FSecret%2B0001%3D", ORGANIZATION, proxy_password):
        assert masked(form)


def test_a_token_is_fetched_when_first_needed_and_masked(
    sandbox: Sandbox, instance_id: int, masked: Callable[[str], bool]
) -> None:
    before = len(sandbox.requests())
    instance = CloudElementsHook().instance(instance_id)
    assert len(sandbox.requests()) == before
    token = instance.token
    assert masked(token)
    assert token not in repr(instance)
    assert instance.token == token
    instance.ping()
    calls = [(call["method"], call["path"]) for call in sandbox.requests()[before:]]
    assert calls == [("GET", f"/instances/{instance_id}"), ("GET", "/ping")]


def test_a_token_at_hand_is_masked_and_costs_no_call(
    sandbox: Sandbox, instance_id: int, masked: Callable[[str], bool]
) -> None:
    before = len(sandbox.requests())
    token = "T0ken/Xq7+Zw9Kp2Lm4Nv6Rt8Bs1Dc3Fg5Hj0000000="
    assert not masked(token)
    instance = CloudElementsHook().instance(instance_id, token)
    assert masked(token)
    assert instance.token == token
    assert len(sandbox.requests()) == before


def test_asterisks_are_no_token(sandbox: Sandbox, instance_id: int) -> None:
    with pytest.raises(CloudElementsValidationError, match="token consists of asterisks"):
        CloudElementsHook().instance(instance_id, "***")


def test_a_token_is_registered_once_and_as_it_is(
    sandbox: Sandbox, instance_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "T0ken/Xq7+Zw9Kp2Lm4Nv6Rt8Bs1Dc3Fg5Hj0000001="
    hook = CloudElementsHook()
    assert hook.settings
    registered: list[str] = []
    monkeypatch.setattr("airflow.sdk.log.mask_secret", registered.append)
    hook.instance(instance_id, token)
    fetched = hook.instance(instance_id).token
    assert registered == [token, fetched]


def test_a_created_instances_token_is_masked(sandbox: Sandbox, masked: Callable[[str], bool]) -> None:
    made = (
        CloudElementsHook()
        .get_conn()
        .instances.create(
            element="closeio", name="masked", configuration={"username": "ada", "password": "pass-word"}
        )
    )
    assert made.token
    assert masked(made.token)


def test_tokens_that_are_not_handed_out_are_not_registered(sandbox: Sandbox, instance_id: int) -> None:
    told: list[str] = []
    with CloudElementsClient(CloudElementsHook().settings, on_token=told.append) as client:
        listed = list(client.instances.list())
        read = client.instances.get(instance_id)
    assert [each.id for each in listed] == [instance_id]
    assert [listed[0].token, read.token, told] == [None, None, []]


def test_an_unknown_instance_is_told_when_its_token_is_needed(sandbox: Sandbox) -> None:
    instance = CloudElementsHook().instance(999_999)
    with pytest.raises(CloudElementsNotFoundError):
        instance.ping()


# --- The test of a connection ------------------------------------------------------------------------------


Tested = Callable[[Connection], tuple[bool, str]]


@pytest.fixture(params=["hook", "worker"])
def tested(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Tested:
    """Test a connection as the api-server's button does, or as Airflow 3.3's worker does."""

    def from_environment(connection: Connection) -> tuple[bool, str]:
        put(monkeypatch, "tested", connection)
        return CloudElementsHook("tested").test_connection()

    # The worker holds the connection in memory: no backend knows it.
    return from_environment if request.param == "hook" else lambda connection: connection.test_connection()


def test_a_right_connection_passes(sandbox: Sandbox, tested: Tested) -> None:
    assert tested(of(sandbox)) == (True, f"{sandbox.url} accepts the secrets.")
    assert [(call["path"], call["words"]) for call in sandbox.requests()] == [
        ("/organizations/me", ["User", "Organization"])
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"password": "WrOng/User+Secret000000="}, {"organization_secret": "ffff0000ffff0000ffff0000ffff0000"}],
    ids=str,
)
def test_a_wrong_secret_is_told_without_it(sandbox: Sandbox, tested: Tested, wrong: dict[str, str]) -> None:
    worked, message = tested(of(sandbox, **wrong))
    assert not worked
    assert (
        "does not accept the User secret (field 'password') or the 'organization_secret' of connection"
        in message
    )
    assert_hidden(message, *wrong.values(), sandbox.user_secret, sandbox.organization_secret)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("http://127.0.0.1:1", "could not connect to http://127.0.0.1:1"),
        ("https://no-such-host.invalid", "could not connect to https://no-such-host.invalid"),
        ("http://api.cloud-elements.com", "field 'host'"),
        ("", "field 'host'"),
    ],
)
def test_a_host_that_nobody_serves_is_told_quickly(tested: Tested, host: str, says: str) -> None:
    started = time.monotonic()
    worked, message = tested(platform(host))
    assert not worked
    assert says in message
    assert_hidden(message, USER, ORGANIZATION)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (HTML, "is not JSON. Is"),
        (answer([]), "is not a JSON object"),
        (answer(status=302, headers={"Location": "https://my.example/login"}), "does not redirect"),
        (answer(status=404), "answered 404"),
        (answer({"message": f"down {USER} {ORGANIZATION}"}, status=503), "answered 503"),
        (answer(status=429, headers={"Retry-After": "30"}), "answered 429"),
        (Answer(b""), "the connection broke"),
        (Answer(b"SSH-2.0-OpenSSH_9.2\r\n"), "the connection broke"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_host_that_is_not_the_api_is_told_after_one_call(tested: Tested, script: Answer, says: str) -> None:
    with Wire(script) as wire:
        worked, message = tested(platform(wire.url))
        assert len(wire.calls) == 1
    assert not worked
    assert says in message
    assert_hidden(message, USER, ORGANIZATION)


def test_a_host_that_never_answers_is_given_up(tested: Tested) -> None:
    with Wire(Answer(b"", then="stall")) as wire:
        started = time.monotonic()
        worked, message = tested(platform(wire.url, extra={"request_timeout": 1}))
        assert time.monotonic() - started < 4
    assert not worked
    assert "no answer in time" in message


def test_an_untrusted_certificate_is_told(tested: Tested, tls_server: ssl.SSLContext) -> None:
    with Wire(answer({}), tls=tls_server) as wire:
        worked, message = tested(platform(wire.url))
        assert wire.calls == []
    assert not worked
    assert "its certificate is not trusted" in message
    assert "ca_bundle" in message


def test_a_ca_bundle_that_is_not_there_is_named(tested: Tested) -> None:
    worked, message = tested(platform("https://127.0.0.1:1", extra={"ca_bundle": "/no/such/file.pem"}))
    assert not worked
    assert "'tested', field 'ca_bundle'" in message


def test_a_connection_that_does_not_exist_fails_the_test_and_raises_nothing() -> None:
    worked, message = CloudElementsHook("there_is_none").test_connection()
    assert not worked
    assert "could not be tested" in message


def test_the_test_reads_the_connection_anew(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = CloudElementsHook("tested")
    put(monkeypatch, "tested", of(sandbox))
    assert hook.test_connection()[0]
    put(monkeypatch, "tested", of(sandbox, password="wrong-secret"))
    assert not hook.test_connection()[0]


# --- The element's connection ------------------------------------------------------------------------------


def vendor(**extra: Any) -> Connection:
    return Connection(
        conn_id="vendor",
        conn_type="cloudelements_element",
        login="client-1",
        password="Client/Secret+0002=",
        extra=json.dumps(extra),
    )


@pytest.fixture(params=["hook", "worker"])
def tested_vendor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Tested:
    """As ``tested``, for the element's type."""

    def from_environment(connection: Connection) -> tuple[bool, str]:
        put(monkeypatch, "vendor", connection)
        return CloudElementsElementHook("vendor").test_connection()

    return from_environment if request.param == "hook" else lambda connection: connection.test_connection()


def test_an_elements_secrets_are_masked(
    monkeypatch: pytest.MonkeyPatch, masked: Callable[[str], bool]
) -> None:
    put(
        monkeypatch,
        "vendor",
        vendor(
            event_signature_secret="Sig/Key+0003=",
            oauth_user_refresh_token="0.Refresh/0004=",
            configuration={
                "api.token": "Api/Token+0005=",
                "own.word": "Own/Word+0006=",
                "site.host": "not-a-secret-0007",
            },
        ),
    )
    assert CloudElementsElementHook("vendor").get_conn().configuration["oauth.api.key"] == "client-1"
    for secret in ("Client/Secret+0002=", "Sig/Key+0003=", "0.Refresh/0004=", "Api%2FToken%2B0005%3D"):
        assert masked(secret)
    assert masked("Own/Word+0006=")
    assert masked("client-1")
    assert not masked("not-a-secret-0007")


def test_an_element_that_the_platform_has_passes(sandbox: Sandbox, tested_vendor: Tested) -> None:
    worked, message = tested_vendor(vendor(element="microsoftgraph"))
    assert worked
    assert message.endswith("accepts the secrets. It has the element 'microsoftgraph'.")


def test_an_element_that_the_platform_has_not_fails(sandbox: Sandbox, tested_vendor: Tested) -> None:
    worked, message = tested_vendor(vendor(element="microsoftgarph"))
    assert not worked
    assert "accepts the secrets. But it has no element 'microsoftgarph'." in message


def test_no_element_named_is_a_test_of_the_platform(sandbox: Sandbox, tested_vendor: Tested) -> None:
    worked, message = tested_vendor(vendor())
    assert worked
    assert message == f"The fields are well-formed. {sandbox.url} accepts the secrets."


def test_a_malformed_element_connection_fails(sandbox: Sandbox, tested_vendor: Tested) -> None:
    worked, message = tested_vendor(vendor(authentication="oauth3"))
    assert not worked
    assert "Connection 'vendor', field 'authentication'" in message
    assert sandbox.requests() == []


def test_without_a_platform_the_fields_alone_are_checked(
    tested_vendor: Tested, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", raising=False)
    worked, message = tested_vendor(vendor(element="microsoftgraph"))
    assert worked
    assert "Nothing more was checked" in message


def test_a_broken_platform_connection_is_told(tested_vendor: Tested, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, "cloudelements_default", platform("http://api.cloud-elements.com"))
    worked, message = tested_vendor(vendor(element="microsoftgraph"))
    assert not worked
    assert "Connection 'cloudelements_default', field 'host'" in message


def test_a_platform_that_is_not_one_is_not_taken_for_a_missing_element(
    tested_vendor: Tested, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Wire(answer(status=404)) as wire:
        put(monkeypatch, "cloudelements_default", platform(wire.url))
        worked, message = tested_vendor(vendor(element="microsoftgraph"))
        assert len(wire.calls) == 1
    assert not worked
    assert "has no element" not in message
    assert "connection 'cloudelements_default' failed" in message


def test_a_failing_catalogue_is_asked_once(sandbox: Sandbox, tested_vendor: Tested) -> None:
    sandbox.add_fault("status", path="/elements/*", status=503, count=None)
    worked, message = tested_vendor(vendor(element="microsoftgraph"))
    assert not worked
    assert "answered 503" in message
    assert [call["path"] for call in sandbox.requests()] == ["/organizations/me", "/elements/microsoftgraph"]
    assert_hidden(message, sandbox.user_secret, sandbox.organization_secret, "Client/Secret+0002=")


def test_a_connection_that_does_not_exist_fails_the_elements_test() -> None:
    worked, message = CloudElementsElementHook("there_is_none").test_connection()
    assert not worked
    assert "could not be tested" in message


# --- What Airflow 3.1 asks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", [CloudElementsHook, CloudElementsElementHook])
def test_hooks_tell_how_the_form_uses_the_standard_fields(hook: Any) -> None:
    assert set(hook.get_ui_field_behaviour()) == {"hidden_fields", "relabeling", "placeholders"}


def test_a_url_quoted_secret_is_masked_too(masked: Callable[[str], bool]) -> None:
    mask_secret("quo/ted+secret 0007=")
    for form in (
        "quo/ted+secret 0007=",
        "quo%2Fted%2Bsecret%200007%3D",
        "quo/ted%2Bsecret%200007%3D",
        "quo%2Fted%2Bsecret+0007%3D",
    ):
        assert masked(form)
