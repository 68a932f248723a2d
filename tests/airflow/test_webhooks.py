"""The platform's deliveries at a real API server: from the signed POST to the notification in a task.

By ``airflow-provider-inbound-webhooks``, the extra ``webhooks``. What is posted is signed here with ``hmac``
itself, not with this package's own function.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import hashlib
import hmac
import http.client
import json
import random
import re
import secrets
import socket
import sqlite3
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from cryptography.fernet import Fernet

from airflow_provider_cloudelements.events.callback import TEST_EVENT_PREFIX
from airflow_provider_cloudelements.webhooks import DEFAULT_WEBHOOK_CONN_ID
from scripts.local_airflow import PATIENCE, LocalAirflow
from tests.support.forgeries import (
    KINDS,
    MOST_BYTES,
    MOST_LEVELS,
    SIGNATURE,
    changed,
    envelope,
    nested,
    signature,
)
from tests.support.leaks import left_behind, search
from tests.support.platform import WAYS
from tests.support.receiving import (
    EXAMPLE,
    EXAMPLE_ID,
    in_module,
    key_of,
    run,
    runs,
    unpause,
)

pytestmark = [pytest.mark.processes, pytest.mark.lane("shared")]

FUZZ_SEED, FUZZ_COUNT, REPLAYS = 20261124, 400, 50
BURST = 40  # deliveries, eight at a time

#: One follows an instance, two an element; all tell what they were given.
DAGS = """
from airflow.sdk import DAG, task
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.webhooks import (
    notification_of, webhook_asset_of_element, webhook_asset_of_instance,
)

for name, asset in {
    "one_instance": webhook_asset_of_instance(12, "microsoftgraph"),
    "every_instance": webhook_asset_of_element("microsoftgraph"),
    "terse": webhook_asset_of_element("microsoftgraph", webhook="terse"),
}.items():
    with DAG(name, schedule=[asset], max_active_runs=1):

        @task
        def told(triggering_asset_events=None):
            found = []
            for event in (event for events in triggering_asset_events.values() for event in events):
                try:
                    found.append(notification_of(event))
                except CloudElementsValidationError as error:
                    print("refused:", error)  # what the fuzz made of a notification, signed all the same
            return [
                [each.event_id, each.instance_id, each.element_key, each.topic, str(each.created_date)]
                + [[event.object_id, event.event_type, str(event.date)] for event in each.events]
                for each in found
            ]

        told()
"""
FOLLOWERS = ("one_instance", "every_instance")
#: Makes an instance whose events this Airflow shall receive.
ENABLE = """
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.events import CloudElementsEnableEventsOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

with DAG("enable", schedule=None, params={"code": ""}):
    create = CloudElementsCreateInstanceOperator(
        task_id="create",
        element="microsoftgraph",
        instance_name="A calendar",
        configuration=CONFIGURATION,
        authorization_code="{{ params.code }}",
        events_enabled=False,
    )
    CloudElementsEnableEventsOperator(
        task_id="enable",
        instance_id=create.output,
        webhook_conn_id="webhook_cloudelements",
        verify_callback=True,
    )
"""
#: Has what it is given in its rendered fields, its log and its XCom.
PLANT = """
from airflow.sdk import DAG, task

with DAG("plant", schedule=None):

    @task
    def grow(seed):
        print("grown:", seed)
        return seed

    grow("{{ dag_run.conf['seed'] }}")
