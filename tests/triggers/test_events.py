"""Waiting for events in the poll hub: one reading for all, and the two triggers around it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import itertools
import json
import logging
import random
import time
from types import SimpleNamespace

import msgspec
import pendulum
import pytest

from airflow_provider_cloudelements import compat
from airflow_provider_cloudelements.assets import cloudelements_event_asset
from airflow_provider_cloudelements.events import reading as event_reading
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.triggers import event_wait, events, place
from airflow_provider_cloudelements.triggers.events import (
    CloudElementsEventSensorTrigger,
    CloudElementsEventTrigger,
)
from tests.support.platform import EVENTS, WAYS
from tests.support.triggers import (
    CONN_ID,
    VARIABLE,
    end,
    event_of,
    polls,
    running,
    unblocked,
    until,
    watching,
)

LIST = "GET /instances/events"
OWN = "GET /instances/N/events"


class Store:
    """The asset state store of Airflow 3.3.2, in memory."""

    def __init__(self, values=None):
        self.values = {} if values is None else values
        self.written = []
        self.failure = None

    async def aget(self, key, default=None):
        self._fail()
        return json.loads(self.values[key]) if key in self.values else default

    async def aset(self, key, value):
        self._fail()
        self.written.append((time.monotonic(), value))
        self.values[key] = json.dumps(value)

    def _fail(self):
        if self.failure is not None:
            raise self.failure


class OlderStore(Store):
    """The one of Airflow 3.3.0, which blocks."""

    aget = aset = property()

    def get(self, key, default=None):
        self._fail()
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key, value):
        self._fail()
        self.written.append((time.monotonic(), value))
        self.values[key] = json.dumps(value)


@pytest.fixture(autouse=True)
def quick_saves(monkeypatch):
    monkeypatch.setattr(place, "SAVE_AFTER", 0.3)


class Variables:
    """Airflow's Variables, behind the channel from a triggerer to its supervisor."""

    def __init__(self):
        self.values, self.descriptions = {}, {}
        self.failure = None

    def send(self, message):
        from airflow.sdk.execution_time import comms

        if isinstance(message, comms.GetVariable | comms.PutVariable) and isinstance(self.failure, Exception):
            raise self.failure
        if isinstance(message, comms.PutVariable):
            self.values[message.key] = message.value
            self.descriptions[message.key] = message.description
        if not isinstance(message, comms.GetVariable):
            return None
        if self.failure is not None:
            return comms.ErrorResponse.model_construct(error=SimpleNamespace(value=self.failure))
        if message.key not in self.values:
            return comms.ErrorResponse(error="VARIABLE_NOT_FOUND")
        return comms.VariableResult(key=message.key, value=self.values[message.key])


@pytest.fixture
def variables(monkeypatch):
    known = Variables()
    monkeypatch.setattr(compat, "_supervisor", lambda: known)
    return known


@pytest.fixture
def trigger_log(monkeypatch, caplog):
    monkeypatch.setattr(CloudElementsEventTrigger, "log", logging.getLogger("tests.triggers"))
    caplog.set_level(logging.INFO, "tests.triggers")
    return caplog


def watched(person, way="basic", **body):
    """Make an instance whose events are on."""
    return person.make(way, configuration={**WAYS[way][1], **EVENTS}, **body)


def watcher(store=None, poll_interval=0.05, name="a watcher", start="earliest", **arguments):
    trigger = CloudElementsEventTrigger(name=name, start=start, **{"tag": "shop", **arguments})
    trigger.poll_interval = poll_interval
    trigger.asset_state_store = store
    return trigger


def sensor(cursor="earliest", poll_interval=0.05, **arguments):
    given = {"min_events": 1, "max_events": 1000, "max_bytes": 65_536, "tag": "shop", **arguments}
    if "instance_id" in arguments:
        given["tag"] = None
    return CloudElementsEventSensorTrigger(
        cloudelements_conn_id=CONN_ID,
        cursor=EventCursor.start(cursor).as_json(),
        poll_interval=poll_interval,
        **given,
    )


@contextlib.asynccontextmanager
async def collecting(*triggers):
    """Run watchers as the triggerer does; yield the payloads that each has yielded, and the tasks."""
    got = [[] for _ in triggers]

    async def run(trigger, payloads):
        try:
            async for event in trigger.run():
                payloads.append(event.payload)
        finally:
            await trigger.cleanup()

    tasks = [asyncio.create_task(run(*each)) for each in zip(triggers, got, strict=True)]
    try:
        yield got, tasks
    finally:
        await end(*tasks)


def ids(payloads):
    return [row["id"] for payload in payloads for row in payload["events"]]


# -- one reading for all ------------------------------------------------------------------------------------


