"""Reading events: the calls over HTTP, filters, cursors, and a reader that may lose none."""

from __future__ import annotations

import json
import logging
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pendulum
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.events import EventsApi
from airflow_provider_cloudelements.client.notifications import Event
from airflow_provider_cloudelements.events import cursor as event_cursor
from airflow_provider_cloudelements.events import scan as event_scan
from airflow_provider_cloudelements.events.cursor import TRUST_TIME, EventCursor
from airflow_provider_cloudelements.events.scan import SETTLE_TIME, EventFilter, EventReader, short_id
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.wire import Account, Answer, Call, Wire, account, page

NOW = pendulum.datetime(2026, 11, 24, 8)
BEGIN = NOW.subtract(days=30)


# --- a platform in memory ---------------------------------------------------------------------------------


@dataclass
class Kept:
    """An event of the platform: seconds since NOW when it is dated, becomes visible, and is worked out."""

    id: str
    date: float | None
    visible: float
    settled: float
    number: int
    chance: float

    def body(self, clock: float) -> dict[str, Any]:
        dated = {} if self.date is None else {"eventDate": NOW.add(seconds=self.date).isoformat()}
        done = clock >= self.settled
        return {
            "id": self.id,
            "status": "NOTIFIED" if done else "NEW",
            "providerData": "{}",
            "notifiedData": [{"message": {"eventId": self.id, "instanceId": 5}}] if done else [],
            **dated,
        }


def _date(event: Kept) -> float:
    return float("-inf") if event.date is None else event.date


#: What the list is sorted by. Ties go by number, so that each order is one order.
ORDERS: dict[str, Callable[[Kept], Any]] = {
    "newest": lambda event: (-_date(event), -event.number),
    "oldest": lambda event: (_date(event), event.number),
    "visibility": lambda event: (-event.visible, -event.number),
    "shuffled": lambda event: event.chance,
    "instances": lambda event: (event.number % 3, -_date(event), -event.number),
}


class Platform:
    """Lists events in any order, late, while they come; takes the place of an HttpSession.

    :param stable: whether a page token names an event; or else how many were listed.
    """

    def __init__(self, order: str = "newest", size: int = 200, *, stable: bool = True) -> None:
        self.order, self.size, self.stable = order, size, stable
        self.clock = 0.0
        self.events: list[Kept] = []
        self.requests = 0
        self.between: Callable[[], object] = lambda: None
        self._random = random.Random(7)  # noqa: S311  an order, not a secret
        self._number = 0

    @property
    def now(self) -> pendulum.DateTime:
        return NOW.add(seconds=self.clock)

    def happen(self, late: float = 0, work: float = 0, date: float | str | None = "now") -> Kept:
        self._number += 1
        event = Kept(
            f"event-{self._number}",
            self.clock if date == "now" else date,  # type: ignore[arg-type]
            self.clock + late,
            self.clock + late + work,
            self._number,
            self._random.random(),
        )
        self.events.append(event)
        return event

    def visible(self) -> list[Kept]:
        return [each for each in self.events if each.visible <= self.clock]

    def list_pages(self, path: str) -> Iterator[list[Any]]:
        key = ORDERS[self.order]
        told, last = 0, None
        while True:
            self.requests += 1
            rows = sorted(self.visible(), key=key)
            if last is not None:
                rows = [each for each in rows if key(each) > last] if self.stable else rows[told:]
            part, more = rows[: self.size], len(rows) > self.size
            if part:
                told, last = told + len(part), key(part[-1])
                yield [each.body(self.clock) for each in part]
            if not more:
                return
            self.between()


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform(size=10)
    with patch.object(event_scan, "_now", lambda: made.now):
        yield made


def api(http: Any) -> EventsApi:
    return EventsApi(http)


def through_json(cursor: EventCursor) -> EventCursor:
    parsed = EventCursor.parse(json.loads(json.dumps(cursor.as_json())))
    assert parsed == cursor
    return parsed


def read(platform: Platform, cursor: EventCursor, **options: Any) -> tuple[list[str], EventCursor, int]:
    """Return ids, where the next reading begins, and the pages read."""
    reader = EventReader(api(platform), cursor, **options)
    ids = [event.id for event in reader]
    return ids, through_json(reader.cursor), reader.pages


# --- nothing is lost --------------------------------------------------------------------------------------