"""


@dataclass
class Receiver:
    """A real Airflow, and the key that its webhook's connection holds."""

    airflow: LocalAirflow
    key: str = field(repr=False)

    def headers(self, body: bytes) -> dict[str, str]:
        """Return what the platform sends along."""
        return {
            "Content-Type": "application/json",
            "Elements-Webhook-Id": "a1b2c3",
            "Elements-Webhook-Signature": signature(body, self.key),
        }

    def deliver(self, payload: Any, **headers: str | None) -> tuple[int, Any]:
        """Deliver a payload, signed; further headers replace those, and None takes one away."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        replaced = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.post(body, {**self.headers(body), **replaced})

    def brought(self, payload: Any) -> None:
        """Deliver as the platform does: again while the database is away, which happens with SQLite."""
        for _ in range(20):
            status, answer = self.deliver(payload)
            if status != 503:
                break
            time.sleep(1)
        assert status in (200, 202), answer

    def post(
        self, body: bytes, headers: dict[str, str | None], path: str = "/webhooks/cloudelements"
    ) -> tuple[int, Any]:
        """Post, and return status and parsed answer."""
        target = urlsplit(self.airflow.url)
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        try:
            connection.putrequest("POST", path)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                if value is not None:
                    connection.putheader(name, value.encode("latin-1"))
            connection.endheaders()
            # It may answer before it has read all, and close.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(body)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(text)
        return answer.status, text

    def asset_events(self) -> list[dict[str, Any]]:
        """Return what all asset events hold, in their order.

        From the database: Airflow 3.3's REST API answers 500 while a run that one started has not begun.
        """
        address = f"file:{self.airflow.home / 'airflow.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=30)) as database:
            rows = database.execute("SELECT extra FROM asset_event ORDER BY id").fetchall()
        return [json.loads(extra) for (extra,) in rows]

    def told(self, dag_id: str) -> list[list[Any]]:
        """Return what the tasks of a DAG's ended runs were given."""
        ended = [each for each in runs(self.airflow, dag_id) if each["state"] == "success"]
        return [one for each in ended for one in self.airflow.xcom(dag_id, each["dag_run_id"], "told") or ()]

    def wait_told(self, dag_id: str, event_id: str, timeout: float = 120) -> list[Any]:
        """Wait until a task of a DAG was given an event.

        Airflow may leave it to the run that the next event starts, so now and then there is a next one.
        """
        deadline, nudge = time.monotonic() + timeout * PATIENCE, time.monotonic() + 20
        while time.monotonic() < deadline:
            if time.monotonic() > nudge:
                nudge += 20
                self.deliver(envelope(f"nudge-{nudge}"))
            for one in self.told(dag_id):
                if one[0] == event_id:
                    return one
            assert "failed" not in {each["state"] for each in runs(self.airflow, dag_id)}
            time.sleep(0.5)
        raise AssertionError(f"{dag_id} was not told of {event_id}: {self.told(dag_id)}")


@pytest.fixture(scope="module")
def sandbox(stage):
    return stage.sandbox


@pytest.fixture(scope="module")
def receiver(stage, sandbox):
    enable = ENABLE.replace("CONFIGURATION", repr(WAYS["code"][1]))
    stage.add_dags({"followers": DAGS, "enable": enable, "plant": PLANT, EXAMPLE_ID: EXAMPLE.read_text()})
    stage.add_connections({"cloudelements_default": sandbox.connection()})
    unpause(stage.airflow, *FOLLOWERS, "terse", EXAMPLE_ID)
    return Receiver(stage.airflow, key_of(stage.airflow))


# -- accepted ---------------------------------------------------------------------------------------


def test_a_delivery_becomes_a_run_and_the_notification_in_its_task(receiver):
    assert receiver.deliver(envelope("first")) == (202, {"delivery_id": "first", "outcome": "accepted"})
    expected = ["first", 12, "microsoftgraph", "instance-12-microsoftgraph-events"]
    expected += ["2018-08-20 15:30:07+00:00", ["2|0", "UPDATED", "2026-11-24 10:00:00+00:00"]]
    assert receiver.wait_told("one_instance", "first") == expected
    assert receiver.wait_told("every_instance", "first") == expected


@pytest.mark.newest
def test_another_instance_of_the_element_reaches_only_who_follows_the_element(receiver):
    assert receiver.deliver(envelope("another instance", instance_id=13))[0] == 202
    assert receiver.wait_told("every_instance", "another instance")[1] == 13
    # The same and later: what would have come with it has come.
    assert receiver.deliver(envelope("after it"))[0] == 202
    assert receiver.wait_told("one_instance", "after it")
    assert "another instance" not in [each[0] for each in receiver.told("one_instance")]