async def test_two_hundred_who_wait_are_one_stream_of_polls(sandbox, person, wire):
    numbers = [watched(person, tags=["shop", f"shop-{number}"]) for number in range(5)]
    before = len(wire.calls())
    watchers = [watcher(name=f"w{each}", start="now", tag=f"shop-{each % 5}") for each in range(100)]
    sensors = [sensor("now", tag=f"shop-{each % 5}") for each in range(100)]
    async with collecting(*watchers) as (got, _), running(*sensors) as tasks:
        await until(lambda: len(wire.calls()) >= before + 5)
        assert set(wire.calls()[before:]) == {LIST}
        assert polls() == 1
        began, calls = time.monotonic(), len(wire.calls())
        await until(lambda: len(wire.calls()) >= calls + 8)
        assert len(wire.calls()) - calls <= (time.monotonic() - began) / 0.05 + 2
        made = [sandbox.emit(number)[0] for number in numbers]
        found = await asyncio.gather(*tasks)
        await until(lambda: all(got))
    assert [each["found"]["events"][0]["id"] for each in found] == made * 20
    assert [ids(each) for each in got] == [[made[number % 5]] for number in range(100)]
    # Which instances have the tags is asked once a reading that has something new, whatever their number.
    assert set(wire.calls()[before:]) == {LIST, "GET /instances"}
    assert wire.calls()[before:].count("GET /instances") <= 5
    assert polls() == 0


async def test_those_who_wait_for_one_instance_read_its_own_list(sandbox, person, wire):
    number = watched(person)
    other = watched(person)
    before = len(wire.calls())
    async with running(sensor(instance_id=number), sensor(instance_id=str(number))) as tasks:
        await until(lambda: len(wire.calls()) >= before + 3)
        assert set(wire.calls()[before:]) == {OWN}
        sandbox.emit(other)
        (made,) = sandbox.emit(number)
        found = await asyncio.gather(*tasks)
    assert [[row["id"] for row in each["found"]["events"]] for each in found] == [[made]] * 2


async def test_all_who_are_far_behind_share_one_reading(sandbox, person, wire, monkeypatch):
    sandbox.configure(max_page_size=5)
    monkeypatch.setattr(event_reading, "SETTLE_TIME", 1.0)
    number = watched(person, tags=["shop"])
    sandbox.emit(number, count=40)
    await asyncio.sleep(2.2)
    sandbox.emit(number, count=5)
    async with collecting(watcher(name="now", start="now")) as (_, _):
        await until(lambda: wire.calls().count(LIST) >= 15)
        # In order, a reading is two pages now; the others are behind it.
        looks = []
        read = event_wait.read_events

        def counted(http, looked, *orders):
            batches = read(http, looked, *orders)
            looks.append((len(looked), http.sent, bool(orders)))
            return batches

        monkeypatch.setattr(event_wait, "read_events", counted)
        async with collecting(*(watcher(name=f"w{each}") for each in range(19))) as (got, _):
            await until(lambda: all(len(ids(each)) == 45 for each in got))
            await until(lambda: any(count == 20 for count, _, _ in looks))
    (apart,) = [each for each in looks if not each[2]]
    assert apart == (19, 10, False)  # nine pages, and one call for who has the tag
    assert all(sent <= 4 for _, sent, of_a_tick in looks if of_a_tick)


@pytest.fixture
def all_late(monkeypatch):
    """Let each waiter be behind at first, as it is when the others' readings are short."""

    def behind(self, waiters):
        return [waiter for waiter in waiters if not waiter.look.caught_up]

    monkeypatch.setattr(event_wait.EventWait, "behind", behind)


async def test_one_who_leaves_while_it_catches_up_costs_no_more_pages(sandbox, person, wire, all_late):
    sandbox.configure(max_page_size=1)
    sandbox.emit(watched(person, tags=["shop"]), count=40)
    sandbox.add_fault("delay", seconds=0.03, path="/instances/events", count=None)
    async with running(sensor(min_events=100), sensor(min_events=100)) as tasks:
        await until(lambda: wire.calls().count(LIST) >= 2)
        await end(tasks[0])
        await until(lambda: wire.calls().count(LIST) >= 4)
        await end(tasks[1])
        seen = wire.calls().count(LIST)
        await asyncio.sleep(0.2)
        assert wire.calls().count(LIST) <= seen + 1
    assert polls() == 0


@pytest.mark.parametrize("status", [503, 401])
async def test_a_catch_up_that_fails_in_passing_is_tried_again(sandbox, person, wire, all_late, status):
    sandbox.emit(watched(person, tags=["shop"]))
    sandbox.add_fault("status", status=status, path="/instances/events", count=3 if status == 503 else 4)
    assert (await event_of(sensor(poll_interval=0.05)))["status"] == "success"
    assert wire.calls().count(LIST) >= 4


