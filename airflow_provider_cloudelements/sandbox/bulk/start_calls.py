"""Handlers that start bulk jobs: the query of v2, the download of v3, the upload (facts F361 to F375)."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.bulk.criteria import (
    Criteria,
    between,
    read_body,
    read_query,
)
from airflow_provider_cloudelements.sandbox.bulk.formats import CSV, NAMES
from airflow_provider_cloudelements.sandbox.bulk.store import DOWNLOAD, UPLOAD, Job
from airflow_provider_cloudelements.sandbox.bulk.uploads import apply, read_order
from airflow_provider_cloudelements.sandbox.bulk.views import started
from airflow_provider_cloudelements.sandbox.core.errors import bad_request, not_emulated
from airflow_provider_cloudelements.sandbox.core.web import json_reply, to_id
from airflow_provider_cloudelements.sandbox.instances.resource_calls import through
from airflow_provider_cloudelements.sandbox.state import Call


def start_query(call: Call) -> Response:
    """POST /bulk/query?q=...: starts a download (v2), of the query's records (facts F361, F365).

    Also lastRunDate, from, to, fileFormat and continueFromJobId.
    """
    through(call)
    _refuse_schedule(call)
    values = {name: call.value(name) for name in ("lastRunDate", "from", "to")}
    previous, text = _previous(call, call.value("continueFromJobId")), call.value("q")
    if text:
        criteria = read_query(text)
    elif previous is not None and previous.criteria is not None:
        criteria = previous.criteria
    else:
        raise bad_request("Parameter q is required, unless continueFromJobId names a job with one")
    criteria = between(criteria, values)
    form = call.value("fileFormat")
    return _download(
        call, 2, _after(criteria, previous), _format(form, "Parameter fileFormat") if form else None
    )


def start_download(call: Call) -> Response:
    """POST /bulk/download: starts a download (v3), as its body describes it (fact F363)."""
    through(call)
    _refuse_schedule(call)
    body = call.json_object()
    criteria = read_body(body)
    if not body.get("format"):
        raise bad_request("Field format is required")
    form = _format(body["format"], "Field format")
    given = body.get("continueFromJobId")
    previous = _previous(call, None if given is None else str(given))
    if not isinstance(body.get("filterNulls", False), bool):
        raise bad_request("Field filterNulls must be true or false")
    return _download(call, 3, _after(criteria, previous), form, no_nulls=bool(body.get("filterNulls")))


def start_upload(call: Call) -> Response:
    """POST /bulk/{object}: starts an upload of the part ``file``, as the part ``metaData`` says."""
    instance = through(call)
    _refuse_schedule(call)
    if call.upload is None:
        raise RuntimeError("an upload was routed without its body")
    order = read_order(call.upload.fields.get("metaData"))
    file = call.upload.take()
    name, jobs = call.params["object"], call.state.jobs
    table = instance.tables.of(instance.element, name, call.state.behaviour.records)
    job = Job(jobs.next_id(), instance.id, instance.element.key, 2, UPLOAD, name)
    job.format, job.file = "JSON" if order.json else CSV, file
    job.upload = {
        "name": call.upload.filename,
        "type": call.upload.kind,
        "bytes": file.seek(0, os.SEEK_END),
        "fields": sorted(call.upload.fields),
        "identifier": order.identifier,
    }
    file.seek(0)
    return json_reply(started(jobs.start(job, apply(file, order, table, job.tally))))


def _download(
    call: Call, version: int, criteria: Criteria, form: str | None, *, no_nulls: bool = False
) -> Response:
    """Start a download of the records as they are now (choice C368).

    That of an unknown object ends by an error (unknown U363, choice C364).
    """
    instance, jobs = through(call), call.state.jobs
    table = instance.tables.of(instance.element, criteria.object_name, call.state.behaviour.records)
    job = Job(jobs.next_id(), instance.id, instance.element.key, version, DOWNLOAD, criteria.object_name)
    job.query, job.format, job.criteria, job.no_nulls = criteria.text, form, criteria, no_nulls
    jobs.start(job, iter(()) if table is None else criteria.select(table.snapshot()))
    if table is None and job.plan.outcome == "complete":
        job.fail("The object is unknown")
    return json_reply(started(job))


def _after(criteria: Criteria, previous: Job | None) -> Criteria:
    """Return what a job asks for that goes on where another one ended (fact F365)."""
    if previous is None or previous.criteria is None:
        return criteria
    before = previous.criteria
    held = before.limit if previous.selection is None else previous.selection.size
    return replace(criteria, skipped=before.skipped + (held or 0))


def _previous(call: Call, given: str | None) -> Job | None:
    if not given:
        return None
    job = call.state.jobs.get(to_id(given), through(call).id)
    if job is None or job.criteria is None:
        raise bad_request("continueFromJobId names no download of this instance")
    return job


def _format(given: Any, what: str) -> str:
    form = NAMES.get(given.lower()) if isinstance(given, str) else None
    if form is None:
        raise bad_request(f"{what} must be one of application/json, txt/csv, application/jsonl")
    return form


def _refuse_schedule(call: Call) -> None:
    """Say that the sandbox runs no jobs by a schedule (fact F376, choice C371)."""
    if "elements-schedule-request" in call.headers:
        raise not_emulated("bulk jobs by a schedule")
