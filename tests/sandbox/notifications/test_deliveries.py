"""Notifications on their way to receivers: facts F241 to F257."""

import base64
import hashlib
import hmac
import itertools
import json
import re
import socket
import time

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from airflow_provider_cloudelements.sandbox.notifications.callbacks import destination, is_loop
from airflow_provider_cloudelements.sandbox.notifications.courier import sign
from tests.support.api import Api
from tests.support.patience import wait_for

POLICY = "notification.webhook.failure.policy"
JAVA_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r" \d\d \d\d:\d\d:\d\d UTC \d{4}"
)


def statuses(sandbox):
    return [row["status"] for row in sandbox.deliveries()]


def deliver(sandbox, receiver, count):
    """Wait for so many deliveries, written down as delivered; return their bodies."""
    wait_for(lambda: statuses(sandbox) == ["delivered"] * count)
    assert len(receiver.got) == count
    return receiver.bodies()


def queue(api, policy="queue"):
    answer = api("PATCH", "/accounts/settings", json={POLICY: policy})
    assert answer.json()[POLICY] == policy


def test_rows_34_to_36_what_a_receiver_gets(api, sandbox, receiver):
    number = api.listening(callback=receiver.url)
    event_ids = sandbox.emit(number, object_type="leads", object_id="7", count=2)
    bodies = deliver(sandbox, receiver, 2)
    assert {body["message"]["eventId"] for body in bodies} == set(event_ids)
    for (path, headers, _), body in zip(receiver.got, bodies, strict=True):
        assert path == "/hook?q=1"
        assert headers["Content-Type"] == "application/json"
        assert headers["Elements-Webhook-Id"]
        assert "Elements-Webhook-Signature" not in headers
        assert "Authorization" not in headers
        assert re.fullmatch(r"\d+", body["id"])
        assert body["topic"] == f"instance-{number}-closeio-events"
        assert (body["severity"], body["action"]) == ("medium", "create")
        assert body["user"] == "notifications@cloud-elements.com"
        assert JAVA_DATE.fullmatch(body["createdDate"])
        message = body["message"]
        assert message["instanceId"] == message["instance_id"] == number
        assert (message["elementKey"], message["instanceName"]) == ("closeio", "An instance")
        assert message["instanceTags"] == ["An instance"]
        assert {type(message[name]) for name in ("accountId", "companyId", "userId")} == {int}
        assert message["raw"]["objectType"] == "leads"
        (change,) = message["events"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", change["date"])
        assert (change["eventType"], change["objectType"]) == ("CREATED", "leads")
    listed = {event["id"]: event["notifiedData"] for event in api.events()}
    assert all(listed[body["message"]["eventId"]] == [body] for body in bodies)


def test_rows_32_and_33_signed_with_the_instances_key(api, sandbox, receiver):
    published = sign("MySecretEventSignatureKey", b"<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>")
    assert published == "sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ="
    key = "kéy with / + ="
    number = api.listening(callback=receiver.url, **{"event.notification.signature.key": key})
    sandbox.emit(number)
    deliver(sandbox, receiver, 1)
    _, headers, body = receiver.got[0]
    digest = hmac.new(key.encode(), body, hashlib.sha256).digest()
    assert headers["Elements-Webhook-Signature"] == f"sha256={base64.b64encode(digest).decode()}"
    api("PATCH", f"/instances/{number}", json={"configuration": {"event.notification.signature.key": None}})
    sandbox.emit(number)
    deliver(sandbox, receiver, 2)
    assert "Elements-Webhook-Signature" not in receiver.got[1][1]


@pytest.mark.parametrize("split", ["own", "shared"])
@pytest.mark.parametrize(("element", "sizes"), [("closeio", [20, 5]), ("sfdc", [10, 10, 5])])
def test_a_large_body_is_split_and_repeated(api, sandbox, receiver, element, sizes, split):
    sandbox.configure(split_events=split)
    number = api.listening(element, callback=receiver.url)
    event_ids = sandbox.emit(number, objects=25, object_id="o")
    assert len(event_ids) == (len(sizes) if split == "own" else 1)
    bodies = sorted(deliver(sandbox, receiver, len(sizes)), key=lambda body: int(body["id"]))
    assert [len(body["message"]["events"]) for body in bodies] == sizes
    names = [change["objectId"] for body in bodies for change in body["message"]["events"]]
    assert names == [f"o-{n}" for n in range(1, 26)]
    assert len({json.dumps(body["message"]["raw"]) for body in bodies}) == 1
    assert len({body["message"]["eventId"] for body in bodies}) == len(event_ids)
    raw = bodies[0]["message"]["raw"]
    if element == "sfdc":
        assert (raw["objectType"], len(raw["accounts"])) == ("accounts", 25)
        assert abs(raw["pollDate"] - time.time() * 1000) < 60_000
        assert all(change["pollDate"] for body in bodies for change in body["message"]["events"])
    else:
        assert len(raw) == 25
    if split == "shared":
        (event,) = api.events()
        assert len(event["notifiedData"]) == len(event["eventElementInstances"]) == len(sizes)


def test_the_older_form(api, sandbox, receiver):
    sandbox.configure(notification_form="response")
    number = api.listening(callback=receiver.url)
    sandbox.emit(number, object_type="files", object_id="9")
    (body,) = deliver(sandbox, receiver, 1)
    assert body.keys() == {"eventId", "instanceId", "response", "notificationId"}
    assert {type(body[name]) for name in ("eventId", "instanceId", "notificationId")} == {int}
    (row,) = body["response"]["events"]
    assert (row["path"], row["metadata"]["name"]) == ("/files/9", "9")


def test_every_status_of_200_is_success(api, sandbox, receiver):
    receiver.statuses = [201, 202, 299]
    sandbox.emit(api.listening(callback=receiver.url), count=3)
    deliver(sandbox, receiver, 3)
    assert {row["outcome"] for row in sandbox.deliveries()} == {
        "answered 201",
        "answered 202",
        "answered 299",
    }


@pytest.mark.parametrize("status", [302, 400, 404, 410, 500, 502])
def test_a_failure_is_retried(api, sandbox, receiver, status):
    sandbox.configure(time_factor=0.001)
    receiver.statuses = [status]
    sandbox.emit(api.listening(callback=receiver.url))
    wait_for(lambda: statuses(sandbox) == ["delivered"])
    assert len(receiver.got) == 2
    assert receiver.got[0][2] == receiver.got[1][2]
    first, second = (headers["Elements-Webhook-Id"] for _, headers, _ in receiver.got)
    assert first == second
    assert sandbox.deliveries()[0]["attempts"] == 2


def test_the_status_meanwhile_is_retry(api, sandbox, receiver):
    receiver.statuses = [502]
    sandbox.emit(api.listening(callback=receiver.url))
    wait_for(lambda: statuses(sandbox) == ["retry"])
    time.sleep(0.3)  # the first retry comes after 8 seconds
    assert len(receiver.got) == 1
    (row,) = sandbox.deliveries()
    assert (row["outcome"], row["attempts"], row["active"]) == ("answered 502", 1, True)


def test_the_pauses_grow(api, sandbox, receiver):
    sandbox.configure(retry_base=2, retry_exponent=2, time_factor=0.02)
    receiver.statuses = [500] * 3
    sandbox.emit(api.listening(callback=receiver.url))
    wait_for(lambda: len(receiver.got) == 4)
    pauses = [after - before for before, after in itertools.pairwise(receiver.moments)]
    # 4, 16 and 64 times 0.02 seconds; a busy machine only adds to them.
    for pause, least in zip(pauses, (0.08, 0.32, 1.28), strict=True):
        assert least <= pause < least + 5


def test_after_the_last_failure_the_subscription_sleeps(api, sandbox, receiver):
    sandbox.configure(time_factor=0, retry_count=5)
    receiver.statuses = [500] * 6
    number = api.listening(callback=receiver.url)
    sandbox.emit(number)
    wait_for(lambda: statuses(sandbox) == ["queued"])
    assert len(receiver.got) == 6
    (subscription,) = api("GET", "/notifications/subscriptions").json()
    assert subscription["active"] is False
    sandbox.emit(number, count=2)
    assert statuses(sandbox) == ["queued"] * 3
    assert len(receiver.got) == 6
    assert api("GET", "/accounts/settings").json()[POLICY] == "retry"
    where = f"channel='webhook' and status='queued' and config.url='{receiver.url}'"
    answer = api("PUT", "/notifications/subscriptions/deliveries", params={"where": where})
    assert len(answer.json()) == 3
    wait_for(lambda: statuses(sandbox) == ["delivered"] * 3)
    assert api("GET", f"/notifications/subscriptions/{subscription['id']}").json()["active"] is True


def test_rows_39_and_40_under_the_policy_queue_it_waits_for_its_release(api, sandbox, receiver):
    sandbox.configure(time_factor=0)
    queue(api)
    receiver.statuses = [502, 200, 500]
    number = api.listening(callback=receiver.url)
    sandbox.emit(number)
    wait_for(lambda: statuses(sandbox) == ["queued"])
    time.sleep(0.3)
    assert len(receiver.got) == 1
    # The subscription goes on: the next one is tried.
    sandbox.emit(number)
    wait_for(lambda: statuses(sandbox) == ["queued", "delivered"])
    path, where = "/notifications/subscriptions/deliveries", {"where": "status='queued'", "hydrate": "true"}
    (row,) = api("GET", path, params=where).json()
    assert row["subscription"]["config"]["url"] == receiver.url
    assert row["notification"]["id"] == row["notificationId"]
    # It fails once more and is queued once more.
    api("PUT", path, params=where)
    wait_for(lambda: len(receiver.got) == 3 and statuses(sandbox)[0] == "queued")
    api("PUT", path, params=where)
    wait_for(lambda: statuses(sandbox) == ["delivered"] * 2)
    assert len(receiver.got) == 4


def test_a_slow_receiver_is_a_failure(api, sandbox, receiver):
    sandbox.configure(delivery_timeout=0.1, retry_count=0)
    receiver.seconds = 1
    sandbox.emit(api.listening(callback=receiver.url))
    wait_for(lambda: statuses(sandbox) == ["queued"])
    assert sandbox.deliveries()[0]["outcome"] == "no answer in time"


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 200_000]
)
def test_what_is_no_answer_is_a_failure(api, sandbox, answer):
    sandbox.configure(retry_count=0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        sandbox.emit(api.listening(callback=f"http://127.0.0.1:{server.getsockname()[1]}/"))
        connection, _ = server.accept()
        connection.recv(65536)
        connection.sendall(answer)
        connection.close()
        wait_for(lambda: statuses(sandbox) == ["queued"])
    assert sandbox.deliveries()[0]["outcome"].startswith("no answer")


def test_a_refused_connection_is_a_failure(api, sandbox):
    sandbox.configure(retry_count=0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    sandbox.emit(api.listening(callback=f"https://localhost:{port}/"))
    wait_for(lambda: statuses(sandbox) == ["queued"])


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example/hook",
        "http://192.0.2.1/",
        "http://127.0.0.1.example.com/",
        "http://127.0.0.1@192.0.2.1/",
        "http://2130706433/",
        "ftp://127.0.0.1/",
        "//127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "http://",
        "x",
    ],
)
def test_nothing_leaves_the_machine(api, sandbox, url):
    assert destination(url) is None
    number = api.listening(callback=url)
    sandbox.emit(number)
    (row,) = sandbox.deliveries()
    assert (row["status"], row["attempts"]) == ("created", 0)
    assert row["outcome"] == "the callback is no loopback address: nothing is sent"
    assert api.events()[0]["status"] == "NOTIFIED"
    sandbox.configure(outside_callback="fail", retry_count=0)
    sandbox.emit(number)
    assert statuses(sandbox) == ["created", "queued"]