async def test_one_who_catches_up_hears_of_refused_secrets(sandbox, person, wire, all_late):
    sandbox.add_fault("status", status=401, path="/instances/events", count=None)
    async with running(sensor(poll_interval=0.02), sensor(poll_interval=0.02)) as tasks:
        for found in await asyncio.gather(*tasks):
            assert (found["kind"], found["final"]) == ("CloudElementsAuthError", True)
    assert polls() == 0


# -- whose failure it is ------------------------------------------------------------------------------------


async def test_a_tag_that_is_refused_ends_only_the_waits_for_it(sandbox, person, wire):
    one, other = watched(person, tags=["shop"]), watched(person, tags=["other"])
    sandbox.add_fault("status", status=400, path="/instances", method="GET", count=1)
    mine = [sensor(instance_id=one), sensor(tag="shop")]
    async with running(sensor(tag="<odd>"), *mine) as (odd, *good):
        await until(lambda: wire.calls().count(LIST) >= 2)
        sandbox.emit(other)  # now it is asked who has the tags, in the order of the waiters
        failed = await odd
        assert (failed["kind"], failed["final"]) == ("CloudElementsValidationError", True)
        await asyncio.sleep(0.2)
        assert not any(task.done() for task in good)
        (made,) = sandbox.emit(one)
        found = await asyncio.gather(*good)
    assert [each["found"]["events"][-1]["id"] for each in found] == [made] * 2


async def test_a_tag_whose_look_up_fails_in_passing_holds_up_nobody_else(sandbox, person, wire, hub_log):
    one, other = watched(person, tags=["shop"]), watched(person, tags=["other"])
    sandbox.add_fault("status", status=503, path="/instances", method="GET", count=3)
    async with running(sensor(tag="other"), sensor(instance_id=one)) as (tagged, by_id):
        await until(lambda: wire.calls().count(LIST) >= 1)
        sandbox.emit(one)
        sandbox.emit(other)
        assert (await by_id)["status"] == "success"
        assert (await tagged)["status"] == "success"
    assert len([each for each in hub_log.records if "go on waiting" in each.getMessage()]) == 1


async def test_another_instance_s_waiter_does_not_make_the_hub_read_a_list_that_is_too_long(
    sandbox, person, wire
):
    one, other, noisy = watched(person), watched(person), watched(person)
    sandbox.configure(max_page_size=10)
    sandbox.emit(noisy, count=30)
    mine = [sensor(instance_id=number, max_pages=1) for number in (one, other)]
    async with running(*mine) as tasks:
        await until(lambda: wire.calls().count(OWN) >= 6)
        assert not any(task.done() for task in tasks)
        made = sandbox.emit(one) + sandbox.emit(other)
        found = await asyncio.gather(*tasks)
    assert [each["found"]["events"][0]["id"] for each in found] == made
    assert LIST not in wire.calls()


@pytest.mark.parametrize("fault", ["too long", "refused", "fails in passing, again and again"])
async def test_those_who_wait_by_id_do_not_hear_of_the_account_s_list(sandbox, person, wire, fault, hub_log):
    numbers = [watched(person, tags=["shop"]) for _ in range(event_wait.FEW_LISTS + 2)]
    if fault == "too long":
        sandbox.configure(max_page_size=10)
        sandbox.emit(numbers[0], count=15)
    else:
        status = 403 if fault == "refused" else 503
        sandbox.add_fault("status", status=status, path="/instances/events", count=None)
    mine = [sensor(instance_id=number, max_pages=1) for number in numbers[1:]]
    async with running(sensor("now", tag="shop", max_pages=1), *mine) as (tagged, *by_id):
        await until(lambda: wire.calls().count(OWN) >= 2 * len(by_id))
        assert not any(task.done() for task in by_id)
        if status_is_final(fault):
            assert (await tagged)["final"] is True
        made = [sandbox.emit(number)[0] for number in numbers[1:]]
        found = await asyncio.gather(*by_id)
    assert [each["found"]["events"][0]["id"] for each in found] == made


def status_is_final(fault):
    return fault in ("too long", "refused")


async def test_many_who_wait_by_id_read_the_account_s_list_if_that_has_fewer_pages(sandbox, person, wire):
    numbers = [watched(person) for _ in range(event_wait.FEW_LISTS + 2)]
    async with running(*(sensor(instance_id=number) for number in numbers)) as tasks:
        await until(lambda: wire.calls().count(LIST) >= 3)
        made = [sandbox.emit(number)[0] for number in numbers]
        found = await asyncio.gather(*tasks)
    assert [each["found"]["events"][0]["id"] for each in found] == made
    assert set(wire.calls()[len(numbers) :]) <= {LIST, OWN, "GET /instances"}
    assert wire.calls().count(LIST) > 1


