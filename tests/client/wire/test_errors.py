"""An answer becomes the error that fits, with the server's words and without anybody's secret."""

from __future__ import annotations

import base64
import html
import json
import re
import traceback
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsConflictError,
    CloudElementsError,
    CloudElementsForbiddenError,
    CloudElementsNotFoundError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.hidden import assert_hidden, forms, shown
from tests.support.wire import ORGANIZATION, SECRETS, TOKEN, USER, Answer, Wire, account, answer

REQUEST_ID = "5f3c0a1b2c3d4e5f60718293"
PASSWORD = 'Vendor/Pass+"word<&>!ä01='
# Not in a test's own lines, which a traceback shows: from Python 3.13 on all lines of a call.
WITH_QUERY = "/contacts?where=email='ada@example.com'"
CONSENT = {
    "api_key": "k",
    "api_secret": "App/Secret+Query0001=",
    "oauth_callback_url": "https://app.example/cb",
}


def failure(given: Answer, method: str = "GET", path: str = "/x", **options: Any) -> CloudElementsError:
    with Wire(given) as wire, pytest.raises(CloudElementsError) as caught:
        account(wire.url).client.http.send(method, path, **options)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (101, CloudElementsServerError),
        (300, CloudElementsServerError),
        (301, CloudElementsServerError),
        (302, CloudElementsServerError),
        (304, CloudElementsServerError),
        (308, CloudElementsServerError),
        (400, CloudElementsValidationError),
        (401, CloudElementsAuthError),
        (402, CloudElementsError),
        (403, CloudElementsForbiddenError),
        (404, CloudElementsNotFoundError),
        (405, CloudElementsError),
        (406, CloudElementsError),
        (408, CloudElementsError),
        (409, CloudElementsConflictError),
        (413, CloudElementsError),
        (415, CloudElementsError),
        (418, CloudElementsError),
        (422, CloudElementsValidationError),
        (429, CloudElementsRateLimitError),
        (499, CloudElementsError),
        (500, CloudElementsServerError),
        (502, CloudElementsServerError),
        (503, CloudElementsServerError),
        (504, CloudElementsServerError),
        (599, CloudElementsServerError),
        (999, CloudElementsServerError),
    ],
)
def test_each_status_is_its_kind_with_all_its_details(status: int, kind: type[CloudElementsError]) -> None:
    body = {"requestId": REQUEST_ID, "message": "No instance found", "providerMessage": "invalid_grant"}
    content = b"" if status in (101, 304) else json.dumps(body).encode()
    error = failure(answer(content, status), "PUT", "/instances/7/enabled", params={"q": "hidden"})
    assert type(error) is kind
    assert (error.status, error.method, error.path) == (status, "PUT", "/instances/7/enabled")
    assert str(error).startswith(f"PUT /instances/7/enabled answered {status}.")
    assert "hidden" not in shown(error)
    if content:
        assert (error.request_id, error.provider_message) == (REQUEST_ID, "invalid_grant")
        assert "The platform says: No instance found" in str(error)
        assert "The vendor says: invalid_grant" in str(error)
        assert f"(request id {REQUEST_ID})" in str(error)


@pytest.mark.parametrize("status", [400, 401, 404, 500])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"<html>no</html>",
        b"\xff\xfe",
        b'{"message": {"a": 1}, "requestId": 5}',
        b'{"message": null, "providerMessage": ["x"]}',
        b"{" * 100_000,
        b"[" * 100_000,
        b"1" * 100_000,
    ],
)
def test_a_body_of_another_shape_leaves_the_status(status: int, content: bytes) -> None:
    error = failure(answer(content, status))
    assert error.status == status
    assert error.provider_message is None
    assert error.request_id is None
    assert "says" not in str(error)
    assert len(str(error)) < 300


def test_the_headers_request_id_goes_before_the_bodys() -> None:
    assert failure(answer({"requestId": "b"}, 400, {"Elements-Request-Id": "h"})).request_id == "h"
    assert failure(answer({"requestId": "b"}, 400)).request_id == "b"


@pytest.mark.parametrize("text", ["a b", "x" * 81, "<script>", "a\u2028b", ""])
def test_a_request_id_that_is_none_is_dropped(text: str) -> None:
    assert failure(answer({"requestId": text}, 400)).request_id is None


def test_a_400_of_the_platform_is_final_and_one_of_the_vendor_is_not() -> None:
    assert failure(answer({"message": "missing"}, 400)).retryable is False
    assert failure(answer({"message": "missing", "providerMessage": "try later"}, 400)).retryable is True


def test_a_429_says_that_the_body_may_be_too_big() -> None:
    assert "8 MB" in str(failure(answer({}, 429)))


def test_the_sandbox_and_the_client_agree_on_a_refusal(cloudelements_sandbox: Sandbox) -> None:
    there = account(cloudelements_sandbox.url)
    with pytest.raises(CloudElementsAuthError) as caught:
        there.client.organization()
    assert len(caught.value.request_id) == 24
    assert "The platform says: Invalid Organization or User secret" in str(caught.value)


# --- The server's words ------------------------------------------------------------------------------------


