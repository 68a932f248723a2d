"""How a call is sent: headers, time-outs, what is sent again and when, redirects, proxies, TLS, threads."""

from __future__ import annotations

import email.utils
import gc
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from airflow_provider_cloudelements.client.wire.http import LONGEST_PAUSE
from airflow_provider_cloudelements.client.wire.request import LARGEST_BODY, Request
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConnectionError,
    CloudElementsError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsTimeoutError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.hidden import assert_hidden, shown
from tests.support.wire import ORGANIZATION, TOKEN, USER, Account, Answer, Call, Wire, account, answer

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
OK = answer({"id": 1})


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_VARIABLES, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def here(cloudelements_sandbox: Sandbox) -> Account:
    return account(
        cloudelements_sandbox.url,
        user_secret=cloudelements_sandbox.user_secret,
        organization_secret=cloudelements_sandbox.organization_secret,
        max_retries=3,
    )


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def failure(there: Account, method: str = "GET", path: str = "/x", **options: Any) -> CloudElementsError:
    with pytest.raises(CloudElementsError) as caught:
        there.client.http.send(method, path, **options)
    return caught.value


# --- What goes out -----------------------------------------------------------------------------------------


def test_a_call_carries_the_words_in_their_order() -> None:
    with Wire(OK) as wire:
        account(wire.url).client.http.send("GET", "/x")
        account(wire.url).client.http.send("GET", "/x", token=TOKEN)
        account(wire.url, authorization="Bearer abc").client.http.send("GET", "/x")
    words = [call.header("Authorization") for call in wire.calls]
    assert words == [
        f"User {USER}, Organization {ORGANIZATION}",
        f"User {USER}, Organization {ORGANIZATION}, Element {TOKEN}",
        "Bearer abc",
    ]


def test_a_call_says_what_it_is_and_what_it_takes() -> None:
    with Wire(OK) as wire:
        account(wire.url).client.http.send(
            "POST",
            "/a/b",
            params={"tags[]": ["x y", "z"], "q": "ä&="},
            body={"ü": True},
            headers={"X-Y": "z"},
        )
    (call,) = wire.calls
    address = urlsplit(call.target)
    assert (call.method, address.path) == ("POST", "/elements/api-v2/a/b")
    assert parse_qsl(address.query) == [("tags[]", "x y"), ("tags[]", "z"), ("q", "ä&=")]
    assert call.body == b'{"\\u00fc":true}'
    assert call.header("Content-Type") == "application/json"
    assert call.header("Accept") == "application/json"
    assert call.header("User-Agent").startswith("airflow-provider-cloudelements/")
    assert call.header("X-Y") == "z"
    assert call.header("Elements-Version") is None


@pytest.mark.parametrize(
    "path", ["/contacts", "/a b/ü/%C3%BC/%2F/~'()", "/x?page=1", "/x?", "/x?a=1#end", "/x#end", "/a//b;c=d"]
)
@pytest.mark.parametrize(
    "params",
    [
        None,
        {},
        {"gone": None, "tags[]": [], "none": [None]},
        {
            "pageSize": 200,
            "half": 0.5,
            "whole": True,
            "nextPage": "eyJhIjogMX0=",
            "again": ["ä", 1, None, ""],
        },
        {"where": "Name='O''Hara & ~*+/?#%25\r\n日本'", "q u=e&r": "x y", "pair": ("a", "b")},
    ],
    ids=["none", "empty", "left out", "kinds", "hostile"],
)
def test_an_address_is_written_as_requests_writes_it(path: str, params: dict[str, Any] | None) -> None:
    with Wire(OK) as wire:
        there = account(wire.url)
        for _ in range(2):  # the second time from the memory
            there.client.http.send("GET", path, params=params)
        url = f"{wire.url}/elements/api-v2{path}"
        bare = requests.Session().prepare_request(requests.Request("GET", url, params=params))
    assert [call.target for call in wire.calls] == [bare.path_url] * 2


