"""Records of Microsoft Graph, in the form of Microsoft's documentation (choice C322)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow_provider_cloudelements.sandbox.vendors.shapes import (
    FIRST_NAMES,
    LAST_NAMES,
    Record,
    Shape,
    created,
    pick,
    updated,
)

_OWNER = {"name": "Sandy Box", "address": "sandy@example.com"}
#: How Graph writes that nobody has answered yet.
_NEVER = "0001-01-01T00:00:00Z"


def written(moment: float) -> str:
    """Return a date as Microsoft Graph writes it, with seven digits behind the seconds.

    :param moment: seconds since 1970.
    """
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _written(moment: tuple[str, str]) -> str:
    return f"{moment[0]}T{moment[1]}.0000000Z"


def _calendar(number: int) -> Record:
    name = ("Calendar", "Birthdays", "Team")[number - 1] if number <= 3 else f"Calendar {number}"
    return {
        "name": name,
        "color": "auto",
        "hexColor": "",
        "isDefaultCalendar": number == 1,
        "changeKey": f"ck-{number:09d}",
        "canShare": True,
        "canViewPrivateItems": True,
        "canEdit": True,
        "isTallyingResponses": True,
        "isRemovable": number > 1,
        "owner": _OWNER,
    }


def _event(number: int) -> Record:
    day = f"2030-01-{(number - 1) % 20 + 1:02d}"
    guest = pick(FIRST_NAMES, number)
    room = pick(("Room 1", "Room 2", "Board room", ""), number)
    return {
        "@odata.etag": f'W/"ck-{number:09d}"',
        "createdDateTime": _written(created(number)),
        "lastModifiedDateTime": _written(updated(number)),
        "changeKey": f"ck-{number:09d}",
        "categories": [],
        "originalStartTimeZone": "UTC",
        "originalEndTimeZone": "UTC",
        "iCalUId": f"040000008200E00074C5B7101A82E008{number:012d}",
        "reminderMinutesBeforeStart": 15,
        "isReminderOn": True,
        "hasAttachments": False,
        "subject": f"Meeting {number}",
        "bodyPreview": f"About meeting {number}",
        "importance": "normal",
        "sensitivity": "normal",
        "isAllDay": False,
        "isCancelled": False,
        "isOrganizer": True,
        "responseRequested": True,
        "seriesMasterId": None,
        "showAs": "busy",
        "type": "singleInstance",
        "webLink": f"https://outlook.example.com/?itemid={number:012d}",
        "onlineMeetingUrl": None,
        "isOnlineMeeting": False,
        "onlineMeetingProvider": "unknown",
        "recurrence": None,
        "responseStatus": {"response": "organizer", "time": _NEVER},
        "body": {"contentType": "text", "content": f"About meeting {number}"},
        "start": {"dateTime": f"{day}T09:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": f"{day}T10:00:00.0000000", "timeZone": "UTC"},
        "location": {"displayName": room, "locationType": "default"},
        "attendees": [
            {
                "type": "required",
                "status": {"response": "none", "time": _NEVER},
                "emailAddress": {"name": guest, "address": f"guest{number}@example.com"},
            }
        ],
        "organizer": {"emailAddress": _OWNER},
    }


def _contact(number: int) -> Record:
    first, last = pick(FIRST_NAMES, number), pick(LAST_NAMES, number)
    return {
        "@odata.etag": f'W/"ck-{number:09d}"',
        "createdDateTime": _written(created(number)),
        "lastModifiedDateTime": _written(updated(number)),
        "changeKey": f"ck-{number:09d}",
        "categories": [],
        "birthday": None if number % 2 else "1980-05-17T11:59:00Z",
        "displayName": f"{first} {last}",
        "givenName": first,
        "surname": last,
        "jobTitle": pick(("Engineer", "Analyst", "Director"), number),
        "companyName": "Box & Co",
        "businessPhones": [f"+49 351 {number:09d}"],
        "mobilePhone": None,
        "emailAddresses": [{"name": f"{first} {last}", "address": f"contact{number}@example.com"}],
        "businessAddress": {"city": "Dresden", "postalCode": "01067", "countryOrRegion": "DE"},
    }


_DATES: dict[str, Any] = {
    "created": "createdDateTime",
    "updated": "lastModifiedDateTime",
    "write": written,
    "mask": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSS'Z'",
}
#: The resources of Microsoft Graph.
SHAPES: dict[str, Shape] = {
    "calendars": Shape(_calendar, "AAMk-calendar-"),
    "events": Shape(_event, "AAMk-event-", **_DATES),
    "contacts": Shape(_contact, "AAMk-contact-", **_DATES),
}
