"""Runs without a date or an interval, as assets start them, by dag.test(), with native templates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import event

from tests.support.platform import EVENTS, WAYS
from tests.support.runs import Run

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"
#: A name that Python would read as the number 1000.
NAME = "1_000"


@pytest.fixture(scope="module")
def dag(load_dags):
    return load_dags(FOLDER / "undated_dags.py").undated


@pytest.fixture
def run(dag, monkeypatch, person, tmp_path):
    """Give a function that makes a run of a kind, and returns what its tasks returned."""
    from airflow import settings
    from airflow.models.dagrun import DagRun

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))
    element, configuration = WAYS["basic"]
    number = person.make("basic", configuration={**configuration, **EVENTS})
    token = person.show(number)["token"]
    headers = {"Authorization": f"{person.session.headers['Authorization']}, Element {token}"}
    url = f"{person.sandbox.url}/elements/api-v2/leads"
    assert person.session.post(url, json={"name": NAME}, headers=headers, timeout=20).status_code == 200
    row = {"key": "t", "name": NAME, "element": element, "events_enabled": False}
    conf = {"instance": number, "folder": str(tmp_path), "name": NAME, "size": 2, "rows": [row]}

    def run_of(kind):
        def as_kind(mapper, connection, target):
            target.run_type = kind

        person.sandbox.emit(number, count=2)
        event.listen(DagRun, "before_insert", as_kind)
        try:
            done = Run(dag.test(logical_date=None, run_conf=conf))
        finally:
            event.remove(DagRun, "before_insert", as_kind)
        assert {state for state, _ in done.tasks.values()} == {"success"}, done.tasks
        return {task: value for (task, _, key), value in done.xcoms.items() if key == "return_value"}

    return run_of


@pytest.mark.parametrize("kind", ["asset_triggered", "manual", "backfill"])
def test_operators_work_without_dates_and_keep_texts(run, kind, tmp_path):
    done = run(kind)
    assert NAME in [json.loads(line)["name"] for line in (tmp_path / "changes").read_bytes().splitlines()]
    assert [each["name"] for each in done["records"]["records"]] == [NAME]
    assert done["bulk"]["rows"] == 1
    assert done["plan"][0]["changes"][0]["name"] == NAME