def test_a_cookie_of_the_platform_goes_back_to_it() -> None:
    given = answer({}, headers={"Set-Cookie": "route=a7; Path=/"})
    with Wire(given) as wire:
        there = account(wire.url)
        for _ in range(2):
            there.client.http.send("GET", "/x")
    assert [call.header("Cookie") for call in wire.calls] == [None, "route=a7"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_a_call_without_a_body_has_no_content_type(method: str) -> None:
    with Wire(OK) as wire:
        account(wire.url).client.http.send(method, "/x")
    assert wire.calls[0].header("Content-Type") is None
    assert wire.calls[0].body == b""


def test_an_element_token_goes_with_its_own_call_only(here: Account, cloudelements_sandbox: Sandbox) -> None:
    made = here.client.instances.create(
        element="closeio", name="x", configuration={"username": "ada", "password": "pass-word"}
    )
    instance = here.client.instance(made.id, made.token)
    instance.ping()
    list(instance.list("/contacts"))
    here.client.instances.get(made.id)
    here.client.instances.delete(made.id)
    assert [
        (call["method"], call["path"], call["words"][2:]) for call in cloudelements_sandbox.requests()
    ] == [
        ("POST", "/instances", []),
        ("GET", "/ping", ["Element"]),
        ("GET", "/contacts", ["Element"]),
        ("GET", f"/instances/{made.id}", []),
        ("DELETE", f"/instances/{made.id}", []),
    ]


def test_no_secret_stays_in_the_session() -> None:
    with Wire(OK) as wire:
        there = account(wire.url)
        there.client.http.send("GET", "/x", token=TOKEN)
        session = there.client.http._session
        assert_hidden(repr(session.headers) + repr(vars(session)), USER, ORGANIZATION, TOKEN)


def test_a_raw_header_and_an_element_token_are_not_put_together() -> None:
    error = failure(account("http://127.0.0.1:1", authorization="Bearer abc"), token=TOKEN)
    assert isinstance(error, CloudElementsConnectionError)
    assert "field 'authorization'" in str(error)
    assert_hidden(shown(error), TOKEN, "Bearer abc")


@pytest.mark.parametrize(
    "body",
    [{"a": object()}, {"a": {1, 2}}, {"a": float("nan")}, {"a": float("inf")}, {("a", 1): 2}, b"bytes"],
    ids=["object", "set", "nan", "infinity", "tuple", "bytes"],
)
def test_what_is_no_json_is_refused_before_it_is_sent(body: Any) -> None:
    error = failure(account("http://127.0.0.1:1"), "POST", body=body)
    assert isinstance(error, CloudElementsValidationError)
    assert "cannot be written as JSON" in str(error)


@pytest.mark.parametrize("make", ["circle", "depth"])
def test_what_never_ends_is_refused_before_it_is_sent(make: str) -> None:
    body: list[Any] = []
    inner = body
    for _ in range(100_000 if make == "depth" else 0):
        inner.append([])
        inner = inner[0]
    if make == "circle":
        body.append(body)
    assert isinstance(failure(account("http://127.0.0.1:1"), "POST", body=body), CloudElementsValidationError)


def test_a_body_over_the_platforms_limit_is_refused_before_it_is_sent() -> None:
    with Wire(OK) as wire:
        there = account(wire.url)
        there.client.http.send("POST", "/x", body="a" * (LARGEST_BODY - 2))
        error = failure(there, "POST", body="a" * (LARGEST_BODY - 1))
    assert isinstance(error, CloudElementsValidationError)
    assert len(wire.calls) == 1
    assert len(wire.calls[0].body) == LARGEST_BODY == 8 * 1024 * 1024


@pytest.mark.parametrize("token", ["line\r\nX-Injected: 1", "ünicode\u20ac", "a\nb"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with Wire(OK) as wire:
        error = failure(account(wire.url, max_retries=3), token=token)
    assert isinstance(error, CloudElementsValidationError)
    assert wire.calls == []
    assert token not in shown(error)


@pytest.mark.parametrize("path", ["ping", "", "http://evil.example/x", "@evil.example/x"])
def test_a_path_without_its_slash_is_refused(path: str) -> None:
    with Wire(OK) as wire:
        assert isinstance(failure(account(wire.url), path=path), CloudElementsValidationError)
        with pytest.raises(CloudElementsValidationError):
            list(account(wire.url).client.http.list_items(path))
    assert wire.calls == []


@pytest.mark.parametrize("path", ["//evil.example/x", "/@evil.example", "/\\evil.example", "/x/../../../y"])
def test_a_path_leads_to_no_other_host(path: str) -> None:
    with Wire(OK) as wire:
        account(wire.url).client.http.send("GET", path)
    assert len(wire.calls) == 1


# --- What comes back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "status", "body"),
    [
        (answer({"a": 1}), 200, {"a": 1}),
        (answer([], status=201), 201, []),
        (answer(b""), 200, None),
        (answer(b" \r\n"), 200, None),
        (answer(b"null"), 200, None),
        (answer(b"", status=204), 204, None),
        (answer(b'"\xc3\xa4"', status=299), 299, "ä"),
    ],
)
def test_an_answer_is_parsed(given: Answer, status: int, body: Any) -> None:
    with Wire(given) as wire:
        reply = account(wire.url).client.http.send("GET", "/x")
    assert (reply.status, reply.body) == (status, body)


def test_headers_are_looked_up_without_regard_to_case() -> None:
    with Wire(answer({}, headers={"elements-request-id": "abc"})) as wire:
        assert account(wire.url).client.http.send("GET", "/x").headers["Elements-Request-ID"] == "abc"


# --- Time-outs ---------------------------------------------------------------------------------------------


def test_an_answer_that_does_not_come_is_a_time_out_that_may_have_been_heard() -> None:
    with Wire(Answer(b"", then="stall")) as wire:
        started = time.monotonic()
        error = failure(account(wire.url, request_timeout=0.3))
        assert 0.25 < time.monotonic() - started < 3
    assert isinstance(error, CloudElementsTimeoutError)
    assert error.sent is True
    assert (error.status, error.method, error.path) == (None, "GET", "/x")


@pytest.mark.parametrize(
    "part", ["HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1"]
)
def test_an_answer_that_stops_half_way_is_no_answer(part: str) -> None:
    with Wire(Answer(part.encode(), then="stall")) as wire:
        error = failure(account(wire.url, request_timeout=0.3))
    assert isinstance(error, CloudElementsTransportError)
    assert error.sent is True


def test_a_calls_own_time_out_goes_before_the_connections() -> None:
    with Wire(Answer(b"", then="stall")) as wire:
        started = time.monotonic()
        error = failure(account(wire.url, request_timeout=30), timeout=0.3)
        assert time.monotonic() - started < 3
    assert isinstance(error, CloudElementsTimeoutError)


def test_creating_waits_longer_than_other_calls(here: Account, cloudelements_sandbox: Sandbox) -> None:
    cloudelements_sandbox.add_fault("delay", seconds=0.6, count=None)
    quick = account(
        cloudelements_sandbox.url,
        user_secret=cloudelements_sandbox.user_secret,
        organization_secret=cloudelements_sandbox.organization_secret,
        request_timeout=0.3,
        create_timeout=8,
    )
    made = quick.client.instances.create(
        element="closeio", name="x", configuration={"username": "ada", "password": "pass-word"}
    )
    assert quick.client.instances.update(made.id, name="y").name == "y"
    with pytest.raises(CloudElementsTimeoutError):
        quick.client.instances.get(made.id)


# --- What is sent again ------------------------------------------------------------------------------------


REPEATED = ("GET", "HEAD", "PUT", "DELETE")
NOT_REPEATED = ("POST", "PATCH")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("method", REPEATED)
def test_a_passing_fault_is_tried_again_as_often_as_the_connection_says(method: str, status: int) -> None:
    with Wire(answer({"message": "later"}, status=status)) as wire:
        there = account(wire.url, max_retries=3)
        error = failure(there, method)
    assert error.status == status
    assert len(wire.calls) == 4
    assert len(there.pauses) == 3


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("method", NOT_REPEATED)
def test_what_may_not_be_repeated_is_sent_once(method: str, status: int) -> None:
    with Wire(answer({}, status=status)) as wire:
        there = account(wire.url, max_retries=3)
        assert failure(there, method, body={}).status == status
    assert len(wire.calls) == 1
    assert there.pauses == []


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 408, 409, 418, 422, 500, 501, 505])
def test_any_other_status_is_final(status: int) -> None:
    with Wire(answer({"message": "no"}, status=status)) as wire:
        assert failure(account(wire.url, max_retries=3)).status == status
    assert len(wire.calls) == 1


