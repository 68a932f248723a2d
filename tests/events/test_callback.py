"""A test notification: what goes out, what an answer means, and that of the URL only its origin shows."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pendulum
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.parsing import parse_date
from airflow_provider_cloudelements.events.callback import TEST_EVENT_PREFIX, TEST_OBJECT_TYPE, notify_test
from airflow_provider_cloudelements.events.signature import verify
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConnectionError,
    CloudElementsError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsSignatureError,
    CloudElementsTimeoutError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from tests.support.hidden import assert_hidden, shown
from tests.support.wire import Answer, Wire, answer

INSTANCE = Instance(
    id=410001,
    name="Ünser Kalender",
    element_key="microsoftgraph",
    tags=("Docs", "airflow:0123"),
    token="T0ken",
)
KEY = "Signature+Key/secret"
LOGIN = ("UserSecret1", "PassSecret2")
HIDDEN = ("PathSecret3", "QuerySecret4", "FragmentSecret5")
SECRETS = (KEY, *LOGIN, *HIDDEN)
TARGET = "/hooks/PathSecret3?token=QuerySecret4"


class Receiver(ThreadingHTTPServer):
    """A receiver of notifications that answers each with a status, and keeps what came."""

    daemon_threads = True

    def __init__(self, status: int = 200, *, key: str | None = None, **headers: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.key = key
        self.headers = headers
        self.came: list[_Handler] = []
        self.body = b""
        self.origin = f"http://127.0.0.1:{self.server_port}"
        # As a person may have written it: with a login, a token in the path, one in the query.
        self.url = f"http://{':'.join(LOGIN)}@127.0.0.1:{self.server_port}{TARGET}#FragmentSecret5"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.body)["message"]
        return message


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.came.append(self)
        self.server.body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.status
        if self.server.key is not None:
            try:
                verify(self.server.body, self.headers["Elements-Webhook-Signature"], self.server.key)
            except CloudElementsSignatureError:
                status = 401
        self.send_response(status)
        for name, value in self.server.headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def nothing_in_the_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test here, whatever it is about, leaves a secret in a log."""
    with caplog.at_level(logging.DEBUG):
        yield
    told = "\n".join(
        f"{record.getMessage()} {record.args!r} {record.exc_info!r} {record.exc_text!r}"
        for record in caplog.get_records("call")
    )
    assert_hidden(told, *SECRETS)


def notify(url: str, *, signature_key: str | None = KEY, timeout: float = 5.0, **options: Any) -> None:
    notify_test(url, instance=INSTANCE, signature_key=signature_key, timeout=timeout, **options)


def failure(url: str, **options: Any) -> CloudElementsError:
    """Return the error, once it is proven to hold no secret."""
    with pytest.raises(CloudElementsError) as caught:
        notify(url, **options)
    assert caught.value.__context__ is None
    assert_hidden(shown(caught.value), *SECRETS)
    return caught.value


def wire_url(wire: Wire) -> str:
    return f"{wire.url}{TARGET}"


# --- What goes out -----------------------------------------------------------------------------------------


def test_the_body_has_the_shape_of_a_notification() -> None:
    before = pendulum.now("UTC").start_of("second")
    with Receiver() as receiver:
        notify(receiver.url)
    body = json.loads(receiver.body)
    created = body.pop("createdDate")
    message = body.pop("message")
    assert body == {
        "id": "0",
        "topic": "instance-410001-microsoftgraph-events",
        "severity": "medium",
        "action": "create",
        "user": "airflow-provider-cloudelements",
    }
    # Java's Date.toString, as the platform has it, and not ISO.
    moment = parse_date(created)
    assert moment is not None
    assert before <= moment <= pendulum.now("UTC")
    assert created.split()[4] == "UTC"
    (event,) = message.pop("events")
    event_id = message.pop("eventId")
    assert message == {
        "elementKey": "microsoftgraph",
        "accountId": 0,
        "companyId": 0,
        "userId": 0,
        "instanceId": 410001,
        "instance_id": 410001,
        "instanceName": "Ünser Kalender",
        "instanceTags": ["Docs", "airflow:0123"],
        "raw": {"objectType": TEST_OBJECT_TYPE},
    }
    assert parse_date(event.pop("date")) == moment
    assert event == {
        "elementKey": "microsoftgraph",
        "eventType": "UNKNOWN",
        "hubKey": "",
        "objectId": event_id,
        "objectType": "airflow-test",
    }


