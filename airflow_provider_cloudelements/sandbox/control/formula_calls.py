"""The sandbox's own calls about formulas, under /sandbox."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.plans import checked, whole
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply
from airflow_provider_cloudelements.sandbox.formulas.store import OUTCOMES, ExecutionPlan
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
    return json_reply({"executions": rows, "plans": formulas.plans.view()})


def add_plan(call: Call) -> Response:
    """POST /sandbox/formulas {outcome, step, message, count}: says what becomes of the next executions."""
    call.state.formulas.plans.add(ExecutionPlan(**_read(call.json_object())))
    return list_executions(call)


def clear_plans(call: Call) -> Response:
    """DELETE /sandbox/formulas: forgets the plans for the next executions."""
    call.state.formulas.plans.clear()
    return empty_reply()


def _read(body: dict[str, Any]) -> dict[str, Any]:
    count = body.get("count", 1)
    return checked(
        body,
        {
            "outcome": (body.get("outcome", "success") in OUTCOMES, f"one of {', '.join(OUTCOMES)}"),
            "step": (isinstance(body.get("step", ""), (str, type(None))), "the name of a step or null"),
            "message": (isinstance(body.get("message", ""), str), "a string"),
            "count": (count is None or whole(count, 1), "a number or null"),
        },
    )