@pytest.mark.parametrize(
    ("method", "times"), [("GET", 4), ("DELETE", 4), ("PUT", 4), ("POST", 1), ("PATCH", 1)]
)
def test_a_gateways_404_passes_like_its_502(method: str, times: int) -> None:
    with Wire(answer(b"<html>Not Found</html>", status=404)) as wire:
        there = account(wire.url, max_retries=3)
        error = failure(there, method)
    assert type(error) is CloudElementsServerError
    assert (error.status, error.retryable) == (404, True)
    assert len(wire.calls) == times


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Answer(b""), "broke"),
        (Answer(b"", then="reset"), "broke"),
        (Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), "broke"),
        (Answer(b"garbage\r\n\r\n"), "broke"),
        (Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n{}"), "broke"),
        (Answer(b"", then="stall"), "in time"),
    ],
    ids=["closed", "reset", "cut", "garbage", "two lengths", "silence"],
)
@pytest.mark.parametrize(("method", "times"), [("GET", 3), ("DELETE", 3), ("POST", 1), ("PATCH", 1)])
def test_a_broken_connection_is_tried_again_where_that_is_safe(
    given: Answer, said: str, method: str, times: int
) -> None:
    with Wire(given) as wire:
        seconds = 0.4 if said == "in time" else 5.0
        error = failure(account(wire.url, max_retries=2, request_timeout=seconds), method)
    assert isinstance(error, CloudElementsTransportError)
    assert error.sent is True
    assert said in str(error)
    assert len(wire.calls) == times


