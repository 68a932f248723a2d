"""Whatever a server sends, only a CloudElementsError leaves the client, with no secret, and nothing hangs."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_cloudelements.client import CloudElementsClient, InstanceClient
from airflow_provider_cloudelements.exceptions import CloudElementsError
from tests.support.hidden import assert_hidden, shown
from tests.support.wire import ORGANIZATION, TOKEN, USER, Account, Answer, Wire, account

APP_SECRET = "App/Secret+Malformed04="
APP = {"api_key": "k", "api_secret": APP_SECRET, "oauth_callback_url": "https://app.example/cb"}


def result_of(instance: InstanceClient) -> bytes:
    """Read the result of a bulk job."""
    with instance.bulk.result(7, "contacts", "csv") as body:
        return b"".join(islice(body, 3))


#: Every method that reads an answer. A list is looked at for a few pages only: it may be as long as it likes.
METHODS: dict[str, Callable[[CloudElementsClient], Any]] = {
    "organization": lambda client: client.organization(),
    "instances.get": lambda client: client.instances.get(7),
    "instances.token": lambda client: client.instances.token(7),
    "instances.list": lambda client: list(islice(client.instances.list(tags=["t"]), 3)),
    "instances.list element": lambda client: list(islice(client.instances.list(element="sfdc"), 3)),
    "instances.create": lambda client: client.instances.create(
        element="sfdc",
        name="n",
        configuration={"oauth.api.secret": APP_SECRET},
        provider_data={"code": APP_SECRET},
    ),
    "instances.update": lambda client: client.instances.update(7, name="n", tags=["t"]),
    "instances.delete": lambda client: client.instances.delete(7),
    "instances.enable": lambda client: client.instances.enable(7),
    "instances.disable": lambda client: client.instances.disable(7),
    "elements.get": lambda client: client.elements.get("sfdc"),
    "elements.list": lambda client: list(islice(client.elements.list(), 3)),
    "elements.metadata": lambda client: client.elements.metadata("sfdc"),
    "elements.oauth_url": lambda client: client.elements.oauth_url("sfdc", **APP),
    "elements.oauth_url post": lambda client: client.elements.oauth_url("sfdc", **APP, post=True),
    "instance.ping": lambda client: client.instance(7, TOKEN).ping(),
    "instance.get": lambda client: client.instance(7, TOKEN).get("/contacts"),
    "instance.list": lambda client: list(islice(client.instance(7, TOKEN).list("/contacts"), 3)),
    "instance.request": lambda client: client.instance(7, TOKEN).request("POST", "/contacts", body={"a": 1}),
    "formulas.list": lambda client: list(islice(client.formulas.list(), 3)),
    "formulas.instances": lambda client: list(islice(client.formulas.instances(), 3)),
    "formulas.create_instance": lambda client: client.formulas.create_instance(7, "n"),
    "formulas.start": lambda client: client.formulas.start(7, {"a": 1}),
    "formulas.execution": lambda client: client.formulas.execution(7),
    "formulas.cancel": lambda client: client.formulas.cancel(7),
    "formulas.steps": lambda client: client.formulas.steps(7),
    "formulas.errors": lambda client: client.formulas.errors(7),
    "bulk.start_download": lambda client: client.instance(7, TOKEN).bulk.start_download(
        "contacts", file_format="csv"
    ),
    "bulk.status": lambda client: client.instance(7, TOKEN).bulk.status(7),
    "bulk.list": lambda client: list(islice(client.instance(7, TOKEN).bulk.list(), 3)),
    "bulk.result": lambda client: result_of(client.instance(7, TOKEN)),
}

ECHO = f"{USER} {ORGANIZATION} {TOKEN} {APP_SECRET}"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just(ECHO),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "name",
                    "token",
                    "key",
                    "element",
                    "tags",
                    "configuration",
                    "message",
                    "providerMessage",
                    "requestId",
                    "oauthUrl",
                    "events",
                    "valid",
                    "disabled",
                    "createdDate",
                    "propertyValue",
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
BODIES = st.one_of(
    JSON.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"",
            b" ",
            b"<html><body>Log in</body></html>",
            b'{"id": 7',
            b"NaN",
            b'{"id": NaN, "token": Infinity, "tags": [-Infinity]}',
            b'{"id": 7, "createdDate": 1' + b"0" * 400 + b"}",
            b"1" * 5000,
            b'{"id": ' + b"9" * 4000 + b', "token": "t"}',
            b"[" * 100_000,
            b'{"configuration":' * 50_000,
            b'{"id": 7, "configuration": {"k": ' + b"[" * 900 + b"]" * 900 + b"}}",
            b'{"id": 7, "token": "\\ud800", "name": "\\ud800"}',
            b'[{"id": 7, "tags": ["t"]}, {"id": "x"}]',
            b'\xef\xbb\xbf{"id": 7}',
            "{}".encode("utf-16"),
            b'"\xff\xfe"',
            b'{"a": 1, "a": 2}',
            b"null",
            f'{{"message": "{ECHO}", "providerMessage": "{ECHO}", "requestId": "{TOKEN}"}}'.encode(),
            ECHO.encode(),
        ]
    ),
)
STATUS_LINES = st.one_of(
    st.sampled_from([200, 201, 204, 301, 304, 400, 401, 403, 404, 409, 429, 500, 503, 599]).map(
        lambda status: f"HTTP/1.1 {status} Reason".encode()
    ),
    st.integers(-5, 2000).map(lambda status: f"HTTP/1.1 {status}".encode()),
    st.sampled_from(
        [
            b"HTTP/1.1",
            b"HTTP/1.0 200 OK",
            b"HTTP/2 200",
            b"HTTP/9.9 200 OK",
            b"ICY 200 OK",
            b"",
            b"\x16\x03\x01",
            b"HTTP/1.1 2e2 OK",
            b"HTTP/1.1 200 " + b"r" * 70_000,
            b"<html>",
            b"SSH-2.0-x",
            ECHO.encode(),
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
        ]
    ),
    st.binary(max_size=30),
)
TOKENISH = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
HEADERS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(
                [
                    "Elements-Next-Page-Token",
                    "Retry-After",
                    "Elements-Request-Id",
                    "Location",
                    "Set-Cookie",
                    "Content-Type",
                    "Content-Length",
                    "Transfer-Encoding",
                    "Content-Encoding",
                ]
            ),
            TOKENISH | st.just(ECHO),
        ).map(lambda pair: f"{pair[0]}: {pair[1]}".encode("latin-1")),
        st.sampled_from(
            [
                b"Content-Encoding: gzip",
                b"Content-Encoding: deflate",
                b"Content-Encoding: br, gzip",
                b"Transfer-Encoding: chunked",
                b"Content-Length: -1",
                b"Content-Length: 1e3",
                b"Content-Length: 99999",
                b"Content-Length: 3, 4",
                b"Content-Type: text/html",
                b"Retry-After: 0",
                b"Connection: keep-alive",
                b"no colon",
                b": no name",
                b" folded",
                b"X: " + b"y" * 70_000,
                b"Location: http://[::1",
                b"\xff: \xfe",
            ]
        ),
        st.binary(max_size=20),
    ),
    max_size=4,
)


@st.composite
def raw_answers(draw: st.DrawFn) -> bytes:
    """Return what a broken, hostile or wrong server may send."""
    body = draw(BODIES)
    headers = draw(HEADERS)
    form = draw(st.sampled_from(["right", "right", "right", "none", "chunked", "gzip", "deflate", "binary"]))
    if form == "right":
        headers.append(b"Content-Length: %d" % len(body))
    elif form == "chunked":
        headers.append(b"Transfer-Encoding: chunked")
        size = draw(
            st.sampled_from([b"%x" % len(body), b"-1", b"zz", b"", b"fffffffff", b"%x;ext=1" % len(body)])
        )
        body = (
            size
            + b"\r\n"
            + body
            + draw(st.sampled_from([b"\r\n0\r\n\r\n", b"", b"\r\n", b"0", b"\r\n0\r\nX\r\n"]))
        )
    elif form == "gzip":
        headers.append(b"Content-Encoding: gzip")
        body = gzip.compress(body)
    elif form == "deflate":
        headers.append(b"Content-Encoding: deflate")
        body = zlib.compress(body)
    elif form == "binary":
        headers.append(b"Content-Encoding: gzip")
    content = b"\r\n".join([draw(STATUS_LINES), *headers, b"", body])
    return content[: draw(st.sampled_from([len(content)] * 4 + [len(content) // 2, 10, 1]))]


@pytest.fixture(scope="module")
def there() -> Iterator[tuple[Wire, Account]]:
    with Wire(Answer(b"")) as wire:
        yield wire, account(wire.url, request_timeout=0.5, create_timeout=0.5, max_retries=1)


def sent_with(name: str) -> list[str]:
    """Return the secrets that a call sends: those that its server can echo, and its client can know."""
    sent = [USER, ORGANIZATION]
    if name.startswith("instance."):
        sent.append(TOKEN)
    if "oauth_url" in name or name == "instances.create":
        sent.append(APP_SECRET)
    return sent


def check(there: tuple[Wire, Account], name: str, content: bytes, then: str = "close") -> None:
    wire, client_of = there
    wire.script = Answer(content, then)
    client_of.pauses.clear()
    started = time.monotonic()
    try:
        METHODS[name](client_of.client)
    except CloudElementsError as error:
        assert_hidden(shown(error), *sent_with(name))
    assert time.monotonic() - started < 20


@settings(max_examples=700)
@given(name=st.sampled_from(sorted(METHODS)), content=raw_answers())
@example(name="instances.token", content=b'HTTP/1.1 200 OK\r\n\r\n{"id": 7, "token": "\\ud800"}')
@example(name="instances.get", content=b"HTTP/1.1 429 x\r\nRetry-After: \xff\r\n\r\n")
@example(name="organization", content=b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000)
def test_only_our_errors_leave_the_client(there: tuple[Wire, Account], name: str, content: bytes) -> None:
    check(there, name, content)


@settings(max_examples=300)
@given(
    name=st.sampled_from(sorted(METHODS)),
    body=BODIES,
    status=st.sampled_from([200, 200, 200, 400, 401, 403, 404, 429, 500]),
)
def test_only_our_errors_leave_the_client_whatever_an_orderly_answer_holds(
    there: tuple[Wire, Account], name: str, body: bytes, status: int
) -> None:
    check(
        there,
        name,
        b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body),
    )


@pytest.mark.parametrize("name", sorted(METHODS))
@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnull",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n[null]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\n[[5],{}]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>",
        b"",
    ],
)
def test_each_method_meets_each_odd_answer(there: tuple[Wire, Account], name: str, content: bytes) -> None:
    check(there, name, content)


@pytest.mark.parametrize("name", ["organization", "instances.create", "instances.list", "instance.ping"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
    ],
)
def test_a_server_that_falls_silent_is_left(there: tuple[Wire, Account], name: str, content: bytes) -> None:
    wire, _ = there
    hasty = account(wire.url, request_timeout=0.3, create_timeout=0.3)
    started = time.monotonic()
    check((wire, hasty), name, content, then="stall")
    assert 0.25 < time.monotonic() - started < 4