async def test_a_platform_that_is_down_is_not_asked_for_each_instance(sandbox, person, wire):
    numbers = [watched(person) for _ in range(30)]
    sandbox.add_fault("status", status=503, path="/instances/events", count=None)
    async with running(*(sensor(instance_id=number) for number in numbers)):
        await until(lambda: wire.calls().count(LIST) >= 1)
        for number in numbers:
            sandbox.add_fault("status", status=503, path=f"/instances/{number}/events", count=None)
        lists, own = wire.calls().count(LIST), wire.calls().count(OWN)
        await until(lambda: wire.calls().count(LIST) >= lists + 4)
        calls = wire.calls()
        # The tick at the begin may have asked nothing of its own yet, and the next one may have begun.
        ticks = calls.count(LIST) - lists
        assert calls.count(OWN) - own <= 16 * (ticks + 2) < 30 * ticks


async def test_a_mistake_in_one_look_ends_that_wait_alone(sandbox, person, monkeypatch):
    number = watched(person, tags=["shop"])
    bad, good = sensor(tag="shop", object_types=["leads"]), sensor()
    rows = type(bad.query).rows

    def wrong(self, *arguments, **options):
        if self.types.object_types:
            raise KeyError("a mistake")
        return rows(self, *arguments, **options)

    monkeypatch.setattr(type(bad.query), "rows", wrong)
    async with running(bad, good) as (one, other):
        sandbox.emit(number)
        assert (await other)["status"] == "success"
        with pytest.raises(KeyError):
            await one


async def test_one_malformed_for_its_connection_harms_no_other(sandbox, person, monkeypatch):
    number = watched(person, tags=["shop"])
    bad, good = sensor(tag="bad"), sensor()
    target = type(bad.query).target

    def refused(self, settings):
        if self.tag == "bad":
            raise CloudElementsValidationError("no")
        return target(self, settings)

    monkeypatch.setattr(type(bad.query), "target", refused)
    async with running(bad, good) as (one, other):
        assert (await one)["kind"] == "CloudElementsValidationError"
        sandbox.emit(number)
        assert (await other)["status"] == "success"


async def test_the_loop_goes_on_while_thousands_of_events_are_read(sandbox, person):
    number = watched(person, tags=["shop"])
    sandbox.emit(number, count=3000)

    async def measure():
        async with (
            watching() as gaps,
            collecting(*(watcher(name=f"{each}") for each in range(5))) as (got, _),
        ):
            await until(lambda: all(got), 60)
        return gaps.longest

    # Python's collector goes through all that pytest and Airflow have loaded, for a quarter of a second and
    # at its own time. What was there before is set aside; what the reading makes is still collected.
    gc.collect()
    gc.freeze()
    try:
        assert await unblocked(measure)
    finally:
        gc.unfreeze()


# -- the sensor's trigger -----------------------------------------------------------------------------------


async def test_the_sensor_s_event_tells_the_oldest_and_where_to_go_on(sandbox, person):
    number = watched(person, tags=["shop"])
    async with running(sensor(min_events=3, max_events=4)) as (task,):
        first = sandbox.emit(number, count=2)
        await asyncio.sleep(0.5)
        assert not task.done()
        rest = sandbox.emit(number, count=3)
        event = await task
    assert event["status"] == "success"
    told = [row["id"] for row in event["found"]["events"]]
    assert len(told) == 4
    assert set(told) < {*first, *rest}
    later = sensor(max_events=10)
    later.cursor = EventCursor.parse(event["found"]["cursor"])
    (row,) = (await event_of(later))["found"]["events"]
    assert {*told, row["id"]} == {*first, *rest}


async def test_failures_are_errors_in_the_event(sandbox, person, monkeypatch):
    number = watched(person)
    sandbox.configure(max_page_size=1)
    sandbox.emit(number, count=3)
    event = await event_of(sensor(instance_id=number, max_pages=2))
    assert (event["kind"], event["final"]) == ("CloudElementsValidationError", True)
    assert "max_pages" in event["message"]
    monkeypatch.delenv(VARIABLE)
    event = await event_of(sensor())
    assert (event["kind"], event["final"]) == ("AirflowNotFoundException", False)
    assert polls() == 0


def test_the_sensor_s_trigger_survives_the_database():
    trigger = sensor(tag="a", where={"raw.x": [1]}, object_types=["b"], include_raw=True)
    assert_survives(trigger)


def assert_survives(trigger):
    classpath, arguments = trigger.serialize()
    module, _, name = classpath.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (classpath, arguments)
    return arguments


# -- the watcher --------------------------------------------------------------------------------------------