@pytest.mark.parametrize("method", ["POST", "PATCH", "GET"])
def test_a_passing_fault_passes(method: str) -> None:
    with Wire([answer({}, status=503), Answer(b""), answer({"a": 1})]) as wire:
        there = account(wire.url, max_retries=2)
        assert there.client.http.send(method, "/x", repeatable=True).body == {"a": 1}
    assert len(wire.calls) == 3
    assert len({(call.method, call.target, call.body) for call in wire.calls}) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_a_refused_connection_never_left_and_is_tried_again_whatever_the_verb(method: str) -> None:
    there = account(f"http://127.0.0.1:{closed_port()}", max_retries=3)
    error = failure(there, method, body={} if method != "GET" else None)
    assert isinstance(error, CloudElementsTransportError)
    assert error.sent is False
    assert "could not connect to http://127.0.0.1:" in str(error)
    assert len(there.pauses) == 3


def test_an_unknown_host_never_left() -> None:
    there = account("http://no-such-host.invalid", max_retries=1)
    error = failure(there, "POST", body={})
    assert isinstance(error, CloudElementsTransportError)
    assert error.sent is False
    assert len(there.pauses) == 1


def test_a_connection_that_does_not_come_about_in_time_never_left() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        crowd = [socket.socket() for _ in range(8)]
        for each in crowd:  # fill the queue: nobody accepts
            each.setblocking(False)
            each.connect_ex(server.getsockname())
        try:
            time.sleep(0.1)
            there = account(f"http://127.0.0.1:{server.getsockname()[1]}", request_timeout=0.3, max_retries=1)
            error = failure(there, "POST", body={})
        finally:
            for each in crowd:
                each.close()
    assert isinstance(error, CloudElementsTimeoutError)
    assert error.sent is False
    assert "could not connect in time" in str(error)
    assert len(there.pauses) == 1


def test_a_create_is_sent_again_when_it_never_left(cloudelements_sandbox: Sandbox) -> None:
    sandbox = cloudelements_sandbox
    port = closed_port()
    there = account(
        f"http://127.0.0.1:{port}",
        user_secret=sandbox.user_secret,
        organization_secret=sandbox.organization_secret,
        max_retries=3,
    )
    late: list[Sandbox] = []

    def start(_pause: float) -> None:
        if not late:
            late.append(
                Sandbox(
                    port=port,
                    user_secret=sandbox.user_secret,
                    organization_secret=sandbox.organization_secret,
                )
            )
            late[0].start()

    there.client.http._sleep = start
    try:
        made = there.client.instances.create(
            element="closeio", name="x", configuration={"username": "ada", "password": "pass-word"}
        )
        assert [row["id"] for row in late[0].instances()] == [made.id]
    finally:
        for each in late:
            each.stop()


@pytest.mark.parametrize(
    "fault",
    [("status", "before"), ("status", "after"), ("drop", "before"), ("drop", "after"), ("cut", "after")],
)
def test_a_create_in_doubt_is_sent_once(
    here: Account, cloudelements_sandbox: Sandbox, fault: tuple[str, str]
) -> None:
    action, when = fault
    cloudelements_sandbox.add_fault(action, when=when, method="POST", path="/instances", count=None)
    with pytest.raises(CloudElementsError):
        here.client.instances.create(
            element="closeio", name="x", configuration={"username": "ada", "password": "pass-word"}
        )
    assert len(cloudelements_sandbox.requests()) == 1
    assert len(cloudelements_sandbox.instances()) == (1 if when == "after" else 0)
    assert here.pauses == []


def test_an_absolute_patch_is_repeated_and_one_with_a_code_is_not(
    here: Account, cloudelements_sandbox: Sandbox
) -> None:
    made = here.client.instances.create(
        element="closeio", name="x", configuration={"username": "ada", "password": "pass-word"}
    )
    cloudelements_sandbox.add_fault("drop", when="after", method="PATCH", count=2)
    assert here.client.instances.update(made.id, name="y").name == "y"
    assert len(here.pauses) == 2
    cloudelements_sandbox.clear_faults()
    cloudelements_sandbox.add_fault("drop", when="after", method="PATCH", count=None)
    before = len(cloudelements_sandbox.requests())
    with pytest.raises(CloudElementsTransportError):
        here.client.instances.update(made.id, provider_data={"code": "once"})
    assert len(cloudelements_sandbox.requests()) == before + 1


