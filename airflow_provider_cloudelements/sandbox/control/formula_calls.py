"""The sandbox's own calls about formulas, under /sandbox."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.errors import bad_request
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply
from airflow_provider_cloudelements.sandbox.formulas.store import OUTCOMES, Plan
from airflow_provider_cloudelements.sandbox.formulas.views import execution_view
from airflow_provider_cloudelements.sandbox.state import Call


def list_executions(call: Call) -> Response:
    """GET /sandbox/formulas: lists all executions, and the plans for the next ones."""
    formulas = call.state.formulas
    rows = [
        {
            **execution_view(each),
            "formula": each.instance.template.name,
            "stepExecutions": {step.name: step.status for step in each.steps},
        }
        for each in formulas.executions()
    ]
    return json_reply({"executions": rows, "plans": formulas.plans()})


def add_plan(call: Call) -> Response:
    """POST /sandbox/formulas {outcome, step, message, count}: says what becomes of the next executions."""
    call.state.formulas.plan(Plan(**_read(call.json_object())))
    return list_executions(call)


def clear_plans(call: Call) -> Response:
    """DELETE /sandbox/formulas: forgets the plans for the next executions."""
    call.state.formulas.forget_plans()
    return empty_reply()


def _read(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a plan; 400 names the one that does not fit."""
    count = body.get("count", 1)
    whole = isinstance(count, int) and not isinstance(count, bool) and 1 <= count <= 10**9
    checks: dict[str, tuple[bool, str]] = {
        "outcome": (body.get("outcome", "success") in OUTCOMES, f"one of {', '.join(OUTCOMES)}"),
        "step": (isinstance(body.get("step", ""), (str, type(None))), "the name of a step or null"),
        "message": (isinstance(body.get("message", ""), str), "a string"),
        "count": (count is None or whole, "a number or null"),
    }
    for name in body:
        if name not in checks:
            raise bad_request(f"Unknown field; a plan has {', '.join(checks)}")
    for name, (fits, what) in checks.items():
        if not fits:
            raise bad_request(f"{name} must be {what}")
    return body
