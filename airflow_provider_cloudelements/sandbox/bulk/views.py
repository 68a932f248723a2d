"""Bulk jobs as the API shows them: v2 and v3 have names of their own (facts F366, F367)."""

from __future__ import annotations

from typing import Any

from airflow_provider_cloudelements.sandbox.bulk.store import CANCELLED, CREATED, Job


def started(job: Job) -> dict[str, Any]:
    """Return the answer to a start (facts F362, F363, F370).

    :param job: the job.
    """
    if job.version == 3:
        return {"id": str(job.id), "instance_id": job.instance_id, "status": CREATED}
    if job.query is None:
        return {"id": str(job.id), "instanceId": job.instance_id, "status": CREATED}
    return {"id": job.id, "status": CREATED}


def status_of(job: Job, state: str) -> dict[str, Any]:
    """Return the answer to a call for a job's status.

    :param job: the job.
    :param state: its state.
    """
    if job.version == 2:  # of an upload, too (choice C370)
        return {
            "id": job.id,
            "status": state,
            "recordsCount": job.records,
            "recordsFailedCount": job.errors,
            "message": _message(job),
        }
    return {
        "id": job.id,
        # The page of v3 spells this one otherwise (fact F366).
        "jobStatus": "CANCELED" if state == CANCELLED else state,
        "recordCount": job.records,
        "objectName": job.object_name,
        "jobDirection": job.direction,
        "statusMessage": _message(job),
        "createdDate": _milliseconds(job.created),
        "errorCount": job.errors,
        "completionTime": _milliseconds(job.ended),
        "fileFormat": job.format,
        "vendorJobId": None,
        "native": False,
    }


def row_of(job: Job, state: str) -> dict[str, Any]:
    """Return a job as the list of jobs shows it (fact F364).

    :param job: the job.
    :param state: its state.
    """
    return {
        "id": job.id,
        "job_direction": job.direction,
        "job_query": job.query,
        "job_state": state,
        "record_count": job.records,
        "error_count": job.errors,
        "object_name": job.object_name,
        "completion_time": _milliseconds(job.ended),
        "createdDate": _milliseconds(job.created),
        "fileFormat": job.format,
        "instanceId": job.instance_id,
        "status": state,
    }


def seen(job: Job, state: str) -> dict[str, Any]:
    """Return a job as the control calls show it.

    :param job: the job.
    :param state: its state.
    """
    return {
        "id": job.id,
        "instance": job.instance_id,
        "element": job.element,
        "version": job.version,
        "direction": job.direction,
        "object": job.object_name,
        "status": state,
        "records": job.records,
        "errors": job.errors,
        "downloads": job.downloads,
        "sent": job.sent,
        "upload": job.upload,
    }


def _message(job: Job) -> str | None:
    return job.tally.errors[0] if job.tally.errors else None


def _milliseconds(moment: float | None) -> int | None:
    return None if moment is None else int(moment * 1000)
