"""``ensure`` when answers are lost: never a second POST in one try, never a code twice."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import replace

import pytest

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.instances import InstancesApi
from airflow_provider_cloudelements.client.wire.doubt import looks
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.provisioning.change import reauthenticate
from airflow_provider_cloudelements.provisioning.ensure import Ensure, ensure
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints
from airflow_provider_cloudelements.provisioning.memory import CallMemory
from tests.support.platform import (
    WAYS,
    Person,
    Wire,
    client_of,
    configured,
    marked,
    presented,
    settings_of,
    spec_of,
)
from tests.support.relay import relaying

#: What can happen to a create whose outcome is then not known, and whether it took place.
DOUBTS = {
    "dropped before the effect": ({"action": "drop"}, False),
    "dropped after the effect": ({"action": "drop", "when": "after"}, True),
    "500 before the effect": ({"action": "status", "status": 500}, False),
    "500 after the effect": ({"action": "status", "status": 500, "when": "after"}, True),
    "502 before the effect": ({"action": "status", "status": 502, "body": "html"}, False),
    "502 after the effect": ({"action": "status", "status": 502, "when": "after"}, True),
    "503 with a time to wait": ({"action": "status", "status": 503, "retry_after": "1"}, False),
    "504 after the effect": ({"action": "status", "status": 504, "body": "empty", "when": "after"}, True),
    "408 before the effect": ({"action": "status", "status": 408}, False),
    "408 after the effect": ({"action": "status", "status": 408, "when": "after"}, True),
    "499 after the effect": ({"action": "status", "status": 499, "body": "html", "when": "after"}, True),
    "cut body": ({"action": "cut"}, True),
    "a web page instead, before": ({"action": "html", "status": 200}, False),
    "a web page instead, after": ({"action": "html", "status": 200, "when": "after"}, True),
    "an empty 200 after the effect": (
        {"action": "status", "status": 200, "body": "empty", "when": "after"},
        True,
    ),
    "a slow server that goes on": ({"action": "delay", "seconds": 1.4}, True),
    "an answer that comes too late": ({"action": "delay", "seconds": 1.4, "when": "after"}, True),
}
ON_CREATE = {"method": "POST", "path": "/instances"}


@pytest.fixture
def instances(sandbox):
    with client_of(sandbox) as client:
        yield client.instances


@pytest.fixture
def impatient(sandbox):
    """Give up waiting for a create after a second."""
    with client_of(sandbox, create_timeout=1.0) as client:
        yield client.instances


def settle_time(fault):
    return 15.0 if fault["action"] == "delay" else 0.2


def posts(wire):
    return [call for call in wire.calls() if call == "POST /instances"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_create_in_doubt_ends_with_one_instance_and_one_post(doubt, way, sandbox, instances, impatient):
    fault, took_place = DOUBTS[doubt]
    spec, memory, wire = spec_of(way, sandbox), CallMemory(), Wire(sandbox)
    sandbox.add_fault(**fault, **ON_CREATE)
    settle = settle_time(fault)
    instances = impatient if fault["action"] == "delay" else instances
    if took_place:
        first = ensure(instances, spec, settle_time=settle, memory=memory)
        assert first.created
        assert first.instance.events_enabled
    else:
        with pytest.raises(CloudElementsAmbiguousCreateError) as caught:
            ensure(instances, spec, settle_time=settle, memory=memory)
        assert sandbox.instances() == []
        # A later try can help, but for a code that may be spent.
        assert (caught.value.code_spent, caught.value.retryable) == (way == "code", True)
        assert (caught.value.method, caught.value.path) == ("POST", "/instances")
        assert ("ask for consent again" in str(caught.value)) == (way == "code")
        assert ("The next try looks for it first" in str(caught.value)) == (way != "code")
    assert len(posts(wire)) == 1

    # The next try, with what this one remembered.
    if took_place or way != "code":
        second = ensure(instances, spec, settle_time=settle, memory=memory)
        assert len(posts(wire)) == (1 if took_place else 2)
        assert second.instance.token == Person(sandbox).show(second.instance.id)["token"]
        assert [each["id"] for each in marked(sandbox, spec.key)] == [second.instance.id]
        assert len(sandbox.instances()) == 1
    else:
        with pytest.raises(CloudElementsAmbiguousCreateError, match="may have sent this authorization code"):
            ensure(instances, spec, settle_time=settle, memory=memory)
        assert (len(posts(wire)), sandbox.instances()) == (1, [])
    assert presented(sandbox) == ([1] if way == "code" else [])


@pytest.mark.parametrize("way", ["basic", "code"])
def test_what_appears_after_the_settle_time_is_found_by_the_next_try(way, sandbox, instances, impatient):
    spec, memory = spec_of(way, sandbox), CallMemory()
    sandbox.add_fault("delay", seconds=3.0, **ON_CREATE)
    with pytest.raises(CloudElementsAmbiguousCreateError):
        ensure(impatient, spec, settle_time=0.2, memory=memory)
    assert sandbox.instances() == []
    until = time.monotonic() + 30
    while sandbox.counters()["running"] and time.monotonic() < until:
        time.sleep(0.05)
    found = ensure(instances, spec, memory=memory)
    assert (found.created, found.changed) == (False, ())
    assert [each["id"] for each in sandbox.instances()] == [found.instance.id]
    assert presented(sandbox) == ([1] if way == "code" else [])


def test_the_settle_time_is_kept_and_the_error_says_what_happened(sandbox, instances):
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    sandbox.add_fault("status", status=500, **ON_CREATE)
    spec = spec_of("basic", sandbox)
    wire = Wire(sandbox)
    run = Ensure(instances, spec, settle_time=42.0, sleep=sleep, clock=lambda: now[0])
    with pytest.raises(CloudElementsAmbiguousCreateError) as caught:
        run.run()
    assert sum(slept) == pytest.approx(42.0)
    assert max(slept) <= 5.0
    # One look before the POST, one at once after it, one after each pause, the last of them at the very end.
    assert wire.calls().count("GET /instances") == len(slept) + 2
    error = caught.value
    assert "closeio/An instance" in str(error)
    assert "within 42 s" in str(error)
    assert "POST /instances answered 500" in str(error)
    assert (error.status, bool(error.request_id)) == (500, True)
    assert "first-password" not in str(error)
    assert error.__suppress_context__ or error.__context__ is None


def test_the_default_settle_time_is_the_create_timeout(sandbox):
    with client_of(sandbox, create_timeout=17.0) as client:
        assert Ensure(client.instances, spec_of("basic", sandbox)).settle_time == 17.0


def test_no_settle_time_means_one_look(sandbox, instances):
    sandbox.add_fault("drop", **ON_CREATE)
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsAmbiguousCreateError, match="within 0 s"):
        ensure(instances, spec_of("basic", sandbox), settle_time=0)
    assert wire.calls() == ["GET /instances", "POST /instances", "GET /instances"]


def test_look_ups_that_fail_while_settling_are_told_and_repeated(sandbox, caplog):
    sandbox.add_fault("drop", when="after", **ON_CREATE)
    sandbox.add_fault("status", status=401, method="GET", path="/instances", skip=1, count=2)
    caplog.set_level(logging.WARNING, "airflow_provider_cloudelements")
    with client_of(sandbox, max_retries=0) as client:
        run = Ensure(client.instances, spec_of("basic", sandbox), settle_time=5, sleep=lambda _: None)
        ensured = run.run()
    assert ensured.created
    assert caplog.text.count("The look-up failed") == 2
    assert len(sandbox.instances()) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429])
def test_a_refusal_is_no_doubt(status, sandbox, instances):
    sandbox.add_fault("status", status=status, **ON_CREATE)
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsError) as caught:
        ensure(instances, spec_of("basic", sandbox))
    assert caught.value.status == status
    assert not isinstance(caught.value, CloudElementsAmbiguousCreateError)
    # For the message: is there such an element, and does it need a code?
    looks = ["GET /elements/closeio"] if status in (400, 404) else []
    assert wire.calls() == ["GET /instances", "POST /instances", *looks]


def test_a_redirect_is_no_doubt(sandbox, instances):
    sandbox.add_fault("status", status=302, **ON_CREATE)
    with pytest.raises(CloudElementsServerError, match="does not redirect"):
        ensure(instances, spec_of("basic", sandbox))


def test_a_code_that_the_vendor_refused_is_not_sent_again(sandbox, instances):
    fresh, memory = spec_of("code", sandbox), CallMemory()
    spec = replace(fresh, provider_data={"code": sandbox.code(lifetime=0)})
    with pytest.raises(CloudElementsValidationError, match="AADSTS70008"):
        ensure(instances, spec, memory=memory)
    with pytest.raises(CloudElementsAmbiguousCreateError, match="start a new run with a new one"):
        ensure(instances, spec, memory=memory)
    # Another code is another matter.
    assert ensure(instances, fresh, memory=memory).created
    assert presented(sandbox) == [1, 1]


def test_too_many_requests_on_a_create_are_not_answered_with_a_second_post(sandbox, instances):
    sandbox.add_fault("status", status=429, retry_after="0", **ON_CREATE)
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsRateLimitError):
        ensure(instances, spec_of("code", sandbox))
    assert posts(wire) == ["POST /instances"]


@pytest.mark.parametrize("way", WAYS)
def test_a_create_whose_following_look_up_fails_is_finished_by_the_next_try(way, sandbox, instances):
    spec, memory, wire = spec_of(way, sandbox), CallMemory(), Wire(sandbox)
    sandbox.add_fault("status", status=500, method="GET", skip=1)
    with pytest.raises(CloudElementsServerError):
        ensure(instances, spec, memory=memory)
    ensured = ensure(instances, spec, memory=memory)
    assert posts(wire) == ["POST /instances"]
    assert [each["id"] for each in sandbox.instances()] == [ensured.instance.id]
    assert presented(sandbox) == ([1] if way == "code" else [])


def test_a_list_that_shows_the_new_one_late_does_no_harm(sandbox, instances):
    sandbox.add_fault("status", status=404, method="GET", path="/instances", skip=1)
    ensured = ensure(instances, spec_of("basic", sandbox))
    assert ensured.created
    assert ensured.instance.token
    assert ensured.twins == ()


def test_a_look_up_that_fails_before_the_create_makes_nothing(sandbox, instances):
    spec, memory = spec_of("code", sandbox), CallMemory()
    sandbox.add_fault("status", status=500, method="GET", path="/instances")
    with pytest.raises(CloudElementsServerError):
        ensure(instances, spec, memory=memory)
    assert sandbox.instances() == []
    # Nothing was sent, so the code is as good as new.
    assert ensure(instances, spec, memory=memory).created
    assert presented(sandbox) == [1]


GATEWAY = {"action": "html", "status": 404}


def test_a_gateways_404_on_the_look_up_makes_no_second_instance(sandbox):
    spec, memory = spec_of("code", sandbox), CallMemory()
    with client_of(sandbox, max_retries=0) as client:
        first = ensure(client.instances, spec, memory=memory)
        sandbox.add_fault(**GATEWAY, method="GET", path="/instances")
        with pytest.raises(CloudElementsServerError, match="not the platform's own") as caught:
            ensure(client.instances, spec_of("code", sandbox))
        assert caught.value.retryable
        # One that the memory knows is gone only if the platform says so.
        sandbox.add_fault(**GATEWAY, method="GET", path="/instances/*")
        Person(sandbox).edit(first.instance.id, tags=[])
        with pytest.raises(CloudElementsServerError, match="not the platform's own"):
            ensure(client.instances, spec, memory=memory)
    assert [each["id"] for each in sandbox.instances()] == [first.instance.id]
    assert presented(sandbox) == [1, 0]


def test_a_gateways_404_to_the_create_sent_no_code(sandbox):
    spec, memory, wire = spec_of("code", sandbox), CallMemory(), Wire(sandbox)
    sandbox.add_fault(**GATEWAY, **ON_CREATE)
    with client_of(sandbox, max_retries=0) as client, pytest.raises(CloudElementsServerError):
        ensure(client.instances, spec, settle_time=0, memory=memory)
    assert posts(wire) == ["POST /instances"]
    assert memory.since_create(spec.marker) is None  # so the next try does not wait for it


@pytest.mark.parametrize(
    "fault",
    [GATEWAY, {"action": "status", "status": 404}, {"action": "status", "status": 500}],
    ids=["a gateway's 404", "the platform's 404", "500"],
)
def test_a_page_of_the_look_up_that_is_missing_makes_no_second_instance(fault, sandbox):
    """The instance is on the second page of those with the tag."""
    with client_of(sandbox, max_retries=0) as client:
        spec = spec_of("basic", sandbox)
        Person(sandbox).make("basic", name="another", tags=[spec.marker, "x"])
        first = ensure(client.instances, replace(spec, name="another")).instance
        Person(sandbox).make("basic", name="a third", tags=[spec.marker])
        sandbox.configure(max_page_size=1)
        sandbox.add_fault(**fault, method="GET", path="/instances", skip=1)
        before = len(sandbox.instances())
        with pytest.raises(CloudElementsServerError):
            ensure(client.instances, replace(spec, name="another"))
    assert len(sandbox.instances()) == before
    assert first.id


def test_no_create_follows_look_ups_that_failed_while_a_killed_tries_may_be_at_work(sandbox, impatient):
    spec, memory, wire = spec_of("basic", sandbox), CallMemory(), Wire(sandbox)
    memory.create_begins(spec.marker)  # and then the try was killed
    with client_of(sandbox, max_retries=0, create_timeout=0.3) as client:
        sandbox.add_fault(**GATEWAY, method="GET", path="/instances", skip=1, count=None)
        with pytest.raises(CloudElementsServerError, match="not the platform's own"):
            ensure(client.instances, spec, settle_time=0, memory=memory)
    assert posts(wire) == []


# -- refused connections --------------------------------------------------------------------------


@pytest.fixture
def relay(sandbox):
    with relaying(sandbox) as relay:
        yield relay


def through(relay, sandbox, **changes):
    return settings_of(sandbox, base_url=relay.url, **changes)


def test_a_refused_create_is_tried_again_at_once(sandbox, relay):
    reopened = []

    def sleep(seconds):
        relay.open()
        reopened.append(seconds)

    http_session = HttpSession(through(relay, sandbox), sleep=sleep)
    wire = Wire(sandbox)
    relay.shut_after_next = True
    ensured = ensure(InstancesApi(http_session), spec_of("code", sandbox))
    assert ensured.created
    assert len(reopened) == 1
    assert (posts(wire), presented(sandbox)) == (["POST /instances"], [1])


def test_a_create_refused_to_the_end_leaves_the_code_unspent(sandbox, relay):
    spec, memory = spec_of("code", sandbox), CallMemory()
    with CloudElementsClient(through(relay, sandbox, max_retries=0)) as client:
        relay.shut_after_next = True
        with pytest.raises(CloudElementsTransportError, match="could not connect") as caught:
            ensure(client.instances, spec, memory=memory)
        assert not caught.value.sent
        assert not isinstance(caught.value, CloudElementsAmbiguousCreateError)
        relay.open()
        assert ensure(client.instances, spec, memory=memory).created
    assert presented(sandbox) == [1]


def test_a_refused_reauthentication_leaves_the_code_unspent(sandbox, relay, instances):
    spec, memory = spec_of("code", sandbox), CallMemory()
    ensure(instances, spec)
    renewed = replace(spec, provider_data={"code": sandbox.code()})
    with CloudElementsClient(through(relay, sandbox, max_retries=0)) as client:
        patch = client.instances.update

        def shut_and_patch(*args, **changes):
            relay.close()
            return patch(*args, **changes)

        client.instances.update = shut_and_patch
        with pytest.raises(CloudElementsTransportError):
            ensure(client.instances, renewed, memory=memory)
    assert presented(sandbox) == [1, 0]
    assert ensure(instances, renewed, memory=memory).changed == ("providerData", "tags")
    assert presented(sandbox) == [1, 1]


# -- changes in doubt -----------------------------------------------------------------------------


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_reauthentication_in_doubt_is_settled_by_its_fingerprint(doubt, sandbox, instances, impatient):
    fault, took_place = DOUBTS[doubt]
    spec, memory = spec_of("code", sandbox, tags=("<i>Docs</i>",)), CallMemory()
    made = ensure(instances, spec)
    # Together with a tag that the platform will not show as written.
    renewed = replace(spec, provider_data={"code": sandbox.code()}, tags=("<i>Docs</i>", "<b>new</b>"))
    wire = Wire(sandbox)
    sandbox.add_fault(**fault, method="PATCH")
    settle = settle_time(fault)
    instances = impatient if fault["action"] == "delay" else instances
    if took_place:
        ensured = ensure(instances, renewed, settle_time=settle, memory=memory)
        assert "providerData" in ensured.changed
        assert wire.writes() == ["PATCH /instances/N"]
        wire = Wire(sandbox)
        ensure(instances, renewed, settle_time=settle, memory=memory)
        assert wire.writes() == []
    else:
        with pytest.raises(CloudElementsAmbiguousCreateError, match="was re-authenticated") as caught:
            ensure(instances, renewed, settle_time=settle, memory=memory)
        assert caught.value.code_spent
        assert wire.writes() == ["PATCH /instances/N"]
        with pytest.raises(CloudElementsAmbiguousCreateError, match="ask for consent again"):
            ensure(instances, renewed, settle_time=settle, memory=memory)
        assert wire.writes() == ["PATCH /instances/N"]
    assert presented(sandbox) == [1, 1]
    assert [each["id"] for each in sandbox.instances()] == [made.instance.id]


def test_a_reauthentication_in_doubt_is_settled_though_look_ups_fail(sandbox, caplog):
    with client_of(sandbox, max_retries=0) as client:
        spec = spec_of("code", sandbox)
        ensure(client.instances, spec)
        renewed = replace(spec, provider_data={"code": sandbox.code()})
        sandbox.add_fault("drop", when="after", method="PATCH")
        sandbox.add_fault("status", status=500, method="GET", path="/instances/*", count=2)
        ensured = Ensure(client.instances, renewed, settle_time=5, sleep=lambda _: None).run()
    assert "providerData" in ensured.changed
    assert caplog.text.count("The look-up failed") == 2
    assert presented(sandbox) == [1, 1]


@pytest.mark.parametrize(
    "fault", [{"action": "drop"}, {"action": "drop", "when": "after"}, {"action": "status", "status": 503}]
)
def test_a_change_without_a_code_is_simply_repeated(fault, sandbox, instances):
    spec = spec_of("basic", sandbox)
    made = ensure(instances, spec)
    sandbox.add_fault(**fault, method="PATCH")
    wire = Wire(sandbox)
    changed = configured(spec, password="second-password", event__poller__refresh_interval=5)
    ensured = ensure(instances, changed)
    assert wire.writes() == ["PATCH /instances/N"] * 2
    assert ensured.instance.configuration["event.poller.refresh_interval"] == "5"
    assert [each["id"] for each in sandbox.instances()] == [made.instance.id]


def test_a_try_that_ends_between_enabling_and_mending_is_finished_by_the_next(sandbox, instances):
    spec = spec_of("basic", sandbox)
    made = ensure(instances, spec)
    sandbox.set_instance(made.instance.id, disabled=True, valid=False)
    better = configured(spec, password="second-password")
    sandbox.add_fault("status", status=500, method="PATCH")
    with pytest.raises(CloudElementsServerError):
        ensure(instances, better, settle_time=0.2)
    (there,) = sandbox.instances()
    # Disabled again, so that the next try does not take it for healthy, whatever fingerprint there is.
    assert (there["disabled"], there["valid"]) == (True, False)
    assert ensure(instances, better).instance.healthy


def test_a_retry_waits_for_the_create_of_a_killed_try_as_long_as_that_try_would_have(sandbox):
    """The note of a killed try, and a server that finishes after the settle time alone has passed."""
    with client_of(sandbox, create_timeout=4.0) as client:
        spec = spec_of("basic", sandbox)
        memory = CallMemory()
        memory.create_begins(spec.marker)  # and then the try was killed
        sandbox.configure(create_delay=2.5)
        fingerprints = Fingerprints(client.settings, spec.marker)
        under_way = threading.Thread(
            target=client.instances.create,
            kwargs={
                "element": spec.element,
                "name": spec.name,
                "configuration": spec.configuration,
                "tags": spec.tags_to_create(fingerprints),
            },
        )
        under_way.start()
        time.sleep(1.2)
        ensured = ensure(client.instances, spec, settle_time=1.0, memory=memory)
        under_way.join()
    assert not ensured.created
    assert [each["id"] for each in sandbox.instances()] == [ensured.instance.id]


def test_the_same_code_beside_another_value_is_the_same_code(sandbox, instances):
    spec = spec_of("code", sandbox)
    memory = CallMemory()
    sandbox.add_fault("drop", method="POST", path="/instances")
    for session in ("a", "b"):
        again = replace(spec, provider_data={**spec.provider_data, "session": session})
        with pytest.raises(CloudElementsAmbiguousCreateError):
            ensure(instances, again, settle_time=0, memory=memory)
    assert [each["presented"] for each in sandbox.codes()] == [1]


@pytest.mark.parametrize("settle_time", [math.nan, math.inf, pytest.param(10**400, id="huge"), -1, True, "5"])
def test_a_settle_time_that_is_none_is_refused_before_anything_is_sent(settle_time, sandbox, instances):
    wire, spec = Wire(sandbox), spec_of("basic", sandbox)
    with pytest.raises(CloudElementsValidationError, match="settle_time"):
        ensure(instances, spec, settle_time=settle_time)
    number = Person(sandbox).make("basic")
    instance = instances.get(number)
    with pytest.raises(CloudElementsValidationError, match="settle_time"):
        reauthenticate(instances, instance, configuration={"password": "x"}, settle_time=settle_time)
    assert posts(wire) == ["POST /instances"]  # the person's


def test_looks_end_at_once_for_no_time_and_for_a_time_that_is_none():
    for seconds in (0, -1, math.nan):
        assert len(list(looks(seconds, lambda _: None, lambda: 0.0))) == 1