def test_what_is_on_this_machine():
    for url, target in {
        "http://127.0.0.1:80/a b?c=d e": "/a%20b?c=d%20e",
        "http://user:pass@localhost/é": "/%C3%A9",
        "https://[::1]:8443": "/",
        "http://127.3.2.1/%2F\r\nX: y": "/%2FX:%20y",
    }.items():
        where = destination(url)
        assert where is not None
        assert where.target == target


def test_the_platform_itself_as_callback_means_no_receiver(api, sandbox):
    for url in (
        f"{api.base}/events/closeio/",
        "https://api.cloud-elements.com/elements/api-v2/events/closeio",
    ):
        assert is_loop(url)
        sandbox.emit(api.listening(callback=url))
    assert statuses(sandbox) == ["delivered"] * 2
    assert [event["status"] for event in api.events()] == ["NOTIFIED"] * 2
    assert sandbox.event_counters()["accepted"] == 2
    assert not is_loop(f"{api.base}/events/nothing")
    assert not is_loop(f"{api.base}/instances")


def test_another_callback_is_another_subscription(api, sandbox, receiver):
    queue(api)
    receiver.statuses = [500]
    number = api.listening(callback=f"{receiver.url}&old")
    sandbox.emit(number)
    wait_for(lambda: statuses(sandbox) == ["queued"])
    change = {"configuration": {"event.notification.callback.url": f"{receiver.url}&new"}}
    for _ in range(2):  # the same again changes nothing
        api("PATCH", f"/instances/{number}", json=change)
    old, new = api("GET", "/notifications/subscriptions").json()
    assert (old["active"], new["active"]) == (False, True)
    sandbox.emit(number)
    wait_for(lambda: statuses(sandbox) == ["queued", "delivered"])
    assert [path for path, _, _ in receiver.got] == ["/hook?q=1&old", "/hook?q=1&new"]
    # What waits for the old one can still be sent there; it stays switched off.
    where = {"where": f"config.url='{old['config']['url']}'"}
    api("PUT", "/notifications/subscriptions/deliveries", params=where)
    wait_for(lambda: statuses(sandbox) == ["delivered"] * 2)
    assert api("GET", f"/notifications/subscriptions/{old['id']}").json()["active"] is False


