"""Handlers of bulk jobs that were started: state, list, errors, result, cancel (facts F361 to F375)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.bulk.formats import CSV, TYPES, Writer
from airflow_provider_cloudelements.sandbox.bulk.results import Result
from airflow_provider_cloudelements.sandbox.bulk.store import COMPLETED, DOWNLOAD, Job
from airflow_provider_cloudelements.sandbox.bulk.views import row_of, status_of
from airflow_provider_cloudelements.sandbox.core.ceql import parse_where
from airflow_provider_cloudelements.sandbox.core.errors import ApiError, bad_request, not_found
from airflow_provider_cloudelements.sandbox.core.paging import cut_page
from airflow_provider_cloudelements.sandbox.core.web import StreamReply, json_reply
from airflow_provider_cloudelements.sandbox.instances.resource_calls import through
from airflow_provider_cloudelements.sandbox.state import Call

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def job_of(call: Call) -> Job:
    """Return the job in the path, which must be the token's instance's.

    :param call: the request.
    """
    job = call.state.jobs.get(call.number("job"), through(call).id)
    if job is None:
        raise not_found("bulk job with this id")
    return job


def get_status(call: Call) -> Response:
    """GET /bulk/{id}/status: returns how far a job has come, with the fields of its version (F366, F367)."""
    job = job_of(call)
    return json_reply(status_of(job, call.state.jobs.state(job)))


def list_jobs(call: Call) -> Response:
    """GET /bulk/jobs: lists the instance's jobs, with ``where``, ``fields`` and pages (F364, C372)."""
    jobs = call.state.jobs
    rows = [row_of(job, jobs.state(job)) for job in jobs.of(through(call).id)]
    if where := call.value("where"):
        condition = parse_where(where)
        rows = [row for row in rows if condition({**row, "job_status": row["status"]})]
    page, headers = cut_page(call, call.state.behaviour, rows, lambda row: int(row["id"]), descending=True)
    return json_reply([call.asked_for(row) for row in page], headers)


def list_errors(call: Call) -> Response:
    """GET /bulk/{id}/errors: lists the texts of a job's errors, in pages (fact F372)."""
    rows = list(enumerate(job_of(call).tally.errors, 1))
    page, headers = cut_page(call, call.state.behaviour, rows, lambda row: row[0])
    return json_reply([text for _, text in page], headers)


def cancel(call: Call) -> Response:
    """PUT /bulk/{id}/cancel: cancels a job and returns its status (F374, C367)."""
    job = job_of(call)
    call.state.jobs.cancel(job)
    return json_reply(status_of(job, call.state.jobs.state(job)))


def get_result(call: Call) -> Response:
    """GET /bulk/{id}/{object}: returns a download's records; 400 if Accept does not fit its format (F368)."""
    job, jobs = job_of(call), call.state.jobs
    if job.direction != DOWNLOAD or call.params["object"] != job.object_name:
        raise ApiError(404, "The bulk job has no result for this object")
    form = _format(job, call.headers.get("accept", ""))
    if jobs.state(job) != COMPLETED or job.selection is None:
        raise bad_request("The bulk job has not completed")  # unknown U362, choice C365
    if jobs.expired(job):
        raise ApiError(404, "The result of the bulk job is no longer kept")
    fields = job.criteria.fields if job.criteria is not None else ()
    columns = fields or tuple(job.selection.table.columns())
    result = Result(job.selection, Writer(form, columns, fields, job.no_nulls))
    job.downloads += 1
    return _send(call, job, form, result)


def _format(job: Job, accept: str) -> str:
    """Return the format of a result, by the job's own and what the caller accepts."""
    wanted = [each.split(";")[0].strip().lower() for each in accept.split(",") if each.strip()]
    fitting = [name for kind in wanted for name, own in TYPES.items() if kind == own]
    anything = not wanted or "*/*" in wanted
    if job.format is not None:
        if job.format in fitting or anything:
            return job.format
        raise bad_request("The Accept header does not fit the format of the bulk job")
    if fitting:
        return fitting[0]
    if anything or "text/*" in wanted:
        return CSV
    raise bad_request("The Accept header does not fit the format of the bulk job")


def _send(call: Call, job: Job, form: str, result: Result) -> Response:
    """Return a result, or the part of it that was asked for (unknown U361, choice C363)."""
    behaviour, size = call.state.behaviour, result.size
    serves = behaviour.bulk_ranges == "serve"
    tag = f'"{job.id}-{form.lower()}"'
    headers = {"Accept-Ranges": "bytes", "ETag": tag} if serves else {}
    begin, end, status = 0, size, 200
    part = _RANGE.fullmatch(call.headers.get("range", "").replace(" ", "")) if serves else None
    if part is not None and part.group() != "bytes=-" and call.headers.get("if-range", tag) == tag:
        first, last = part[1], part[2]
        begin = int(first) if first else max(size - int(last), 0)
        end = min(int(last) + 1, size) if first and last else size
        if begin >= size or begin >= end:
            raise ApiError(416, "The range is not there", headers={"Content-Range": f"bytes */{size}"})
        headers["Content-Range"], status = f"bytes {begin}-{end - 1}/{size}", 206
    return StreamReply(
        _counted(job, result, begin, end),
        end - begin,
        tell_size=behaviour.bulk_transfer == "length",
        headers=headers,
        kind=TYPES[form],
        status=status,
    )


def _counted(job: Job, result: Result, begin: int, end: int) -> Iterator[bytes]:
    for chunk in result.chunks(begin, end):
        yield chunk
        job.sent += len(chunk)
