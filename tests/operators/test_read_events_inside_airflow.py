"""Reading events inside Airflow, by dag.test(): templates, the file, runs that go on one after another."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from airflow_provider_cloudelements.client.deliveries import POLICY_SETTING
from tests.support.patience import wait_for
from tests.support.platform import EVENTS, WAYS
from tests.support.receiver import receiving
from tests.support.runs import Run

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"


@pytest.fixture(scope="module")
def dags(load_dags):
    return load_dags(FOLDER / "reading_dags.py")


@pytest.fixture(scope="module")
def dag(dags):
    return dags.reading


@pytest.fixture(autouse=True)
def folder(monkeypatch):
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))


def test_each_run_goes_on_where_the_last_one_ended(dag, sandbox, person, tmp_path):
    number = person.make("basic", configuration={**WAYS["basic"][1], **EVENTS}, tags=["Docs"])
    conf = {"tag": "Docs", "first": "2020-01-01", "folder": f"file://{tmp_path}/{time.time_ns()}"}
    path = f"{conf['folder']}/read.jsonl"
    told = []
    for names in (["a", "b", "c"], ["d"], ["e", "f", "g", "h"], []):
        for name in names:
            sandbox.emit(number, object_id=name)
        time.sleep(1.1)  # the platform's dates are whole seconds, and the run begins after them
        done = Run(dag.test(run_conf=conf))
        assert done.state == "success", done.tasks
        found = done.xcoms["read", -1, "return_value"]
        assert (found["count"], found["path"]) == (len(names), path if len(names) > 2 else None)
        assert sorted(done.xcoms["objects", -1, "return_value"]) == names
        assert done.xcoms["read", -1, "cursor"] == found["cursor"]
        assert done.rendered["read", -1]["path"] == path
        assert done.xcoms["rest", -1, "return_value"]["events"] == []
        assert (
            sorted(row["object_id"] for row in done.xcoms["default", -1, "return_value"]["events"]) == names
        )
        told += names
    assert told == list("abcdefgh")


def test_each_run_returns_what_a_receiver_has_not_got_since_the_last_one(dags, sandbox, person, tmp_path):
    with receiving() as receiver:
        person.call("PATCH", "/accounts/settings", {POLICY_SETTING: "queue"})
        events = {**EVENTS, "event.notification.callback.url": f"{receiver.url}?token=in-the-url"}
        number = person.make("basic", configuration={**WAYS["basic"][1], **events})
        conf = {"instance": number, "folder": f"file://{tmp_path}"}
        for arrived, lost in ((["a"], ["b", "c", "d"]), (["e"], []), ([], ["f"])):
            for names, status in ((arrived, 200), (lost, 503)):
                receiver.status = status
                for name in names:
                    sandbox.emit(number, object_id=name)
                wait_for(lambda: all(each["status"] != "created" for each in sandbox.deliveries()))
            time.sleep(1.1)  # the platform's dates are whole seconds, and the run begins after them
            done = Run(dags.reconciling.test(run_conf=conf))
            assert done.state == "success", done.tasks
            found = done.xcoms["compare", -1, "return_value"]
            assert (found["listed"], found["missing"]) == (len(arrived + lost), len(lost))
            assert (found["path"] is None) == (len(lost) <= 2)
            assert sorted(done.xcoms["objects", -1, "return_value"]) == lost
            mapped = done.xcoms["mapped", 0, "return_value"]["events"]
            assert sorted(row["object_id"] for row in mapped) == lost
            assert "in-the-url" not in str([done.xcoms, done.rendered])
