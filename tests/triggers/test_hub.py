"""The rules of the poll hub, with a kind of wait made for the test: what every kind can rely on."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import json
import logging
import threading
import time
import traceback
from urllib.parse import quote

import pytest
from airflow.sdk import Connection
from airflow.sdk.log import redact

from airflow_provider_cloudelements.client.parsing import parse_object
from airflow_provider_cloudelements.compat import AirflowNotFoundException
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsConflictError,
    CloudElementsConnectionError,
    CloudElementsForbiddenError,
    CloudElementsServerError,
)
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.triggers import poll
from airflow_provider_cloudelements.triggers.hub import current_hub
from airflow_provider_cloudelements.triggers.waiting import Answer, Kind
from tests.support.triggers import (
    CONN_ID,
    VARIABLE,
    between_ticks,
    end,
    polls,
    put_forward,
    rotating,
    until,
    watching,
)

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


class Organization(Kind):
    """One call a tick; a waiter's look is called with the answer and says what it gets, if anything."""

    name = "the organization"
    ticks: list = []

    def ask(self, account, waiters):
        tick = {"began": time.monotonic(), "waiters": len(waiters), "settings": account.settings}
        tick["thread"] = threading.current_thread().name
        self.ticks.append(tick)
        body = parse_object(account.session().send("GET", "/organizations/me").body, "organization")
        answers = []
        for waiter in waiters:
            if (news := waiter.look(body)) is not None:
                answers.append(Answer(waiter, news))
        tick["ended"] = time.monotonic()
        yield answers


@pytest.fixture(autouse=True)
def ticks():
    Organization.ticks = []
    return Organization.ticks


def nothing(_):
    return None


def waiter_of(look=nothing, interval=0.03, conn_id=CONN_ID, kind=Organization):
    return current_hub().waiter(conn_id, kind, look, interval)


async def news_of(*arguments, **options):
    with waiter_of(*arguments, **options) as waiter:
        return await waiter.news()


def tasks_of(count, *arguments, **options):
    return [asyncio.create_task(news_of(*arguments, **options)) for _ in range(count)]


def threads():
    return [each for each in threading.enumerate() if each.name.startswith("cloudelements-hub")]


def messages(log):
    return [record.getMessage() for record in log.records if record.name == poll.__name__]


# -- pace ---------------------------------------------------------------------------------------------------


async def test_a_thousand_who_come_together_are_one_tick(sandbox, wire, ticks):
    tasks = tasks_of(1000, lambda body: body["id"])
    assert len(set(await asyncio.gather(*tasks))) == 1
    assert [tick["waiters"] for tick in ticks] == [1000]
    assert wire.calls() == ["GET /organizations/me"]
    assert polls() == 0


async def test_a_thousand_who_come_within_the_gathering_are_one_tick(sandbox, ticks, monkeypatch):
    monkeypatch.setattr(poll, "GATHER", 60)
    tasks = []
    for _ in range(20):
        tasks += tasks_of(50, lambda body: True, interval=100)
        await asyncio.sleep(0.015)
    assert ticks == []
    put_forward(60)
    await asyncio.gather(*tasks)
    assert [tick["waiters"] for tick in ticks] == [1000]


async def test_a_newcomer_does_not_wait_for_the_next_tick(sandbox, ticks):
    (patient,) = tasks_of(1, interval=60)
    await until(lambda: ticks)
    began = time.monotonic()
    assert await news_of(lambda body: True, interval=60) is True
    assert time.monotonic() - began < 5
    await end(patient)


async def test_the_shortest_interval_of_those_who_wait_is_the_pace(sandbox, ticks):
    (patient,) = tasks_of(1, interval=60)
    await until(lambda: len(ticks) == 1)
    (hasty,) = tasks_of(1, interval=0.1)
    await until(lambda: len(ticks) >= 5)
    await end(hasty)
    await between_ticks()
    seen = len(ticks)
    for _ in range(5):
        put_forward(10)
        await asyncio.sleep(0.02)
    assert len(ticks) == seen
    put_forward(10)
    await until(lambda: len(ticks) == seen + 1)
    gaps = [after["began"] - before["began"] for before, after in itertools.pairwise(ticks[1:])]
    assert min(gaps) > 0.09
    await end(patient)