async def test_it_tells_a_list_an_interval_and_never_ends(sandbox, person):
    number = watched(person, tags=["shop"])
    made = sandbox.emit(number, count=25)
    async with collecting(watcher(poll_interval=0.3, max_events=10)) as (got, (task,)):
        began = time.monotonic()
        await until(lambda: len(ids(got[0])) == 25)
        assert time.monotonic() - began >= 0.55
        assert [len(each["events"]) for each in got[0]] == [10, 10, 5]
        made += sandbox.emit(number)
        await until(lambda: len(got[0]) == 4)
        assert not task.done()
    assert set(ids(got[0])) == set(made)
    assert {each["watcher"] for each in got[0]} == {"a watcher"}


async def test_what_airflow_could_not_carry_ends_neither_watcher_nor_triggerer(sandbox, person):
    """The triggerer writes events as MessagePack; one that it cannot write ends it, with all its triggers."""
    number = watched(person, tags=["shop"])
    body = {"objectType": "a\x00b", "objectId": "half \ud83d", "eventType": "CREATED", "note": "\ude00"}
    made = sandbox.emit(number, body=body)
    made += sandbox.emit(number, body={**body, "count": 10**30})
    waiting = sensor(min_events=2, include_raw=True)
    async with collecting(watcher(include_raw=True), watcher(name="b")) as (got, _):
        await until(lambda: all(len(ids(each)) == 2 for each in got))
        found = (await event_of(waiting))["found"]["events"]
    told, small = ([row for each in payloads for row in each["events"]] for payloads in got)
    assert msgspec.msgpack.encode([told, small, found])
    assert set(ids(got[0])) == set(ids(got[1])) == set(made)
    assert {(row["object_type"], row["object_id"]) for row in told + small} == {("a\ufffdb", "half \ufffd")}
    raw = {row["id"]: row["raw"] for row in told}
    assert raw[made[0]]["note"] == "\ufffd"
    assert raw[made[1]] is None
    assert [row for row in small if "raw" in row] == []


async def test_others_do_not_make_it_tell_more_often_than_it_shall(sandbox, person, monkeypatch):
    number = watched(person, tags=["shop"])
    moments = []
    async with collecting(watcher(poll_interval=0.4), watcher(name="hasty")) as (got, _):
        while len(got[1]) < 8:
            sandbox.emit(number)
            count = len(got[0])
            await asyncio.sleep(0.08)
            if len(got[0]) > count:
                moments.append(time.monotonic())
        await until(lambda: set(ids(got[0])) == set(ids(got[1])))
    assert len(got[0]) < len(got[1])
    assert all(later - earlier > 0.3 for earlier, later in itertools.pairwise(moments))


@pytest.mark.parametrize("kind", [Store, OlderStore])
async def test_its_place_is_saved_one_look_late(sandbox, person, wire, kind, monkeypatch):
    number = watched(person, tags=["shop"])
    store = kind()
    trigger = watcher(store, start="now")

    async def looks(count):
        seen = wire.calls().count(LIST)
        await until(lambda: wire.calls().count(LIST) >= seen + count)

    monkeypatch.setattr(place, "SAVE_AFTER", 3600)
    async with collecting(trigger) as (got, _):
        await until(lambda: store.written)  # where it began, before anything can be missed
        assert store.written[0][1]["seen"] == []
        sandbox.emit(number)
        await until(lambda: got[0])
        await looks(4)
        assert len(store.written) == 1  # the event may still lie in the triggerer's memory alone
        monkeypatch.setattr(place, "SAVE_AFTER", 0)
        await until(lambda: len(store.written) > 1)
        assert len(store.written[1][1]["seen"]) == 1
    assert list(store.values) == ["cloudelements:cloudelements_default:a watcher"]
    (again,) = sandbox.emit(number)
    async with collecting(watcher(kind(store.values), start="now")) as (got, _):
        await until(lambda: got[0])
        await looks(3)
    assert ids(got[0]) == [again]


async def test_what_was_told_just_now_is_told_again_after_a_restart(sandbox, person):
    number = watched(person, tags=["shop"])
    store = Store()
    (made,) = sandbox.emit(number)
    for _ in range(2):
        async with collecting(watcher(store)) as (got, _):
            await until(lambda got=got: got[0])
        assert ids(got[0]) == [made]


async def test_without_a_store_it_begins_at_its_start_again(sandbox, person, wire, trigger_log):
    number = watched(person, tags=["shop"])
    made = sandbox.emit(number)
    shared = Store()
    shared.failure = ValueError("Task has 2 concrete inlets and outlets")
    for store in (None, shared):
        for _ in range(2):
            async with collecting(watcher(store)) as (got, _):
                await until(lambda got=got: got[0])
                seen = wire.calls().count(LIST)
                await until(lambda seen=seen: wire.calls().count(LIST) >= seen + 5)
            assert ids(got[0]) == made
    warnings = [each for each in trigger_log.records if each.levelname == "WARNING"]
    assert len(warnings) == 2
    assert "several assets" in trigger_log.text