def test_a_row_of_the_configuration_changes_the_callback_too(api, sandbox, receiver):
    number = api.listening(callback="https://app.example/x")
    rows = api("GET", f"/instances/{number}/configuration").json()
    (row,) = [row for row in rows if row["key"] == "event.notification.callback.url"]
    api("PATCH", f"/instances/{number}/configuration/{row['id']}", json={"propertyValue": receiver.url})
    sandbox.emit(number)
    deliver(sandbox, receiver, 1)


def test_a_deleted_instance_takes_what_waits_with_it(api, sandbox, receiver):
    sandbox.configure(time_factor=0.02)
    receiver.statuses = [500]
    number = api.listening(callback=receiver.url)
    sandbox.emit(number)
    wait_for(lambda: statuses(sandbox) == ["retry"])
    api("DELETE", f"/instances/{number}")
    time.sleep(0.5)
    assert len(receiver.got) == 1
    assert api("GET", "/notifications/subscriptions").json() == []
    assert sandbox.deliveries() == []


def test_reset_gives_up_what_is_under_way(api, sandbox, receiver):
    sandbox.configure(time_factor=0.02)
    receiver.statuses = [500] * 3
    sandbox.emit(api.listening(callback=receiver.url), count=3)
    wait_for(lambda: statuses(sandbox) == ["retry"] * 3)
    sandbox.reset()
    time.sleep(0.5)
    assert len(receiver.got) == 3
    assert sandbox.deliveries() == api.events() == api("GET", "/notifications/subscriptions").json() == []
    assert api("GET", "/accounts/settings").json() == {POLICY: "retry"}