@pytest.mark.newest
def test_a_webhook_that_stores_no_payload_tells_who_has_news_whatever_came(receiver):
    """Half a character in a vendor's text would keep Airflow from starting the run."""
    in_module(receiver.airflow, "--conn-id", "webhook_terse", "--store-payload", "none")
    terse = Receiver(receiver.airflow, key_of(receiver.airflow, "webhook_terse"))
    body = json.dumps(envelope("half", raw={"title": "cut in \ud83d"})).encode()
    answer = terse.post(body, terse.headers(body), "/webhooks/terse")
    assert answer == (202, {"delivery_id": "half", "outcome": "accepted"})
    told = receiver.wait_told("terse", "half")
    assert told == ["half", 12, "microsoftgraph", "instance-12-microsoftgraph-events", "None"]


def handled(receiver: Receiver) -> list[str]:
    """Return the ids of the objects that runs of the example handled."""
    ended = [each for each in runs(receiver.airflow, EXAMPLE_ID) if each["state"] == "success"]
    found = [
        receiver.airflow.xcom(EXAMPLE_ID, each["dag_run_id"], "what_changed")["changes"] for each in ended
    ]
    return [change["object_id"] for changes in found for change in changes]


def change_of(object_id: str) -> list[dict[str, str]]:
    return [{"date": "2026-11-24T10:00:00Z", "objectId": object_id, "objectType": "events"}]


@pytest.mark.newest
def test_of_many_at_once_the_example_misses_none_and_handles_none_twice(receiver):
    """Airflow alone may: an event that is being stored while a run begins belongs to no run, ever."""
    before = set(handled(receiver))
    objects = [f"burst-{number}" for number in range(BURST)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: receiver.brought(envelope(each, events=change_of(each))), objects))
    # What its schedule does within a quarter of an hour.
    assert run(receiver.airflow, EXAMPLE_ID, "by_time") == "success"
    found = [each for each in handled(receiver) if each.startswith("burst-")]
    by_airflow = {each[0] for each in receiver.told("every_instance")} & set(objects)
    print(f"\nburst of {BURST}: {len(set(found))} by the example, {len(by_airflow)} by Airflow's own runs")
    assert sorted(found) == sorted(objects)
    assert before <= set(handled(receiver))


@pytest.mark.newest
def test_what_nobody_follows_is_taken_and_becomes_nothing(receiver):
    before = len(receiver.asset_events())
    answer = receiver.deliver(envelope("nobody", element="hubspotcrm"))
    assert answer == (202, {"delivery_id": "nobody", "outcome": "no_subscribers"})
    assert len(receiver.asset_events()) == before


def test_the_operator_turns_events_on_and_what_the_platform_delivers_is_taken(receiver, sandbox):
    run_id = "enable"
    state = run(receiver.airflow, "enable", run_id, {"code": sandbox.code("microsoftgraph")})
    log = receiver.airflow.task_log("enable", run_id, "enable")
    assert state == "success", log
    assert "answered a test notification that was signed" in log
    fields = receiver.airflow.rendered_fields("enable", run_id, "enable")
    assert fields["webhook_conn_id"] == DEFAULT_WEBHOOK_CONN_ID
    (instance,) = sandbox.instances()
    (event_id,) = sandbox.emit(instance["id"], object_type="events", object_id="a-1")
    told = receiver.wait_told("every_instance", event_id)
    assert told[1:3] == [instance["id"], "microsoftgraph"]
    assert told[5][:2] == ["a-1", "CREATED"]
    # The test notification made an asset event too: a follower sees by its type that it is none.
    tests = [each for each in receiver.told("every_instance") if each[0].startswith(TEST_EVENT_PREFIX)]
    assert [each[5][1] for each in tests] == ["UNKNOWN"]


# -- refused ----------------------------------------------------------------------------------------