async def test_there_is_a_floor_under_the_pace(sandbox, ticks, monkeypatch):
    monkeypatch.setattr(poll, "FLOOR", 0.2)
    tasks = tasks_of(1, interval=0.0)
    await until(lambda: len(ticks) >= 3)
    await end(*tasks)
    gaps = [after["began"] - before["began"] for before, after in itertools.pairwise(ticks)]
    assert min(gaps) > 0.19


async def test_a_tick_begins_a_pause_after_the_last_one_ended(sandbox, ticks, monkeypatch):
    monkeypatch.setattr(poll, "FLOOR", 0.05)
    sandbox.configure(delay=0.15)
    tasks = tasks_of(1, interval=0.05)
    await until(lambda: len(ticks) >= 3)
    tasks += tasks_of(5, interval=0.05)  # newcomers do not make two ticks run at once either
    await until(lambda: len(ticks) >= 5)
    await end(*tasks)
    pauses = [after["began"] - before["ended"] for before, after in itertools.pairwise(ticks)]
    assert min(pauses) > 0.04
    assert max(tick["ended"] - tick["began"] for tick in ticks[:4]) > 0.14


# -- threads and the loop -----------------------------------------------------------------------------------


async def test_http_runs_in_threads_of_its_own_with_short_time_outs_and_no_repetition(
    sandbox, ticks, monkeypatch
):
    slow = {"conn_type": "cloudelements", **sandbox.connection(request_timeout=300, max_retries=5)}
    monkeypatch.setenv("AIRFLOW_CONN_SLOW", json.dumps(slow))
    await news_of(lambda body: True)
    await news_of(lambda body: True, conn_id="slow")
    assert all(tick["thread"].startswith("cloudelements-hub-tick") for tick in ticks)
    assert asyncio.get_running_loop()._default_executor is None
    assert [tick["settings"].request_timeout for tick in ticks] == [5, 10]
    assert [tick["settings"].max_retries for tick in ticks] == [0, 0]


async def test_the_loop_goes_on_while_the_platform_is_slow(sandbox):
    sandbox.configure(delay=0.5)
    async with watching() as gaps:
        await news_of(lambda body: True)
    assert gaps.longest < 0.2


WHO = contextvars.ContextVar("WHO", default="nobody")


async def test_what_the_hub_logs_goes_to_nobody_s_log(sandbox, ticks):
    whose = []

    class Routed(logging.Handler):
        def emit(self, record):
            whose.append((WHO.get(), record.getMessage()))

    handler = Routed()
    logging.getLogger(poll.__name__).addHandler(handler)
    try:
        sandbox.add_fault("status", status=503, count=2)
        WHO.set("the first")
        tasks = tasks_of(1)
        await until(lambda: len(ticks) >= 4)
        await end(*tasks)
    finally:
        logging.getLogger(poll.__name__).removeHandler(handler)
    assert [each[0] for each in whose] == ["nobody", "nobody"], whose


# -- faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "status", "status": 503},
        {"action": "status", "status": 500, "body": "html"},
        {"action": "status", "status": 429},
        {"action": "drop"},
        {"action": "cut"},
        {"action": "html", "status": 200},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
async def test_a_passing_fault_fails_nobody_and_is_told_once(sandbox, ticks, hub_log, fault):
    sandbox.add_fault(count=3, **fault)
    patient = tasks_of(1)
    assert await asyncio.gather(*tasks_of(3, lambda body: True)) == [True] * 3
    assert len(ticks) == 4
    await until(lambda: len(ticks) == 6)
    began, over = messages(hub_log)
    await end(*patient)
    assert "go on waiting" in began
    assert "works again" in over


async def test_a_time_out_is_a_passing_fault(sandbox, monkeypatch, ticks):
    monkeypatch.setattr(poll, "PATIENCE", 0.2)
    sandbox.add_fault("delay", seconds=2)
    assert await news_of(lambda body: True) is True
    assert len(ticks) == 2


async def test_a_pause_that_the_platform_asks_for_is_kept_up_to_a_limit(sandbox, ticks, monkeypatch):
    monkeypatch.setattr(poll, "LONGEST_PAUSE", 60)
    sandbox.add_fault("status", status=429, retry_after=90)
    (task,) = tasks_of(1, lambda body: True)
    await until(lambda: ticks)
    await between_ticks()
    tasks = tasks_of(3, lambda body: True)  # newcomers do not break it
    for seconds in (29, 30):
        await asyncio.sleep(0.05)
        put_forward(seconds)
    await asyncio.sleep(0.05)
    assert len(ticks) == 1
    put_forward(1)
    await asyncio.gather(task, *tasks)
    assert len(ticks) == 2


