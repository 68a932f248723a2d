"""Tasks that run formulas, by dag.test(): rendering, mapping, and what Airflow stores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.runs import Run

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"


def test_formulas_run_plain_and_mapped_and_a_failed_one_fails_its_task(
    load_dags, sandbox, person, monkeypatch
):
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))
    person.call("POST", "/formulas/8104/instances", {"name": "One"})
    person.call("POST", "/formulas/8103/instances", {"name": "A failing one"})
    sandbox.configure(formula_duration=0.5)
    done = Run(load_dags(FOLDER / "formula_dags.py").formulas.test())
    assert done.states() == {
        ("echo", -1): "success",
        ("payloads", -1): "success",
        ("mapped", 0): "success",
        ("mapped", 1): "success",
        ("fails", -1): "failed",
        ("start", -1): "success",
        ("waited", -1): "success",
        ("deferred", -1): "success",
    }
    first = done.xcoms["echo", -1, "return_value"]
    assert done.xcoms["echo", -1, "execution_id"] == first["execution_id"]
    payload = json.loads(first["outputs"]["echo"]["echo.payload"])
    assert payload["run"].startswith("manual__")
    second = done.xcoms["mapped", 1, "return_value"]
    assert json.loads(second["outputs"]["echo"]["echo.payload"]) == {"of": first["execution_id"], "number": 1}
    assert done.rendered["echo", -1]["formula_name"] == "Echo"
    assert "A value not to show" not in json.dumps(list(done.rendered.values()), default=str)
    assert [each["status"] for each in sandbox.formula_executions()].count("failed") == 1
    assert len(sandbox.formula_executions()) == 6
    started = done.xcoms["start", -1, "return_value"]
    assert (started["status"], started["outputs"]) == ("pending", {})
    waited = done.xcoms["waited", -1, "return_value"]
    assert (waited["execution_id"], waited["status"]) == (started["execution_id"], "success")
    assert waited["outputs"] == {"echo": {"echo.payload": "{}"}}
    assert done.xcoms["deferred", -1, "return_value"]["status"] == "success"
