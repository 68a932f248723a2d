"""Reading day by day inside Airflow, by dag.test() with a set clock: no event is missed."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pendulum
import pytest
import time_machine

from tests.support.platform import EVENTS, WAYS

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"
FIRST = pendulum.datetime(2026, 1, 2)


@pytest.fixture(scope="module")
def dags(load_dags):
    return load_dags(FOLDER / "daily_dags.py")


@pytest.fixture
def run(nightly):
    return nightly(FOLDER, "daily_events%", FIRST)


@pytest.fixture
def make(person):
    def make_one(*tags):
        return person.make("basic", configuration={**WAYS["basic"][1], **EVENTS}, tags=list(tags))

    return make_one


@pytest.fixture
def number(make):
    return make("Docs")


@pytest.fixture
def emit(sandbox):
    """Give a function that emits events some hours before midnight of a day."""

    def emit_one(number, day, name, hours=3, **behaviour):
        with time_machine.travel(FIRST.add(days=day, hours=-hours)), settings_of(sandbox, **behaviour):
            sandbox.emit(number, object_id=name)
        return name

    return emit_one


@contextlib.contextmanager
def settings_of(sandbox, **behaviour):
    before = dict.fromkeys(behaviour, 0)
    sandbox.configure(**behaviour)
    yield
    sandbox.configure(**before)


def told(done, index=-1, task="read"):
    assert done.state == "success", done.tasks
    return [row["object_id"] for row in done.xcoms[task, index, "return_value"]["events"]]


def test_ten_daily_runs_miss_nothing_and_tell_nothing_twice(dags, run, number, emit):
    found = []
    for day in range(10):
        names = [emit(number, day, f"{day}-{each}") for each in range(3)]
        if day == 4:
            # The platform lists it after the run of its day, unless that takes very long.
            began = time.monotonic()
            names.append(emit(number, day, "late", hours=0.01, event_visible_after=4))
        if day == 5:
            time.sleep(max(0, began + 4.1 - time.monotonic()))
        found.append(told(run(dags.daily, day)))
        assert set(names) - {"late"} <= {*found[-1]} <= {*names, "late"}
    everything = [name for names in found for name in names]
    assert len(everything) == len(set(everything)) == 31
    assert "late" in found[4] + found[5]


def test_a_cleared_run_returns_what_it_returned_before(dags, run, number, emit):
    days = []
    for day in range(3):
        emit(number, day, f"{day}")
        days.append(told(run(dags.daily, day)))
    assert days == [["0"], ["1"], ["2"]]
    assert told(run(dags.daily, 1, late=3 * 86_400)) == ["1"]
    emit(number, 3, "3")
    assert told(run(dags.daily, 3)) == ["3"]


def test_past_days_in_any_order_return_no_events_of_today(dags, run, number, emit):
    for day in range(5):
        emit(number, day, f"{day}")
    found = {day: told(run(dags.daily, day, "backfill", late=9 * 86_400)) for day in (3, 1, 2, 4, 0)}
    # Nothing before them had run: they begin with the first event that there is.
    assert found == {3: list("0123"), 1: list("01"), 2: ["2"], 4: ["4"], 0: ["0"]}


def test_what_a_failed_run_did_not_return_the_next_one_returns(dags, run, number, emit, sandbox):
    emit(number, 0, "0")
    assert told(run(dags.daily, 0)) == ["0"]
    emit(number, 1, "1")
    sandbox.add_fault("status", status=400, path="/instances/events")
    assert run(dags.daily, 1).state == "failed"
    sandbox.clear_faults()
    emit(number, 2, "2")
    assert told(run(dags.daily, 2)) == ["1", "2"]


def test_a_run_that_was_marked_failed_does_not_count(dags, run, number, emit):
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    for day in range(2):
        emit(number, day, f"{day}")
        run(dags.daily, day)
    with create_session() as session:
        for ti in session.query(TaskInstance).filter_by(dag_id="daily_events", task_id="read"):
            if ti.logical_date == FIRST.add(days=1):
                ti.state = "failed"
    assert told(run(dags.daily, 2)) == ["1"]


def test_a_copy_finds_its_place_under_another_index(dags, run, make, emit):
    first, second = make("a"), make("b")
    names = {first: "first", second: "second"}
    for day, instances in enumerate(([first, second], [second, first], [first], [second, first])):
        for number in (first, second):
            emit(number, day, f"{names[number]}-{day}")
        done = run(dags.mapped, day, conf={"instances": instances})
        for index, number in enumerate(instances):
            # Under an index that it had before, a copy finds its own place there: events may come twice.
            assert set(told(done, index)) >= {f"{names[number]}-{day}"}
            if day == 1:
                assert told(done, index) == [f"{names[number]}-1"]
            if day == 3 and number == second:
                assert set(told(done, index)) >= {"second-2", "second-3"}


# -- data intervals -----------------------------------------------------------------------------------------


def test_backfilled_days_return_the_events_of_their_own_day(dags, run, number, emit):
    for day in range(4):
        emit(number, day, f"{day}")
    emit(number, 9, "today")
    for day in (2, 0, 1):
        done = run(dags.intervals, day, "backfill", late=9 * 86_400)
        assert told(done) == told(done, task="wait") == [f"{day}"]
    assert told(run(dags.intervals, 3)) == ["3"]


def test_what_is_listed_after_an_interval_the_next_run_returns(dags, run, number, emit):
    began = time.monotonic()
    emit(number, 0, "0")
    emit(number, 0, "late", hours=0.01, event_visible_after=4)
    found = told(run(dags.intervals, 0))
    time.sleep(max(0, began + 4.1 - time.monotonic()))
    emit(number, 1, "1")
    # The platform lists it after the run of its day, unless that takes very long.
    assert found + told(run(dags.intervals, 1)) == ["0", "late", "1"]


def test_a_sensor_finds_no_event_behind_its_interval(dags, run, number, emit):
    emit(number, 1, "after")
    done = run(dags.intervals, 0, late=86_400)
    assert done.states()["wait", -1] == "skipped"
    assert done.xcoms["read", -1, "return_value"]["events"] == []