GOOD = json.dumps(envelope("never accepted")).encode()
KEY = "another-key-than-that-of-the-connection"
OTHERS: dict[str, tuple[int, dict[str, str | None]]] = {
    "no signature": (401, {"Elements_Webhook_Signature": None}),
    "an empty signature": (401, {"Elements_Webhook_Signature": ""}),
    "the prefix alone": (401, {"Elements_Webhook_Signature": "sha256="}),
    "another key's": (401, {"Elements_Webhook_Signature": signature(GOOD, KEY)}),
    "an empty key's": (401, {"Elements_Webhook_Signature": signature(GOOD, "")}),
    "not ASCII": (401, {"Elements_Webhook_Signature": "sha256=Grüße"}),
    "a long one": (401, {"Elements_Webhook_Signature": "sha256=" + "A" * 20_000}),
    "another content type": (400, {"Content_Type": "application/x-www-form-urlencoded"}),
    "no content type": (400, {"Content_Type": None}),
}


@pytest.mark.parametrize(("status", "headers"), OTHERS.values(), ids=OTHERS)
def test_with_other_headers_it_is_refused(receiver, status, headers):
    before = len(receiver.asset_events())
    assert receiver.deliver(GOOD, **headers)[0] == status
    assert len(receiver.asset_events()) == before


def spelled(receiver, body, spell):
    digest = hmac.new(receiver.key.encode(), body, hashlib.sha256).digest()
    return {"Elements_Webhook_Signature": spell(digest, signature(body, receiver.key))}


SPELLINGS = {
    "hex": lambda digest, _: "sha256=" + digest.hex(),
    "no prefix": lambda digest, _: base64.b64encode(digest).decode(),
    "another prefix": lambda digest, _: "sha1=" + base64.b64encode(digest).decode(),
    "a prefix in capitals": lambda digest, _: "SHA256=" + base64.b64encode(digest).decode(),
    "no padding": lambda _, right: right.rstrip("="),
    "cut": lambda _, right: right[:-4],
    "a character more": lambda _, right: right + "A",
    "upside down": lambda digest, _: "sha256=" + base64.b64encode(digest[::-1]).decode(),
}


@pytest.mark.newest
@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_a_signature_spelled_otherwise_is_refused(receiver, spell):
    before = len(receiver.asset_events())
    assert receiver.deliver(GOOD, **spelled(receiver, GOOD, spell))[0] == 401
    assert len(receiver.asset_events()) == before


#: Rightly signed, and yet nothing that can be taken.
WRONG = {
    "no JSON": b"hello",
    "empty": b"",
    "cut, and signed so": GOOD[:-20],
    "a list": b"[]",
    "a number": b"17",
    "null": b"null",
    "no message": b"{}",
    "the message is a text": b'{"message": "hello"}',
    "no element": json.dumps(envelope("x", elementKey=None)).encode(),
    "the element is a number": json.dumps(envelope("x", elementKey=3)).encode(),
    "the topic is a list": json.dumps({**envelope("x"), "topic": ["a"]}).encode(),
    "the eventId is a list": json.dumps(envelope("x", eventId=["a"])).encode(),
    "a long eventId": json.dumps(envelope("x" * 256)).encode(),
    "not UTF-8": json.dumps(envelope("x"), ensure_ascii=False).encode("latin-1", "replace"),
    "compressed": b"\x1f\x8b\x08\x00" + GOOD[:50],
    "not a number": GOOD.replace(b'"accountId": 1', b'"accountId": NaN'),
    "an infinite number": GOOD.replace(b'"accountId": 1', b'"accountId": 1e400'),
    "a digit too many": GOOD.replace(b'"accountId": 1', b'"accountId": 1' + b"0" * 5000),
    "one level too deep": nested(MOST_LEVELS + 1),
    "as deep as a body can be": b"[" * (MOST_BYTES - 1),
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep in raw": nested(200_000),
    "the older shape": b'{"eventId": 1, "instanceId": 12, "response": {"events": []}, "notificationId": 1}',
}


@pytest.mark.newest
@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_a_signed_body_that_is_no_notification_is_refused(receiver, body):
    before = len(receiver.asset_events())
    assert receiver.deliver(body)[0] == 400
    assert len(receiver.asset_events()) == before