async def test_a_failure_that_cannot_pass_fails_those_who_wait(sandbox):
    sandbox.add_fault("status", status=403)
    done = await asyncio.gather(*tasks_of(3), return_exceptions=True)
    assert [type(each) for each in done] == [CloudElementsForbiddenError] * 3
    assert len({id(each) for each in done}) == 3
    assert polls() == 0


async def test_an_answer_that_is_an_error_reaches_its_waiter_alone(sandbox):
    def refuse(body):
        return CloudElementsConflictError("twice")

    good = tasks_of(2, lambda body: True)
    (bad,) = tasks_of(1, refuse)
    assert await asyncio.gather(*good) == [True, True]
    with pytest.raises(CloudElementsConflictError):
        await bad


async def test_a_failure_that_cannot_pass_ends_only_the_waits_of_those_who_asked(sandbox):
    class Halves(Kind):
        name = "halves"

        def behind(self, waiters):
            return [waiter for waiter in waiters if waiter.look == "late"]

        def ask(self, account, waiters):
            yield []

        def catch_up(self, account, waiters):
            raise CloudElementsConflictError("only for these")
            yield

    (good,) = tasks_of(1, "on time", kind=Halves)
    done = await asyncio.gather(*tasks_of(2, "late", kind=Halves), return_exceptions=True)
    assert [type(each) for each in done] == [CloudElementsConflictError] * 2
    assert not good.done()
    assert polls() == 1
    await end(good)


async def test_a_mistake_is_each_waiter_s_own_and_its_traceback_does_not_grow(sandbox, hub_log):
    def wrong(body):
        raise KeyError("a mistake")

    done = await asyncio.gather(*tasks_of(50, wrong), return_exceptions=True)
    assert len({id(each) for each in done}) == 50
    assert all(each.__cause__ is None and each.__context__ is None for each in done)
    frames = [len(traceback.extract_tb(each.__traceback__)) for each in done]
    assert max(frames) == min(frames) < 5
    assert len([record for record in hub_log.records if record.exc_info]) == 1


async def test_an_error_that_cannot_be_copied_is_told_in_its_place(sandbox):
    class Odd(Exception):
        def __init__(self, one, two):
            super().__init__("a secret")

    with pytest.raises(RuntimeError, match=r"^the wait failed \(Odd\)$"):
        await news_of(lambda body: Odd(1, 2))


async def test_a_mistake_of_a_kind_fails_those_who_wait_loudly(sandbox, hub_log):
    def wrong(body):
        raise KeyError("a mistake")

    done = await asyncio.gather(*tasks_of(2, wrong), *tasks_of(1), return_exceptions=True)
    assert [type(each) for each in done] == [RuntimeError] * 3
    assert "KeyError" in str(done[0])
    assert any(record.exc_info for record in hub_log.records)
    # Who comes next starts anew.
    assert await news_of(lambda body: True) is True
    assert polls() == 0


# -- secrets and the connection -----------------------------------------------------------------------------


async def test_a_rotated_secret_heals_at_once_when_the_connection_says_the_new_one(
    sandbox, monkeypatch, ticks
):
    with rotating(sandbox) as platform:
        monkeypatch.setenv(VARIABLE, json.dumps(platform.connection()))
        tasks = tasks_of(1)
        await until(lambda: len(ticks) >= 2)
        platform.rotate()
        monkeypatch.setenv(VARIABLE, json.dumps(platform.connection()))
        tasks += tasks_of(1, lambda body: True)
        assert await tasks[1] is True
        assert platform.refused == 1
        await end(*tasks)


async def test_refused_secrets_are_waited_through_until_the_connection_follows(
    sandbox, monkeypatch, ticks, hub_log
):
    with rotating(sandbox) as platform:
        monkeypatch.setenv(VARIABLE, json.dumps(platform.connection()))
        tasks = tasks_of(1, interval=0.2)
        await until(lambda: ticks)
        platform.rotate()
        await until(lambda: platform.refused >= 3)
        tasks += tasks_of(1, lambda body: True, interval=0.2)
        monkeypatch.setenv(VARIABLE, json.dumps(platform.connection()))
        assert await tasks[1] is True
        await until(lambda: len(messages(hub_log)) == 2)
        assert not tasks[0].done()
        await end(*tasks)
    assert platform.secret not in hub_log.text