async def saved(store_or_variables, name="a watcher", seconds=10):
    """Wait until a watcher without anything more to tell has saved where it is."""
    await until(lambda: any('"seen": ["' in value for value in store_or_variables.values.values()), seconds)


@pytest.mark.parametrize("kind", [Store, OlderStore])
async def test_its_place_survives_that_airflow_deletes_the_state_of_its_asset(
    sandbox, person, variables, trigger_log, kind
):
    number = watched(person, tags=["shop"])
    store = kind()
    async with collecting(watcher(store, start="now")) as (got, _):
        await until(lambda: store.written)
        sandbox.emit(number)
        await until(lambda: got[0])
        await saved(variables)
    store.values.clear()
    sandbox.emit(number, object_id="while away")
    trigger_log.clear()
    async with collecting(watcher(store, start="now")) as (got, _):
        await until(lambda: got[0])
    assert [row["object_id"] for payload in got[0] for row in payload["events"]] == ["while away"]
    assert "goes on from the copy" in trigger_log.text
    assert store.values


@pytest.mark.parametrize("others", [False, True], ids=["an idle account", "others have events"])
async def test_an_idle_watcher_writes_only_what_changed_and_seldom(
    others, sandbox, person, variables, wire, monkeypatch
):
    number, other = watched(person, tags=["shop"]), watched(person)
    monkeypatch.setattr(place, "SAVE_AFTER", 0)
    if not others:
        monkeypatch.setattr(place, "SAVE_IDLE", 0)
    store = Store()
    async with collecting(watcher(store)) as (got, _):
        sandbox.emit(number)
        await until(lambda: got[0])
        await saved(store)
        await saved(variables)
        written, kept = len(store.written), dict(variables.values)
        for _ in range(5):
            if others:
                sandbox.emit(other)
            seen = wire.calls().count(LIST)
            await until(lambda seen=seen: wire.calls().count(LIST) >= seen + 3)
        assert (len(store.written), variables.values) == (written, kept)


async def test_without_a_store_it_goes_on_from_its_variable(sandbox, person, variables, trigger_log):
    number = watched(person, tags=["shop"])
    sandbox.emit(number)
    async with collecting(watcher()) as (got, _):
        await until(lambda: got[0])
        await saved(variables)
    (made,) = sandbox.emit(number)
    trigger_log.clear()
    async with collecting(watcher()) as (got, _):
        await until(lambda: got[0])
    assert ids(got[0]) == [made]
    assert trigger_log.text == ""
    ((key, description),) = variables.descriptions.items()
    assert key.startswith("cloudelements_watcher_")
    assert "'a watcher'" in description
    assert CONN_ID in description


async def test_a_place_that_is_nowhere_is_warned_of(sandbox, person, variables, trigger_log):
    for store in (None, Store()):
        trigger_log.clear()
        variables.values.clear()
        async with collecting(watcher(store)):
            await until(lambda: variables.values)
        (record,) = [each for each in trigger_log.records if "no saved place" in each.message]
        assert record.levelname == "WARNING"


async def test_its_own_store_comes_first(sandbox, person, variables, trigger_log):
    number = watched(person, tags=["shop"])
    (first,) = sandbox.emit(number)
    store = Store()
    async with collecting(watcher(store, start="earliest")) as (got, _):
        await until(lambda: got[0])
        await saved(store)
        await saved(variables)
    for key in store.values:  # as a person may set it back
        store.values[key] = json.dumps(EventCursor.start("earliest").as_json())
    async with collecting(watcher(store)) as (got, _):
        await until(lambda: got[0])
    assert ids(got[0]) == [first]


async def test_several_assets_of_one_trigger_share_the_variable(sandbox, person, variables, trigger_log):
    number = watched(person, tags=["shop"])
    store = Store()
    store.failure = ValueError("several assets")
    async with collecting(watcher(store, start="now")) as (got, _):
        await until(lambda: variables.values)
        sandbox.emit(number)
        await until(lambda: got[0])
        await saved(variables)
    (made,) = sandbox.emit(number)
    async with collecting(watcher(store, start="now")) as (got, _):
        await until(lambda: got[0])
    assert ids(got[0]) == [made]


async def test_variables_that_are_away_are_waited_for(sandbox, person, variables, trigger_log):
    number = watched(person, tags=["shop"])
    sandbox.emit(number)
    async with collecting(watcher()) as (got, _):
        await until(lambda: got[0])
        await saved(variables)
    before = dict(variables.values)
    (made,) = sandbox.emit(number)
    for failure in (OSError("away"), "API_SERVER_ERROR"):
        variables.failure = failure
        async with collecting(watcher(start="now")) as (got, (task,)):
            await until(lambda: "The watcher goes on" in trigger_log.text)
            assert not task.done()
            assert variables.values == before
            variables.failure = None
            await until(lambda: got[0])
        assert ids(got[0]) == [made]
        trigger_log.clear()
        variables.values = dict(before)


