"""Faults on demand: issue 3, item 1."""

import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests

from airflow_provider_cloudelements.sandbox import SandboxError


def names(sandbox):
    return [row["name"] for row in sandbox.instances()]


def test_a_status_before_the_effect(api, sandbox):
    sandbox.add_fault("status", method="POST", path="/instances", status=503)
    api.refused(api("POST", "/instances", json=api.body()), 503)
    assert names(sandbox) == []
    assert api("POST", "/instances", json=api.body()).status_code == 200


def test_a_status_after_the_effect(api, sandbox):
    sandbox.add_fault("status", when="after", status=500)
    api.refused(api("POST", "/instances", json=api.body(name="made")), 500)
    assert names(sandbox) == ["made"]


@pytest.mark.parametrize("retry_after", [None, 2, "Wed, 21 Oct 2030 07:28:00 GMT"])
def test_429_with_and_without_retry_after(api, sandbox, retry_after):
    sandbox.add_fault("status", status=429, retry_after=retry_after)
    answer = api("GET", "/instances")
    api.refused(answer, 429)
    assert answer.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))


@pytest.mark.parametrize(
    ("body", "kind", "part"),
    [
        ("error", "application/json", "requestId"),
        ("html", "text/html", "<h1>"),
        ("text", "text/plain", "Bad"),
    ],
)
def test_kinds_of_body(api, sandbox, body, kind, part):
    sandbox.add_fault("status", status=502, body=body)
    answer = api("GET", "/instances")
    assert answer.status_code == 502
    assert answer.headers["Content-Type"].startswith(kind)
    assert part in answer.text


