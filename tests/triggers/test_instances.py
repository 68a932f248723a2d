"""Waiting for instances: what the poll asks, who gets which answer, and the trigger around it."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import time
import tracemalloc

import pytest

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.tags import Identity, marker_tag
from airflow_provider_cloudelements.triggers import poll
from airflow_provider_cloudelements.triggers.instances import CloudElementsInstanceTrigger
from tests.support.relay import Relay
from tests.support.triggers import (
    VARIABLE,
    between_ticks,
    end,
    event_of,
    polls,
    rotating,
    running,
    trigger_of,
    unblocked,
    until,
    watching,
)

LIST = "GET /instances"
READ = "GET /instances/N"
PING = "GET /ping"


@pytest.fixture
def trigger_log(monkeypatch, caplog):
    """Collect what triggers log: Airflow's own logger writes past pytest's."""
    monkeypatch.setattr(CloudElementsInstanceTrigger, "log", logging.getLogger("tests.triggers"))
    caplog.set_level(logging.INFO, "tests.triggers")
    return lambda: [
        each.getMessage()
        for each in caplog.records
        if each.name == "tests.triggers" and each.levelname == "INFO"
    ]


def tagged(sandbox, person, *tags, name="An instance"):
    return person.make("basic", name, tags=list(tags))


# -- the event ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", ["exists", "ready"])
async def test_the_event_tells_the_instance_and_no_secret(sandbox, person, caplog, goal):
    caplog.set_level(logging.DEBUG)
    marker = marker_tag("closeio/Mine")
    number = tagged(sandbox, person, "Docs", marker, name="Mine")
    token = person.show(number)["token"]
    trigger = trigger_of(goal, tag=marker, of_key=True)
    event = await event_of(trigger)
    created = event["instance"].pop("created_date")
    assert event == {
        "status": "success",
        "instance": {
            "id": number,
            "name": "Mine",
            "element": "closeio",
            "tags": ["Docs"],
            "valid": True,
            "disabled": False,
            "events_enabled": False,
        },
    }
    assert created.endswith("Z")
    text = json.dumps(event) + repr(trigger) + caplog.text
    for secret in (token, sandbox.user_secret, sandbox.organization_secret):
        assert secret not in text


def test_it_survives_the_database(sandbox):
    trigger = trigger_of("ready", tag="Docs", element="closeio", of_key=False)
    classpath, arguments = trigger.serialize()
    module, _, name = classpath.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (classpath, arguments)
    assert again.target == trigger.target
    assert classpath == "airflow_provider_cloudelements.triggers.instances.CloudElementsInstanceTrigger"


def test_a_subclass_is_told_by_its_own_name():
    assert Sub(cloudelements_conn_id="c", name="x", instance_id=1).serialize()[0] == f"{__name__}.Sub"


class Sub(CloudElementsInstanceTrigger):
    pass


async def test_one_that_appears_later_is_found(sandbox, person, wire):
    async with running(trigger_of(tag="Docs")) as (task,):
        await until(lambda: len(wire.calls()) >= 3)
        assert not task.done()
        number = tagged(sandbox, person, "Docs")
        assert (await task)["instance"]["id"] == number
    assert polls() == 0


async def test_one_by_id_that_does_not_exist_is_an_error(sandbox):
    event = await event_of(trigger_of(instance_id=999))
    assert (event["status"], event["kind"], event["final"]) == ("error", "CloudElementsNotFoundError", True)


async def test_a_missing_connection_is_an_error(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    event = await event_of(trigger_of(instance_id=999))
    assert (event["status"], event["kind"], event["final"]) == ("error", "AirflowNotFoundException", False)


async def test_an_instance_of_another_element_is_no_match(sandbox, person):
    number = tagged(sandbox, person, "Docs")
    event = await event_of(trigger_of(instance_id=number, element="pipedrive"))
    assert event["kind"] == "CloudElementsConflictError"
    async with running(trigger_of(tag="Docs", element="pipedrive")) as (task,):
        for element in ("closeio", " closeio\n"):
            event = await event_of(trigger_of(tag="Docs", element=element))
            assert event["instance"]["id"] == number
        assert not task.done()


# -- how many calls -----------------------------------------------------------------------------------------


async def test_however_many_wait_a_tick_is_one_list(sandbox, person, wire, monkeypatch):
    triggers = [trigger_of(tag=f"tag-{number}") for number in range(20)]
    async with running(*triggers) as tasks:
        await until(lambda: len(wire.calls()) >= 3)
        assert set(wire.calls()) == {LIST}
        numbers = [tagged(sandbox, person, f"tag-{number}") for number in range(20)]
        events = await asyncio.gather(*tasks)
    assert [event["instance"]["id"] for event in events] == numbers


async def test_one_alone_costs_one_call_however_large_the_account(sandbox, person, wire):
    sandbox.configure(max_page_size=2)
    for _ in range(8):
        tagged(sandbox, person)
    number = tagged(sandbox, person, "Docs")
    before = len(wire.calls())
    assert (await event_of(trigger_of(instance_id=number)))["status"] == "success"
    assert wire.calls()[before:] == [READ]
    assert (await event_of(trigger_of(tag="Docs")))["status"] == "success"
    assert wire.calls()[before:] == [READ, LIST]


async def test_few_are_asked_for_singly_where_a_list_takes_as_many_calls(sandbox, person, wire):
    sandbox.configure(max_page_size=2)
    for _ in range(6):
        tagged(sandbox, person)
    before = len(wire.calls())

    def since():
        return sandbox.requests(wire.since)[before:]

    triggers = [trigger_of(tag=f"tag-{number}", poll_interval=0.3) for number in range(3)]
    async with running(*triggers, *triggers):
        await until(lambda: len(since()) >= 6)
    # The first tick lists three pages, whose number is not known before; the second asks for three tags.
    assert [each["path"] for each in since()[:6]] == ["/instances"] * 6
    assert ["tags[]" in each["query"] for each in since()[:6]] == [False] * 3 + [True] * 3


async def test_a_larger_account_is_listed_with_all_its_pages(sandbox, person, wire):
    sandbox.configure(max_page_size=3)
    numbers = [tagged(sandbox, person, f"tag-{number}") for number in range(10)]
    triggers = [trigger_of(tag=f"tag-{number}") for number in range(10)]
    async with running(*triggers) as tasks:
        events = await asyncio.gather(*tasks)
    assert [event["instance"]["id"] for event in events] == numbers
    assert wire.calls()[-4:] == [LIST] * 4


async def test_one_that_the_list_does_not_show_is_read_before_it_is_called_gone(sandbox, person, wire):
    numbers = [tagged(sandbox, person) for _ in range(3)]
    sandbox.add_fault("status", status=404, path="/instances", method="GET")  # as if it had none yet
    triggers = [trigger_of(instance_id=number) for number in (*numbers, 999)]
    async with running(*triggers) as tasks:
        events = await asyncio.gather(*tasks)
    assert [event["status"] for event in events] == ["success"] * 3 + ["error"]
    assert events[3]["kind"] == "CloudElementsNotFoundError"
    assert wire.calls()[3:] == [LIST, READ, READ, READ, READ]


# -- one harms no other -------------------------------------------------------------------------------------


async def test_several_with_a_tag_are_told_to_whoever_looks_for_it_alone(sandbox, person):
    first, _ = tagged(sandbox, person, "twice"), tagged(sandbox, person, "twice")
    marker = marker_tag("twins")
    oldest = tagged(sandbox, person, marker)
    tagged(sandbox, person, marker)
    async with running(
        trigger_of(tag="twice"),
        trigger_of(tag=marker, of_key=True),
        trigger_of(tag="nobody"),
        trigger_of(instance_id=first),
    ) as (conflict, twins, waiting, good):
        assert (await conflict)["kind"] == "CloudElementsConflictError"
        assert (await twins)["instance"]["id"] == oldest
        assert (await good)["status"] == "success"
        assert not waiting.done()


def trigger_of_key(key, namespace=""):
    identity = Identity(namespace, key)
    return trigger_of(
        tag=identity.marker,
        of_key=True,
        key_tag=identity.key_tag,
        former_markers=list(identity.former_markers),  # as Airflow's database has them
    )


@pytest.mark.parametrize("others", [0, 4], ids=["singly", "listed"])
async def test_a_key_is_that_of_its_namespace_alone_and_found_by_a_former_marker(sandbox, person, others):
    sandbox.configure(max_page_size=1)
    bare = tagged(sandbox, person, *Identity("", "team/a").tags)
    ours = tagged(sandbox, person, *Identity("team", "a").tags)
    former = tagged(sandbox, person, marker_tag("acme\n"))
    more = [trigger_of(tag=f"nobody {number}") for number in range(others)]
    async with running(
        trigger_of_key("team/a"),
        trigger_of_key("a", "team"),
        trigger_of_key("acme\n"),
        trigger_of_key("team/a/"),
        *more,
    ) as (first, second, third, waiting, *_):
        assert [(await each)["instance"]["id"] for each in (first, second, third)] == [bare, ours, former]
        assert not waiting.done()


@pytest.mark.parametrize("count", [1, 4], ids=["singly", "listed"])
async def test_one_that_cannot_be_read_harms_no_other(sandbox, person, hub_log, count):
    sandbox.configure(max_page_size=1)
    bad, *good = [tagged(sandbox, person) for _ in range(1 + count)]
    sandbox.add_fault("status", status=500, path=f"/instances/{bad}", method="GET", count=None)
    sandbox.add_fault("status", status=404, path="/instances", method="GET", count=None)
    async with running(*(trigger_of(instance_id=number) for number in (bad, *good))) as (task, *others):
        events = await asyncio.gather(*others)
        await asyncio.sleep(0.3)
        assert not task.done()
        sandbox.clear_faults()
        assert (await task)["status"] == "success"
    assert [event["instance"]["id"] for event in events] == good
    assert len([each for each in hub_log.records if each.levelname == "WARNING"]) == 1


@pytest.mark.parametrize(("status", "tries"), [(403, 1), (503, 2)])
async def test_a_list_that_fails_does_not_fail_those_who_did_not_ask_for_it(
    sandbox, person, wire, hub_log, status, tries
):
    numbers = [tagged(sandbox, person) for _ in range(4)]
    sandbox.add_fault("status", status=status, path="/instances", method="GET", count=None)
    async with running(*(trigger_of(instance_id=number) for number in numbers)) as tasks:
        events = await asyncio.gather(*tasks)
    assert [event["instance"]["id"] for event in events] == numbers
    assert wire.calls().count(LIST) == tries
    assert len([each for each in hub_log.records if "each is looked up by itself" in each.getMessage()]) == 1


async def test_a_platform_that_is_down_is_not_asked_for_each_instance(sandbox, person, wire):
    sandbox.add_fault("status", status=503, method="GET", count=None)
    async with running(*(trigger_of(instance_id=number) for number in range(1, 201))):
        await until(lambda: wire.calls().count(LIST) >= 4)
    calls = wire.calls()
    # Counted by ticks, each of which lists first: on a busy machine there are more of them.
    assert len(calls) < 25 * calls.count(LIST)


async def test_one_who_leaves_in_the_midst_of_a_tick_costs_no_more_calls(sandbox, person, wire, hub_log):
    numbers = [tagged(sandbox, person) for _ in range(60)]
    sandbox.add_fault("delay", seconds=0.1, path="/ping", count=None)
    async with running(trigger_of(tag="nobody")) as (patient,):
        tasks = [asyncio.create_task(event_of(trigger_of("ready", instance_id=n))) for n in numbers]
        await until(lambda: PING in wire.calls())
        await end(*tasks)
        await asyncio.sleep(0.3)
        assert wire.calls().count(PING) <= 16
        assert not patient.done()
    assert [each for each in hub_log.records if each.levelname == "WARNING"] == []


async def test_an_entry_of_the_list_that_is_no_instance_is_left_out(sandbox, person, monkeypatch, hub_log):
    class Mangling(Relay):
        def _forward(self, method, path, body, authorization):
            status, content = super()._forward(method, path, body, authorization)
            rows = json.loads(content)
            return status, json.dumps([{"id": "no number"}, 7, *rows]).encode()

    number = tagged(sandbox, person, "Docs")
    relay = Mangling(sandbox)
    try:
        monkeypatch.setenv(VARIABLE, json.dumps({**sandbox.connection(), "host": relay.url}))
        async with running(
            trigger_of(tag="Docs"), trigger_of(tag="none"), trigger_of(tag="neither")
        ) as tasks:
            assert (await tasks[0])["instance"]["id"] == number
            await until(lambda: len(relay.seen) >= 4)
    finally:
        relay.close()
    (said,) = [each.getMessage() for each in hub_log.records if each.levelname == "WARNING"]
    assert "2 entries" in said


# -- ready --------------------------------------------------------------------------------------------------


async def test_each_instance_is_pinged_once_a_tick_however_many_wait(sandbox, person, wire):
    number = tagged(sandbox, person, "Docs")
    sandbox.add_fault("status", status=502, path="/ping", count=2)
    before = len(wire.calls())
    triggers = [trigger_of("ready", instance_id=number) for _ in range(20)]
    triggers += [trigger_of("ready", tag="Docs") for _ in range(20)]
    async with running(*triggers) as tasks:
        events = await asyncio.gather(*tasks)
    assert {event["instance"]["id"] for event in events} == {number}
    assert wire.calls()[before:] == [LIST, PING] * 3


async def test_what_exists_is_not_pinged(sandbox, person, wire):
    number = tagged(sandbox, person, "Docs")
    assert (await event_of(trigger_of("exists", instance_id=number)))["status"] == "success"
    assert PING not in wire.calls()


async def test_one_alone_is_pinged_with_the_token_that_was_read(sandbox, person, wire):
    number = tagged(sandbox, person, "Docs")
    assert (await event_of(trigger_of("ready", instance_id=number)))["status"] == "success"
    assert (await event_of(trigger_of("ready", tag="Docs")))["status"] == "success"
    assert wire.calls()[1:] == [READ, PING, LIST, PING]


async def test_what_is_wrong_is_told_when_it_changes_and_then_it_is_ready(sandbox, person, wire, trigger_log):
    number = tagged(sandbox, person)
    sandbox.set_instance(number, disabled=True)
    async with running(trigger_of("ready", instance_id=number)) as (task,):
        for changes in ({"disabled": False, "valid": False}, {"valid": True}):
            seen = len(wire.calls())
            await until(lambda: len(wire.calls()) >= seen + 3)  # noqa: B023
            assert not task.done()
            if changes == {"valid": True}:
                sandbox.add_fault("status", status=502, path="/ping", count=3)
            sandbox.set_instance(number, **changes)
        assert (await task)["instance"]["id"] == number
    assert [said.split(".")[0] for said in trigger_log()] == [
        f"Instance {number} is disabled",
        f"Instance {number} is invalid",
        f"Instance {number} is unreachable",
    ]


async def test_a_connection_that_cannot_ping_is_an_error_for_those_who_need_one(sandbox, person, monkeypatch):
    number = tagged(sandbox, person)
    header = f"User {sandbox.user_secret}, Organization {sandbox.organization_secret}"
    raw = {"conn_type": "cloudelements", "host": sandbox.url, "extra": {"authorization": header}}
    monkeypatch.setenv(VARIABLE, json.dumps(raw))
    async with running(trigger_of("ready", instance_id=number), trigger_of("exists", instance_id=number)) as (
        needs,
        needs_not,
    ):
        assert (await needs)["kind"] == "CloudElementsConnectionError"
        assert (await needs_not)["status"] == "success"


async def test_a_secret_that_is_rotated_between_list_and_ping_heals(sandbox, person, monkeypatch):
    number = tagged(sandbox, person)
    with rotating(sandbox) as platform:
        monkeypatch.setenv(VARIABLE, json.dumps(platform.connection()))
        forward = platform._forward

        def rotate_before_the_ping(method, path, body, authorization):
            if path.endswith("/ping") and platform.refused == 0:
                platform.rotate()
                monkeypatch.setenv(VARIABLE, json.dumps(platform.connection()))
            return forward(method, path, body, authorization)

        platform._forward = rotate_before_the_ping
        assert (await event_of(trigger_of("ready", instance_id=number)))["status"] == "success"
        assert platform.refused


async def test_an_instance_that_answers_is_not_held_up_by_one_that_hangs(sandbox, person, monkeypatch):
    monkeypatch.setattr(poll, "PATIENCE", 1.0)
    slow = tagged(sandbox, person)
    good = tagged(sandbox, person)
    sandbox.add_fault("delay", seconds=5, path="/ping", count=1)
    async with running(trigger_of("ready", instance_id=slow)) as (hanging,):
        await until(lambda: any(each["path"] == "/ping" for each in sandbox.requests()))
        async with running(trigger_of("ready", instance_id=good), trigger_of("ready", instance_id=slow)) as (
            other,
            same,
        ):
            assert (await other)["status"] == "success"
            assert (await hanging)["status"] == (await same)["status"] == "success"


@pytest.mark.parametrize("count", [1, 3], ids=["singly", "listed"])
@pytest.mark.parametrize("refused", [False, True], ids=["", "refused"])
async def test_no_token_is_kept_from_tick_to_tick(sandbox, person, wire, count, refused):
    numbers = [tagged(sandbox, person) for _ in range(count)]
    tokens = {person.show(number)["token"] for number in numbers}
    sandbox.add_fault("status", status=502, path="/ping", count=count)
    sandbox.add_fault("status", status=401 if refused else 500, path="/ping", count=None)
    if refused:
        sandbox.add_fault("status", status=401, path="/instances*", skip=2, count=None)
    triggers = [trigger_of("ready", instance_id=number, poll_interval=60) for number in numbers]
    async with running(*triggers):
        await until(lambda: wire.calls().count(PING) == count)
        async with running(trigger_of("ready", instance_id=numbers[0], poll_interval=60)):
            await until(lambda: wire.calls().count(PING) >= count + 1)
            await between_ticks()  # the next one is a minute away

            def kept():
                gc.collect()  # an error and the frames that it passed through go in a circle
                return [each for each in gc.get_objects() if type(each) is Instance and each.token in tokens]

            # The last pings of a refused tick may still be on their way, in threads.
            await until(lambda: kept() == [])


# -- a thousand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", ["exists", "ready"])
async def test_a_thousand_wait_on_one_list_and_the_loop_is_never_blocked(sandbox, person, wire, goal):
    numbers = {tagged(sandbox, person, f"tag-{number}"): number for number in range(100)}

    async def measure():
        before = len(wire.calls())
        # A call on the loop would show, however quick the machine is.
        sandbox.add_fault("delay", seconds=0.4, path="/instances", count=1)
        triggers = [trigger_of(goal, tag=f"tag-{number}", poll_interval=0.3) for number in range(1000)]
        began = time.monotonic()
        async with watching() as gaps, running(*triggers) as tasks:
            events = await asyncio.gather(*tasks[:100])
            # Asked in a thread, since the loop is watched; nothing tells when.
            while (calls := (await asyncio.to_thread(wire.calls))[before:]).count(LIST) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            most = (time.monotonic() - began) / 0.3 + 2
            assert sum(task.done() for task in tasks) == 100
        assert [event["instance"]["id"] for event in events] == list(numbers)
        assert calls.count(PING) == (100 if goal == "ready" else 0)
        assert set(calls) <= {LIST, PING}
        assert calls.count(LIST) <= most
        return gaps.longest

    assert await unblocked(measure)


async def test_a_thousand_who_are_answered_at_once_do_not_block_the_loop(sandbox, person, wire):
    tagged(sandbox, person, "Docs")

    async def measure():
        before = len(wire.calls())
        async with watching() as gaps, running(*(trigger_of(tag="Docs") for _ in range(1000))) as tasks:
            events = await asyncio.gather(*tasks)
        assert {event["status"] for event in events} == {"success"}
        assert wire.calls()[before:] == [LIST]
        return gaps.longest

    assert await unblocked(measure)


async def test_what_a_trigger_weighs(sandbox, wire):
    count = 1000
    async with running(*(trigger_of(tag=f"warm-{number}") for number in range(10))):
        await until(lambda: len(wire.calls()) >= 2)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    async with running(*(trigger_of(tag=f"tag-{number}", poll_interval=60) for number in range(count))):
        seen = len(wire.calls())
        await until(lambda: len(wire.calls()) > seen)
        await asyncio.sleep(0.2)
        after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    weight = (after - before) / count
    print(f"memory a waiting trigger: {weight:.0f} bytes, its task included")
    assert weight < 20_000


# -- leaving ------------------------------------------------------------------------------------------------


async def test_a_cancelled_trigger_leaves_the_hub(sandbox, wire):
    async with running(trigger_of(tag="Docs"), trigger_of(tag="Docs")) as (first, second):
        await until(lambda: len(wire.calls()) >= 2)
        await end(first)
        assert polls() == 1
        await end(second)
        assert polls() == 0
    await asyncio.sleep(0.1)
    seen = len(wire.calls())
    await asyncio.sleep(0.3)
    assert len(wire.calls()) == seen


async def test_a_dropped_generator_leaves_the_hub(sandbox):
    trigger = trigger_of(tag="Docs")
    stream = trigger.run()
    step = asyncio.ensure_future(anext(stream))
    await until(polls)
    await end(step)
    await stream.aclose()
    assert polls() == 0


async def test_a_clean_up_leaves_the_hub(sandbox):
    trigger = trigger_of(tag="Docs")
    step = asyncio.ensure_future(anext(trigger.run()))
    await until(polls)
    await trigger.cleanup()
    await trigger.cleanup()
    assert polls() == 0
    await end(step)
    await trigger_of(tag="never run").cleanup()