SETTLE, TRUST, LATEST, MOST = 100.0, 250.0, 90.0, 100_000
LATE = st.integers(0, int(LATEST)).map(float) | st.just(0.0)
WORK = st.sampled_from([0.0, 0.0, 5.0, 40.0, 1e9])
DATES = st.sampled_from(["now", "now", "now", "now", None, "future"])
COMING = st.lists(st.tuples(LATE, WORK, DATES), min_size=1, max_size=6)


class Readings(RuleBasedStateMachine):
    """Events come as they like and are read at random moments, the cursor kept as JSON in between."""

    @initialize(
        order=st.sampled_from(sorted(ORDERS)), size=st.integers(1, 4), stable=st.booleans(), before=COMING
    )
    def begin(self, order: str, size: int, stable: bool, before: list[tuple[float, float, Any]]) -> None:
        self.platform = Platform(order, size, stable=stable)
        self.patches = [
            patch.object(event_scan, "_now", lambda: self.platform.now),
            patch.object(event_cursor, "TRUST_TIME", TRUST),
            patch.object(event_scan, "_FEW", 0),
        ]
        for each in self.patches:
            each.start()
        self.told: dict[str, int] = {}
        self.orders = {order}
        self.come(before)
        self.cursor = EventCursor.start(BEGIN)

    def teardown(self) -> None:
        if not hasattr(self, "platform"):
            return
        try:
            self.at_the_end()
        finally:
            for each in self.patches:
                each.stop()

    def come(self, coming: list[tuple[float, float, Any]]) -> None:
        for late, work, date in coming:
            self.platform.happen(late, work, self.platform.clock + 10_000 if date == "future" else date)

    @rule(coming=COMING)
    def events_come(self, coming: list[tuple[float, float, Any]]) -> None:
        self.come(coming)

    @rule(seconds=st.integers(1, 60) | st.integers(60, 600))
    def time_passes(self, seconds: int) -> None:
        self.platform.clock += seconds

    @rule(order=st.sampled_from(sorted(ORDERS)))
    def the_order_changes(self, order: str) -> None:
        self.platform.order = order
        self.orders.add(order)

    @rule(share=st.floats(0, 1))
    def the_oldest_vanish(self, share: float) -> None:
        # Of those that were read: what is removed unread nobody can tell.
        del self.platform.events[: int(share * len(self.platform.events))]

    def read_all(self) -> None:
        awaited = [
            each.id
            for each in self.platform.visible()
            if each.date is not None and (each.settled <= self.platform.clock)
        ]
        may_stop = self.cursor.newest_first and self.cursor.whole is not None
        requests, begun = self.platform.requests, self.platform.now
        reader = EventReader(api(self.platform), self.cursor, settle_time=SETTLE, max_pages=MOST)
        for event in reader:
            self.told[event.id] = self.told.get(event.id, 0) + 1
            age = None if event.date is None else (begun - event.date).total_seconds()
            assert event.settled or age is None or age >= SETTLE or age < -SETTLE
        assert reader.pages == self.platform.requests - requests or (not reader.pages and not awaited)
        assert may_stop or reader.cursor.whole == begun, "it stopped early, without a reason"
        self.cursor = through_json(reader.cursor)
        if self.orders == {"newest"}:
            assert not [each for each in awaited if each not in self.told], "told later than need be"

    @rule()
    def all_is_read(self) -> None:
        self.read_all()

    @rule(meanwhile=st.lists(st.tuples(COMING, st.integers(0, 5)), min_size=1, max_size=4))
    def all_is_read_while_more_come(self, meanwhile: list[tuple[Any, int]]) -> None:
        def between() -> None:
            if meanwhile:
                coming, seconds = meanwhile.pop()
                self.come(coming)
                self.platform.clock += seconds

        self.platform.between = between
        self.read_all()
        self.platform.between = lambda: None

    @rule(most=st.integers(0, 3))
    def a_reading_is_broken_off(self, most: int) -> None:
        reader = EventReader(api(self.platform), self.cursor, settle_time=SETTLE, max_pages=MOST)
        for number, _ in enumerate(reader):
            if number == most:
                with pytest.raises(RuntimeError, match="not iterated to its end"):
                    _ = reader.cursor
                return

    @rule()
    def a_reading_goes_over_its_budget(self) -> None:
        reader = EventReader(api(self.platform), self.cursor, settle_time=SETTLE, max_pages=1)
        try:
            list(reader)
        except CloudElementsValidationError:
            with pytest.raises(RuntimeError):
                _ = reader.cursor

    @precondition(lambda self: hasattr(self, "platform") and self.platform.stable)
    @invariant()
    def none_is_told_twice(self) -> None:
        assert not [each for each, times in self.told.items() if times > 1]

    @invariant()
    def only_what_is_recent_is_remembered(self) -> None:
        if not hasattr(self, "cursor"):
            return
        assert self.cursor.since <= max(self.platform.now.subtract(seconds=SETTLE), BEGIN)

    def at_the_end(self) -> None:
        self.platform.clock += LATEST + SETTLE + TRUST
        self.read_all()
        self.platform.clock += 20_000  # those dated in the future, and never worked out
        self.read_all()
        missing = [each for each in self.platform.events if each.id not in self.told]
        assert not missing, missing
        self.none_is_told_twice() if self.platform.stable else None
        before = dict(self.told)
        self.read_all()
        assert self.told == before, "at rest, the scan reports nothing again"