def test_an_empty_body_and_a_web_page_with_status_200(api, sandbox):
    sandbox.add_fault("status", status=500, body="empty")
    assert api("GET", "/instances").content == b""
    sandbox.add_fault("status", status=204)
    assert api("GET", "/instances").status_code == 204
    sandbox.add_fault("html", status=200)
    answer = api("GET", "/instances")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert api("GET", "/instances").json() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_dropped_connection_is_closed_without_an_answer(api, sandbox, when):
    """Seen on the bare socket: the other side closes, and not one byte comes back."""
    sandbox.add_fault("drop", when=when, method="PUT")
    instance = api.create()
    address = urlsplit(sandbox.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        request = (
            f"PUT /elements/api-v2/instances/{instance['id']}/enabled HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {api.authorization()}\r\nContent-Length: 0\r\n\r\n"
        )
        sandbox.set_instance(instance["id"], disabled=True)
        connection.sendall(request.encode())
        try:
            received = connection.recv(4096)
        except ConnectionResetError:
            received = b""
    assert received == b""
    assert api.show(instance["id"])["disabled"] is (when == "before")
    assert sandbox.requests()[-2]["fault"] == "drop"
    assert sandbox.requests()[-2]["status"] is None
    assert sandbox.requests()[-2]["done"] is True


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_dropped_create(api, sandbox, when):
    sandbox.add_fault("drop", when=when, method="POST")
    with pytest.raises(requests.ConnectionError):
        api("POST", "/instances", json=api.body(name="made"))
    assert names(sandbox) == ([] if when == "before" else ["made"])
    assert api("GET", "/instances").status_code == 200


def test_a_cut_body_is_shorter_than_announced(api, sandbox):
    sandbox.add_fault("cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
        api("POST", "/instances", json=api.body(name="made"))
    assert "IncompleteRead" in str(caught.value)
    assert names(sandbox) == ["made"]


def test_a_delay_before_the_effect_goes_on_after_the_client_left(api, sandbox):
    sandbox.add_fault("delay", seconds=1)
    with pytest.raises(requests.exceptions.ReadTimeout):
        api("POST", "/instances", json=api.body(name="late"), timeout=0.15)
    assert names(sandbox) == []
    _wait_for(lambda: names(sandbox) == ["late"])


def test_a_call_can_be_abandoned_with_its_client(api, sandbox):
    sandbox.add_fault("delay", seconds=0.8, abandon=True, count=2)
    with pytest.raises(requests.exceptions.ReadTimeout):
        api("POST", "/instances", json=api.body(name="gone"), timeout=0.1)
    _wait_for(lambda: sandbox.requests()[-1]["done"])
    assert sandbox.requests()[-1]["status"] is None
    assert names(sandbox) == []
    assert api("POST", "/instances", json=api.body(name="stayed")).status_code == 200
    assert names(sandbox) == ["stayed"]


def test_a_delay_after_the_effect(api, sandbox):
    sandbox.add_fault("delay", when="after", seconds=5)
    with pytest.raises(requests.exceptions.ReadTimeout):
        api("POST", "/instances", json=api.body(name="early"), timeout=0.5)
    assert names(sandbox) == ["early"]


def test_a_delay_can_go_before_any_fault_and_blocks_nobody_else(api, sandbox):
    sandbox.add_fault("status", method="POST", seconds=1, status=504)
    statuses = []
    slow = threading.Thread(
        target=lambda: statuses.append(api("POST", "/instances", json=api.body()).status_code)
    )
    started = time.monotonic()
    slow.start()
    other = type(api)(sandbox)
    _wait_for(lambda: sandbox.counters()["running"] == 1)
    assert other("GET", "/organizations/me").status_code == 200
    assert time.monotonic() - started < 1
    slow.join()
    assert statuses == [504]
    assert time.monotonic() - started >= 1


def test_count_skip_method_and_path(api, sandbox):
    sandbox.add_fault("status", method="get", path="/instances/*", count=2, skip=1, status=503)
    instance = api.create()
    path = f"/instances/{instance['id']}"
    assert [api("GET", path).status_code for _ in range(4)] == [200, 503, 503, 200]
    assert api("GET", "/instances").status_code == 200
    (rule,) = sandbox.faults()
    assert (rule["seen"], rule["applied"]) == (3, 2)
    assert rule["method"] == "GET"


def test_rules_take_turns_and_a_call_gets_one(api, sandbox):
    for status in (500, 502, 503):
        sandbox.add_fault("status", status=status)
    assert [api("GET", "/instances").status_code for _ in range(4)] == [500, 502, 503, 200]


def test_no_count_means_until_cleared(api, sandbox):
    sandbox.add_fault("status", count=None, status=503)
    assert [api("GET", "/instances").status_code for _ in range(5)] == [503] * 5
    sandbox.clear_faults()
    assert sandbox.faults() == []
    assert api("GET", "/instances").status_code == 200


def test_chance_and_seed_repeat(api, sandbox):
    def run(seed):
        sandbox.clear_faults()
        sandbox.add_fault("status", count=None, chance=0.5, seed=seed, status=503)
        return [api("GET", "/organizations/me").status_code for _ in range(40)]

    first = run(7)
    assert first == run(7)
    assert first != run(8)
    assert 5 < first.count(503) < 35
    sandbox.clear_faults()
    sandbox.add_fault("status", count=None, chance=0, status=503)
    assert api("GET", "/instances").status_code == 200


def test_faults_also_meet_calls_without_authorization(api, sandbox):
    sandbox.add_fault("status", status=502)
    assert api("GET", "/instances", headers={"Authorization": None}).status_code == 502


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "explode"},
        {},
        {"action": "status", "status": 99},
        {"action": "status", "status": "500"},
        {"action": "status", "status": 100},
        {"action": "status", "body": "xml"},
        {"action": "drop", "when": "later"},
        {"action": "drop", "count": 0},
        {"action": "drop", "chance": 1.5},
        {"action": "drop", "chance": True},
        {"action": "drop", "seed": 1.5},
        {"action": "delay", "seconds": -1},
        {"action": "delay", "abandon": 1},
        {"action": "drop", "path": 5},
        {"action": "drop", "method": []},
        {"action": "status", "retry_after": "a\r\nb"},
        {"action": "status", "retry_after": 1.5},
        {"action": "drop", "applied": 3},
        {"action": "drop", "id": 3},
    ],
)
def test_a_rule_that_does_not_fit_is_400(sandbox, fields):
    with pytest.raises(SandboxError, match="400"):
        sandbox.control("POST", "/faults", fields)
    assert sandbox.faults() == []


def test_a_reset_ends_what_still_runs(api, sandbox):
    """A slow call of one test must not make an instance in the next."""
    sandbox.add_fault("delay", seconds=0.5)
    failures = []

    def call():
        try:
            api("POST", "/instances", json=api.body())
        except requests.ConnectionError as error:
            failures.append(error)

    slow = threading.Thread(target=call)
    slow.start()
    _wait_for(lambda: sandbox.counters()["running"] == 1)
    sandbox.reset()
    slow.join()
    assert len(failures) == 1
    assert names(sandbox) == []
    assert sandbox.counters() == {"total": 0, "running": 0, "by_call": {}, "by_status": {}}


def test_server_delays_for_benchmarks(api, sandbox):
    sandbox.configure(delay=0.05, create_delay=0.5)
    started = time.monotonic()
    api("GET", "/instances")
    middle = time.monotonic()
    api.create()
    assert 0.05 <= middle - started < 0.5
    assert time.monotonic() - middle >= 0.55


def _wait_for(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