async def test_variables_that_it_may_not_read_are_done_without(sandbox, person, variables, trigger_log):
    number = watched(person, tags=["shop"])
    variables.failure = "PERMISSION_DENIED"
    made = sandbox.emit(number)
    async with collecting(watcher(Store())) as (got, _):
        await until(lambda: got[0])
    assert ids(got[0]) == made
    assert "may not read Variable" in trigger_log.text


async def test_a_copy_that_cannot_be_written_costs_nothing_beside_the_store(
    sandbox, person, variables, trigger_log
):
    number = watched(person, tags=["shop"])
    store = Store()
    async with collecting(watcher(store)) as (got, (task,)):
        await until(lambda: store.written)
        variables.failure = OSError("away")
        sandbox.emit(number)
        await until(lambda: got[0])
        await saved(store)
        assert not task.done()
    assert "could not be written (OSError)" in trigger_log.text


@pytest.mark.parametrize("value", ["{", "[]", "null", '{"since": 1}'])
async def test_a_copy_that_is_no_cursor_is_passed_over(sandbox, person, variables, trigger_log, value):
    number = watched(person, tags=["shop"])
    async with collecting(watcher()):
        await until(lambda: variables.values)
    variables.values = dict.fromkeys(variables.values, value)
    made = sandbox.emit(number)
    async with collecting(watcher()) as (got, _):
        await until(lambda: got[0])
    assert ids(got[0]) == made


async def test_what_is_stored_and_is_no_cursor_is_passed_over(sandbox, person, trigger_log):
    number = watched(person, tags=["shop"])
    made = sandbox.emit(number)
    store = Store({"cloudelements:cloudelements_default:a watcher": json.dumps({"since": "yesterday"})})
    async with collecting(watcher(store)) as (got, _):
        await until(lambda: got[0])
    assert ids(got[0]) == made
    assert "no cursor" in trigger_log.text


async def test_a_store_that_fails_in_passing_costs_nothing(sandbox, person, trigger_log):
    number = watched(person, tags=["shop"])
    store = Store()
    store.failure = RuntimeError("the API server is away")
    async with collecting(watcher(store, start="now")) as (got, (task,)):
        await asyncio.sleep(0.15)
        made = sandbox.emit(number)
        store.failure = None
        await until(lambda: got[0])
        store.failure = RuntimeError("the API server is away")
        await until(lambda: "could not be saved" in trigger_log.text)
        store.failure = None
        count = len(store.written)
        await until(lambda: len(store.written) > count)
        assert not task.done()
    assert ids(got[0]) == made


async def test_it_gives_up_loudly_after_some_failures_and_not_at_once(sandbox, monkeypatch, trigger_log):
    monkeypatch.delenv(VARIABLE)
    began = time.monotonic()
    async with collecting(watcher()) as (_, (task,)):
        with pytest.raises(Exception, match="cloudelements_default"):
            await task
    assert time.monotonic() - began >= 5 * 0.05
    warnings = [each for each in trigger_log.records if each.levelname == "WARNING"]
    assert len(warnings) == events.FAILURES - 1
    assert polls() == 0


async def test_a_success_starts_the_count_of_failures_anew(sandbox, person, monkeypatch, trigger_log):
    number = watched(person, tags=["shop"])
    real, calls = events.next_events, []

    async def failing(waiter, look):
        calls.append(look)
        if len(calls) % 5:
            raise CloudElementsError("for the test")
        return await real(waiter, look)

    monkeypatch.setattr(events, "next_events", failing)
    made = []
    async with collecting(watcher(poll_interval=0.02)) as (got, (task,)):
        for _ in range(3):
            made += sandbox.emit(number)
            await until(lambda made=made: len(ids(got[0])) == len(made))
        assert not task.done()
    assert ids(got[0]) == made
    assert len(calls) >= 15


@pytest.mark.parametrize("fault", [{"status": 503}, {"action": "drop"}], ids=str)
async def test_a_passing_fault_is_waited_through(sandbox, person, trigger_log, fault):
    number = watched(person, tags=["shop"])
    async with collecting(watcher()) as (got, (task,)):
        sandbox.add_fault(fault.pop("action", "status"), count=8, **fault)
        made = sandbox.emit(number)
        await until(lambda: got[0])
        assert not task.done()
    assert ids(got[0]) == made
    assert [each for each in trigger_log.records if each.name == "tests.triggers"] == []


async def test_it_leaves_the_hub_however_it_ends(sandbox, person):
    sandbox.emit(watched(person, tags=["shop"]))
    trigger = watcher()
    stream = trigger.run()
    await anext(stream)
    assert polls() == 1
    await stream.aclose()
    assert polls() == 0
    trigger = watcher()
    stream = trigger.run()
    await anext(stream)
    await trigger.cleanup()
    assert polls() == 0
    await stream.aclose()


