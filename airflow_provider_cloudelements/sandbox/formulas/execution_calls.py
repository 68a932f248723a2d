"""Handlers of the executions of formulas: trigger, list, steps, errors, cancel, retries (F404 to F410)."""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.errors import bad_request, not_found
from airflow_provider_cloudelements.sandbox.core.paging import cut_page
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply
from airflow_provider_cloudelements.sandbox.formulas.calls import formula_instance_of
from airflow_provider_cloudelements.sandbox.formulas.store import CANCELLED, FAILED, RETRY, Execution
from airflow_provider_cloudelements.sandbox.formulas.views import execution_view, steps_view
from airflow_provider_cloudelements.sandbox.state import Call


def _execution(call: Call) -> Execution:
    execution = call.state.formulas.execution(call.number("execution"))
    if execution is None:
        raise not_found("formula execution with this id")
    return execution


def trigger(call: Call) -> Response:
    """POST /formulas/instances/{instance}/executions: runs it; the body is the payload (facts F406, F407)."""
    instance = formula_instance_of(call)
    payload = call.json_object() if call.body.strip() else {}
    if not instance.active:
        raise bad_request("The formula instance is not active")  # choice C405
    return json_reply([execution_view(call.state.formulas.trigger(instance, payload))])


def list_executions(call: Call) -> Response:
    """GET /formulas/instances/{instance}/executions: lists them; ``eventId``, ``objectId``, pages (F408)."""
    found = call.state.formulas.executions(formula_instance_of(call))
    for name in ("eventId", "objectId"):
        if wanted := call.value(name):
            found = [each for each in found if str(each.payload.get(name)) == wanted]  # choice C407
    page, headers = cut_page(call, call.state.behaviour, found, lambda each: each.id)
    return json_reply([execution_view(each) for each in page], headers)


def get_execution(call: Call) -> Response:
    """GET /formulas/instances/executions/{execution}: returns one execution with its steps (fact F404)."""
    return json_reply(execution_view(_execution(call)))


def list_steps(call: Call) -> Response:
    """GET /formulas/instances/executions/{execution}/steps: lists the steps that ran."""
    return json_reply(steps_view(_execution(call)))


def list_errors(call: Call) -> Response:
    """GET /formulas/instances/executions/{execution}/errors: lists the errors of steps (C403)."""
    return json_reply(_execution(call).errors)


def change(call: Call) -> Response:
    """PATCH /formulas/instances/executions/{execution} {status}: cancels it; 400 if it ended (F409)."""
    execution = _execution(call)
    if call.json_object().get("status") != CANCELLED:
        raise bad_request("Field status must be cancelled")
    if execution.ended:
        raise bad_request("The formula execution has ended")
    call.state.formulas.stop(execution, CANCELLED)
    return json_reply(execution_view(execution))


def retry(call: Call) -> Response:
    """PUT /formulas/instances/executions/{execution}/retries: runs a failed one again (fact F410, C406)."""
    execution = _execution(call)
    if execution.status != FAILED:
        raise bad_request("Only a failed formula execution can be retried")
    call.state.formulas.retry(execution)
    return json_reply(execution_view(execution))


def cancel_retries(call: Call) -> Response:
    """DELETE /formulas/instances/executions/{execution}/retries: cancels the retries (fact F410)."""
    execution = _execution(call)
    if execution.status == RETRY:
        call.state.formulas.stop(execution, FAILED)
    return empty_reply()
