"""The place of a task that reads events, by what dag.test() does not show.

That is: runs without a logical date and their order in other databases, other DAGs, copies of a mapped task.
"""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.operators._parts.reading_place import ReadingPlace
from tests.support.reading import FIRST, Runs

START = EventCursor.start("earliest")


class EventRuns(Runs):
    """Runs that read events."""

    def read(self, day, state="success", until=None, selection="a", **which):
        """Run the task, up to its day; return where it began."""
        context = self.task_of(day, **which)
        until = FIRST.add(days=day) if until is None else until
        place = ReadingPlace(EventCursor, context, selection, until)
        begin = place.begin(START)
        place.keep(begin, EventCursor(until.subtract(minutes=10)))
        self.end(context, state)
        return begin


def end_of(day):
    return EventCursor(FIRST.add(days=day).subtract(minutes=10))


@pytest.mark.parametrize("nulls_first", [False, True])
@pytest.mark.parametrize("other_dags", [False, True])
def test_each_run_goes_on_where_the_one_before_it_ended(nulls_first, other_dags):
    runs = EventRuns(nulls_first, other_dags)
    assert runs.read(0) == START
    for day in range(1, 4):
        assert runs.read(day) == end_of(day - 1)
    assert runs.read(2) == end_of(1)  # cleared


def test_a_long_past_run_without_a_logical_date_holds_none_back():
    runs = EventRuns(nulls_first=True)
    runs.read(0)
    assert runs.read(1, dated=False) == end_of(0)
    assert runs.read(2) == end_of(1)
    for day in range(3, 6):
        assert runs.read(day) == end_of(day - 1)


@pytest.mark.parametrize("nulls_first", [False, True])
def test_runs_without_logical_dates_go_on_one_after_another(nulls_first):
    runs = EventRuns(nulls_first)
    runs.read(0, dated=False)
    for day in range(1, 4):
        assert runs.read(day, dated=False) == end_of(day - 1)


@pytest.mark.parametrize("state", ["failed", "running", None])
def test_a_run_that_is_no_success_is_read_once_more(state):
    runs = EventRuns(nulls_first=True)
    runs.read(0)
    runs.read(1, state=state)
    assert runs.read(2, state=state) == end_of(0)
    assert runs.read(3) == end_of(0)
    assert runs.read(4) == end_of(3)


def test_a_run_of_the_past_that_read_up_to_today_keeps_nothing_from_the_next_ones():
    runs = EventRuns()
    runs.read(0)
    today = FIRST.add(days=300)
    assert runs.read(1, until=today) == end_of(0)
    assert runs.read(2) == end_of(0)
    assert runs.read(301) == end_of(2)


def test_a_place_is_that_of_a_selection():
    runs = EventRuns()
    runs.read(0, selection="a")
    assert runs.read(1, selection="b") == START
    assert runs.read(2, selection="a") == end_of(0)
    assert runs.read(3, selection="b") == end_of(1)


def test_copies_find_their_place_under_another_index():
    runs = EventRuns()
    runs.read(0, selection="a", map_index=0)
    runs.read(0, selection="b", map_index=1)
    assert runs.read(1, selection="b", map_index=0) == end_of(0)
    assert runs.read(1, selection="a", map_index=2) == end_of(0)
    assert runs.read(1, selection="c", map_index=1) == START


@pytest.mark.parametrize("dated", [True, False])
def test_a_copy_s_own_older_place_does_not_count_before_a_newer_one_of_another_copy(dated):
    """The order of a mapped list changes from run to run."""
    runs = EventRuns(nulls_first=True)
    for day, (first, second) in enumerate(["ab", "ba", "ab", "ab", "ba"]):
        began = {
            first: runs.read(day, selection=first, map_index=0, dated=dated),
            second: runs.read(day, selection=second, map_index=1, dated=dated),
        }
        assert began == dict.fromkeys("ab", end_of(day - 1) if day else START)


def test_a_copy_that_is_cleared_with_another_order_begins_where_it_began():
    runs = EventRuns()
    for day in (0, 1):
        for index, selection in enumerate("ab"):
            runs.read(day, selection=selection, map_index=index)
    assert runs.read(1, selection="b", map_index=0) == end_of(0)


def test_a_selection_that_left_and_came_back_goes_on_where_it_ended():
    runs = EventRuns()
    runs.read(0, selection="b", map_index=1)
    for day in (1, 2):
        runs.read(day, selection="a", map_index=0)
    assert runs.read(3, selection="b", map_index=0) == end_of(0)


def test_two_copies_with_one_selection_return_the_same():
    runs = EventRuns()
    runs.read(0, map_index=0)
    assert runs.read(1, map_index=0) == end_of(0)
    assert runs.read(1, map_index=1) == end_of(0)


@pytest.mark.parametrize(
    "value", [None, 1, [], {}, {"date": "2026-01-01", "until": "2026-01-01", "since": {}, "cursor": 1}]
)
def test_a_value_that_is_no_place_is_passed_over(value):
    runs = EventRuns()
    runs.read(0)
    ((run_id, index, key),) = runs.xcoms
    runs.xcoms[run_id, index, key] = value
    assert runs.read(1) == START


def test_a_place_behind_all_that_may_be_read_does_not_count():
    runs = EventRuns()
    context = runs.task_of(0)
    behind = EventCursor(FIRST.add(days=9))
    ReadingPlace(EventCursor, context, "a", FIRST).keep(behind, behind)
    runs.states[context["ti"].run_id] = {"read": "success"}
    assert runs.read(1) == START


def test_outside_a_run_there_is_no_place():
    place = ReadingPlace(EventCursor, {"ti": None}, "a", None)
    assert place.begin(START) == START
    place.keep(START, START)