async def test_ten_refusals_in_a_row_fail_all_who_wait(sandbox, monkeypatch, ticks):
    reads = []
    read = CloudElementsHook.aget_settings

    async def counted(self):
        reads.append(self.cloudelements_conn_id)
        return await read(self)

    monkeypatch.setattr(CloudElementsHook, "aget_settings", counted)
    with rotating(sandbox) as platform:
        monkeypatch.setenv(VARIABLE, json.dumps(platform.connection()))
        tasks = tasks_of(2)
        await until(lambda: ticks)
        platform.rotate()
        tasks += tasks_of(1)
        done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in done] == [CloudElementsAuthError] * 3
    # The same secrets are not sent twice a tick.
    assert platform.refused == poll.REFUSALS
    assert len(reads) == 1 + poll.REFUSALS
    assert polls() == 0


async def test_newcomers_do_not_use_up_the_refusals(sandbox, monkeypatch, ticks):
    with rotating(sandbox) as platform:
        monkeypatch.setenv(VARIABLE, json.dumps(platform.connection()))
        platform.rotate()
        tasks = tasks_of(1, interval=60)
        await until(lambda: platform.refused)
        for _ in range(6):
            tasks += tasks_of(1, interval=60)
            await asyncio.sleep(2 * poll.GATHER)
        assert platform.refused == 1
        put_forward(60)
        await until(lambda: platform.refused == 2)
        await end(*tasks)


async def test_a_success_between_refusals_starts_the_count_anew(sandbox, monkeypatch, ticks):
    monkeypatch.setattr(poll, "REFUSALS", 3)
    sandbox.add_fault("status", status=401, count=2)
    sandbox.add_fault("status", status=401, count=2, skip=1)
    assert await news_of(lambda body: len(ticks) >= 6 or None) is True


async def test_refusals_with_another_fault_between_them_are_not_in_a_row(sandbox, ticks, monkeypatch):
    monkeypatch.setattr(poll, "REFUSALS", 3)
    for _ in range(3):
        sandbox.add_fault("status", status=401, count=2)
        sandbox.add_fault("status", status=503, count=1)
    assert await news_of(lambda body: len(ticks) >= 10 or None) is True


@pytest.mark.parametrize(
    ("connection", "kind", "said"),
    [
        (None, AirflowNotFoundException, "There is no connection"),
        (
            {"conn_type": "cloudelements", "password": "x" * 44},
            CloudElementsConnectionError,
            "'organization_secret'",
        ),
    ],
    ids=["missing", "malformed"],
)
async def test_a_connection_that_cannot_be_read_at_first_says_so(monkeypatch, connection, kind, said):
    monkeypatch.delenv(VARIABLE, raising=False)
    if connection is not None:
        monkeypatch.setenv(VARIABLE, json.dumps(connection))
    done = await asyncio.gather(*tasks_of(3), return_exceptions=True)
    assert [type(each) for each in done] == [kind] * 3
    assert said in str(done[0])
    assert polls() == 0


async def test_a_connection_that_vanishes_counts_as_a_refusal(sandbox, monkeypatch, ticks, hub_log):
    with rotating(sandbox) as platform:
        monkeypatch.setenv(VARIABLE, json.dumps(platform.connection()))
        tasks = tasks_of(1)
        await until(lambda: ticks)
        monkeypatch.delenv(VARIABLE)
        platform.rotate()
        await until(lambda: platform.refused >= 3)
        assert not tasks[0].done()
        (said,) = messages(hub_log)
        assert "could not be read again" in said
        with pytest.raises(CloudElementsAuthError):
            await tasks[0]


@pytest.mark.parametrize("before", [False, True], ids=["as it is", "before 3.3.2"])
async def test_the_connection_is_read_anew_and_its_secrets_are_masked(sandbox, monkeypatch, before):
    if before:
        monkeypatch.delattr(Connection, "aextra_dejson", raising=False)
    hook = CloudElementsHook(CONN_ID)
    first = await hook.aget_settings()
    changed = {**sandbox.connection(), "password": f"changed/User+Secret/{before}=="}
    monkeypatch.setenv(VARIABLE, json.dumps(changed))
    second = await hook.aget_settings()
    assert (first.user_secret, second.user_secret) == (sandbox.user_secret, changed["password"])
    assert changed["password"] not in str(redact(f"it is {changed['password']}"))
    assert quote(changed["password"], safe="") not in str(
        redact(f"it is {quote(changed['password'], safe='')}")
    )