async def test_no_secret_is_in_what_it_shows(sandbox, person, caplog):
    caplog.set_level(logging.DEBUG)
    number = watched(person, tags=["shop"])
    token = person.show(number)["token"]
    sandbox.emit(number)
    trigger = watcher(Store())
    async with collecting(trigger) as (got, _):
        await until(lambda: got[0])
    text = json.dumps(got) + repr(trigger) + repr(sensor()) + caplog.text
    for secret in (token, sandbox.user_secret, sandbox.organization_secret):
        assert secret not in text


def test_a_watcher_survives_the_database_and_none_is_like_another():
    arguments = {"tag": "a", "start": pendulum.datetime(2026, 11, 24), "where": {"object_id": {"x"}}}
    one, two = (CloudElementsEventTrigger(name=name, **arguments) for name in ("one", "two"))
    kept = assert_survives(one)
    # Airflow 3.2 cannot read back a dictionary in a watcher's arguments, and then its triggerer ends.
    assert not any(isinstance(value, dict) for value in kept.values())
    assert kept["start"] == "2026-11-24T00:00:00+00:00"
    classpath, other = two.serialize()
    assert type(one).hash(classpath, kept) != type(one).hash(classpath, other)
    assert type(one).hash(classpath, kept) == type(one).hash(*type(one)(**kept).serialize())


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": " "},
        {"name": None},
        {"name": "x" * 201},
        {"start": "tomorrow"},
        {"start": 7},
        {"poll_interval": 0.5},
        {"poll_interval": "10"},
        {"poll_interval": True},
        {"max_events": 0},
        {"max_bytes": 100},
        {"include_raw": "yes"},
        {"tag": None},
        {"instance_id": 7},
        {"where": {"a": 1}},
        {"no_such": 1},
    ],
    ids=str,
)
def test_a_wrong_argument_is_told_when_the_file_is_read(wrong):
    with pytest.raises((ValueError, TypeError, CloudElementsValidationError)):
        cloudelements_event_asset(**{"name": "a", "tag": "t", **wrong})


def test_an_asset_has_its_watcher():
    asset = cloudelements_event_asset(
        "orders", tag="shop", group="g", extra={"a": 1}, max_events=7, include_raw=True
    )
    (watch,) = asset.watchers
    assert (asset.name, asset.uri, asset.group, asset.extra) == ("orders", "orders", "g", {"a": 1})
    assert watch.name == watch.trigger.name == "orders"
    assert (watch.trigger.limits.rows, watch.trigger.include_raw) == (7, True)
    assert cloudelements_event_asset("orders", tag="shop", uri="x://shop/orders").uri == "x://shop/orders"


# -- nothing is lost ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("order", ["newest", "oldest", "visibility"])
async def test_every_event_is_told_whenever_it_is_killed(
    sandbox, person, monkeypatch, order, record_property
):
    """A triggerer whose memory is lost at each kill; the settle time is short, so that cursors move."""
    monkeypatch.setattr(event_reading, "SETTLE_TIME", 3.0)
    sandbox.configure(event_order=order, event_visible_spread=1.0, max_page_size=20, event_notified_after=0.3)
    numbers = [watched(person, tags=["shop"]) for _ in range(3)]
    dice = random.Random(order)  # noqa: S311  delays, not secrets
    store, persisted, made, kills = Store(), [], [], 0

    async def triggerer(trigger):
        memory = []

        async def persist():
            while True:
                await asyncio.sleep(dice.uniform(0, 0.2))
                persisted.extend(memory)
                memory.clear()

        task = asyncio.create_task(persist())
        try:
            async for event in trigger.run():
                memory.extend(row["id"] for row in event.payload["events"])
        finally:
            task.cancel()
            await trigger.cleanup()

    async def live(seconds):
        task = asyncio.create_task(triggerer(watcher(store, start="now", max_events=7)))
        await asyncio.sleep(seconds)
        await end(task)

    deadline = time.monotonic() + 10
    await live(0.3)
    while time.monotonic() < deadline:
        killed = asyncio.create_task(live(dice.uniform(0.1, 1.5)))
        kills += 1
        while not killed.done():
            made += await asyncio.to_thread(sandbox.emit, dice.choice(numbers), count=dice.randint(1, 3))
            await asyncio.sleep(dice.uniform(0.05, 0.3))
        await killed
    last = asyncio.create_task(live(60))
    try:
        await until(lambda: set(made) <= set(persisted), 40)
    finally:
        await end(last)
    assert set(persisted) == set(made)
    print(f"{order}: {len(made)} events, {kills} kills, {len(persisted) - len(made)} repeated")
    record_property("repeated", len(persisted) - len(made))
