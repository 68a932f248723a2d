"""The sandbox's own calls about bulk jobs and records, under /sandbox."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.bulk.store import ABORTED, ERROR, OUTCOMES, Plan
from airflow_provider_cloudelements.sandbox.bulk.views import seen
from airflow_provider_cloudelements.sandbox.core.errors import bad_request, not_emulated
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply
from airflow_provider_cloudelements.sandbox.instances.calls import instance_of
from airflow_provider_cloudelements.sandbox.state import Call
from airflow_provider_cloudelements.sandbox.vendors.shapes import MOST_RECORDS


def list_jobs(call: Call) -> Response:
    """GET /sandbox/bulk: lists all jobs, and the plans for the next ones."""
    jobs = call.state.jobs
    return json_reply({"jobs": [seen(job, jobs.state(job)) for job in jobs.of()], "plans": jobs.plans()})


def add_plan(call: Call) -> Response:
    """POST /sandbox/bulk {outcome, status, message, rows, count}: says what becomes of the next jobs."""
    call.state.jobs.plan(Plan(**read_plan(call.json_object())))
    return list_jobs(call)


def clear_plans(call: Call) -> Response:
    """DELETE /sandbox/bulk: forgets the plans for the next jobs."""
    call.state.jobs.forget_plans()
    return empty_reply()


def set_records(call: Call) -> Response:
    """PUT /sandbox/instances/{id}/records/{object} {count}: gives a resource so many generated records."""
    instance, count = instance_of(call), call.json_object().get("count")
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST_RECORDS:
        raise bad_request(f"Field count must be a number from 0 to {MOST_RECORDS}")
    name = call.params["object"]
    if instance.tables.fill(instance.element, name, count) is None:
        raise not_emulated("a resource of this name at this element")
    return json_reply({"object": name, "count": count})


def read_plan(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a plan.

    :param body: a control call's body.
    :raises ApiError: 400; it names the field that does not fit.
    """
    checks: dict[str, tuple[bool, str]] = {
        "outcome": (body.get("outcome", "complete") in OUTCOMES, f"one of {', '.join(OUTCOMES)}"),
        "status": (body.get("status", ERROR) in (ERROR, ABORTED), f"{ERROR} or {ABORTED}"),
        "message": (isinstance(body.get("message", ""), str), "a string"),
        "rows": (_whole(body.get("rows", 0), -(10**9), 10**9), "a number"),
        "count": (body.get("count", 1) is None or _whole(body.get("count", 1), 1, 10**9), "a number or null"),
    }
    for name in body:
        if name not in checks:
            raise bad_request(f"Unknown field; a plan has {', '.join(checks)}")
    for name, (fits, what) in checks.items():
        if not fits:
            raise bad_request(f"{name} must be {what}")
    return body


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