TestReadings = Readings.TestCase
TestReadings.settings = settings(max_examples=120, stateful_step_count=25)


@pytest.mark.soak
class TestManyReadings(Readings.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=1000, stateful_step_count=40)


# --- orders, pages, budgets -------------------------------------------------------------------------------


def fill(platform: Platform, number: int, apart: float = 60) -> None:
    for _ in range(number):
        platform.clock += apart
        platform.happen()


def test_newest_first_is_read_whole_once_and_then_stops_early(platform: Platform) -> None:
    fill(platform, 200)
    ids, cursor, pages = read(platform, EventCursor.start("earliest"))
    assert (len(ids), pages, cursor.newest_first) == (200, 20, True)
    for _ in range(10):
        fill(platform, 1)
        ids, cursor, pages = read(platform, cursor)
        assert ids == [platform.events[-1].id]
        assert pages == 3  # ten minutes of events, one a minute, and one page of older ones
    platform.clock += TRUST_TIME
    ids, cursor, pages = read(platform, cursor)
    assert (ids, pages) == ([], 21)
    assert read(platform, cursor)[2] <= 3


@pytest.mark.parametrize("order", ["oldest", "shuffled", "instances"])
def test_any_other_order_is_read_whole_each_time(platform: Platform, order: str) -> None:
    platform.order = order
    fill(platform, 200)
    ids, cursor, pages = read(platform, EventCursor.start("earliest"))
    assert (len(ids), pages, cursor.newest_first) == (200, 20, False)
    for _ in range(3):
        fill(platform, 1)
        ids, cursor, pages = read(platform, cursor)
        assert ids == [platform.events[-1].id]
        assert pages == 21


def test_dates_all_alike_prove_no_order(platform: Platform) -> None:
    for _ in range(30):
        platform.happen()
    _, cursor, pages = read(platform, EventCursor.start("earliest"))
    assert (pages, cursor.newest_first) == (3, False)


@pytest.mark.parametrize("changed", sorted(ORDERS))
def test_an_order_that_was_chance_or_changes_delays_but_loses_nothing(
    platform: Platform, changed: str
) -> None:
    """The list by instances looks newest first as long as only one has events, and then hides the others."""
    fill(platform, 40)
    _, cursor, _ = read(platform, EventCursor.start("earliest"))
    assert cursor.newest_first
    platform.order = changed
    begun, told = platform.clock, set()
    while platform.clock - begun < 2 * TRUST_TIME:
        fill(platform, 3, 10)
        ids, cursor, _ = read(platform, cursor)
        told |= set(ids)
    late = [
        each
        for each in platform.events[40:]
        if each.id not in told and platform.clock - each.visible > TRUST_TIME + 60
    ]
    assert not late
    platform.clock += TRUST_TIME
    told |= set(read(platform, cursor)[0])
    assert told == {each.id for each in platform.events[40:]}


def test_what_is_unread_keeps_the_cursor_where_it_is(platform: Platform) -> None:
    fill(platform, 100)
    _, whole, _ = read(platform, EventCursor.start("earliest"))
    fill(platform, 12)
    ids, cursor, pages = read(platform, whole)
    assert pages < 11
    assert (cursor.since, cursor.whole) == (whole.since, whole.whole)
    assert cursor.stop > whole.stop
    assert cursor.seen == whole.seen | {short_id(each) for each in ids}