@pytest.mark.newest
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_the_other_encodings_of_json_are_read(receiver, encoding):
    """Rightly signed they are no forgery. The platform is not known to send them."""
    body = json.dumps(envelope(encoding), ensure_ascii=False).encode(encoding)
    assert receiver.deliver(body) == (202, {"delivery_id": encoding, "outcome": "accepted"})


@pytest.mark.newest
def test_as_deep_as_allowed_is_taken(receiver):
    assert receiver.deliver(nested(MOST_LEVELS))[0] == 202


@pytest.mark.newest
def test_a_body_of_another_delivery_is_refused(receiver):
    """Signed once, the signature fits no other body, not even one that means the same."""
    before = len(receiver.asset_events())
    taken = receiver.headers(json.dumps(envelope("original")).encode())
    for body in (
        json.dumps(envelope("forged")).encode(),
        json.dumps(envelope("original"), indent=1).encode(),
        json.dumps(envelope("original")).encode()[:-1],
        json.dumps(envelope("original")).encode() + b" ",
    ):
        assert receiver.post(body, taken)[0] == 401
    assert len(receiver.asset_events()) == before


@pytest.mark.newest
def test_too_large_is_refused_before_it_is_read(receiver):
    before = len(receiver.asset_events())
    large = json.dumps(envelope("large", raw={"value": "x" * MOST_BYTES})).encode()
    assert receiver.deliver(large)[0] == 413
    # Signed or not, said to be large or not.
    assert receiver.post(large, {"Content-Type": "application/json"})[0] == 413
    assert chunked(receiver, large) == 413
    fits = json.dumps(envelope("fits", raw={"value": ""})).encode()
    filled = envelope("fits", raw={"value": "x" * (MOST_BYTES - len(fits))})
    assert len(json.dumps(filled)) == MOST_BYTES
    assert len(receiver.asset_events()) == before
    assert receiver.deliver(filled)[0] == 202


def chunked(receiver, body):
    """Post without saying how long it is; return the status."""
    target = urlsplit(receiver.airflow.url)
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
    headers = receiver.headers(body)
    try:
        connection.putrequest("POST", "/webhooks/cloudelements")
        for name, value in {**headers, "Transfer-Encoding": "chunked"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for start in range(0, len(body), 65_536):
                piece = body[start : start + 65_536]
                connection.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            connection.send(b"0\r\n\r\n")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.newest
def test_a_connection_that_is_cut_leaves_nothing(receiver):
    before = len(receiver.asset_events())
    body = json.dumps(envelope("cut short")).encode()
    target = urlsplit(receiver.airflow.url)
    head = "POST /webhooks/cloudelements HTTP/1.1\r\nHost: x\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in receiver.headers(body).items())
    for _ in range(5):
        with socket.create_connection((target.hostname, target.port), timeout=10) as raw:
            raw.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-30])
    assert receiver.deliver(envelope("after the cut"))[0] == 202
    ids = [each["delivery_id"] for each in receiver.asset_events()[before:]]
    assert set(ids) == {"after the cut"}


@pytest.mark.newest
@pytest.mark.parametrize(
    ("path", "status"),
    {
        "/webhooks/unheard-of": 404,
        "/webhooks/CloudElements": 404,
        "/webhooks/": 404,
        "/webhooks/cloudelements/more": 404,
        # Served, but there is no connection for it.
        "/webhooks/another": 404,
    }.items(),
)
def test_another_address_is_refused(receiver, path, status):
    assert receiver.post(GOOD, receiver.headers(GOOD), path)[0] == status


@pytest.mark.newest
def test_it_is_only_posted_to(receiver):
    target = urlsplit(receiver.airflow.url)
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        connection.request(method, "/webhooks/cloudelements", GOOD, receiver.headers(GOOD))
        assert connection.getresponse().status in (404, 405)
        connection.close()


# -- repeated ---------------------------------------------------------------------------------------


