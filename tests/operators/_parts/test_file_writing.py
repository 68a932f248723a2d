"""Tasks that are told to end while they write a file: no part stays, and none is a success."""

from __future__ import annotations

import os
import signal

import pytest

from airflow_provider_cloudelements.exceptions import CloudElementsError
from airflow_provider_cloudelements.operators._parts.json_lines import JsonLines
from airflow_provider_cloudelements.operators.event_reading import CloudElementsReadEventsOperator
from airflow_provider_cloudelements.operators.record_changes import CloudElementsDownloadChangesOperator
from airflow_provider_cloudelements.operators.records import CloudElementsCallResourceOperator
from tests.support.platform import EVENTS, WAYS
from tests.support.reading import Runs


def changes(number, path, **more):
    return CloudElementsDownloadChangesOperator(
        task_id="read",
        instance_id=number,
        path="/leads",
        updated_field="date_updated",
        output_path=path,
        **more,
    )


def records(number, path, most=0):
    return CloudElementsCallResourceOperator(
        task_id="read",
        instance_id=number,
        path="/leads",
        paginate=True,
        max_xcom_records=most,
        output_path=path,
    )


def events(number, path, most=0):
    return CloudElementsReadEventsOperator(
        task_id="read", instance_id=number, since="earliest", path=path, max_xcom_events=most
    )


@pytest.fixture
def number(sandbox, person):
    made = person.make("basic", configuration={**WAYS["basic"][1], **EVENTS})
    sandbox.emit(made, count=3)
    return made


@pytest.fixture
def path(tmp_path):
    return f"file://{tmp_path}/rows.jsonl"


@pytest.fixture
def killed(monkeypatch):
    """Give a function that runs a task as Airflow does, with TERM before or after a method of some class."""
    before = signal.getsignal(signal.SIGTERM)

    def execute(task, owner, name, when):
        signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
        real = getattr(owner, name)

        def method(*given, **more):
            if when == "before":
                signal.raise_signal(signal.SIGTERM)
            result = real(*given, **more)
            if when == "after":
                signal.raise_signal(signal.SIGTERM)
            return result

        monkeypatch.setattr(owner, name, method)
        return task.execute(Runs().task_of(1))

    yield execute
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("make", [changes, records, events])
@pytest.mark.parametrize("stored", ["file", "memory"])
@pytest.mark.parametrize(
    ("name", "when"),
    [("__init__", "after"), ("write", "before"), ("write", "after"), ("__exit__", "before")],
)
def test_a_task_that_is_told_to_end_leaves_no_part_and_fails(
    number, path, killed, tmp_path, memory_store, make, stored, name, when
):
    where = path if stored == "file" else "memory://bucket/rows.jsonl"
    with pytest.raises(CloudElementsError, match="told to end"):
        killed(make(number, where), JsonLines, name, when)
    assert (list(tmp_path.iterdir()), memory_store.find("/")) == ([], [])


def test_a_local_part_is_gone_before_the_next_row_comes(number, path, tmp_path, monkeypatch):
    task, seen = changes(number, path), []
    real = JsonLines.write

    def write(self, data):
        size = real(self, data)
        seen.append(len(list(tmp_path.iterdir())))
        task.on_kill()
        seen.append(len(list(tmp_path.iterdir())))
        return size

    monkeypatch.setattr(JsonLines, "write", write)
    with pytest.raises(CloudElementsError, match="told to end"):
        task.execute(Runs().task_of(1))
    assert seen == [1, 0]


def test_a_renaming_whose_part_is_gone_is_no_raw_error(number, path, tmp_path, monkeypatch, task_log):
    task, real = changes(number, path), os.replace

    def replace(*names):
        task.on_kill()
        real(*names)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(CloudElementsError, match="told to end"):
        task.execute(Runs().task_of(1))
    assert list(tmp_path.iterdir()) == []
    assert "could not be removed" not in task_log.text


@pytest.mark.parametrize("make", [changes, records, events])
def test_a_file_that_is_whole_already_stays_and_the_task_fails_all_the_same(
    number, path, killed, tmp_path, make
):
    with pytest.raises(CloudElementsError, match="told to end"):
        killed(make(number, path), JsonLines, "__exit__", "after")
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize("make", [records, events])
def test_a_task_that_writes_no_file_is_no_success_either(number, path, killed, tmp_path, make):
    task = make(number, path, 100)
    with pytest.raises(CloudElementsError, match="told to end"):
        killed(task, type(task), "_first", "after")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [changes, records, events])
def test_a_task_after_its_end_has_nothing_to_give_up(number, path, tmp_path, make):
    task = make(number, path)
    assert task.execute(Runs().task_of(1))["count"] == 3
    task.on_kill()
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]