def test_an_order_that_is_seen_to_be_another_is_not_trusted(platform: Platform) -> None:
    fill(platform, 100)
    _, cursor, _ = read(platform, EventCursor.start("earliest"))
    platform.order = "oldest"
    fill(platform, 1)
    ids, cursor, pages = read(platform, cursor)
    assert (ids, pages, cursor.newest_first) == ([platform.events[-1].id], 11, False)


def test_what_came_in_a_long_pause_is_remembered_though_the_reading_stops_early(platform: Platform) -> None:
    fill(platform, 100)
    _, cursor, _ = read(platform, EventCursor.start("earliest"))
    fill(platform, 40, 20)  # longer than the settle time, shorter than the trust
    with patch.object(event_scan, "_FEW", 0):
        ids, cursor, pages = read(platform, cursor)
    assert (len(ids), pages) == (40, 7)
    platform.clock += TRUST_TIME
    ids, _, pages = read(platform, cursor)
    assert (ids, pages) == ([], 14)


def test_what_is_pushed_to_the_next_page_comes_once(platform: Platform) -> None:
    platform.stable = False
    fill(platform, 100)
    old = {each.id for each in platform.events}
    platform.between = lambda: [platform.happen() for _ in range(9)]
    with patch.object(event_scan, "_FEW", 0):
        ids, _, pages = read(platform, EventCursor.start("earliest"), max_pages=1000)
    assert pages > 10
    assert set(ids) == old
    assert len(ids) == len(old)


def test_a_clock_that_is_set_back_ends_the_trust(platform: Platform) -> None:
    fill(platform, 100)
    _, cursor, _ = read(platform, EventCursor.start("earliest"))
    platform.clock -= 1
    assert read(platform, cursor)[2] == 10


def test_the_budget_is_an_error_that_says_what_to_do_and_moves_nothing(platform: Platform) -> None:
    fill(platform, 30)
    reader = EventReader(api(platform), EventCursor.start("earliest"), max_pages=2)
    with pytest.raises(CloudElementsValidationError, match=r"more than max_pages=2 pages.*raise max_pages"):
        list(reader)
    with pytest.raises(RuntimeError, match="not iterated to its end"):
        _ = reader.cursor
    assert read(platform, EventCursor.start("earliest"), max_pages=3)[2] == 3


def test_an_interrupted_reading_has_no_cursor_even_after_a_whole_one(platform: Platform) -> None:
    fill(platform, 5)
    reader = EventReader(api(platform), EventCursor.start("earliest"))
    with pytest.raises(RuntimeError):
        _ = reader.cursor
    assert len(list(reader)) == 5
    assert reader.pages == 1
    first = reader.cursor
    next(iter(reader))
    with pytest.raises(RuntimeError):
        _ = reader.cursor
    assert len(list(reader)) == 5
    assert (reader.pages, reader.cursor) == (1, first)


def test_a_late_event_is_told_within_the_settle_time(platform: Platform) -> None:
    late = platform.happen(late=SETTLE_TIME - 1)
    fill(platform, 9)
    _, cursor, _ = read(platform, EventCursor.start("earliest"))
    assert cursor.since <= NOW
    platform.clock = SETTLE_TIME - 1
    fill(platform, 1, 1000)
    ids, cursor, _ = read(platform, cursor)
    assert late.id in ids
    assert late.id not in read(platform, cursor)[0]


def test_a_date_in_the_future_moves_nothing_past_what_is_to_come(platform: Platform) -> None:
    future = platform.happen(date=1e8)
    ids, cursor, _ = read(platform, EventCursor.start(NOW))
    assert (ids, cursor.since) == ([future.id], NOW)
    fill(platform, 1, 3600)
    ids, cursor, _ = read(platform, cursor)
    assert ids == [platform.events[-1].id]
    assert cursor.since == platform.now.subtract(seconds=SETTLE_TIME)


def test_a_date_in_the_far_future_is_not_waited_for(platform: Platform) -> None:
    stuck = platform.happen(date=1e8, work=1e9)
    soon = platform.happen(date=SETTLE_TIME, work=1e9)
    ids, cursor, _ = read(platform, EventCursor.start(NOW))
    assert ids == [stuck.id]
    platform.clock = 2 * SETTLE_TIME
    assert read(platform, cursor)[0] == [soon.id]


