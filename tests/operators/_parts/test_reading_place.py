"""The place of a task that reads events, by what dag.test() does not show.

That is: runs without a logical date and their order in other databases, other DAGs, copies of a mapped task.
"""

from __future__ import annotations

import json
from types import SimpleNamespace

import pendulum
import pytest

from airflow_provider_cloudelements.events.cursor import EventCursor
from airflow_provider_cloudelements.operators._parts.reading_place import ReadingPlace

FIRST = pendulum.datetime(2026, 1, 1)
START = EventCursor.start("earliest")


class Runs:
    """The runs of a DAG, and what Airflow's API answers of their XComs.

    :param nulls_first: Whether runs without a logical date sort before all others, as on PostgreSQL.
    :param other_dags: Whether a much later run of another DAG has a run's id: Airflow 3.1 and 3.2 then take
        one for the other.
    """

    def __init__(self, nulls_first=False, other_dags=False):
        self.runs, self.xcoms, self.states = {}, {}, {}
        self.nulls_first, self.other_dags = nulls_first, other_dags

    def task_of(self, day, dated=True, map_index=-1):
        run_id = f"{'dated' if dated else 'undated'}-{day}"
        date = FIRST.add(days=day)
        run = SimpleNamespace(run_id=run_id, logical_date=date if dated else None, run_after=date)
        self.runs[run_id] = run
        ti = SimpleNamespace(dag_id="d", task_id="read", run_id=run_id, map_index=map_index)
        ti.xcom_push = lambda key, value: self._push(ti, key, value)
        ti.xcom_pull = lambda **which: self._pull(ti, **which)
        ti.get_previous_dagrun = lambda state: self._previous(run, state)
        ti.get_task_states = lambda dag_id, task_ids, run_ids: {each: self.states[each] for each in run_ids}
        return {"ti": ti, "dag_run": run}

    def read(self, day, state="success", until=None, selection="a", **which):
        """Run the task, up to its day; return where it began."""
        context = self.task_of(day, **which)
        until = FIRST.add(days=day) if until is None else until
        place = ReadingPlace(context, selection, until)
        begin = place.begin(START)
        place.keep(begin, EventCursor(until.subtract(minutes=10)))
        index = which.get("map_index", -1)
        name = "read" if index < 0 else f"read_{index}"
        self.states.setdefault(context["ti"].run_id, {})[name] = state
        return begin

    def _push(self, ti, key, value):
        self.xcoms[ti.run_id, ti.map_index, key] = json.loads(json.dumps(value))

    def _date(self, run_id):
        run = self.runs[run_id]
        return run.logical_date or run.run_after

    def _pull(
        self, ti, task_ids, key, include_prior_dates=False, map_indexes="all", run_id=None, default=None
    ):
        latest = FIRST.add(years=1) if self.other_dags else self._date(ti.run_id)
        found = [
            (run, value)
            for (run, index, name), value in self.xcoms.items()
            if name == key
            and map_indexes in ("all", index)
            and (self._date(run) <= latest if include_prior_dates else run == (run_id or ti.run_id))
        ]
        found.sort(key=lambda each: self._order(each[0]), reverse=True)
        if map_indexes == "all":
            return [value for _, value in found]
        return found[0][1] if found else default

    def _order(self, run_id):
        date = self.runs[run_id].logical_date
        return (self.nulls_first if date is None else not self.nulls_first, self._date(run_id))

    def _previous(self, run, state):
        earlier = [
            each
            for each in self.runs.values()
            if each.logical_date is not None
            and each.logical_date < run.logical_date
            and (state is None or set(self.states.get(each.run_id, {}).values()) == {state})
        ]
        return max(earlier, key=lambda each: each.logical_date, default=None)


def end_of(day):
    return EventCursor(FIRST.add(days=day).subtract(minutes=10))


@pytest.mark.parametrize("nulls_first", [False, True])
@pytest.mark.parametrize("other_dags", [False, True])
def test_each_run_goes_on_where_the_one_before_it_ended(nulls_first, other_dags):
    runs = Runs(nulls_first, other_dags)
    assert runs.read(0) == START
    for day in range(1, 4):
        assert runs.read(day) == end_of(day - 1)
    assert runs.read(2) == end_of(1)  # cleared


