"""An answer's body neither lasts for ever nor fills the memory."""

from __future__ import annotations

import gzip
import time
import tracemalloc

import pytest

from airflow_provider_cloudelements.client.wire import answer as reading
from airflow_provider_cloudelements.client.wire import http
from airflow_provider_cloudelements.exceptions import CloudElementsServerError, CloudElementsTimeoutError
from tests.support.wire import Answer, Wire, account, answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "given",
    [
        Answer(HEAD + b"Content-Length: 100000\r\n\r\n[", "drip", [b" "] * 200),
        Answer(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n", "drip", [b"1\r\n \r\n"] * 200),
        Answer(HEAD + b"\r\n[", "drip", [b" "] * 200),
    ],
    ids=["a length", "chunked", "until it closes"],
)
def test_a_body_that_drips_is_given_up(given: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SHORTEST_TIME", 0.0)
    with Wire(given) as wire:
        begun = time.monotonic()
        with pytest.raises(CloudElementsTimeoutError, match="GET /x: no answer in time from") as caught:
            account(wire.url, request_timeout=0.5, max_retries=0).client.http.send("GET", "/x")
        assert 0.4 < time.monotonic() - begun < 5
    assert caught.value.sent is True


def test_a_body_that_comes_slowly_and_steadily_is_read() -> None:
    drips = [b" "] * 18 + [b"]"]
    with Wire(Answer(HEAD + b"Content-Length: 20\r\n\r\n[", "drip", drips)) as wire:
        begun = time.monotonic()
        reply = account(wire.url, request_timeout=0.3, max_retries=0).client.http.send("GET", "/x")
        assert time.monotonic() - begun > 0.6
    assert reply.body == []


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
