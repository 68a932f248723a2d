"""What an execution has given, as Airflow can carry it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from airflow_provider_cloudelements.client.formulas import FormulaExecution
from airflow_provider_cloudelements.use.formulas import outcome


def test_the_values_of_steps_are_made_fit() -> None:
    # The sandbox writes values as JSON texts in ASCII, so none of these can come from it.
    api: Any = SimpleNamespace(
        steps=lambda _: [SimpleNamespace(step="echo", values={"half": "x\ud83d", "nul": "a\0b"})]
    )
    given = outcome(api, FormulaExecution(5, 7, "success"), ["echo"])
    assert given["outputs"] == {"echo": {"half": "x\ufffd", "nul": "a\ufffdb"}}