def test_events_without_a_date_are_told_once(platform: Platform) -> None:
    undated = {platform.happen(date=None).id for _ in range(25)}
    fill(platform, 25, 100)
    ids, cursor, _ = read(platform, EventCursor.start(NOW))
    assert undated <= set(ids)
    for _ in range(30):
        fill(platform, 1, 100)
        ids, cursor, _ = read(platform, cursor)
        assert ids == [platform.events[-1].id]


def test_what_the_platform_is_at_work_on_is_told_when_it_is_done(platform: Platform) -> None:
    slow, stuck = platform.happen(work=30), platform.happen(work=1e9)
    ids, cursor, _ = read(platform, EventCursor.start(NOW))
    assert ids == []
    platform.clock += 30
    ids, cursor, _ = read(platform, cursor)
    assert ids == [slow.id]
    fill(platform, 30, 10)
    assert stuck.id not in read(platform, cursor)[0]
    platform.clock = SETTLE_TIME
    ids, cursor, _ = read(platform, cursor)
    assert stuck.id in ids
    platform.clock = 1e9
    assert read(platform, cursor)[0] == []


def test_old_events_that_vanish_are_forgotten(platform: Platform) -> None:
    fill(platform, 100)
    _, cursor, _ = read(platform, EventCursor.start("earliest"))
    del platform.events[:90]
    fill(platform, 1)
    ids, cursor, _ = read(platform, cursor)
    assert ids == [platform.events[-1].id]
    del platform.events[:]
    ids, cursor, pages = read(platform, cursor)
    assert (ids, pages) == ([], 0)
    fill(platform, 100)
    ids, cursor, _ = read(platform, cursor)
    assert len(ids) == 100
    assert len(cursor.seen) == 11  # ten minutes of one a minute


def test_a_list_that_is_empty_in_passing_brings_nothing_twice(platform: Platform) -> None:
    fill(platform, 20, 10)
    ids, cursor, _ = read(platform, EventCursor.start("earliest"))
    assert len(ids) == 20
    kept, platform.events = platform.events, []
    ids, cursor, pages = read(platform, cursor)
    assert (ids, pages) == ([], 0)
    platform.events = kept
    assert read(platform, cursor)[0] == []


def test_dates_that_are_cut_to_seconds_are_not_before_now(platform: Platform) -> None:
    platform.clock = 10.7
    cursor = EventCursor.start(NOW)
    event = platform.happen(date=10)
    assert read(platform, cursor)[0] == [event.id]


def test_nothing_before_the_beginning_is_told(platform: Platform) -> None:
    fill(platform, 10)
    begin = platform.now
    ids, cursor, _ = read(platform, EventCursor.start(begin))
    assert ids == [platform.events[-1].id]
    assert cursor.since == begin


def test_tokens_that_count_bring_some_twice_and_lose_none(platform: Platform) -> None:
    platform.stable = False
    fill(platform, 100, 30)
    platform.between = lambda: [platform.happen() for _ in range(35)]
    reader = EventReader(api(platform), EventCursor.start("earliest"), max_pages=12)
    told = []
    with pytest.raises(CloudElementsValidationError):
        told += [event.id for event in reader]
    platform.between = lambda: [platform.happen() for _ in range(3)]
    ids, cursor, _ = read(platform, EventCursor.start("earliest"), max_pages=100)
    platform.between = lambda: None
    ids += read(platform, cursor)[0]
    assert {each.id for each in platform.events} == set(ids)


def test_a_cursor_of_too_many_levels_is_refused() -> None:
    with pytest.raises(CloudElementsValidationError, match="not valid JSON"):
        EventCursor.given('{"a":' * 100_000)


@pytest.mark.parametrize("settle_time", [0, 0.5, 86_400])
def test_a_settle_time_is_what_one_says(platform: Platform, settle_time: float) -> None:
    fill(platform, 200, 1000)
    _, cursor, _ = read(platform, EventCursor.start("earliest"), settle_time=settle_time)
    assert cursor.since == platform.now.subtract(seconds=settle_time)
    assert len(cursor.seen) == settle_time // 1000 + 1