# -- coming and going ---------------------------------------------------------------------------------------


async def test_the_last_one_who_leaves_ends_everything(sandbox, wire, ticks):
    tasks = tasks_of(3)
    await until(lambda: len(ticks) >= 2)
    assert polls() == 1
    await end(*tasks[:2])
    seen = len(ticks)
    await until(lambda: len(ticks) > seen)
    await end(tasks[2])
    assert polls() == 0
    await until(lambda: not threads())
    sent = wire.calls()
    await asyncio.sleep(0.3)
    assert wire.calls() == sent
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("cloudelements-hub")]


async def test_one_who_leaves_in_the_midst_of_a_tick_ends_it_too(sandbox, wire, ticks):
    sandbox.configure(delay=0.3)
    tasks = tasks_of(1)
    await until(lambda: ticks)
    await end(*tasks)
    assert polls() == 0
    # A newcomer has a poll of its own, while the old one's thread still waits for its answer.
    sandbox.configure(delay=0)
    assert await news_of(lambda body: True) is True
    await until(lambda: not threads())
    assert wire.calls() == ["GET /organizations/me"] * 2


async def test_one_who_leaves_while_the_connection_is_read_ends_it_too(sandbox, wire, monkeypatch):
    asked, answered, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()
    read = CloudElementsHook.aget_settings

    async def slow(self):
        asked.set()
        await answered.wait()
        settings = await read(self)
        finished.set()
        return settings

    monkeypatch.setattr(CloudElementsHook, "aget_settings", slow)
    tasks = tasks_of(1)
    await asked.wait()
    await end(*tasks)
    assert polls() == 0
    # The reading itself is not torn off: Airflow 3.1 would mistake its answer for another's.
    answered.set()
    await asyncio.wait_for(finished.wait(), 5)
    assert wire.calls() == []


async def test_one_who_leaves_in_the_midst_of_many_calls_ends_them_too(sandbox, wire):
    began = []

    class Many(Kind):
        name = "many"

        def ask(self, account, waiters):
            def work(number):
                began.append(number)
                return account.session().send("GET", "/organizations/me")

            for _ in account.each(work, range(200)):
                pass
            yield []

    sandbox.configure(delay=0.3)
    tasks = tasks_of(1, kind=Many)
    await until(lambda: len(began) >= poll.CONCURRENCY)
    await end(*tasks)
    await until(lambda: not threads())
    assert len(wire.calls()) <= 2 * poll.CONCURRENCY


async def test_leaving_at_once_leaves_nothing(sandbox, wire):
    with waiter_of():
        pass
    await asyncio.sleep(0.2)
    assert polls() == 0
    assert wire.calls() == []
    assert threads() == []


async def test_a_poll_that_is_ended_from_outside_leaves_nobody_waiting(sandbox, ticks):
    tasks = tasks_of(2)
    await until(lambda: ticks)
    (task,) = [task for task in asyncio.all_tasks() if task.get_name().startswith("cloudelements-hub")]
    task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in done] == [RuntimeError] * 2
    assert polls() == 0


async def test_leaving_twice_is_harmless(sandbox):
    with waiter_of() as one, waiter_of() as other:
        one.leave()
        one.leave()
        assert polls() == 1
        other.leave()
        assert polls() == 0


async def test_each_connection_and_kind_has_a_poll_of_its_own(sandbox, monkeypatch, wire):
    class Other(Organization):
        name = "something else"

    monkeypatch.setenv("AIRFLOW_CONN_SECOND", json.dumps(sandbox.connection()))
    with waiter_of(), waiter_of(conn_id="second"), waiter_of(kind=Other), waiter_of():
        assert polls() == 3
        await until(lambda: len(wire.calls()) >= 3)
    assert polls() == 0


async def test_one_who_is_told_twice_takes_both(sandbox, ticks):
    with waiter_of(lambda body: time.monotonic()) as waiter:
        await until(lambda: len(ticks) >= 3)
        first, second = await waiter.news(), await waiter.news()
    assert first < second


# -- catching up --------------------------------------------------------------------------------------------


