"""Tasks that use an instance, by dag.test(): rendering, mapping, the token, what Airflow stores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.runs import Run

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"


def test_operator_and_decorator_use_an_instance_and_no_token_is_stored_but_in_its_xcom(
    load_dags, sandbox, element_connection, monkeypatch
):
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))
    element_connection(login="ada", password="the-password", extra={"authentication": "basic"})
    dag = load_dags(FOLDER / "resource_dags.py").resources
    done = Run(dag.test(run_conf={"name": "A name not to show"}))
    assert done.state == "success", done.tasks
    lead = done.xcoms["make", -1, "return_value"]
    assert done.xcoms["name_of", -1, "return_value"] == ["name_of", "A name not to show"]
    assert done.xcoms["mapped", 1, "return_value"] == ["mapped", "A name not to show"]
    assert done.xcoms["by_token", -1, "return_value"] == {"count": 1, "records": [lead], "path": None}
    unfit = {"half": "x\ufffd", "nul": "a\ufffdb", "list": [None, str(2**70)]}
    assert done.xcoms["filtered_unfit", -1, "return_value"] == unfit
    assert done.xcoms["unfit", -1, "return_value"].items() >= unfit.items()
    token = done.xcoms.pop(("create", -1, "token"))
    stored = json.dumps([list(done.rendered.values()), list(done.xcoms.values())], default=str)
    assert token not in stored
    assert "A name not to show" not in json.dumps(done.rendered["make", -1], default=str)