def test_a_delivery_that_is_repeated_counts_once(receiver):
    before = len(receiver.asset_events())
    payload = envelope("repeated")
    assert receiver.deliver(payload)[1]["outcome"] == "accepted"
    for _ in range(5):
        assert receiver.deliver(payload) == (200, {"delivery_id": "repeated", "outcome": "duplicate"})
    # Elements-Webhook-Id is not signed, and so no sign of another delivery.
    assert receiver.deliver(payload, Elements_Webhook_Id="another")[1]["outcome"] == "duplicate"
    assert len(receiver.asset_events()) == before + 2  # of the instance, and of its element


@pytest.mark.newest
def test_a_delivery_that_comes_many_times_at_once_counts_once(receiver):
    before = len(receiver.asset_events())
    payload = envelope("at once")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: receiver.deliver(payload), range(16)))
    assert Counter(each[1]["outcome"] for each in answers) == {"accepted": 1, "duplicate": 15}
    assert len(receiver.asset_events()) == before + 2


@pytest.mark.newest
def test_the_parts_of_one_event_are_not_repetitions(receiver):
    """A large vendor payload is split, and should the parts share an eventId, none is lost for it."""
    before = len(receiver.asset_events())
    for part in range(2):
        changed = {"date": "2026-11-24T10:00:00Z", "objectId": str(part), "objectType": "events"}
        assert receiver.deliver(envelope("split", events=[changed]))[1]["outcome"] == "accepted"
    assert len(receiver.asset_events()) == before + 4


# -- all kinds --------------------------------------------------------------------------------------


@pytest.mark.newest
def test_of_no_kind_of_forgery_is_one_accepted(receiver):
    rng = random.Random(FUZZ_SEED)  # noqa: S311  no secret comes of it
    before = len(receiver.asset_events())
    answers: dict[str, Counter[int]] = {}
    for name, kind in KINDS.items():
        answers[name] = Counter()
        for number in range(kind.count):
            body, signed = kind.make(rng, number, receiver.key)
            answers[name][receiver.deliver(body, **{SIGNATURE.replace("-", "_"): signed})[0]] += 1
    print(f"\nfuzz (seed {FUZZ_SEED}), {sum(kind.count for kind in KINDS.values())} forgeries:")
    for name, statuses in answers.items():
        print(f"  {name}: {dict(statuses)}")
    assert answers == {name: {kind.status: kind.count} for name, kind in KINDS.items()}
    assert len(receiver.asset_events()) == before
    receiver.airflow.check_alive()


@pytest.mark.newest
def test_what_was_accepted_and_is_replayed_counts_once(receiver):
    rng = random.Random(FUZZ_SEED)  # noqa: S311  no secret comes of it
    payloads = [envelope(f"replayed-{number}") for number in range(10)]
    assert {receiver.deliver(each)[0] for each in payloads} == {202}
    before = len(receiver.asset_events())
    answers = Counter(
        receiver.deliver(rng.choice(payloads), Elements_Webhook_Id=rng.randbytes(4).hex())[0]
        for _ in range(REPLAYS)
    )
    print(f"\nfuzz (seed {FUZZ_SEED}), replayed: {dict(answers)}")
    assert answers == {200: REPLAYS}
    assert len(receiver.asset_events()) == before


@pytest.mark.newest
def test_whatever_is_signed_breaks_nothing(receiver):
    """What a holder of the key makes of a notification is taken or told to be wrong."""
    rng = random.Random(FUZZ_SEED)  # noqa: S311  no secret comes of it
    signed: Counter[int] = Counter()
    for number in range(FUZZ_COUNT):
        body = changed(rng, FUZZ_COUNT + number)
        status = receiver.deliver(body)[0]
        signed[status] += 1
        if status != 400:
            json.loads(body)  # what was taken was JSON
    print(f"\nfuzz (seed {FUZZ_SEED}), {FUZZ_COUNT} changed and signed: {dict(signed)}")
    assert set(signed) <= {200, 202, 400}, signed
    receiver.airflow.check_alive()
    assert receiver.deliver(envelope("after the fuzz"))[1]["outcome"] == "accepted"
    assert receiver.asset_events()[-1]["delivery_id"] == "after the fuzz"