def test_a_delete_whose_answer_was_lost_is_a_success(here: Account, cloudelements_sandbox: Sandbox) -> None:
    made = here.client.instances.create(
        element="closeio", name="x", configuration={"username": "ada", "password": "pass-word"}
    )
    cloudelements_sandbox.add_fault("drop", when="after", method="DELETE")
    assert here.client.instances.delete(made.id)
    assert cloudelements_sandbox.instances() == []


def test_no_retries_means_one_call() -> None:
    with Wire(answer({}, status=503)) as wire:
        failure(account(wire.url, max_retries=0))
    assert len(wire.calls) == 1


# --- Pauses ------------------------------------------------------------------------------------------------


def test_pauses_grow_are_random_and_bounded() -> None:
    pauses: list[list[float]] = []
    with Wire(answer({}, status=503, then="keep")) as wire:
        there = account(wire.url, max_retries=12)
        for _ in range(8):
            there.pauses.clear()
            failure(there)
            pauses.append(list(there.pauses))
    ceilings = [min(0.5 * 2**number, 20) for number in range(12)]
    for each in pauses:
        assert all(0 <= pause <= most for pause, most in zip(each, ceilings, strict=True))
    assert len({each[0] for each in pauses}) == 8
    assert max(max(each) for each in pauses) > 5


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_is_never_shorter_than_the_answer_asks(status: int) -> None:
    with Wire(answer({}, status=status, headers={"Retry-After": "37"})) as wire:
        there = account(wire.url, max_retries=2)
        error = failure(there)
    assert there.pauses == [37.0, 37.0]
    assert error.retry_after == 37.0


def test_retry_after_may_be_a_date() -> None:
    def script(_call: Call) -> Answer:
        date = email.utils.formatdate(time.time() + 40, usegmt=True)
        return answer({}, status=429, headers={"Retry-After": date})

    with Wire(script) as wire:
        there = account(wire.url, max_retries=1)
        failure(there)
    assert len(wire.calls) == 2
    assert 35 < there.pauses[0] <= 40


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_is_too_long_is_the_callers_to_make(status: int) -> None:
    with Wire(answer({}, status=status, headers={"Retry-After": str(int(LONGEST_PAUSE) + 1)})) as wire:
        there = account(wire.url, max_retries=3)
        error = failure(there)
    assert isinstance(error, CloudElementsRateLimitError | CloudElementsServerError)
    assert error.retry_after == LONGEST_PAUSE + 1
    assert len(wire.calls) == 1
    assert there.pauses == []


def test_the_longest_pause_is_still_made() -> None:
    with Wire([answer({}, status=429, headers={"Retry-After": str(int(LONGEST_PAUSE))}), OK]) as wire:
        there = account(wire.url, max_retries=1)
        there.client.http.send("GET", "/x")
    assert there.pauses == [LONGEST_PAUSE]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "-5",
        "1.5",
        "9" * 5000,
        "Wed, 99 Foo 2099 99:99:99 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Wed, 21 Oct 99999999 07:28:00 GMT",
        "\xff\xfe",
        "0",
        ", , , , ,",
        "1 1 1 1:1:1:1 1",
    ],
)
def test_a_retry_after_that_is_none_or_past_is_no_reason_to_fail_or_to_wait(text: str) -> None:
    with Wire([answer({}, status=429, headers={"Retry-After": text}), OK]) as wire:
        there = account(wire.url, max_retries=1)
        there.client.http.send("GET", "/x")
    assert len(wire.calls) == 2
    assert there.pauses[0] <= 0.5


def test_each_try_but_the_last_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with Wire(answer({"message": f"no {USER}"}, status=503)) as wire, caplog.at_level(logging.WARNING):
        failure(account(wire.url, max_retries=2))
    told = [each for each in caplog.messages if each.startswith("Try ")]
    assert len(told) == 2
    assert told[0].startswith("Try 1 failed, again in ")
    assert "GET /x answered 503" in told[0]
    assert_hidden(caplog.text, USER, ORGANIZATION)


# --- Redirects, .netrc -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_refused_and_nothing_reaches_the_other_host(status: int, method: str) -> None:
    with Wire(OK) as elsewhere:
        target = f"{elsewhere.url}/elements/api-v2/x?q={USER}"
        with Wire(answer({}, status=status, headers={"Location": target})) as wire:
            error = failure(account(wire.url, max_retries=3), method)
        assert len(wire.calls) == 1
    assert elsewhere.calls == []
    assert error.status == status
    assert "does not redirect" in str(error)
    assert_hidden(shown(error), USER)


