"""What a reading found, handed on in parts: each part's cursor, and its cost, whatever waits behind it."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_cloudelements.events import batch as event_batch
from airflow_provider_cloudelements.events.batch import EventBatch, EventLimits, joined, sorted_rows
from airflow_provider_cloudelements.events.cursor import EventCursor, PartlyTold
from airflow_provider_cloudelements.events.query import EventRow
from tests.support.triggers import unblocked, watching

NOON = pendulum.datetime(2026, 11, 24, 12)
LIMITS = EventLimits(100, 65_536, 1000)


def row_of(number, seconds=None, object_id="x" * 20):
    date = None if seconds is None else NOON.add(seconds=seconds)
    return EventRow(f"{number:012}", date, {"id": str(number), "object_id": object_id})


def batch_of(rows, since=0, until=10_000, seen=()):
    before = EventCursor(NOON.add(seconds=since), frozenset(seen))
    return EventBatch(rows, before, EventCursor(NOON.add(seconds=until), frozenset({"after"})))


def parts_of(batch, limits=LIMITS):
    while batch:
        part, batch = batch.take(limits)
        yield part, batch


@settings(max_examples=200)
@given(
    rows=st.lists(st.tuples(st.integers(0, 12), st.none() | st.integers(0, 30)), max_size=30),
    until=st.integers(0, 40),
    count=st.integers(1, 7),
)
def test_the_cursor_after_a_part_is_that_of_all_rows_before_it(rows, until, count):
    dates = dict(rows)
    made = [row_of(number, dates[number], at) for at, (number, _) in enumerate(rows)]
    batch = batch_of(sorted_rows(made), 0, until, {"seen"})
    rows, told, before = list(batch.rows), 0, batch.before
    assert (batch.before.seen, batch.after.seen) == ({"seen"}, {"after"})
    for part, rest in parts_of(batch, EventLimits(count, 65_536, 100)):
        assert part.rows == tuple(rows[told : told + count])
        assert part.before == before
        told += len(part)
        before = part.after
        assert (len(part), len(rest)) == (len(part.rows), len(rows) - told)
        assert (part.after, rest.rows) == (rest.before, tuple(rows[told:]))
        if rest:
            oldest = None if rest.rows[0].date is None else min(batch.after.since, rest.rows[0].date)
            since = batch.before.since if oldest is None else oldest
            done = {row.key for row in rows[:told] if row.date is None or row.date >= since}
            cut = rest.rows[0].key
            assert (part.after.since, part.after.seen) == (since, ({"seen"} | done) - {cut})
            marks = {row.mark for row in rows[:told] if row.key == cut}
            assert {key: each.rows for key, each in part.after.partly.items()} == (
                {cut: marks} if marks else {}
            )
    assert told == len(rows)
    assert batch.rows == tuple(rows)


def test_what_was_told_of_an_event_before_the_reading_is_told_of_it_after_a_part():
    rows = [row_of(number, number, f"object {each}") for number in (1, 2) for each in range(4)]
    before = EventCursor(
        NOON,
        partly={
            rows[0].key: PartlyTold(rows[0].date, frozenset({"earlier"})),
            rows[4].key: PartlyTold(rows[4].date, frozenset({"another"})),
            "gone": PartlyTold(NOON.subtract(days=1), frozenset({"old"})),
        },
        local=True,
    )
    batch = EventBatch(rows, before, EventCursor(NOON.add(seconds=9)))
    first, rest = batch.take(EventLimits(1, 65_536, 1))
    second, rest = rest.take(EventLimits(1, 65_536, 1))
    third, _ = rest.take(EventLimits(3, 65_536, 1))
    marks = [row.mark for row in rows]
    told = [{key: each.rows for key, each in part.after.partly.items()} for part in (first, second, third)]
    assert told[0] == {rows[0].key: {"earlier", marks[0]}, rows[4].key: {"another"}}
    assert told[1] == {rows[0].key: {"earlier", *marks[:2]}, rows[4].key: {"another"}}
    assert told[2] == {rows[4].key: {"another", marks[4]}}
    assert not first.after.local


def test_batches_of_successive_readings_are_one():
    first = batch_of([row_of(3, 3), row_of(5, 5)], 0, 1)
    second = batch_of([row_of(1, 1), row_of(4, 4)], 1, 2)
    both = joined([first, second])
    assert [row.date.second for row in both.rows] == [1, 3, 4, 5]
    assert (both.before, both.after) == (first.before, second.after)


@pytest.mark.parametrize("order", ["old first", "new first", "at random"])
def test_many_rows_are_sorted_like_few(monkeypatch, order):
    monkeypatch.setattr(event_batch, "_AT_ONCE", 10)
    rows = [row_of(number, None if number % 7 == 0 else number // 3) for number in range(200)]
    if order == "new first":
        rows.reverse()
    elif order == "at random":
        random.Random(7).shuffle(rows)  # noqa: S311  an order, not a secret
    expected = sorted(rows, key=lambda row: (row.date or pendulum.datetime(1970, 1, 1), row.key))
    assert sorted_rows(rows) == tuple(expected)


@pytest.mark.parametrize("until", [10_000_000, 0], ids=["older than the settle time", "all within it"])
def test_a_part_costs_the_same_however_many_rows_wait(until):
    def cost(count):
        batch = batch_of([row_of(number, number // 10) for number in range(count)], 0, until)
        began = time.process_time()
        parts = list(parts_of(batch))
        return (time.process_time() - began) / len(parts)

    few, many = cost(2_000), cost(40_000)
    assert many < 5 * few


def test_a_cursor_between_parts_stays_small():
    batch = batch_of([row_of(number, number // 10) for number in range(20_000)], 0, 1_900)
    sizes = [len(json.dumps(part.after.as_json())) for part, rest in parts_of(batch) if rest]
    assert max(sizes) < 1_010 * 20


def test_rows_that_are_handed_on_are_freed_while_others_wait():
    class Data(dict):
        pass

    datas = [Data(number=number) for number in range(5_000)]
    watched = list(map(weakref.ref, datas))
    rest = batch_of([EventRow(str(at), NOON.add(seconds=at), each) for at, each in enumerate(datas)])
    datas.clear()
    for _ in range(30):
        told, rest = rest.take(LIMITS)
    del told
    alive = sum(each() is not None for each in watched)
    assert 2_000 <= alive <= 2_000 + event_batch._PIECE
    rest.free()
    assert (len(rest), rest.rows) == (0, ())
    assert sum(each() is not None for each in watched) <= 1


def test_a_large_cursor_is_written_without_holding_up_a_loop():
    cursor = EventCursor(NOON, frozenset(f"{number:012}" for number in range(200_000)))
    times = []
    for _ in range(3):
        began = time.process_time()
        written = cursor.as_json()
        times.append(time.process_time() - began)
    assert EventCursor.parse(written) == cursor
    assert min(times) < 0.05


async def test_the_loop_goes_on_while_two_hundred_thousand_rows_are_sorted_and_handed_on():
    rows = [row_of(number, number // 7) for number in range(200_000)]
    random.Random(7).shuffle(rows)  # noqa: S311  an order, not a secret

    async def measure():
        with ThreadPoolExecutor(1) as pool:
            async with watching() as gaps:
                loop = asyncio.get_running_loop()
                rest = await loop.run_in_executor(pool, lambda: batch_of(sorted_rows(rows)))
                for _ in range(20):
                    told, rest = rest.take(LIMITS)
                    json.dumps(told.after.as_json())
                    await asyncio.sleep(0)
                await loop.run_in_executor(pool, rest.free)
        return gaps.longest

    # Python's collector goes through all that pytest and Airflow have loaded, at its own time.
    gc.collect()
    gc.freeze()
    try:
        assert await unblocked(measure)
    finally:
        gc.unfreeze()