def test_each_test_has_an_id_of_its_own() -> None:
    ids = []
    with Receiver() as receiver:
        for _ in range(5):
            notify(receiver.url)
            ids.append(receiver.message["eventId"])
            assert receiver.came[-1].headers["Elements-Webhook-Id"] == ids[-1]
    assert len(set(ids)) == 5
    assert all(each.startswith(TEST_EVENT_PREFIX) and len(each) == 20 for each in ids)


def test_the_date_is_in_english_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    pendulum.set_locale("de")
    try:
        with Receiver() as receiver:
            notify(receiver.url)
    finally:
        pendulum.set_locale("en")
    assert parse_date(json.loads(receiver.body)["createdDate"]) is not None


def test_the_request_is_one_post_with_the_platforms_headers() -> None:
    with Receiver() as receiver:
        notify(receiver.url)
    (came,) = receiver.came
    assert (came.command, came.path) == ("POST", TARGET)
    assert came.headers["Content-Type"] == "application/json"
    assert came.headers["User-Agent"].startswith("airflow-provider-cloudelements/")
    verify(receiver.body, came.headers["Elements-Webhook-Signature"], KEY)


def test_without_a_key_nothing_is_signed() -> None:
    with Receiver() as receiver:
        notify(receiver.url, signature_key=None)
    assert "Elements-Webhook-Signature" not in receiver.came[0].headers


def test_no_login_ever_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password NetrcSecret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Receiver(Set_Cookie="session=abc; Path=/") as receiver:
        notify(receiver.url)
        notify(receiver.url)
    for came in receiver.came:
        assert "Authorization" not in came.headers
        assert "Cookie" not in came.headers
        assert LOGIN[0] not in str(came.headers)


def test_a_receiver_that_verifies_takes_the_right_key_only() -> None:
    with Receiver(key=KEY) as receiver:
        notify(receiver.url)
        for wrong in ("another key", None):
            error = failure(receiver.url, signature_key=wrong)
            assert error.status == 401


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(),
    key=st.text(min_size=1).filter(lambda key: key.isprintable()),
    tags=st.lists(st.text(), max_size=3),
)
def test_any_name_and_key_verify_over_the_raw_bytes(name: str, key: str, tags: list[str]) -> None:
    instance = Instance(id=7, name=name, element_key="e", tags=tuple(tags))
    with Receiver(key=key) as receiver:
        notify_test(receiver.url, instance=instance, signature_key=key, timeout=5)
    assert receiver.message["instanceName"] == name


# --- What an answer means ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_will_do(status: int) -> None:
    with Receiver(status) as receiver:
        notify(receiver.url)
    assert len(receiver.came) == 1


@pytest.mark.parametrize(
    ("status", "kind", "retryable", "told"),
    [
        (301, CloudElementsValidationError, False, "a redirect, which is not followed"),
        (302, CloudElementsValidationError, False, "a redirect, which is not followed"),
        (307, CloudElementsValidationError, False, "a redirect, which is not followed"),
        (400, CloudElementsValidationError, False, "does it take POST with JSON"),
        (401, CloudElementsValidationError, False, "Does the receiver know the signature key"),
        (403, CloudElementsValidationError, False, "event.notification.signature.key"),
        (404, CloudElementsValidationError, False, "the receiver's whole address"),
        (405, CloudElementsValidationError, False, "does it take POST"),
        (429, CloudElementsRateLimitError, True, "answered the test notification with 429"),
        (500, CloudElementsServerError, True, "answered the test notification with 500"),
        (503, CloudElementsServerError, True, "answered the test notification with 503"),
    ],
)
def test_any_other_status_is_an_error_of_its_kind(
    status: int, kind: type[CloudElementsError], retryable: bool, told: str
) -> None:
    with Receiver(status, Location="/elsewhere", Retry_After="7") as receiver:
        error = failure(receiver.url)
    assert type(error) is kind
    assert error.retryable is retryable
    assert (error.status, error.method, error.path) == (status, "POST", None)
    assert told in str(error)
    assert f"The receiver at {receiver.origin} answered" in str(error)
    assert getattr(error, "retry_after", 7.0) == 7.0
    assert len(receiver.came) == 1  # sent once, whatever the answer


def test_a_refusal_of_an_unsigned_test_says_that_it_was_unsigned() -> None:
    with Receiver(403) as receiver:
        assert "The test was not signed" in str(failure(receiver.url, signature_key=None))


@pytest.mark.parametrize("location", ["http://[::1", "/a/b", "http://127.0.0.1:1/?token=QuerySecret4", ""])
def test_wherever_a_redirect_leads_it_is_only_told(location: str) -> None:
    with Receiver(302, Location=location) as receiver:
        assert failure(receiver.url).status == 302