@pytest.mark.parametrize("location", ["\xff\xfe", "http://[::1", "//", "", "http://:99999", "javascript:x"])
@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_to_nowhere_is_still_told_as_a_redirect(status: int, location: str) -> None:
    with Wire(answer({}, status=status, headers={"Location": location})) as wire:
        error = failure(account(wire.url, max_retries=3), "POST", body={})
    assert len(wire.calls) == 1
    assert isinstance(error, CloudElementsServerError)
    assert error.status == status


def test_a_netrc_does_not_take_the_place_of_our_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login mallory password gotcha\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Wire(OK) as wire:
        account(wire.url).client.http.send("GET", "/x")
    assert wire.calls[0].header("Authorization") == f"User {USER}, Organization {ORGANIZATION}"


# --- Proxies -----------------------------------------------------------------------------------------------


def test_the_connections_proxy_is_used_with_its_login() -> None:
    with Wire(OK) as proxy:
        there = account("http://platform.invalid", proxy=proxy.url.replace("//", "//ada:pw@"))
        there.client.http.send("GET", "/x")
    (call,) = proxy.calls
    assert call.target == "http://platform.invalid/elements/api-v2/x"
    assert call.header("Proxy-Authorization") == "Basic YWRhOnB3"


def test_the_environments_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(OK) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        account("http://platform.invalid").client.http.send("GET", "/x")
    assert proxy.calls[0].target == "http://platform.invalid/elements/api-v2/x"


def test_no_proxy_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(OK) as proxy, Wire(OK) as wire:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        account(wire.url).client.http.send("GET", "/x")
    assert proxy.calls == []
    assert len(wire.calls) == 1


def test_the_connections_proxy_goes_before_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(OK) as proxy, Wire(OK) as other:
        monkeypatch.setenv("http_proxy", other.url)
        monkeypatch.setenv("no_proxy", "*")
        account("http://platform.invalid", proxy=proxy.url).client.http.send("GET", "/x")
    assert len(proxy.calls) == 1
    assert other.calls == []


def test_a_proxy_that_is_not_there_never_let_the_call_out() -> None:
    there = account(
        "https://platform.invalid", proxy=f"http://ada:pw@127.0.0.1:{closed_port()}", max_retries=1
    )
    error = failure(there, "POST", body={})
    assert isinstance(error, CloudElementsTransportError)
    assert error.sent is False
    assert "the proxy does not answer (connection 'cloudelements_default', field 'proxy')" in str(error)
    assert "pw@" not in shown(error)


def test_a_proxy_that_refuses_to_connect_never_let_the_call_out() -> None:
    with Wire(answer(b"no", status=503)) as proxy:
        error = failure(account("https://platform.invalid", proxy=proxy.url), "POST", body={"a": 1})
    assert proxy.targets() == ["CONNECT platform.invalid:443"]
    assert proxy.calls[0].header("Authorization") is None
    assert isinstance(error, CloudElementsTransportError)
    assert error.sent is False
    assert "is up, and answered 503 instead of connecting to https://platform.invalid" in str(error)


@pytest.mark.parametrize("host", ["https://platform.invalid", "http://platform.invalid"])
def test_a_proxy_that_wants_a_password_is_asked_once(host: str) -> None:
    with Wire(answer(b"who are you", status=407)) as proxy:
        there = account(host, proxy=proxy.url, verify_tls=False)
        error = failure(there, "GET")
    assert len(proxy.calls) == 1
    assert not error.retryable
    assert "it wants a user and a password, or other ones" in str(error)
    assert "connection 'cloudelements_default', field 'proxy'" in str(error)


def test_a_gateways_prefix_comes_before_the_apis_own() -> None:
    with Wire(OK) as gateway:
        account(f"{gateway.url}/ce").client.http.send("GET", "/instances")
    assert gateway.targets() == ["GET /ce/elements/api-v2/instances"]


DRIPPING = Answer(b"HTTP/1.1 200 OK\r\n", "drip", [f"X-{each}: 1\r\n".encode() for each in range(90)])


@pytest.mark.parametrize("url", ["http://platform.invalid", "https://platform.invalid"])
def test_a_proxys_answer_that_drips_ends_at_the_time_out(url: str) -> None:
    with Wire(DRIPPING) as proxy:
        begun = time.monotonic()
        error = failure(account(url, proxy=proxy.url, request_timeout=0.25))
    assert time.monotonic() - begun < 1.5
    assert isinstance(error, CloudElementsTimeoutError)


