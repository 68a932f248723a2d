"""The sandbox's own calls about bulk jobs and records, under /sandbox."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.bulk.store import ABORTED, ERROR, OUTCOMES, JobPlan
from airflow_provider_cloudelements.sandbox.bulk.views import seen
from airflow_provider_cloudelements.sandbox.core.errors import bad_request, not_emulated
from airflow_provider_cloudelements.sandbox.core.plans import checked, whole
from airflow_provider_cloudelements.sandbox.core.web import empty_reply, json_reply
from airflow_provider_cloudelements.sandbox.instances.calls import instance_of
from airflow_provider_cloudelements.sandbox.state import Call
from airflow_provider_cloudelements.sandbox.vendors.shapes import MOST_RECORDS


def list_jobs(call: Call) -> Response:
    """GET /sandbox/bulk: lists all jobs, and the plans for the next ones."""
    jobs = call.state.jobs
    return json_reply({"jobs": [seen(job, jobs.state(job)) for job in jobs.of()], "plans": jobs.plans.view()})


def add_plan(call: Call) -> Response:
    """POST /sandbox/bulk {outcome, status, message, rows, count}: says what becomes of the next jobs."""
    call.state.jobs.plans.add(JobPlan(**_read(call.json_object())))
    return list_jobs(call)


def clear_plans(call: Call) -> Response:
    """DELETE /sandbox/bulk: forgets the plans for the next jobs."""
    call.state.jobs.plans.clear()
    return empty_reply()


def set_records(call: Call) -> Response:
    """PUT /sandbox/instances/{id}/records/{object} {count}: gives a resource so many generated records."""
    instance, count = instance_of(call), call.json_object().get("count")
    if not whole(count, 0, MOST_RECORDS):
        raise bad_request(f"Field count must be a number from 0 to {MOST_RECORDS}")
    name = call.params["object"]
    if instance.tables.fill(instance.element, name, count) is None:
        raise not_emulated("a resource of this name at this element")
    return json_reply({"object": name, "count": count})


def _read(body: dict[str, Any]) -> dict[str, Any]:
    count = body.get("count", 1)
    return checked(
        body,
        {
            "outcome": (body.get("outcome", "complete") in OUTCOMES, f"one of {', '.join(OUTCOMES)}"),
            "status": (body.get("status", ERROR) in (ERROR, ABORTED), f"{ERROR} or {ABORTED}"),
            "message": (isinstance(body.get("message", ""), str), "a string"),
            "rows": (whole(body.get("rows", 0), -(10**9)), "a number"),
            "count": (count is None or whole(count, 1), "a number or null"),
        },
    )