class Late(Kind):
    """Waiters whose look is "late" are behind until a reading of some calls has caught them up."""

    name = "late ones"
    readings: list = []
    calls = 1

    def behind(self, waiters):
        return [waiter for waiter in waiters if waiter.look == "late"]

    def ask(self, account, waiters):
        account.session().send("GET", "/organizations/me")
        yield []

    def catch_up(self, account, waiters):
        self.readings.append(len(waiters))
        session = account.session(lambda: any(waiter.waits for waiter in waiters))
        for _ in range(self.calls):
            session.send("GET", "/hubs")
        yield [Answer(waiter, "caught up") for waiter in waiters]


@pytest.fixture
def late(monkeypatch):
    monkeypatch.setattr(Late, "readings", [])
    return Late


async def test_all_who_are_behind_share_one_reading_beside_the_ticks(sandbox, wire, late, monkeypatch):
    monkeypatch.setattr(late, "calls", 5)
    sandbox.add_fault("delay", seconds=0.1, path="/hubs", count=5)
    (patient,) = tasks_of(1, "on time", kind=late)
    assert await asyncio.gather(*tasks_of(100, "late", kind=late)) == ["caught up"] * 100
    assert late.readings == [100]
    assert wire.calls().count("GET /hubs") == 5
    assert wire.calls().count("GET /organizations/me") >= 3  # the ticks did not wait for it
    await end(patient)


async def test_those_who_come_during_a_reading_share_the_next_one_and_need_not_wait_for_it(
    sandbox, late, monkeypatch
):
    sandbox.add_fault("delay", seconds=0.2, path="/hubs", count=1)
    first = tasks_of(2, "late", interval=60, kind=late)
    await until(lambda: late.readings)
    rest = tasks_of(3, "late", interval=60, kind=late)
    assert await asyncio.gather(*first, *rest) == ["caught up"] * 5
    assert late.readings == [2, 3]


async def test_one_who_leaves_while_it_catches_up_costs_no_more_calls(
    sandbox, wire, late, monkeypatch, hub_log
):
    monkeypatch.setattr(late, "calls", 50)
    sandbox.add_fault("delay", seconds=0.05, path="/hubs", count=None)
    (patient,) = tasks_of(1, "on time", kind=late)
    tasks = tasks_of(2, "late", kind=late)
    await until(lambda: wire.calls().count("GET /hubs") >= 2)
    await end(tasks[0])  # the other one still needs the reading
    sent = wire.calls().count("GET /hubs")
    await until(lambda: wire.calls().count("GET /hubs") >= sent + 3)
    await end(tasks[1])
    sent = wire.calls().count("GET /hubs")
    await asyncio.sleep(0.3)
    assert wire.calls().count("GET /hubs") <= sent + 1
    assert polls() == 1
    assert messages(hub_log) == []
    await end(patient)


async def test_the_last_one_may_leave_while_it_catches_up(sandbox, late, monkeypatch, hub_log):
    def slow_steps(self, account, waiters):
        late.readings.append(len(waiters))
        for _ in range(100):
            time.sleep(0.01)
            yield []

    monkeypatch.setattr(late, "catch_up", slow_steps)
    tasks = tasks_of(2, "late", kind=late)
    await until(lambda: late.readings)
    await end(*tasks)
    await until(lambda: not threads())
    await asyncio.sleep(0.05)
    assert messages(hub_log) == []


async def test_a_passing_fault_of_a_reading_that_catches_up_fails_nobody(sandbox, late, hub_log):
    sandbox.add_fault("status", status=503, path="/hubs", count=3)
    (patient,) = tasks_of(1, "on time", kind=late)
    assert await news_of("late", kind=late) == "caught up"
    assert late.readings == [1] * 4
    await until(lambda: len(messages(hub_log)) == 2)
    began, over = messages(hub_log)
    assert "go on waiting" in began
    assert "works again" in over
    await end(patient)


async def test_a_refused_reading_that_catches_up_is_waited_through_like_a_refused_tick(sandbox, late):
    sandbox.add_fault("status", status=401, path="/hubs", count=4)
    (patient,) = tasks_of(1, "on time", interval=60, kind=late)
    assert await news_of("late", kind=late) == "caught up"
    assert len(late.readings) == 5
    await end(patient)


