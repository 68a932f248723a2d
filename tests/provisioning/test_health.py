"""Whether instances work: every state, what happens between list and ping, and sweeps of many at once."""

from __future__ import annotations

import gc
import threading
import time
from dataclasses import replace

import pytest

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.instances import InstancesApi
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsConnectionError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.provisioning.health import Checkup, InstanceState, check, sweep, sweep_ids
from tests.support.hidden import assert_hidden
from tests.support.platform import Wire, settings_of

HEALTHY, DISABLED, INVALID, REAUTH, UNREACHABLE = InstanceState


@pytest.fixture
def handed_out():
    return []


@pytest.fixture
def connect(sandbox, handed_out):
    """Give a function that makes a client; a call is sent once unless it says otherwise."""
    made = []

    def connect(**settings) -> InstancesApi:
        client = CloudElementsClient(
            settings_of(sandbox, **{"max_retries": 0, **settings}), on_token=handed_out.append
        )
        made.append(client)
        return client.instances

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def instances(connect):
    return connect()


def listed(instances, **query):
    """Return the one instance there is, as a sweep lists it."""
    (instance,) = instances.list(with_tokens=True, **query)
    return instance


def pings(sandbox):
    return Wire.of(sandbox).count("GET /ping")


def checking_threads():
    return [each for each in threading.enumerate() if each.name.startswith("cloudelements-check")]


@pytest.mark.parametrize("value", ["", " ", "None", 5])
@pytest.mark.parametrize("argument", ["tag", "element"])
def test_a_sweep_of_what_names_nothing_is_refused_by_name(argument, value, instances, sandbox):
    with pytest.raises(CloudElementsValidationError, match=f"^{argument} must be a text"):
        list(sweep(instances, **{argument: value}))
    assert Wire.of(sandbox) == []


@pytest.mark.parametrize("value", [0, -1, "x", None, 2**70])
def test_a_sweep_of_what_is_no_id_is_refused(value, instances, sandbox):
    with pytest.raises(CloudElementsValidationError, match="must be an instance's id"):
        list(sweep_ids(instances, [1, value]))
    assert Wire.of(sandbox) == []


@pytest.mark.parametrize("number", [0, -1, 257, 10**9, True, 1.0, "8"])
def test_how_many_at_once_is_bounded(number, instances):
    for found in (sweep(instances, concurrency=number), sweep_ids(instances, [], concurrency=number)):
        with pytest.raises(CloudElementsValidationError, match="concurrency must be a whole number"):
            list(found)


# -- one instance ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("with_token", "calls"), [(True, ["GET /ping"]), (False, ["GET /instances/N", "GET /ping"])]
)
def test_a_healthy_one_costs_a_ping_and_its_token_shows_nowhere(
    with_token, calls, sandbox, person, instances, handed_out
):
    there = person.make("basic")
    instance = listed(instances)
    token = instance.token
    wire = Wire(sandbox)
    checkup = check(instances, instance if with_token else replace(instance, token=None))
    assert checkup == Checkup(replace(instance, token=None), HEALTHY)
    assert checkup.healthy
    assert checkup.instance.id == there
    assert wire.calls() == calls
    assert handed_out == []
    assert_hidden(repr(checkup), token)


@pytest.mark.parametrize("change", [{"disabled": True}, {"valid": False}])
def test_what_the_platform_tells_costs_no_ping(change, sandbox, person, instances):
    sandbox.set_instance(person.make("basic"), **change)
    instance = listed(instances)
    wire = Wire(sandbox)
    checkup = check(instances, instance)
    assert checkup.state is (DISABLED if "disabled" in change else INVALID)
    assert (checkup.healthy, checkup.detail, checkup.instance.token) == (False, None, None)
    assert wire.calls() == []


def test_one_that_is_both_is_disabled(person, instances):
    there = person.make("basic")
    instance = replace(instances.get(there), valid=False, disabled=True)
    assert check(instances, instance).state is DISABLED