def test_a_long_past_run_without_a_logical_date_holds_none_back():
    runs = Runs(nulls_first=True)
    runs.read(0)
    assert runs.read(1, dated=False) == end_of(0)
    assert runs.read(2) == end_of(1)
    for day in range(3, 6):
        assert runs.read(day) == end_of(day - 1)


@pytest.mark.parametrize("nulls_first", [False, True])
def test_runs_without_logical_dates_go_on_one_after_another(nulls_first):
    runs = Runs(nulls_first)
    runs.read(0, dated=False)
    for day in range(1, 4):
        assert runs.read(day, dated=False) == end_of(day - 1)


@pytest.mark.parametrize("state", ["failed", "running", None])
def test_a_run_that_is_no_success_is_read_once_more(state):
    runs = Runs(nulls_first=True)
    runs.read(0)
    runs.read(1, state=state)
    assert runs.read(2, state=state) == end_of(0)
    assert runs.read(3) == end_of(0)
    assert runs.read(4) == end_of(3)


def test_a_run_of_the_past_that_read_up_to_today_keeps_nothing_from_the_next_ones():
    runs = Runs()
    runs.read(0)
    today = FIRST.add(days=300)
    assert runs.read(1, until=today) == end_of(0)
    assert runs.read(2) == end_of(0)
    assert runs.read(301) == end_of(2)


def test_a_place_is_that_of_a_selection():
    runs = Runs()
    runs.read(0, selection="a")
    assert runs.read(1, selection="b") == START
    assert runs.read(2, selection="a") == end_of(0)
    assert runs.read(3, selection="b") == end_of(1)


def test_copies_find_their_place_under_another_index():
    runs = Runs()
    runs.read(0, selection="a", map_index=0)
    runs.read(0, selection="b", map_index=1)
    assert runs.read(1, selection="b", map_index=0) == end_of(0)
    assert runs.read(1, selection="a", map_index=2) == end_of(0)
    assert runs.read(1, selection="c", map_index=1) == START


@pytest.mark.parametrize("dated", [True, False])
def test_a_copy_s_own_older_place_does_not_count_before_a_newer_one_of_another_copy(dated):
    """The order of a mapped list changes from run to run."""
    runs = Runs(nulls_first=True)
    for day, (first, second) in enumerate(["ab", "ba", "ab", "ab", "ba"]):
        began = {
            first: runs.read(day, selection=first, map_index=0, dated=dated),
            second: runs.read(day, selection=second, map_index=1, dated=dated),
        }
        assert began == dict.fromkeys("ab", end_of(day - 1) if day else START)


def test_a_copy_that_is_cleared_with_another_order_begins_where_it_began():
    runs = Runs()
    for day in (0, 1):
        for index, selection in enumerate("ab"):
            runs.read(day, selection=selection, map_index=index)
    assert runs.read(1, selection="b", map_index=0) == end_of(0)


def test_a_selection_that_left_and_came_back_goes_on_where_it_ended():
    runs = Runs()
    runs.read(0, selection="b", map_index=1)
    for day in (1, 2):
        runs.read(day, selection="a", map_index=0)
    assert runs.read(3, selection="b", map_index=0) == end_of(0)


def test_two_copies_with_one_selection_return_the_same():
    runs = Runs()
    runs.read(0, map_index=0)
    assert runs.read(1, map_index=0) == end_of(0)
    assert runs.read(1, map_index=1) == end_of(0)


@pytest.mark.parametrize(
    "value", [None, 1, [], {}, {"date": "2026-01-01", "until": "2026-01-01", "since": {}, "cursor": 1}]
)
def test_a_value_that_is_no_place_is_passed_over(value):
    runs = Runs()
    runs.read(0)
    ((run_id, index, key),) = runs.xcoms
    runs.xcoms[run_id, index, key] = value
    assert runs.read(1) == START


def test_a_place_behind_all_that_may_be_read_does_not_count():
    runs = Runs()
    context = runs.task_of(0)
    ReadingPlace(context, "a", FIRST).keep(EventCursor(FIRST.add(days=9)), EventCursor(FIRST.add(days=9)))
    runs.states[context["ti"].run_id] = {"read": "success"}
    assert runs.read(1) == START


def test_outside_a_run_there_is_no_place():
    place = ReadingPlace({"ti": None}, "a", None)
    assert place.begin(START) == START
    place.keep(START, START)