def test_an_answer_that_drips_over_tls_ends_at_the_time_out(
    tls_server: ssl.SSLContext, ca_bundle: Path
) -> None:
    with Wire(DRIPPING, tls=tls_server) as wire:
        begun = time.monotonic()
        error = failure(account(wire.url, ca_bundle=str(ca_bundle), request_timeout=0.4))
    assert time.monotonic() - begun < 1.5
    assert isinstance(error, CloudElementsTimeoutError)


def test_a_name_that_nobody_looks_up_in_time_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    found, sockets = threading.Event(), []
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def slow(*args: Any, **options: Any) -> Any:
        assert found.wait(10)
        return look_up(*args, **options)

    def connecting(sock: socket.socket, address: Any) -> None:
        sockets.append(sock)
        connect(sock, address)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(socket.socket, "connect", connecting)
    with Wire(OK) as wire:
        begun = time.monotonic()
        error = failure(account(wire.url, request_timeout=0.2), "POST", body={})
        assert time.monotonic() - begun < 2
        assert isinstance(error, CloudElementsTimeoutError)
        assert error.sent is False
        assert "could not connect in time to" in str(error)
        found.set()
        for thread in threading.enumerate():
            if thread.name == "cloudelements-connect":
                thread.join(10)
        (late,) = sockets
        assert late.fileno() == -1  # closed
    assert wire.calls == []


def test_a_proxy_of_a_kind_that_cannot_be_used_is_no_doubt_about_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    error = failure(account("http://platform.invalid", max_retries=2), "POST", body={})
    assert not isinstance(error, CloudElementsTransportError) or error.sent is False


# --- TLS ---------------------------------------------------------------------------------------------------


def test_an_unknown_certificate_is_refused_before_anything_is_sent(tls_server: ssl.SSLContext) -> None:
    with Wire(OK, tls=tls_server) as wire:
        error = failure(account(wire.url), "POST", body={"password": "x"})
    assert wire.calls == []
    assert isinstance(error, CloudElementsTransportError)
    assert error.sent is False
    assert "ca_bundle" in str(error)


def test_the_connections_bundle_is_trusted(tls_server: ssl.SSLContext, ca_bundle: Path) -> None:
    with Wire(OK, tls=tls_server) as wire:
        there = account(wire.url, ca_bundle=str(ca_bundle))
        assert there.client.http.send("GET", "/x").body == {"id": 1}


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environments_bundle_is_trusted(
    tls_server: ssl.SSLContext, ca_bundle: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(ca_bundle))
    with Wire(OK, tls=tls_server) as wire:
        assert account(wire.url).client.http.send("GET", "/x").body == {"id": 1}


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_verification_can_be_turned_off_even_beside_a_bundle(
    tls_server: ssl.SSLContext, ca_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    with Wire(OK, tls=tls_server) as wire:
        assert account(wire.url, verify_tls=False).client.http.send("GET", "/x").body == {"id": 1}
        beside = account(wire.url, verify_tls=False, ca_bundle="/no/such/file")
        assert beside.client.http.send("GET", "/x").body == {"id": 1}


def test_a_certificate_for_another_name_is_refused(tls_server: ssl.SSLContext, ca_bundle: Path) -> None:
    with Wire(OK, tls=tls_server) as wire:
        there = account(wire.url.replace("127.0.0.1", "localhost"), ca_bundle=str(ca_bundle))
        error = failure(there, "POST", body={})
    assert isinstance(error, CloudElementsTransportError)
    assert error.sent is False
    assert wire.calls == []


def test_a_bundle_that_is_not_there_is_named_and_nothing_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = account("https://127.0.0.1:1", ca_bundle="/no/such/file", max_retries=3)
    error = failure(there, "POST", body={})
    assert isinstance(error, CloudElementsConnectionError)
    assert "field 'ca_bundle'" in str(error)
    assert there.pauses == []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    assert "REQUESTS_CA_BUNDLE" in str(failure(account("https://127.0.0.1:1")))


def test_a_bundle_without_a_certificate_is_no_doubt_about_the_call(
    tls_server: ssl.SSLContext, tmp_path: Path
) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    with Wire(OK, tls=tls_server) as wire:
        error = failure(account(wire.url, ca_bundle=str(nonsense)), "POST", body={})
    assert wire.calls == []
    assert isinstance(error, CloudElementsConnectionError)
    assert "field 'ca_bundle': the file holds no certificate in PEM form" in str(error)


def test_a_host_that_speaks_no_tls_is_told() -> None:
    def speak_first() -> None:
        # At once: whether a greeting in TLS looks like a line of text is chance.
        for _ in range(4):
            connection, _address = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=speak_first, daemon=True).start()
        error = failure(account(f"https://127.0.0.1:{server.getsockname()[1]}"))
    assert isinstance(error, CloudElementsTransportError)
    assert "speaks no TLS" in str(error)


