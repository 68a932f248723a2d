"""Records of pipedrive, in the form of its vendor (choice C322). Their ids are numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from airflow_provider_cloudelements.sandbox.vendors.shapes import (
    CITIES,
    COMPANIES,
    FIRST_NAMES,
    LAST_NAMES,
    Record,
    Shape,
    created,
    pick,
    updated,
)


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _dates(number: int) -> Record:
    return {"add_time": " ".join(created(number)), "update_time": " ".join(updated(number))}


def _account(number: int) -> Record:
    city, code, country = pick(CITIES, number)
    return {
        "name": f"{pick(COMPANIES, number)} {number}",
        "address": f"Main Street 1, {code} {city}, {country}",
        "people_count": number % 10,
        "owner_id": 1,
        "active_flag": True,
        **_dates(number),
    }


def _activity(number: int) -> Record:
    return {
        "subject": f"Call about offer {number}",
        "type": pick(("call", "meeting", "task", "email"), number),
        "done": number % 2 == 0,
        "due_date": f"2030-{number % 12 + 1:02d}-01",
        "due_time": "09:00",
        "person_id": number,
        **_dates(number),
    }


def _contact(number: int) -> Record:
    first, last = pick(FIRST_NAMES, number), pick(LAST_NAMES, number)
    return {
        "name": f"{first} {last}",
        "first_name": first,
        "last_name": last,
        "email": [{"value": f"sandy{number}@example.com", "primary": True, "label": "work"}],
        "phone": [{"value": f"0351{number:09d}", "primary": True, "label": "work"}],
        "org_id": number,
        "owner_id": 1,
        "label": None,
        "active_flag": True,
        **_dates(number),
    }


def _deal(number: int) -> Record:
    return {
        "title": f"Deal {number}",
        "value": number % 20 * 250,
        "currency": pick(("EUR", "USD", "GBP"), number),
        "status": pick(("open", "won", "lost"), number),
        "stage_id": number % 5 + 1,
        "person_id": number,
        "org_id": number,
        "lost_reason": None,
        **_dates(number),
    }


def _pipedrive(make: Callable[[int], Record]) -> Shape:
    return Shape(
        make,
        numeric=True,
        created="add_time",
        updated="update_time",
        write=_written,
        mask="yyyy-MM-dd HH:mm:ss",
    )


#: The resources of Pipedrive.
SHAPES: dict[str, Shape] = {
    "accounts": _pipedrive(_account),
    "activities": _pipedrive(_activity),
    "contacts": _pipedrive(_contact),
    "deals": _pipedrive(_deal),
    "opportunities": _pipedrive(_deal),
}
