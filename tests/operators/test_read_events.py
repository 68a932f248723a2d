"""Reading all events since a moment: what is returned, what is written, that nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from pathlib import Path

import fsspec
import pytest
import time_machine
from airflow.sdk import ObjectStoragePath

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import CloudElementsError, CloudElementsValidationError
from airflow_provider_cloudelements.operators.event_reading import CloudElementsReadEventsOperator
from airflow_provider_cloudelements.sensors.events import CloudElementsEventSensor
from tests.support.context import FakeTi, context_of
from tests.support.platform import EVENTS, WAYS

#: A date that every event here is younger than.
LONG_AGO = "2020-01-01"


def operator_of(**arguments):
    return CloudElementsReadEventsOperator(
        **{"task_id": "read", "tag": "Docs", "since": "earliest", **arguments}
    )


def execute(operator, ti=None):
    return operator.execute(context_of(ti or FakeTi()))


def read(**arguments):
    return execute(operator_of(**arguments))


@pytest.fixture
def number(person):
    return person.make("basic", configuration={**WAYS["basic"][1], **EVENTS}, tags=["Docs"])


@pytest.fixture
def path(tmp_path):
    return f"file://{tmp_path}/events/of a run.jsonl"


def lines(path):
    return [json.loads(line) for line in ObjectStoragePath(path).open("rb").read().decode().splitlines()]


def files(path):
    return sorted(each.name for each in Path(path.removeprefix("file://")).parent.iterdir())


def ids(rows):
    return [row["id"] for row in rows]


# -- from where to where -------------------------------------------------------------------------------------


@pytest.fixture
def minutes(sandbox, number):
    """Five events, a minute apart."""
    made = []
    with time_machine.travel("2026-11-24T00:00:00Z") as clock:
        for _ in range(5):
            made += sandbox.emit(number)
            clock.shift(60)
    return made


def test_what_comes_at_its_end_or_later_is_left_to_another(minutes):
    until = "2026-11-24T00:02:00Z"
    first = read(until=until)
    assert ids(first["events"]) == minutes[:2]
    assert read(until=until)["cursor"] == first["cursor"]
    second = read(since=first, until="2026-11-24 00:02:01")
    assert ids(second["events"]) == minutes[2:3]
    assert ids(read(since=second, until="latest")["events"]) == minutes[3:]
    assert ids(read(since="2026-11-24T00:01:00Z", until=until)["events"]) == minutes[1:2]


def test_without_since_and_outside_a_run_it_reads_all(minutes):
    value = execute(CloudElementsReadEventsOperator(task_id="read", tag="Docs"))
    assert ids(value["events"]) == minutes
    value = execute(CloudElementsReadEventsOperator(task_id="read", tag="Docs", start="2026-11-24T00:03:00Z"))
    assert ids(value["events"]) == minutes[3:]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"until": "now"}, "until must be"),
        ({"until": {"a": 1}}, "until must be"),
        ({"since": None, "start": "now"}, "start must not be 'now'"),
        ({"since": None, "start": "{"}, "start is not valid JSON"),
        ({"since": "now"}, "since must not be 'now'"),
    ],
    ids=str,
)
def test_a_wrong_moment_fails_with_its_argument_s_name(sandbox, wrong, named):
    with pytest.raises(AirflowFailException, match=named):
        read(**wrong)


def test_a_template_of_since_that_finds_nothing_is_a_mistake(sandbox):
    operator = operator_of(since="{{ none }}")
    operator.since = None  # as with render_template_as_native_obj=True
    with pytest.raises(AirflowFailException, match="since must be a date such as"):
        execute(operator)


def test_since_and_start_are_one_too_many():
    with pytest.raises(ValueError, match="give one of them"):
        operator_of(start="2026-11-24")


# -- what is returned, and what is written ------------------------------------------------------------------


def test_few_events_are_returned_oldest_first_and_no_file_is_made(sandbox, number, path, tmp_path):
    made = []
    with time_machine.travel("2026-11-24T00:00:00Z") as clock:
        for _ in range(3):
            made += sandbox.emit(number, object_type="leads")
            clock.shift(1)
    ti = FakeTi()
    value = execute(operator_of(path=path), ti)
    assert ids(value["events"]) == made
    assert {"count": 3, "path": None} == {key: value[key] for key in ("count", "path")}
    assert ti.xcoms == {"cursor": value["cursor"]}
    assert list(tmp_path.iterdir()) == []


def test_rows_are_those_of_the_sensor(sandbox, number):
    sandbox.emit(number, count=3, objects=2)
    for raw in (False, True):
        sensor = CloudElementsEventSensor(
            task_id="wait", tag="Docs", since="earliest", include_raw=raw, deferrable=False
        )
        assert read(include_raw=raw)["events"] == sensor.execute(context_of(FakeTi()))["events"]


@pytest.mark.parametrize("bounds", [{"max_xcom_events": 4}, {"max_xcom_bytes": 1200}, {"max_xcom_events": 0}])
def test_many_events_are_written_each_once(sandbox, number, path, bounds):
    made = sandbox.emit(number, count=5)
    ti = FakeTi()
    value = execute(operator_of(path=path, **bounds), ti)
    assert {"count": 5, "events": None, "path": path} == {
        key: value[key] for key in ("count", "events", "path")
    }
    rows = lines(value["path"])
    assert sorted(ids(rows)) == sorted(made)
    assert sorted(rows, key=str) == sorted(read()["events"], key=str)
    assert files(path) == ["of a run.jsonl"]
    assert ti.xcoms == {"cursor": value["cursor"]}


def test_as_many_as_go_to_xcom_are_returned(sandbox, number, path):
    sandbox.emit(number, count=5)
    value = read(path=path, max_xcom_events=5)
    assert value["count"] == len(value["events"]) == 5
    size = len(json.dumps(value["events"]))
    assert read(path=path, max_xcom_bytes=size + 2)["path"] is None
    assert read(path=path, max_xcom_bytes=size - 1)["path"] == path


def test_no_events_are_an_empty_list_or_an_empty_file(sandbox, number, path):
    assert {"count": 0, "events": [], "path": None}.items() <= read(path=path).items()
    assert {"count": 0, "events": None, "path": path}.items() <= read(path=path, max_xcom_events=0).items()
    assert lines(path) == []


@pytest.mark.parametrize("order", ["newest", "oldest", "visibility"])
def test_all_pages_are_read_and_an_event_that_is_pushed_on_is_told_once(sandbox, number, path, order):
    sandbox.configure(event_order=order)
    made = sandbox.emit(number, count=450)
    value = read(path=path, max_xcom_events=10)
    assert value["count"] == 450
    assert sorted(ids(lines(path))) == sorted(made)


def test_an_object_store_gets_the_whole_file_under_its_name_alone(sandbox, number, memory_store):
    made = sandbox.emit(number, count=7)
    for path in ("memory://bucket/a/b.jsonl", ObjectStoragePath("memory://bucket/a/c.jsonl")):
        value = read(path=path, max_xcom_events=2)
        assert value["path"] == str(ObjectStoragePath(path))
        assert sorted(ids(lines(value["path"]))) == sorted(made)
    assert sorted(each.rpartition("/")[2] for each in memory_store.find("/")) == ["b.jsonl", "c.jsonl"]


def test_a_half_of_a_character_is_replaced(sandbox, number, path):
    body = {"objectType": "leads", "objectId": "1", "eventType": "CREATED", "note": "\ud83d"}
    sandbox.emit(number, body=body)
    read(path=path, max_xcom_events=0, include_raw=True)
    (row,) = lines(path)
    assert row["raw"]["note"] == "\ufffd"


# -- nothing is lost, nothing is doubled --------------------------------------------------------------------


def test_a_retry_overwrites(sandbox, number, path):
    first = sandbox.emit(number, count=3)
    read(path=path, max_xcom_events=0)
    assert sorted(ids(lines(path))) == sorted(first)
    second = sandbox.emit(number, count=2)
    read(path=path, max_xcom_events=0)
    assert sorted(ids(lines(path))) == sorted(first + second)
    assert files(path) == ["of a run.jsonl"]


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("fault", [{"action": "status", "status": 500}, {"action": "cut"}])
def test_a_reading_that_is_cut_leaves_what_was_there_and_nothing_else(sandbox, number, path, before, fault):
    if before:
        sandbox.emit(number)
        read(path=path, max_xcom_events=0)
    sandbox.emit(number, count=450)
    sandbox.add_fault(path="/instances/events", skip=2, count=100, **fault)
    ti = FakeTi()
    with pytest.raises(CloudElementsError):
        execute(operator_of(path=path, max_xcom_events=10), ti)
    assert ti.xcoms == {}
    assert files(path) == (["of a run.jsonl"] if before else [])
    if before:
        assert len(lines(path)) == 1
    sandbox.clear_faults()
    assert read(path=path, max_xcom_events=10)["count"] == 450 + before


def stopped(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize("store", ["file", "memory"])
def test_a_task_that_is_stopped_while_it_writes_leaves_nothing(
    sandbox, number, path, memory_store, monkeypatch, store
):
    sandbox.emit(number, count=5)
    if store == "file":
        monkeypatch.setattr(os, "replace", stopped)
    else:
        monkeypatch.setattr(type(fsspec.filesystem(store)), "cp_file", stopped)
    with pytest.raises(KeyboardInterrupt):
        read(path=path if store == "file" else "memory://bucket/events.jsonl", max_xcom_events=0)
    assert memory_store.find("/") == []
    assert store == "memory" or files(path) == []


def test_a_file_is_not_in_sight_before_it_is_whole(sandbox, number, path, monkeypatch):
    sandbox.emit(number, count=450)
    operator = operator_of(tag=None, instance_id=number, path=path, max_xcom_events=10)
    seen = []
    http = operator.hook.get_conn().http
    pages = http.list_pages

    def watched(*arguments, **options):
        for page in pages(*arguments, **options):
            seen.append([each.endswith(".part") for each in files(path)] if seen else [])
            yield page

    monkeypatch.setattr(http, "list_pages", watched)
    execute(operator)
    assert seen == [[], [True], [True]]
    assert files(path) == ["of a run.jsonl"]


def test_going_on_by_the_cursor_loses_none_that_become_visible_late(sandbox, number, path):
    sandbox.configure(event_visible_spread=1, event_notified_after=0.2)
    made, told, since = [], [], LONG_AGO
    end = time.monotonic() + 1.5
    while True:
        emitting = time.monotonic() < end
        made += sandbox.emit(number, count=3) if emitting else []
        last = not emitting and sandbox.event_counters()["visible"] == len(made)
        time.sleep(0.3 if last else 0)
        value = read(since=since, path=path, max_xcom_events=2)
        told += ids(value["events"] if value["path"] is None else lines(path))
        since = [value, value["cursor"], json.dumps(value), json.dumps(value["cursor"])][len(told) % 4]
        if last:
            break
    assert len(made) > 10
    assert sorted(told) == sorted(made)


def test_the_sensor_goes_on_where_it_ended_and_it_where_the_sensor_did(sandbox, number):
    sandbox.emit(number)
    first = read()
    second = sandbox.emit(number)
    sensor = CloudElementsEventSensor(task_id="wait", tag="Docs", since=first, deferrable=False)
    value = sensor.execute(context_of(FakeTi()))
    assert ids(value["events"]) == second
    third = sandbox.emit(number)
    assert ids(read(since=value)["events"]) == third


def test_what_has_no_objects_yet_is_told_when_it_has(sandbox, number):
    sandbox.configure(event_notified_after=0.5)
    made = sandbox.emit(number, object_type="leads")
    value = read(object_types=["leads"])
    assert value["count"] == 0
    time.sleep(0.6)
    assert ids(read(object_types=["leads"], since=value)["events"]) == made


def test_nothing_is_pushed_where_nothing_shall_be(sandbox, number):
    ti = FakeTi()
    execute(operator_of(do_xcom_push=False), ti)
    assert ti.xcoms == {}


# -- memory -------------------------------------------------------------------------------------------------


def peak_of(path):
    operator = operator_of(path=path)
    tracemalloc.start()
    try:
        execute(operator)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_ten_thousand_events_take_no_more_memory_than_a_thousand(sandbox, number, path):
    peaks = {}
    read(path=path, max_xcom_events=0)  # what is imported and cached at first
    with time_machine.travel("2026-11-24T00:00:00Z") as clock:
        count = 0
        for most in (1_200, 10_000):
            while count < most:
                sandbox.emit(number, count=100)
                clock.shift(600)
                count += 100
            peaks[most] = peak_of(path)
            assert len(set(ids(lines(path)))) == most
    assert peaks[10_000] < 1.1 * peaks[1_200]


# -- failures -----------------------------------------------------------------------------------------------


def failure_of(**arguments):
    with pytest.raises(AirflowFailException) as failed:
        read(**arguments)
    assert isinstance(failed.value.__cause__, CloudElementsValidationError)
    return str(failed.value)


def test_too_many_without_a_file_fail_and_say_what_to_do(sandbox, number, wire):
    sandbox.emit(number, count=450)
    for bound in ({"max_xcom_events": 3}, {"max_xcom_bytes": 300}):
        assert "give path" in failure_of(**bound)
    assert wire.calls().count("GET /instances/events") == 2  # the rest is not read


def test_more_pages_than_may_be_read_fail_and_leave_no_file(sandbox, number, path):
    sandbox.emit(number, count=450)
    assert "max_pages=2" in failure_of(path=path, max_xcom_events=10, max_pages=2)
    assert files(path) == []


@pytest.mark.parametrize(
    "since",
    ["now", '"now"', "", "tomorrow", 7, "{'since': 1}", "null", {"a": 1}, {"cursor": None}],
    ids=str,
)
def test_a_moment_that_is_none_fails_the_task(sandbox, since):
    failure_of(since=since)


@pytest.mark.parametrize(
    "named",
    [{"tag": None}, {"instance_id": 1}, {"tag": None, "instance_id": "x"}, {"where": {"x": 1}}],
    ids=str,
)
def test_what_is_malformed_fails_the_task(sandbox, named):
    failure_of(**named)


@pytest.mark.parametrize("path", ["", " ", "file:///tmp/", "nowhere://a/b", 7, "file:///tmp/a*b"], ids=repr)
def test_a_path_that_is_none_fails_before_anything_is_read(sandbox, wire, path):
    assert "path" in failure_of(path=path)
    assert wire.calls() == []


def test_a_folder_is_no_path(sandbox, tmp_path):
    assert "folder" in failure_of(path=f"file://{tmp_path}")


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_xcom_events": -1},
        {"max_xcom_events": "1"},
        {"max_xcom_events": 0},
        {"max_xcom_bytes": 0},
        {"max_xcom_bytes": True},
        {"max_pages": 0},
        {"include_raw": "yes"},
        {"no_such": 1},
    ],
    ids=str,
)
def test_a_wrong_argument_is_told_when_the_file_is_read(wrong):
    with pytest.raises((TypeError, ValueError)):
        operator_of(**wrong)
