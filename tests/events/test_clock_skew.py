"""The platform's clock and this machine's differ by an hour: no event is lost, and none is "late" too early.

The sandbox runs in a process of its own, so that only the clock of this process is changed.
"""

from __future__ import annotations

import datetime
import time

import pytest
import time_machine

from airflow_provider_cloudelements.events.batch import EventLimits
from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.events.query import EventQuery
from airflow_provider_cloudelements.events.reading import EventLook, read_events
from airflow_provider_cloudelements.events.reconcile import reconcile
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.platform import CALLBACK, EVENTS, WAYS, Person, client_of

HOURS = [-1, 1]
#: Seconds until an event is finished or visible. If the first reading takes longer, the next one counts.
DELAYS = [0.4, 2, 8, 30]


@pytest.fixture(scope="module")
def running():
    with Sandbox(process=True) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running):
    running.reset()
    return running


def watched(sandbox):
    return Person(sandbox).make("basic", configuration={**WAYS["basic"][1], **EVENTS}, tags=["Docs"])


@pytest.fixture
def number(sandbox):
    return watched(sandbox)


def skewed(hours):
    """Put this process's clock forward; it goes on ticking."""
    return time_machine.travel(datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours))


def read(client, look):
    (batch,) = read_events(client.http, [look])
    return batch, look.after(batch)


def ids(batch):
    return [row.data["id"] for row in batch.rows]


def read_until_found(client, look):
    """Read again and again until there are events; return their ids."""
    for _ in range(600):
        batch, look = read(client, look)
        if batch:
            return ids(batch)
        time.sleep(0.05)
    raise AssertionError("no event came")


@pytest.mark.parametrize("hours", HOURS)
def test_an_event_that_is_not_finished_is_waited_for(sandbox, hours):
    with skewed(hours):
        client = client_of(sandbox)
        for delay in DELAYS:
            number = watched(sandbox)
            query = EventQuery.of(instance_id=number, object_types=["leads"])
            look = EventLook(query, EventCursor.start("2026-01-01"))
            sandbox.configure(event_notified_after=delay)
            (made,), began = sandbox.emit(number, object_type="leads"), time.monotonic()
            batch, look = read(client, look)
            if time.monotonic() - began < delay:
                assert ids(batch) == []
                assert read_until_found(client, look) == [made]
                return
    pytest.fail("this machine is too slow for the test")


@pytest.mark.parametrize("hours", HOURS)
def test_what_comes_after_now_is_found(sandbox, number, hours):
    with skewed(hours):
        client = client_of(sandbox)
        look = EventLook(EventQuery.of(tag="Docs"), EventCursor.start("now"))
        stored = EventCursor.parse(look.cursor.as_json())
        assert stored.local
        made = sandbox.emit(number)
        for cursor in (look.cursor, stored):
            batch, later = read(client, EventLook(look.query, cursor))
            assert ids(batch) == made
            assert not later.cursor.local
            assert ids(read(client, later)[0]) == []


@pytest.mark.parametrize("hours", HOURS)
def test_an_event_that_becomes_visible_late_is_found(sandbox, hours):
    with skewed(hours):
        client = client_of(sandbox)
        for delay in DELAYS:
            number = watched(sandbox)
            look = EventLook(EventQuery.of(instance_id=number), EventCursor.start("earliest"))
            sandbox.configure(event_visible_after=1 + delay)
            began = time.monotonic()
            (late,) = sandbox.emit(number)
            sandbox.configure(event_visible_after=0)
            time.sleep(1)  # dates are whole seconds: the late one is older
            (soon,) = sandbox.emit(number)
            batch, look = read(client, look)
            if time.monotonic() - began < 1 + delay:
                assert ids(batch) == [soon]
                assert read_until_found(client, look) == [late]
                return
    pytest.fail("this machine is too slow for the test")


@pytest.mark.parametrize("hours", HOURS)
def test_a_comparison_leaves_off_at_the_platform_s_now(sandbox, number, hours):
    sandbox.emit(number)
    with skewed(hours):
        found = reconcile(client_of(sandbox), CALLBACK, EventCursor.start("earliest"))
    assert found.listed == found.undelivered == 1
    assert abs(found.missing.after.since.timestamp() - time.time()) < 5


@pytest.mark.parametrize("hours", HOURS)
def test_a_chain_of_cut_readings_moves_on(sandbox, number, hours):
    with skewed(hours):
        client, query = client_of(sandbox), EventQuery.of(instance_id=number)
        stored = EventCursor.start("now").as_json()
        made = [each for _ in range(4) for each in sandbox.emit(number)]
        told = []
        for _ in range(4):
            (batch,) = read_events(client.http, [EventLook(query, EventCursor.parse(stored).place)])
            part, _ = batch.take(EventLimits(1, 65_536, 100))
            told += ids(part)
            stored = part.after.as_json()
    assert sorted(told) == sorted(made)
