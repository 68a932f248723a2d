"""The event sensor inside Airflow, by dag.test(): its default moment, its XComs, and its three modes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.support.platform import EVENTS, WAYS
from tests.support.runs import Run

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"
MODES = ["poke", "reschedule", "deferred"]


@pytest.fixture(scope="module")
def dags(load_dags):
    return load_dags(FOLDER / "event_dags.py").dags


@pytest.mark.parametrize("mode", MODES)
def test_it_waits_for_events_since_the_run_began_and_another_goes_on(
    dags, sandbox, person, monkeypatch, mode
):
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))
    number = person.make("basic", configuration={**WAYS["basic"][1], **EVENTS}, tags=["Docs"])
    sandbox.emit(number, object_id="before")
    time.sleep(1.1)  # the platform's dates are whole seconds
    made = []

    def emit(*object_ids):
        calls = len(sandbox.requests())
        while len(sandbox.requests()) < calls + 2:
            time.sleep(0.05)
        for each in object_ids:
            made.extend(sandbox.emit(number, object_id=each))

    def vendor():
        emit("one")
        emit("two")
        emit("not this", "three")

    thread = threading.Thread(target=vendor, daemon=True)
    thread.start()
    done = Run(dags[mode].test(run_conf={"tag": "Docs", "object": "three"}))
    thread.join(60)
    assert done.state == "success", done.tasks
    first = done.xcoms["first", -1, "return_value"]
    assert {row["object_id"] for row in first["events"]} >= {"one", "two"}
    assert "before" not in {row["object_id"] for row in first["events"]}
    assert done.xcoms["first", -1, "cursor"] == first["cursor"]
    assert done.xcoms["show", -1, "return_value"] >= 2
    (third,) = done.xcoms["second", -1, "return_value"]["events"]
    assert (third["object_id"], third["id"]) == ("three", made[3])
    assert done.rendered["second", -1]["where"] == {"object_id": "three"}