ENDLESS = b"HTTP/1.1 %d Status\r\nContent-Type: text/plain\r\n%s\r\n\r\n"
TOO_LONG = b"Content-Length: 1000000000000"
CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize("headers", [TOO_LONG, CHUNKED])
@pytest.mark.parametrize("status", [200, 302, 401, 500])
def test_of_a_body_without_an_end_nothing_is_read(status: int, headers: bytes) -> None:
    begun = time.monotonic()
    with Wire(Answer(ENDLESS % (status, headers) + b"x" * 1000, then="stall")) as wire:
        if status == 200:
            notify(wire_url(wire))
        else:
            assert failure(wire_url(wire)).status == status
        assert time.monotonic() - begun < 4


def test_of_a_large_body_nothing_is_read() -> None:
    large = answer(b"x" * 50_000_000)
    with Wire(large) as wire:
        notify(wire_url(wire))


# --- No answer ---------------------------------------------------------------------------------------------


def test_a_refused_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = failure(f"http://UserSecret1:PassSecret2@127.0.0.1:{port}{TARGET}")
    assert type(error) is CloudElementsTransportError
    assert str(error) == (
        f"Could not connect to the receiver at http://127.0.0.1:{port}. Is the callback URL right, and does "
        "this machine reach it?"
    )
    assert error.sent is False
    assert error.retryable


def test_a_host_that_does_not_exist() -> None:
    error = failure(f"http://receiver.invalid{TARGET}")
    assert isinstance(error, CloudElementsTransportError)
    assert "receiver at http://receiver.invalid" in str(error)


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_connection_that_breaks(then: str) -> None:
    with Wire(Answer(b"HTTP/1.1 20", then=then)) as wire:
        error = failure(wire_url(wire))
    assert type(error) is CloudElementsTransportError
    assert str(error) == f"The connection broke before an answer came from the receiver at {wire.url}."
    assert error.sent is True


@pytest.mark.parametrize("content", [b"", b"HTTP/1.1 200 OK\r\nContent-"])
def test_no_answer_in_time(content: bytes) -> None:
    with Wire(Answer(content, then="stall")) as wire:
        error = failure(wire_url(wire), timeout=0.3)
    assert type(error) is CloudElementsTimeoutError
    assert str(error) == f"No answer within 0.3 s from the receiver at {wire.url}."
    assert error.retryable


def test_a_name_that_nobody_looks_up_in_time_ends_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: ended.wait(10) and [])
    begun = time.monotonic()
    error = failure("http://receiver.invalid/hook", timeout=0.2)
    assert time.monotonic() - begun < 2
    ended.set()
    assert type(error) is CloudElementsTimeoutError
    assert str(error) == "No answer within 0.2 s from the receiver at http://receiver.invalid."


@pytest.mark.parametrize(
    ("head", "drip"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),  # a header that never ends
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),  # as often as one likes, before the answer
    ],
)
def test_an_answer_that_drips_is_given_up(head: bytes, drip: bytes) -> None:
    stop = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            try:
                connection.sendall(head)
                while not stop.wait(0.05):
                    connection.sendall(drip)
            except OSError:
                pass  # the client left

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        before = threading.enumerate()
        begun = time.monotonic()
        error = failure(f"http://127.0.0.1:{server.getsockname()[1]}{TARGET}", timeout=0.6)
        for thread in threading.enumerate():
            if thread not in before:
                thread.join(2)
                assert not thread.is_alive()  # none goes on listening
        stop.set()
    assert type(error) is CloudElementsTimeoutError
    assert 0.5 < time.monotonic() - begun < 5


def test_what_is_no_http() -> None:
    with Wire(Answer(b"SSH-2.0-OpenSSH_9.6 QuerySecret4\r\n")) as wire:
        assert isinstance(failure(wire_url(wire)), CloudElementsTransportError)


