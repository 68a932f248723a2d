"""An answer's body neither lasts for ever nor fills the memory."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import tracemalloc

import pytest

from airflow_provider_cloudelements.client.wire import answer as reading
from airflow_provider_cloudelements.client.wire import http
from airflow_provider_cloudelements.exceptions import CloudElementsServerError, CloudElementsTimeoutError
from tests.support.wire import Answer, Wire, account, answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
DRIPPING = {
    "status line": Answer(b"HTTP/1.1 2", "drip", [b"0"] * 200),
    "headers": Answer(HEAD, "drip", [f"X-{each}: 1\r\n".encode() for each in range(90)]),
    "a header": Answer(HEAD + b"X: ", "drip", [b"x"] * 200),
    "interim answers": Answer(b"", "drip", [b"HTTP/1.1 100 Continue\r\n\r\n"] * 200),
    "body of a length": Answer(HEAD + b"Content-Length: 100000\r\n\r\n[", "drip", [b" "] * 200),
    "chunks": Answer(CHUNKED + b"1\r\n[\r\n", "drip", [b"1\r\n \r\n"] * 200),
    "size of a chunk": Answer(CHUNKED + b"2\r\n[]\r\n", "drip", [b"0"] * 200),
    "trailer": Answer(CHUNKED + b"2\r\n[]\r\n0\r\n", "drip", [b"X: 1\r\n"] * 200),
    "body until it closes": Answer(HEAD + b"\r\n[", "drip", [b" "] * 200),
}


@pytest.mark.parametrize("given", DRIPPING.values(), ids=DRIPPING)
def test_a_call_ends_at_its_time_out_whatever_drips(given: Answer) -> None:
    with Wire(given) as wire:
        begun = time.monotonic()
        with pytest.raises(CloudElementsTimeoutError, match="GET /x: no answer in time from") as caught:
            account(wire.url, request_timeout=0.25, max_retries=0).client.http.send("GET", "/x")
        assert 0.2 < time.monotonic() - begun < 1.5
    assert caught.value.sent is True


def test_an_error_that_drips_ends_at_the_time_out_too() -> None:
    slow = Answer(
        HEAD.replace(b"200 OK", b"503 Busy") + b"Content-Length: 900\r\n\r\n{", "drip", [b" "] * 200
    )
    with Wire(slow) as wire, pytest.raises(CloudElementsTimeoutError):
        account(wire.url, request_timeout=0.25, max_retries=0).client.http.send("GET", "/x")


def test_a_server_that_reads_slowly_ends_at_the_time_out_too() -> None:
    """It takes some of a large body at a time, so that no single write is ever late."""
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def take_slowly() -> None:
        connection, _ = listener.accept()
        with connection:
            while not done.wait(0.05) and connection.recv(20_000):
                pass

    thread = threading.Thread(target=take_slowly, daemon=True)
    thread.start()
    here = account(f"http://127.0.0.1:{listener.getsockname()[1]}", request_timeout=0.3, max_retries=0)
    begun = time.monotonic()
    with pytest.raises(CloudElementsTimeoutError, match="no answer in time") as caught:
        here.client.http.send("POST", "/x", body="x" * 8_000_000)
    assert time.monotonic() - begun < 2
    assert caught.value.sent is True
    done.set()
    thread.join(5)
    listener.close()


def test_a_body_that_comes_in_parts_within_the_time_is_read() -> None:
    drips = [b" "] * 6 + [b"]"]
    with Wire(Answer(HEAD + b"Content-Length: 8\r\n\r\n[", "drip", drips)) as wire:
        reply = account(wire.url, request_timeout=5.0, max_retries=0).client.http.send("GET", "/x")
    assert reply.body == []


def test_the_next_call_on_the_same_connection_has_its_whole_time() -> None:
    slow = answer([], then="keep")
    with Wire([answer([], then="keep"), slow]) as wire:
        sender = account(wire.url, request_timeout=1.0, max_retries=0).client.http
        for _ in range(3):
            assert sender.send("GET", "/x").body == []
            time.sleep(0.4)
    assert {call.connection for call in wire.calls} == {1}


def test_a_body_that_stops_is_told_as_late() -> None:
    with Wire(Answer(HEAD + b"Content-Length: 9\r\n\r\n[1", "stall")) as wire:
        with pytest.raises(CloudElementsTimeoutError, match="no answer in time"):
            account(wire.url, request_timeout=0.3, max_retries=0).client.http.send("GET", "/x")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let a body be as large as this."""
    most = 100_000
    for module in (reading, http):
        monkeypatch.setattr(module, "LARGEST_ANSWER", most)
    return most


def padded(size: int) -> bytes:
    return b"[" + b" " * (size - 2) + b"]"


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("packed", [False, True])
def test_a_body_that_is_too_large_is_not_kept(small: int, status: int, packed: bool) -> None:
    body = padded(500 * small)
    headers = {"Content-Encoding": "gzip"} if packed else {}
    too_large = answer(gzip.compress(body, 1) if packed else body, status, headers, then="keep")
    with Wire([too_large, answer({"a": 1}, then="keep")]) as wire:
        sender = account(wire.url, max_retries=0).client.http
        tracemalloc.start()
        try:
            with pytest.raises(CloudElementsServerError, match=f"GET /x: the answer is larger than {small}"):
                sender.send("GET", "/x")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 100 * small
        assert sender.send("GET", "/x").body == {"a": 1}
    assert [call.connection for call in wire.calls] == [1, 2]  # what is left of it is read by nobody


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_as_large_as_may_be_is_read(small: int, packed: bool) -> None:
    headers = {"Content-Encoding": "gzip"} if packed else {}
    body = gzip.compress(padded(small)) if packed else padded(small)
    with Wire(answer(body, headers=headers, then="keep")) as wire:
        sender = account(wire.url).client.http
        assert [sender.send("GET", "/x").body for _ in range(2)] == [[], []]
    assert [call.connection for call in wire.calls] == [1, 1]