def test_words_become_one_line_without_control_characters() -> None:
    words = "a\r\n\tb\x1b[31mred\x00\x07\u202e\ud800 c\u2028d"
    error = failure(answer({"message": words, "providerMessage": words}, 400))
    assert error.provider_message == "a b?[31mred????  c d".replace("  ", " ")
    assert str(error).isprintable()


def test_words_are_bounded() -> None:
    error = failure(answer({"message": "m" * 100_000, "providerMessage": "p" * 100_000}, 400))
    assert len(error.provider_message) == 603
    assert len(str(error)) < 1500


def test_a_secret_at_the_bound_is_not_cut_in_two() -> None:
    for shift in (0, 10, len(TOKEN) - 1):
        error = failure(answer({"message": "m" * (600 - shift) + TOKEN}, 400), token=TOKEN)
        assert TOKEN[:8] not in shown(error)


@given(st.text(), st.text())
def test_any_words_become_a_printable_line(wire_400: Any, message: str, provider: str) -> None:
    wire, there = wire_400
    wire.script = answer({"message": message, "providerMessage": provider}, 400, then="keep")
    with pytest.raises(CloudElementsValidationError) as caught:
        there.client.http.send("GET", "/x")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1500
    traceback.format_exception(caught.value)


@pytest.fixture(scope="module")
def wire_400() -> Any:
    with Wire(answer({}, 400)) as wire:
        yield wire, account(wire.url)


# --- What the server may echo ------------------------------------------------------------------------------


def escapes(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        re.sub("%..", lambda found: found[0].lower(), quote(secret, safe="")),
        quote(secret, safe="!'()*"),
        json.dumps(secret),
        json.dumps(secret).replace("/", "\\/"),
        json.dumps(secret, ensure_ascii=False),
        html.escape(secret),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        f"User {secret}, Organization {secret}{secret}",
    ]


ESCAPES = len(escapes("x"))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 429, 500, 503])
def test_secrets_that_the_server_echoes_are_taken_out(status: int) -> None:
    body = {"password": PASSWORD, "nested": [{"api.token": "Nested/Tok+1="}]}
    secrets = (*SECRETS, PASSWORD, "Nested/Tok+1=", "Query/Sec+2=")
    echo = " | ".join(each for secret in secrets for each in escapes(secret)[:6])
    error = failure(
        answer({"message": echo, "providerMessage": echo, "requestId": ORGANIZATION}, status),
        "POST",
        body=body,
        token=TOKEN,
        params={"apiSecret": "Query/Sec+2="},
    )
    assert "***" in error.provider_message
    assert error.request_id is None
    assert_hidden(shown(error), *secrets)


@pytest.mark.parametrize("secret", [TOKEN, USER, ORGANIZATION, PASSWORD])
@pytest.mark.parametrize("number", range(ESCAPES))
def test_a_secret_is_taken_out_however_it_is_written(secret: str, number: int) -> None:
    echo = escapes(secret)[number]
    error = failure(answer({"message": f"<{echo}>"}, 400), "POST", body={"password": PASSWORD}, token=TOKEN)
    assert_hidden(shown(error), secret)
    assert "***" in str(error)


def test_everything_in_provider_data_is_a_secret() -> None:
    echo = "code 0.AXoA-code and 123456789012 and extra-value but not my-name"
    body = {
        "name": "my-name",
        "providerData": {"code": "0.AXoA-code", "realmId": 123456789012, "deep": ["extra-value", True]},
    }
    error = failure(answer({"message": echo}, 400), "POST", body=body)
    assert "code *** and *** and *** but not my-name" in str(error)


def test_an_echoed_header_is_taken_out() -> None:
    headers = {"Elements-Request-Id": ORGANIZATION, "Elements-Error": USER, "Location": f"/{USER}"}
    assert_hidden(shown(failure(answer({}, 401, headers))), *SECRETS)


def test_what_is_no_json_is_not_shown() -> None:
    error = failure(answer(f"<html>{USER} {quote(TOKEN)}".encode()), token=TOKEN)
    assert isinstance(error, CloudElementsServerError)
    assert error.status == 200
    assert_hidden(shown(error), *SECRETS)
    assert "<html>" not in str(error)