def test_disabled_since_it_was_read(sandbox, person, instances):
    there = person.make("basic")
    instance = listed(instances)
    person.disable(there)
    checkup = check(instances, instance)
    assert checkup.state is DISABLED
    assert checkup.instance.disabled
    assert "GET /ping answered 403" in checkup.detail


def test_invalid_since_it_was_read(sandbox, person, instances):
    there = person.make("basic")
    instance = listed(instances)
    sandbox.set_instance(there, valid=False)
    checkup = check(instances, instance)
    assert checkup.state is INVALID
    assert "GET /ping answered 401" in checkup.detail


@pytest.mark.parametrize("with_token", [True, False])
def test_deleted_since_it_was_read(with_token, person, instances):
    there = person.make("basic")
    instance = listed(instances)
    person.delete(there)
    assert check(instances, instance if with_token else replace(instance, token=None)) is None


def test_refused_by_its_vendor_while_the_platform_thinks_it_valid(sandbox, person, instances):
    person.make("basic")
    instance = listed(instances)
    sandbox.add_fault("status", status=401, path="/ping")
    wire = Wire(sandbox)
    checkup = check(instances, instance)
    assert checkup.state is REAUTH
    assert wire.calls() == ["GET /ping", "GET /instances/N"]
    # The error alone would send its reader after the connection's secrets.
    assert checkup.detail.endswith("The connection's own secrets are accepted.")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"action": "status", "status": 403}, "answered 403"),
        ({"action": "status", "status": 404}, "answered 404"),
        ({"action": "status", "status": 400}, "answered 400"),
        ({"action": "status", "status": 409}, "answered 409"),
        ({"action": "status", "status": 418}, "answered 418"),
        ({"action": "status", "status": 429}, "answered 429"),
        ({"action": "status", "status": 500}, "answered 500"),
        ({"action": "status", "status": 503, "body": "html"}, "answered 503"),
        ({"action": "drop"}, "the connection broke"),
        ({"action": "cut"}, "the connection broke"),
        ({"action": "html", "status": 200}, "is not JSON"),
        ({"action": "status", "status": 302}, "answered 302"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_any_other_answer_means_unreachable(fault, told, sandbox, person, instances):
    person.make("basic")
    instance = listed(instances)
    sandbox.add_fault(**fault, path="/ping", count=None)
    checkup = check(instances, instance)
    assert checkup.state is UNREACHABLE
    assert told in checkup.detail
    assert_hidden(checkup.detail, instance.token, sandbox.user_secret, sandbox.organization_secret)


def test_a_vendor_that_does_not_answer_in_time_is_unreachable(sandbox, person, connect):
    person.make("basic")
    instance = listed(connect())
    sandbox.add_fault("delay", seconds=2, path="/ping")
    checkup = check(connect(request_timeout=0.3), instance)
    assert checkup.state is UNREACHABLE
    assert "no answer in time" in checkup.detail


def test_a_passing_failure_is_tried_again_first(sandbox, person, connect):
    person.make("basic")
    instances = connect(max_retries=1)
    instances.http._sleep = lambda _: None
    instance = listed(instances)
    sandbox.add_fault("status", status=503, path="/ping")
    assert check(instances, instance).healthy


@pytest.mark.parametrize("body", ["empty", "error"])
def test_what_a_good_ping_answers_does_not_matter(body, sandbox, person, instances):
    person.make("basic")
    instance = listed(instances)
    sandbox.add_fault("status", status=200, body=body, path="/ping")
    assert check(instances, instance).healthy


def test_our_own_secrets_refused_is_no_state(sandbox, person, connect, instances):
    person.make("basic")
    instance = listed(instances)
    with pytest.raises(CloudElementsAuthError) as caught:
        check(connect(user_secret="Another/Secret+than/the+right/one+000000000="), instance)
    assert caught.value.path == f"/instances/{instance.id}"


@pytest.mark.parametrize("path", ["/ping", "/instances/*"])
def test_a_gateways_404_makes_nothing_missing(path, sandbox, person, instances):
    number = person.make("basic")
    sandbox.add_fault("html", status=404, path=path, method="GET")
    ((told, checkup),) = sweep_ids(instances, [number])
    assert (told, checkup.state) == (number, UNREACHABLE)
    assert "not the platform's own" in checkup.detail


def test_a_list_that_broke_off_is_no_report(sandbox, person, instances):
    for _ in range(3):
        person.make("basic")
    sandbox.configure(max_page_size=2)
    sandbox.add_fault("status", status=404, path="/instances", method="GET", skip=1)
    with pytest.raises(CloudElementsServerError, match="broke off") as caught:
        list(sweep(instances))
    assert caught.value.retryable
    assert len(list(sweep(instances))) == 3


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("again", [403, 500])
def test_what_cannot_be_read_again_is_unreachable_and_ends_nothing(again, status, sandbox, person, instances):
    person.make("basic")
    instance = listed(instances)
    sandbox.add_fault("status", status=status, path="/ping")
    sandbox.add_fault("status", status=again, path="/instances/*")
    checkup = check(instances, instance)
    assert checkup.state is UNREACHABLE
    assert f"answered {status}" in checkup.detail
    assert f"answered {again}" in checkup.detail


def test_a_connection_that_cannot_call_through_an_instance_says_so(sandbox, person, connect):
    person.make("basic")
    raw = f"User {sandbox.user_secret}, Organization {sandbox.organization_secret}"
    instances = connect(user_secret=None, organization_secret=None, authorization=raw)
    for check_all in (lambda: list(sweep(instances)), lambda: check(instances, listed(instances))):
        with pytest.raises(CloudElementsConnectionError, match="field 'authorization'"):
            check_all()


# -- all of a kind --------------------------------------------------------------------------------


def one_of_each_state(sandbox, person, **body):
    """Make an instance in each state that lasts; return state by id."""
    states = {person.make("basic", name=str(state), **body): state for state in (HEALTHY, DISABLED, INVALID)}
    for there, state in states.items():
        if state is not HEALTHY:
            sandbox.set_instance(there, **{"disabled": True} if state is DISABLED else {"valid": False})
    return states


def test_a_sweep_is_of_a_tag_of_an_element_of_both_or_of_everything(sandbox, person, instances):
    tagged = one_of_each_state(sandbox, person, tags=["a"])
    other = person.make("basic", tags=["b"])
    both = person.make("refresh", tags=["a"])

    def found(**query):
        return {each.instance.id: each.state for each in sweep(instances, **query)}

    assert found(tag="a") == {**tagged, both: HEALTHY}
    assert found(element="closeio") == {**tagged, other: HEALTHY}
    assert found(tag="a", element="hubspotcrm") == {both: HEALTHY}
    assert found() == {**tagged, other: HEALTHY, both: HEALTHY}
    assert found(tag="nobody's") == found(element="sfdc") == found(tag="b", element="sfdc") == {}


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_a_sweep_of_300_goes_by_the_list_page_by_page_with_one_ping_each(
    order, sandbox, person, instances, handed_out
):
    sandbox.configure(order=order)
    made = [person.make("basic", name=f"n{number}") for number in range(301)]
    tokens = [each.token for each in instances.list(with_tokens=True)]
    wire = Wire(sandbox)
    found = list(sweep(instances))
    assert [each.instance.id for each in found] == (made if order == "ascending" else made[::-1])
    assert {each.state for each in found} == {HEALTHY}
    calls = wire.calls()
    assert (calls.count("GET /ping"), calls.count("GET /instances"), len(calls)) == (301, 2, 303)
    assert handed_out == []
    assert all(each.instance.token is None for each in found)
    text = repr(found)
    assert not [token for token in tokens if token in text]
    assert checking_threads() == []


@pytest.mark.parametrize("concurrency", [1, 3, 8])
def test_never_more_pings_at_once_than_allowed_and_as_many_as_that(concurrency, sandbox, person, instances):
    for _ in range(6 * concurrency):
        person.make("basic")
    sandbox.add_fault("delay", seconds=0.05, path="/ping", count=None)
    running, most, threads = 0, 0, set()
    lock, send = threading.Lock(), instances.http.send

    def counted(method, path, **options):
        nonlocal running, most
        if path != "/ping":
            return send(method, path, **options)
        with lock:
            running += 1
            most = max(most, running)
            threads.add(threading.current_thread().name)
        try:
            return send(method, path, **options)
        finally:
            with lock:
                running -= 1

    instances.http.send = counted
    seen_by_the_platform = set()
    for _ in sweep(instances, concurrency=concurrency):
        seen_by_the_platform.add(sandbox.counters()["running"])
    assert most == len(threads) == concurrency
    assert max(seen_by_the_platform) <= concurrency


def before_first_ping(instances, act):
    """Have something done by whoever sends the first ping, before it is sent."""
    lock, send, todo = threading.Lock(), instances.http.send, [act]

    def acting(method, path, **options):
        if path == "/ping":
            with lock:
                first = todo.pop() if todo else None
            if first is not None:
                first()
        return send(method, path, **options)

    instances.http.send = acting


def test_a_slow_one_holds_up_none_of_the_work_behind_it(sandbox, person, instances):
    made = [person.make("basic") for _ in range(60)]

    def wait_for_the_others():
        deadline = time.monotonic() + 30
        while pings(sandbox) < 59 and time.monotonic() < deadline:
            time.sleep(0.02)
        seen.append(pings(sandbox))

    seen: list[int] = []
    before_first_ping(instances, wait_for_the_others)
    # Two threads: while one waits, the other gets through the rest.
    assert [each.instance.id for each in sweep(instances, concurrency=2)] == made
    assert seen == [59]


def test_the_list_is_read_no_further_than_the_work_has_come(sandbox, person, instances):
    sandbox.configure(max_page_size=5)
    for _ in range(40):
        person.make("basic")
    found = sweep(instances, concurrency=1)
    assert pings(sandbox) == 0
    next(found)
    # Four ahead at most, while nobody asks for more.
    assert Wire.of(sandbox).count("GET /instances") <= 2
    assert pings(sandbox) <= 6
    found.close()


def test_what_happens_between_list_and_ping_is_told_of_each(sandbox, person, instances):
    made = [person.make("basic") for _ in range(8)]
    # Each takes one ping, in the order of the list: there is one thread.
    for status in (401, 403, 404, 500):
        sandbox.add_fault("status", status=status, path="/ping")

    def meanwhile():
        person.disable(made[5])
        person.delete(made[6])

    before_first_ping(instances, meanwhile)
    states = [(each.instance.id, each.state) for each in sweep(instances, concurrency=1)]
    wanted = [REAUTH, UNREACHABLE, UNREACHABLE, UNREACHABLE, HEALTHY, DISABLED, HEALTHY]
    assert states == list(zip([*made[:6], made[7]], wanted, strict=True))


def test_secrets_rotated_during_a_sweep_end_it_at_once(sandbox, person, instances):
    for _ in range(60):
        person.make("basic")
    sandbox.add_fault("status", status=401, path="/ping", skip=10, count=None)
    sandbox.add_fault("status", status=401, path="/instances/*", count=None)
    found = []
    with pytest.raises(CloudElementsAuthError):
        found.extend(sweep(instances, concurrency=4))
    assert {each.state for each in found} <= {HEALTHY}
    # What was on its way when the first one was told; of the rest none was sent.
    assert pings(sandbox) <= 10 + 2 * 4
    assert checking_threads() == []


def test_secrets_rotated_behind_a_slow_one_send_nothing_more(sandbox, person, instances):
    for _ in range(40):
        person.make("basic")
    sandbox.add_fault("delay", seconds=1, path="/ping")
    sandbox.add_fault("status", status=401, path="/ping", skip=3, count=None)
    sandbox.add_fault("status", status=401, path="/instances/*", count=None)
    begun = time.monotonic()
    with pytest.raises(CloudElementsAuthError):
        list(sweep(instances, concurrency=2))
    assert pings(sandbox) <= 8
    assert time.monotonic() - begun < 10


def test_a_list_that_breaks_off_is_an_error_and_no_short_report(sandbox, person, instances):
    sandbox.configure(max_page_size=10)
    for _ in range(30):
        person.make("basic")
    sandbox.add_fault("status", status=500, path="/instances", skip=1)
    with pytest.raises(CloudElementsServerError):
        list(sweep(instances))
    assert checking_threads() == []


def test_a_sweep_closed_early_leaves_no_threads_and_sends_no_more(sandbox, person, instances):
    for _ in range(60):
        person.make("basic")
    sandbox.add_fault("delay", seconds=0.1, path="/ping", count=None)
    found = sweep(instances, concurrency=4)
    next(found)
    assert checking_threads()
    found.close()
    assert checking_threads() == []
    sent = pings(sandbox)
    assert sent < 60
    time.sleep(0.3)
    assert pings(sandbox) == sent


def test_a_sweep_that_is_dropped_leaves_no_threads(sandbox, person, instances):
    for _ in range(10):
        person.make("basic")
    for each in sweep(instances, concurrency=2):
        assert each.healthy
        break
    gc.collect()
    assert checking_threads() == []


def test_a_sweep_that_nobody_starts_does_nothing(sandbox, instances):
    sweep(instances)
    sweep_ids(instances, [1])
    assert sandbox.requests() == []
    assert checking_threads() == []


# -- by ids ---------------------------------------------------------------------------------------


def test_by_ids_in_their_order_with_two_calls_each_and_none_for_the_missing(
    sandbox, person, instances, handed_out
):
    states = one_of_each_state(sandbox, person)
    person.make("basic", name="not asked for")
    gone = person.make("basic")
    person.delete(gone)
    ids = [*reversed(states), gone, 999_999]
    wire = Wire(sandbox)
    found = list(sweep_ids(instances, iter(ids)))
    assert [instance_id for instance_id, _ in found] == ids
    assert {i: each.state for i, each in found if each is not None} == states
    assert [i for i, each in found if each is None] == [gone, 999_999]
    # The disabled and the invalid one need no ping.
    assert sorted(wire.calls()) == ["GET /instances/N"] * 5 + ["GET /ping"]
    assert handed_out == []
    assert all(each.instance.token is None for _, each in found if each is not None)


def test_one_id_that_cannot_be_read_is_unreachable_and_the_others_are_told(sandbox, person, instances):
    made = [person.make("basic") for _ in range(3)]
    sandbox.add_fault("status", status=500, path=f"/instances/{made[1]}", count=None)
    found = dict(sweep_ids(instances, made))
    assert [each.state for each in found.values()] == [HEALTHY, UNREACHABLE, HEALTHY]
    unread = found[made[1]]
    assert (unread.instance.id, unread.instance.name) == (made[1], "")
    assert f"GET /instances/{made[1]} answered 500" in unread.detail


def test_by_ids_our_own_secrets_refused_is_an_error(sandbox, person, connect):
    made = [person.make("basic") for _ in range(20)]
    instances = connect(user_secret="Another/Secret+than/the+right/one+000000000=")
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsAuthError):
        list(sweep_ids(instances, made, concurrency=2))
    assert len(wire.calls()) <= 4
    assert checking_threads() == []


def test_ids_that_cannot_be_iterated_to_the_end_are_an_error(person, instances):
    def ids():
        yield person.make("basic")
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError, match="the database is gone"):
        list(sweep_ids(instances, ids()))
    assert checking_threads() == []


def test_by_ids_one_deleted_between_its_read_and_its_ping_does_not_exist(person, instances):
    made = [person.make("basic") for _ in range(3)]
    before_first_ping(instances, lambda: person.delete(made[0]))
    found = dict(sweep_ids(instances, made, concurrency=1))
    assert found[made[0]] is None
    assert [found[each].state for each in made[1:]] == [HEALTHY, HEALTHY]