@pytest.mark.parametrize(
    "options",
    [
        {"settle_time": -1},
        {"settle_time": float("nan")},
        {"settle_time": float("inf")},
        {"settle_time": 1e10},
        {"max_pages": 0},
    ],
)
def test_arguments_out_of_bounds_are_refused(platform: Platform, options: dict[str, Any]) -> None:
    with pytest.raises(CloudElementsValidationError, match=next(iter(options))):
        EventReader(api(platform), EventCursor.start(NOW), **options)


@pytest.mark.parametrize(
    "date", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"]
)
def test_dates_at_the_ends_of_time_are_no_error(date: str) -> None:
    class One:
        def list_pages(self, path: str) -> Iterator[list[Any]]:
            yield [{"id": "1", "eventDate": date, "status": "NEW"}]

    for begin in ("earliest", "0001-01-01", date, "now"):
        try:
            cursor = EventCursor.start(begin)
        except CloudElementsValidationError:
            continue  # this date has no moment in UTC
        for _ in range(2):
            reader = EventReader(api(One()), cursor, settle_time=31 * 86_400)
            list(reader)
            cursor = through_json(reader.cursor)


def test_what_is_no_event_is_passed_over_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    class Odd:
        def list_pages(self, path: str) -> Iterator[list[Any]]:
            for number in range(3):
                yield [None, "text", {"id": ""}, {"id": f"e{number}", "providerData": 5}, [], 7]

    with caplog.at_level(logging.WARNING):
        reader = EventReader(api(Odd()), EventCursor.start("earliest"))
        assert [event.id for event in reader] == ["e0", "e1", "e2"]
    assert [record.getMessage() for record in caplog.records] == [
        "15 items of the list of events are passed over: they have no id."
    ]


# --- memory -----------------------------------------------------------------------------------------------


class Long:
    """A list of many events, made page by page, in the platform's shape and about 2 KB each."""

    def __init__(self, number: int, apart: float, size: int = 200) -> None:
        self.number, self.apart, self.size = number, apart, size

    def list_pages(self, path: str) -> Iterator[list[Any]]:
        for start in range(0, self.number, self.size):
            page = [self.body(each) for each in range(start, min(start + self.size, self.number))]
            yield json.loads(json.dumps(page))
            del page

    def body(self, number: int) -> dict[str, Any]:
        changed = {"objectId": str(number), "objectType": "events", "eventType": "CREATED"}
        told = {
            "message": {"eventId": str(number), "instanceId": 5, "raw": {"v": "x" * 500}, "events": [changed]}
        }
        return {
            "id": f"AWVX9OTIhdQR{number:08d}",
            "eventDate": NOW.subtract(seconds=number * self.apart).isoformat(),
            "status": "NOTIFIED",
            "providerData": "y" * 500,
            "notifiedData": [told],
            "eventElementInstances": [{"elementInstanceId": 5, "notifiedData": json.dumps(told)}],
        }


def measured(number: int, apart: float) -> tuple[float, EventCursor, float]:
    """Return the peak in MB, the cursor and the seconds of reading so many events."""
    tracemalloc.start()
    begun = time.monotonic()
    try:
        reader = EventReader(api(Long(number, apart)), EventCursor.start("earliest"), max_pages=number)
        assert sum(1 for _ in reader) == number
        return tracemalloc.get_traced_memory()[1] / 1e6, reader.cursor, time.monotonic() - begun
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_a_page() -> None:
    measured(200, 60)  # what is imported and cached at first
    few, _, _ = measured(500, 60)
    many, cursor, _ = measured(4000, 60)
    assert many < few * 1.1 + 0.1
    assert len(json.dumps(cursor.as_json())) < 500


@pytest.mark.soak
@pytest.mark.parametrize(("number", "apart", "most"), [(100_000, 60, 5), (20_000, 0.001, 20)])
def test_a_hundred_thousand_events_and_a_burst(number: int, apart: float, most: float) -> None:
    peak, cursor, seconds = measured(number, apart)
    size = len(json.dumps(cursor.as_json()))
    print(
        f"{number} events {apart} s apart: peak {peak:.2f} MB, cursor {size} B of {len(cursor.seen)} ids, "
        f"{seconds:.0f} s under tracemalloc"
    )
    assert peak < most