@pytest.mark.parametrize(
    "given",
    [
        Answer(f"{USER} {TOKEN}\r\n\r\n".encode()),
        Answer(f"HTTP/1.1 {USER}\r\n\r\n".encode()),
        Answer(f"HTTP/1.1 200 OK\r\nContent-Length: {USER}\r\n\r\n".encode()),
        Answer(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{USER}\r\n".encode()),
        Answer(f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 44\r\n\r\n{USER}".encode()),
        answer(f'{{"a": "{USER}'.encode()),
        answer(f'[["{USER}"]]'.encode()),
        answer(b"\xff" + USER.encode()),
    ],
    ids=range(8),
)
@pytest.mark.parametrize(
    "read", [lambda client: client.organization(), lambda client: client.instances.get(5)]
)
def test_an_answer_that_cannot_be_read_is_not_shown(given: Answer, read: Any) -> None:
    with Wire(given) as wire, pytest.raises(CloudElementsError) as caught:
        read(account(wire.url).client)
    assert_hidden(shown(caught.value), *SECRETS)


@pytest.mark.parametrize(
    "given",
    [answer({}, 400), answer(b"<html>"), Answer(b""), Answer(b"junk\r\n\r\n"), answer({}, 302), answer({})],
    ids=["refused", "html", "closed", "junk", "redirect", "no link"],
)
@pytest.mark.parametrize("post", [False, True])
def test_no_error_is_chained_to_one_that_shows_the_address(given: Answer, post: bool) -> None:
    with Wire(given) as wire, pytest.raises(CloudElementsError) as caught:
        account(wire.url).client.elements.oauth_url("sfdc", **CONSENT, post=post)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert_hidden(shown(error), CONSENT["api_secret"], *SECRETS)
    assert "app.example" not in shown(error)
    assert error.path == "/elements/sfdc/oauth/url"


def test_a_refused_connection_is_not_chained_either() -> None:
    with pytest.raises(CloudElementsError) as caught:
        account("http://127.0.0.1:1", max_retries=2).client.elements.oauth_url("sfdc", **CONSENT)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert_hidden(shown(caught.value), CONSENT["api_secret"], *SECRETS)
    assert "app.example" not in shown(caught.value)


@pytest.mark.parametrize("given", [answer({}, 400), answer({}), answer(b"<html>"), Answer(b"")])
def test_a_query_that_stands_in_the_path_is_not_shown(given: Answer) -> None:
    with Wire(given) as wire, pytest.raises(CloudElementsError) as caught:
        list(account(wire.url).client.instance(5, TOKEN).list(WITH_QUERY))
    assert wire.calls[0].target.startswith("/elements/api-v2/contacts?where=email=")
    assert "ada@" not in shown(caught.value)
    assert caught.value.path == "/contacts"


def test_these_tests_would_see_a_secret() -> None:
    for form in forms(USER):
        with pytest.raises(AssertionError, match="secret 0 shows"):
            assert_hidden(shown(CloudElementsError(f"it is {form}!")), USER)


FINAL = (402, 405, 406, 407, 410, 411, 413, 414, 415, 416, 417, 421, 426, 428, 431, 451, 501, 505, 510)
PASSING = (301, 302, 408, 418, 423, 425, 429, 499, 500, 502, 503, 504, 507, 508, 511, 599)


@pytest.mark.parametrize(
    ("status", "final"), [*((each, True) for each in FINAL), *((each, False) for each in PASSING)]
)
@pytest.mark.parametrize(
    "body", [{"message": "no", "providerMessage": "no"}, {"message": "no"}, b"<html>"], ids=str
)
def test_a_status_that_stays_wrong_is_worth_no_retry(status: int, final: bool, body: Any) -> None:
    assert failure(answer(body, status)).retryable is not final


OWN = {"security.key": "S3cr3t/Vendor+Value77=", "username": "api_5f3QcloseIoKey", "own.word": "own/Word+78="}


@pytest.mark.parametrize("way", ["create", "update"])
def test_the_value_of_every_key_that_is_not_known_to_be_harmless_is_taken_out(way: str) -> None:
    own = {**OWN, "event.notification.callback.url": "https://x.example/in?token=Query/Token+79="}
    says = f"bad configuration {json.dumps(own)}, {quote(OWN['security.key'])}; scope a b; host eu.example"
    given = answer({"message": "refused", "providerMessage": says}, 400)
    configuration = {**own, "oauth.scope": "a b", "acme.host": "eu.example"}
    target = {"element": "acton", "name": "x"} if way == "create" else {"instance_id": 5}
    with Wire(given) as wire:
        call = getattr(account(wire.url).client.instances, way)
        with pytest.raises(CloudElementsError) as caught:
            call(**target, configuration=configuration)
    assert_hidden(shown(caught.value), *OWN.values(), "Query/Token+79=")
    assert "scope a b; host eu.example" in str(caught.value)


@pytest.mark.parametrize("post", [False, True])
def test_the_parameters_of_a_consent_link_are_taken_out(post: bool) -> None:
    extra = {"own": "Own/Parameter+80=", "siteAddress": "acme.example.com"}
    says = f"no site acme.example.com for {extra['own']}"
    with (
        Wire(answer({"message": says}, 400)) as wire,
        pytest.raises(CloudElementsError, match=r"no site acme\.example\.com for \*\*\*") as caught,
    ):
        account(wire.url).client.elements.oauth_url("sfdc", **CONSENT, post=post, extra=extra)
    assert_hidden(shown(caught.value), extra["own"])


def test_what_a_vendor_says_of_its_own_records_is_shown() -> None:
    body = {"subject": "Quarterly lunch", "apiToken": "Record/Token+81="}
    given = answer({"providerMessage": "no Quarterly lunch with Record/Token+81="}, 400)
    with Wire(given) as wire, pytest.raises(CloudElementsError, match=r"no Quarterly lunch with \*\*\*"):
        account(wire.url).client.instance(5, TOKEN).request("POST", "/events", body=body)