def test_headers_that_cannot_be_parsed_leave_no_warning_with_the_url() -> None:
    with Wire(Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n: QuerySecret4\r\nX\r\n\r\n")) as wire:
        notify(wire_url(wire))


def test_other_threads_are_heard_as_before(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver:
        notify(receiver.url)
    caplog.clear()
    logging.getLogger("urllib3.connectionpool").debug("still heard")
    assert caplog.messages == ["still heard"]


def test_the_log_names_event_and_host(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver:
        notify(receiver.url)
    assert f"Sending test notification {receiver.message['eventId']} to {receiver.origin}." in caplog.messages


# --- TLS and proxies ---------------------------------------------------------------------------------------


def test_an_untrusted_certificate_is_refused_and_nothing_sent(tls_server: ssl.SSLContext) -> None:
    with Wire(answer({}), tls=tls_server) as wire:
        error = failure(wire_url(wire))
    assert wire.calls == []
    assert type(error) is CloudElementsTransportError
    assert error.sent is False
    assert "certificate is not trusted" in str(error)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environments_bundle_is_trusted(
    tls_server: ssl.SSLContext, ca_bundle: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(ca_bundle))
    with Wire(answer({}), tls=tls_server) as wire:
        notify(wire_url(wire))
    assert len(wire.calls) == 1


def test_a_bundle_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    error = failure(f"https://127.0.0.1:1{TARGET}")
    assert isinstance(error, CloudElementsConnectionError)
    assert "REQUESTS_CA_BUNDLE" in str(error)


def proxied(wire: Wire) -> str:
    return wire.url.replace("//", "//ProxyUser:ProxySecret@")


def test_the_given_proxy_is_used_and_gets_no_login_but_its_own() -> None:
    with Wire(answer({})) as proxy:
        notify(f"http://{':'.join(LOGIN)}@receiver.invalid{TARGET}", proxy=proxied(proxy))
    (call,) = proxy.calls
    assert call.target == f"http://receiver.invalid{TARGET}"
    assert call.header("Authorization") is None
    assert call.header("Proxy-Authorization") is not None


def test_the_environments_proxy_is_used_and_its_exceptions_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(answer({})) as proxy, Receiver() as receiver:
        monkeypatch.setenv("http_proxy", proxy.url)
        notify(f"http://receiver.invalid{TARGET}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        notify(receiver.url)
    assert len(proxy.calls) == len(receiver.came) == 1


def test_a_proxy_that_does_not_connect() -> None:
    with Wire(answer({}, status=502)) as proxy:
        error = failure(f"https://receiver.invalid{TARGET}", proxy=proxied(proxy))
    assert type(error) is CloudElementsTransportError
    assert str(error) == "The proxy did not connect to the receiver at https://receiver.invalid."
    assert_hidden(shown(error), "ProxySecret")


def test_a_proxy_that_wants_a_password() -> None:
    with Wire(answer({}, status=407)) as proxy:
        error = failure(f"https://receiver.invalid{TARGET}", proxy=proxied(proxy))
    assert type(error) is CloudElementsConnectionError
    assert "answered 407: it wants a user and a password" in str(error)
    assert_hidden(shown(error), "ProxySecret")


@pytest.mark.parametrize("proxy", ["http://", "gopher://127.0.0.1:1"])
def test_a_proxy_that_is_none(proxy: str) -> None:
    with Receiver() as receiver:
        error = failure(receiver.url, proxy=proxy)
    assert receiver.came == []
    assert isinstance(error, CloudElementsError)


# --- Arguments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "receiver/QuerySecret4",
        "ftp://receiver/QuerySecret4",
        "http://",
        "http://receiver:99999/QuerySecret4",
        "http://receiver/\nQuerySecret4",
        None,
        b"http://receiver/QuerySecret4",
    ],
)
def test_what_is_no_address_is_refused(url: Any) -> None:
    error = failure(url)
    assert isinstance(error, CloudElementsValidationError)
    assert "must be an absolute address" in str(error)


@pytest.mark.parametrize("host", ["a b", "*", "a..b", "x" * 64 + ".example", "ä" * 70, "[v1.x]"])
def test_what_no_request_can_be_made_for_is_told(host: str) -> None:
    error = failure(f"http://{host}{TARGET}")
    assert isinstance(error, CloudElementsError)


@pytest.mark.parametrize(
    "timeout", [0, -1, float("nan"), float("inf"), pytest.param(10**400, id="huge"), True, "5", None]
)
def test_what_is_no_timeout_is_refused(timeout: Any) -> None:
    error = failure(f"http://127.0.0.1:1{TARGET}", timeout=timeout)
    assert isinstance(error, CloudElementsValidationError)
    assert "timeout" in str(error)


@pytest.mark.parametrize("key", ["", b"bytes", 7])
def test_what_is_no_key_is_refused_and_nothing_sent(key: Any) -> None:
    with Receiver() as receiver:
        error = failure(receiver.url, signature_key=key)
    assert isinstance(error, CloudElementsValidationError)
    assert "signature key" in str(error)
    assert receiver.came == []