def test_it_ends_with_deliveries_under_way(receiver):
    receiver.seconds = 3
    with Sandbox(retry_count=50) as sandbox:
        api = Api(sandbox)
        sandbox.emit(api.listening(callback=receiver.url), count=30)
        wait_for(lambda: receiver.got)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert len(receiver.got) <= 16


def test_many_deliveries_wait_in_line(api, sandbox, receiver):
    sandbox.emit(api.listening(callback=receiver.url), count=200)
    deliver(sandbox, receiver, 200)
    assert len({body["message"]["eventId"] for body in receiver.bodies()}) == 200


def test_the_control_view_holds_no_secret(api, sandbox, receiver):
    url = receiver.url.replace("/hook?q=1", "/secret-path?token=secret-token").replace("//", "//user:secret@")
    key = {"event.notification.signature.key": "secret-key"}
    number = api.listening(callback=url, **key)
    (event_id,) = sandbox.emit(number)
    wait_for(lambda: statuses(sandbox) == ["delivered"])
    (row,) = sandbox.deliveries()
    assert "secret" not in json.dumps(row)
    assert row == {
        "notificationId": row["notificationId"],
        "subscriptionId": row["subscriptionId"],
        "eventId": event_id,
        "instanceId": number,
        "callback": receiver.url.removesuffix("/hook?q=1"),
        "status": "delivered",
        "attempts": 1,
        "outcome": "answered 200",
        "active": True,
    }