def test_a_hash_is_short_and_tells_apart() -> None:
    assert len({short_id(str(each)) for each in range(100_000)}) == 100_000
    assert {len(short_id(each)) for each in ("", "a" * 10_000, "\ud800")} == {12}


# --- cursors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "since"),
    [
        ("earliest", pendulum.datetime(1970, 1, 1)),
        ("0001-01-01", pendulum.datetime(1970, 1, 1)),
        ("2026-11-24T08:00:00Z", NOW),
        ("2026-11-24T09:00:00+01:00", NOW),
        ("2026-11-24", NOW.start_of("day")),
        (NOW, NOW),
        (NOW.in_timezone("Asia/Tokyo"), NOW),
        (NOW.naive(), NOW),
        (NOW.add(microseconds=999_999), NOW),
        ("2026-11-24T08:00:00.276950+00:00", NOW),
    ],
    ids=str,
)
def test_a_cursor_begins_where_one_says(when: Any, since: pendulum.DateTime) -> None:
    assert through_json(EventCursor.start(when)) == EventCursor(since)


def test_a_cursor_begins_now() -> None:
    before = pendulum.now("UTC").start_of("second")
    assert before <= EventCursor.start().since <= pendulum.now("UTC")


@pytest.mark.parametrize(
    "when", ["", "soon", "NOW ", "1700000000000", 5, None, [], {}, "08:00", NOW.time()], ids=repr
)
def test_what_is_no_moment_is_refused(when: Any) -> None:
    with pytest.raises(CloudElementsValidationError, match="'now', 'earliest' or a date"):
        EventCursor.start(when)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {},
        {"since": None},
        {"since": "soon"},
        {"since": NOW.isoformat(), "seen": "abc"},
        {"since": NOW.isoformat(), "seen": [5]},
        {"since": NOW.isoformat(), "seen": None},
    ],
    ids=repr,
)
def test_what_is_no_cursor_is_refused(value: Any) -> None:
    with pytest.raises(CloudElementsValidationError, match="no cursor"):
        EventCursor.parse(value)


def test_a_cursor_without_what_came_later_is_read() -> None:
    cursor = EventCursor.parse({"since": NOW.isoformat(), "newest_first": True})
    assert cursor == EventCursor(NOW, newest_first=True)
    assert not cursor.trusted(NOW)
    assert "seen" not in repr(cursor)


# --- over HTTP --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [page({"message": "No events found"}, status=404), page([])])
def test_no_events_are_an_empty_reading(script: Answer) -> None:
    with Wire(script) as wire:
        reader = EventReader(account(wire.url).client.events, EventCursor.start(NOW))
        assert list(reader) == []
        assert (reader.pages, reader.cursor.since) == (0, NOW)
        assert list(account(wire.url).client.events.list(5)) == []


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (page({}, status=401), CloudElementsAuthError),
        (page({}, status=500), CloudElementsServerError),
        (page({"no": "list"}), CloudElementsServerError),
        (page(b"<html>"), CloudElementsServerError),
        (page([{"id": "b"}], "t1"), CloudElementsServerError),
        (Answer(b""), CloudElementsTransportError),
    ],
)
def test_a_failure_half_way_leaves_no_cursor(failure: Answer, kind: type[Exception]) -> None:
    with Wire([page([{"id": "a"}], "t1"), failure]) as wire:
        reader = EventReader(account(wire.url).client.events, EventCursor.start("earliest"))
        told = []
        with pytest.raises(kind):
            told += [event.id for event in reader]
        with pytest.raises(RuntimeError):
            _ = reader.cursor


@pytest.mark.parametrize("order", sorted(ORDERS))
@pytest.mark.parametrize("stable", [True, False])
def test_over_the_wire_each_event_comes(platform: Platform, order: str, stable: bool) -> None:
    """Pages of any order over HTTP, events that become visible between them."""
    platform.order = order
    key = ORDERS[order]

    def serve(call: Call) -> Answer:
        token = call.target.partition("nextPage=")[2]
        rows = sorted(platform.visible(), key=key)
        if token:
            names = [each.id for each in rows]
            rows = rows[names.index(token) + 1 :] if stable else rows[int(token) :]
        platform.happen(late=platform.clock % 30)
        platform.clock += 1
        part = rows[: platform.size]
        following = part[-1].id if stable and part else str(int(token or 0) + platform.size)
        bodies = [each.body(platform.clock) for each in part]
        return page(bodies, following if len(rows) > platform.size else None)

    fill(platform, 35, 7)
    told: list[str] = []
    cursor = EventCursor.start(NOW)
    with Wire(serve) as wire:
        client = account(wire.url).client
        for _ in range(8):
            reader = EventReader(client.events, cursor, settle_time=60)
            told += [event.id for event in reader]
            cursor = through_json(reader.cursor)
            platform.clock += 30
    assert {each.id for each in platform.events if each.visible < platform.clock - 40} <= set(told)
    if stable:
        assert len(told) == len(set(told))


