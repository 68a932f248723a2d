"""Records of jira, in the form of its vendor (choice C322)."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_provider_cloudelements.sandbox.vendors.shapes import (
    FIRST_NAMES,
    LAST_NAMES,
    Record,
    Shape,
    created,
    pick,
    updated,
)


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def _incident(number: int) -> Record:
    made, changed = created(number), updated(number)
    return {
        "key": f"OPS-{number}",
        "self": f"https://site.example.com/rest/api/2/issue/{number:012d}",
        "fields": {
            "summary": f"Incident {number}",
            "description": "It does not answer.\nSince when: unknown.",
            "issuetype": {"name": pick(("Bug", "Task", "Incident"), number)},
            "status": {"name": pick(("To Do", "In Progress", "Done"), number)},
            "priority": {"name": pick(("Low", "Medium", "High", "Highest"), number)},
            "assignee": None if number % 3 == 0 else {"name": f"user{number}"},
            "labels": ["sandbox"],
            "created": f"{made[0]}T{made[1]}.000+0000",
            "updated": f"{changed[0]}T{changed[1]}.000+0000",
        },
    }


def _user(number: int) -> Record:
    return {
        "name": f"user{number}",
        "displayName": f"{pick(FIRST_NAMES, number)} {pick(LAST_NAMES, number)}",
        "emailAddress": f"user{number}@example.com",
        "active": True,
        "timeZone": "Europe/Berlin",
    }


#: The resources of JIRA.
SHAPES: dict[str, Shape] = {
    "incidents": Shape(
        _incident,
        "1",
        11,
        created="fields.created",
        updated="fields.updated",
        write=_written,
        mask="yyyy-MM-dd'T'HH:mm:ss.SSSZ",
    ),
    "users": Shape(_user, "user-", 9),
}