# --- Sessions ----------------------------------------------------------------------------------------------


def test_calls_of_one_thread_share_a_connection() -> None:
    with Wire(answer({}, then="keep")) as wire:
        there = account(wire.url)
        for _ in range(3):
            there.client.http.send("GET", "/x")
    assert [call.connection for call in wire.calls] == [1, 1, 1]


def test_each_thread_has_a_session_of_its_own() -> None:
    sessions: list[Any] = []
    with Wire(answer({}, then="keep")) as wire:
        there = account(wire.url)
        barrier = threading.Barrier(4, timeout=10)

        def work() -> None:
            barrier.wait()
            for _ in range(5):
                there.client.http.send("GET", "/x")
            sessions.append(there.client.http._session)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len({id(session) for session in sessions}) == 4
    assert len({call.connection for call in wire.calls}) == 4
    assert len(wire.calls) == 20


def test_a_dead_threads_session_is_let_go() -> None:
    with Wire(answer({}, then="keep")) as wire:
        there = account(wire.url)
        thread = threading.Thread(target=there.client.http.send, args=("GET", "/x"))
        thread.start()
        thread.join(10)
        del thread
        gc.collect()
        assert len(there.client.http._sessions) == 0


def test_closing_closes_every_connection_and_the_next_call_opens_one() -> None:
    with Wire(answer({}, then="keep")) as wire:
        there = account(wire.url)
        with there.client as client:
            client.http.send("GET", "/x")
        pools = there.client.http._session.get_adapter(wire.url).poolmanager.pools  # type: ignore[attr-defined]
        assert len(pools) == 0
        there.client.http.send("GET", "/x")
    assert [call.connection for call in wire.calls] == [1, 2]


def test_a_kept_connection_that_the_server_closed_costs_nobody_a_call() -> None:
    with Wire([answer({}, headers={"Connection": "keep-alive"}), answer({"a": 1})]) as wire:
        there = account(wire.url)
        there.client.http.send("GET", "/x")
        time.sleep(0.1)
        # Not repeatable: urllib3 sees that the server has closed it before it sends.
        assert there.client.http.send("POST", "/x", body={}).body == {"a": 1}
    assert [call.connection for call in wire.calls] == [1, 2]


# --- What libraries log ------------------------------------------------------------------------------------


@pytest.fixture
def all_logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "urllib3"):
        yield caplog


@pytest.mark.parametrize(
    "given",
    [
        answer({"oauthUrl": "https://vendor.example/authorize", "element": "sfdc"}),
        answer({"message": "no"}, status=400),
        Answer(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon App/Secret+Query0000= here\r\nX: y\r\n\r\n{}"
        ),
        Answer(b""),
    ],
    ids=["right", "refused", "malformed headers", "closed"],
)
def test_a_secret_in_a_query_is_in_nobodys_log(all_logs: pytest.LogCaptureFixture, given: Answer) -> None:
    secret = "App/Secret+Query0000="
    with Wire(given) as wire:
        there = account(wire.url, max_retries=1)
        try:
            there.client.elements.oauth_url(
                "sfdc", api_key="client-1", api_secret=secret, oauth_callback_url="https://app.example/cb"
            )
        except CloudElementsError as error:
            assert_hidden(shown(error), secret)
    assert secret in dict(parse_qsl(urlsplit(wire.calls[0].target).query)).values()
    assert "urllib3" in {record.name.split(".")[0] for record in all_logs.records}
    assert_hidden(
        all_logs.text + repr([vars(record) for record in all_logs.records]), secret, USER, ORGANIZATION
    )


def test_other_peoples_urllib3_logs_are_left_alone(all_logs: pytest.LogCaptureFixture) -> None:
    import requests

    with Wire(OK) as wire:
        account(wire.url).client.http.send("GET", "/x")
        requests.get(f"{wire.url}/other?q=1", timeout=5)
    assert any("/other?q=1" in message for message in all_logs.messages)


def test_a_request_shows_verb_and_path_only() -> None:
    request = Request.of(
        account("http://127.0.0.1:1").client.settings,
        "POST",
        "/x?q=secret-query",
        params={"apiSecret": USER},
        body={"password": USER},
        token=TOKEN,
        headers={"X": USER},
    )
    assert repr(request) == "Request(method='POST', path='/x')"