async def test_one_that_catches_up_hears_of_refused_secrets_like_all_others(sandbox, late, monkeypatch):
    monkeypatch.setattr(poll, "REFUSALS", 3)
    sandbox.add_fault("status", status=401, path="/hubs", count=None)
    sandbox.add_fault("status", status=401, path="/organizations/me", count=None)
    for looks in (["late"], ["late", "on time"], ["on time", "late"]):
        tasks = [task for look in looks for task in tasks_of(1, look, kind=late)]
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in done] == [CloudElementsAuthError] * len(looks)
        assert polls() == 0


async def test_a_secret_that_was_rotated_while_it_catches_up_heals_at_once(sandbox, late, monkeypatch):
    with rotating(sandbox) as platform:
        monkeypatch.setenv(VARIABLE, json.dumps(platform.connection()))
        (patient,) = tasks_of(1, "on time", interval=60, kind=late)
        await until(lambda: polls() == 1)
        await between_ticks()
        platform.rotate()
        monkeypatch.setenv(VARIABLE, json.dumps(platform.connection()))
        assert await asyncio.gather(*tasks_of(3, "late", interval=60, kind=late)) == ["caught up"] * 3
        assert platform.refused <= 2
        await end(patient)


async def test_one_that_catches_up_hears_when_the_poll_ends(sandbox, late, monkeypatch):
    monkeypatch.setattr(late, "calls", 100)
    sandbox.add_fault("delay", seconds=0.05, path="/hubs", count=None)
    tasks = [*tasks_of(1, "on time", kind=late), *tasks_of(1, "late", kind=late)]
    await until(lambda: late.readings)
    for each in asyncio.all_tasks():
        if each.get_name().startswith("cloudelements-hub"):
            each.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in done] == [RuntimeError] * 2
    assert polls() == 0


async def test_a_mistake_of_a_reading_that_catches_up_ends_their_waits_alone(sandbox, late, monkeypatch):
    def wrong(self, account, waiters):
        raise KeyError("a mistake")
        yield

    monkeypatch.setattr(late, "catch_up", wrong)
    (patient,) = tasks_of(1, "on time", kind=late)
    done = await asyncio.gather(*tasks_of(2, "late", kind=late), return_exceptions=True)
    assert [type(each) for each in done] == [RuntimeError] * 2
    assert not patient.done()
    await end(patient)


# -- for other kinds ----------------------------------------------------------------------------------------


async def test_work_that_takes_long_runs_in_the_hub_s_threads(sandbox, ticks):
    with waiter_of() as waiter:
        assert (await waiter.work(lambda: threading.current_thread().name)).startswith(
            "cloudelements-hub-work"
        )
    assert asyncio.get_running_loop()._default_executor is None
    with pytest.raises(RuntimeError):
        await waiter.work(lambda: None)


async def test_one_who_works_hears_of_the_poll_s_end_afterwards(sandbox):
    sandbox.add_fault("status", status=403)
    with waiter_of() as waiter:
        await until(lambda: waiter._news)
        poll_of_it = waiter._poll
        poll_of_it._end()
        assert (await waiter.work(lambda: threading.current_thread().name)).startswith("cloudelements-hub")
        with pytest.raises(CloudElementsForbiddenError):
            await waiter.news()
    await until(lambda: not threads())


async def test_many_calls_of_a_tick_are_bounded_and_each_has_its_own_outcome(sandbox):
    running, most, lock = [0], [0], threading.Lock()

    class Many(Kind):
        name = "many"

        def ask(self, account, waiters):
            def work(number):
                with lock:
                    running[0] += 1
                    most[0] = max(most[0], running[0])
                time.sleep(0.01)
                with lock:
                    running[0] -= 1
                if number % 10 == 0:
                    raise CloudElementsServerError("every tenth")
                return number

            found = dict(account.each(work, range(100)))
            yield [Answer(waiter, found) for waiter in waiters]

    found = await news_of(kind=Many)
    assert most[0] == poll.CONCURRENCY
    failed = sorted(number for number, each in found.items() if isinstance(each, CloudElementsServerError))
    assert failed == [*range(0, 100, 10)]
    assert all(found[number] == number for number in range(1, 10))


async def test_answers_of_a_step_are_handed_out_before_the_next(sandbox):
    early = threading.Event()

    class Steps(Kind):
        name = "steps"

        def ask(self, account, waiters):
            yield [Answer(waiters[0], "early")]
            assert early.wait(10)
            yield [Answer(waiters[1], "late")]

    first, second = tasks_of(2, kind=Steps)
    assert await first == "early"
    assert not second.done()
    early.set()
    assert await second == "late"