@pytest.mark.newest
def test_the_server_s_log_tells_of_no_error_but_of_cut_connections(receiver):
    """A sender that is gone is an error to Starlette; there is nobody left to answer."""
    log = KNOWN.sub("", receiver.airflow.process_log("api-server"))
    # The 3.1 line's server wraps what happens in a group.
    assert set(RAISED.findall(log)) <= {"ClientDisconnect", "ExceptionGroup", *TOO_BUSY}


#: SQLite is locked for whoever comes second, and says so.
TOO_BUSY = {"OperationalError"}
#: What Airflow cannot tell a task that reads the events of an asset (docs/webhooks.md): of a run that has not
#: begun, and half a character, which the fuzz has signed. A line may stand inside a group's.
KNOWN = re.compile(
    r"ValidationError: \d+ validation errors? for AssetEventResponse\n[ |+]*created_dagruns\.\d+\.start_date"
    r"|UnicodeEncodeError: 'utf-8' codec can't encode .*surrogates not allowed"
)
#: The last line of a traceback, also of one inside a group's.
RAISED = re.compile(
    r"^[ |+-]*(?:\w+\.)*(\w*(?:Error|Exception|Group|Disconnect|EndOfStream))(?::.*)?$", re.MULTILINE
)


# -- at the end ------------------------------------------------------------------------------------


def test_the_command_makes_no_second_connection(receiver):
    before = receiver.key
    with pytest.raises(AssertionError, match="There is a connection 'webhook_cloudelements' already"):
        in_module(receiver.airflow)
    assert key_of(receiver.airflow) == before


def test_the_key_is_shown_only_where_it_is_asked_for(receiver):
    shown = json.loads(in_module_unlogged(receiver.airflow, "--show", "--conn-id", "webhook_x"))
    assert len(shown["password"]) >= 40
    assert shown["password"] != receiver.key


def in_module_unlogged(airflow, *arguments):
    return subprocess.run(
        [str(airflow.python), "-m", "airflow_provider_cloudelements", "webhook-connection", *arguments],
        env=airflow.environment,
        cwd=airflow.home,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.splitlines()[-1]


#: Where a thing must be found that was put into a notification, a run and an address: where the search looks.
PLANTED = {
    "table asset_event.extra",
    "table inbound_webhooks_delivery.payload",
    "table dag_run.conf",
    "table rendered_task_instance_fields.rendered_fields",
    "table xcom.value",
    "logs/dag_id=plant/run_id=plant/task_id=grow/attempt=1.log",
    "processes/api-server.log",
}
PROCESSES = {f"processes/{name}.log" for name in ("api-server", "scheduler", "triggerer", "dag-processor")}


def test_the_key_is_nowhere(receiver, sandbox):
    airflow = receiver.airflow
    planted = f"planted/{secrets.token_urlsafe(24)}"
    assert receiver.deliver(envelope("planted", raw={"value": planted}))[0] == 202
    receiver.post(b"", {"X": "y"}, f"/webhooks/unheard-of?{quote(planted, safe='')}")
    assert run(airflow, "plant", "plant", {"seed": planted}) == "success"
    fernet = Fernet(airflow.environment["AIRFLOW__CORE__FERNET_KEY"])
    opened, searched = "", set()

    def everything():
        nonlocal opened
        for place, content in left_behind(airflow, sandbox):
            searched.add(place)
            if place == "table connection.password":
                opened += fernet.decrypt(content).decode() + "\n"
            yield place, content

    assert list(search([("planted", f"x{receiver.key}y")], {"key": receiver.key}))
    found = set(search(everything(), {"key": receiver.key, "planted": planted}))
    assert {each.place for each in found if each.secret == "planted"} >= PLANTED
    assert {each for each in found if each.secret == "key"} == set()
    assert searched >= PROCESSES
    assert receiver.key in opened  # it is there, encrypted, and only there
    print(f"\nsearched for the key: {len(searched)} files and columns")