@pytest.fixture
def here(cloudelements_sandbox: Sandbox) -> Account:
    return account(
        cloudelements_sandbox.url,
        user_secret=cloudelements_sandbox.user_secret,
        organization_secret=cloudelements_sandbox.organization_secret,
    )


def instance_of(client: CloudElementsClient, name: str = "an instance") -> int:
    return client.instances.create(
        element="closeio",
        name=name,
        configuration={
            "username": "ada",
            "password": "pass-word",
            "event.notification.enabled": "true",
            "event.notification.callback.url": "http://127.0.0.1:9/none",
        },
    ).id


@pytest.mark.parametrize("order", ["newest", "oldest", "visibility"])
def test_the_sandboxes_events_come_once_each(
    here: Account, cloudelements_sandbox: Sandbox, order: str
) -> None:
    cloudelements_sandbox.configure(
        event_order=order, max_page_size=3, event_visible_after=0.1, event_visible_spread=0.5
    )
    cursor = EventCursor.start("now")
    one, other = instance_of(here.client), instance_of(here.client, "another")
    emitted: list[str] = []
    told: list[Event] = []
    for number in range(6):
        emitted += cloudelements_sandbox.emit(one, count=2, object_id=f"o{number}")
        emitted += cloudelements_sandbox.emit(other, event_type="DELETED")
        reader = EventReader(here.client.events, cursor)
        told += list(reader)
        cursor = through_json(reader.cursor)
    ends = time.monotonic() + 10
    while len(told) < len(emitted) and time.monotonic() < ends:
        reader = EventReader(here.client.events, cursor)
        told += list(reader)
        cursor = through_json(reader.cursor)
        time.sleep(0.1)
    assert sorted(each.id for each in told) == sorted(emitted)
    deleted = EventFilter.of(event_types=["deleted"])
    assert sum(deleted.told(each.notifications) is not None for each in told) == 6
    assert {each.instance_ids for each in told} == {(one,), (other,)}
    assert all(each.objects and each.notifications[0].event_id == each.id for each in told)
    assert {each.id for each in here.client.events.list(other)} <= set(emitted)
    assert here.client.events.get(told[0].id) == told[0]


def test_the_sandbox_is_waited_for_until_it_has_worked_an_event_out(
    here: Account, cloudelements_sandbox: Sandbox
) -> None:
    cloudelements_sandbox.configure(event_notified_after=0.6)
    cursor = EventCursor.start("now")
    (event_id,) = cloudelements_sandbox.emit(instance_of(here.client))
    told: list[Event] = []
    ends = time.monotonic() + 10
    while not told and time.monotonic() < ends:
        reader = EventReader(here.client.events, cursor)
        told += list(reader)
        cursor = through_json(reader.cursor)
    assert [each.id for each in told] == [event_id]
    assert told[0].status not in ("NEW", "RECEIVED") or told[0].objects


def test_what_happens_in_the_second_that_one_begins_in_is_told(
    here: Account, cloudelements_sandbox: Sandbox
) -> None:
    number = instance_of(here.client)
    while pendulum.now("UTC").microsecond < 200_000:
        time.sleep(0.01)
    begin = pendulum.now("UTC")
    (event_id,) = cloudelements_sandbox.emit(number)
    told: list[Event] = []
    ends = time.monotonic() + 10
    while not told and time.monotonic() < ends:
        told = list(EventReader(here.client.events, EventCursor.start(begin)))
    assert [each.id for each in told] == [event_id]


def test_an_event_that_is_not_there_is_not_found(here: Account) -> None:
    with pytest.raises(CloudElementsNotFoundError):
        here.client.events.get("nothing-of-the-kind")
