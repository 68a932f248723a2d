"""A notification and an event as the platform writes them."""

from __future__ import annotations

import json
from typing import Any

EVENT_ID = "AWVX9OTIhdQRdI1F7Q7v"

# The form of the real payloads (facts F247, F248).
CHANGE = {
    "date": "2018-08-20T15:29:59Z",
    "elementKey": "sfdc",
    "eventType": "UPDATED",
    "hubKey": "crm",
    "objectId": "0034100000abcdeAAA",
    "objectType": "Contact",
    "pollDate": "2018-08-20T15:30:07Z",
}
MESSAGE = {
    "elementKey": "sfdc",
    "accountId": 5,
    "eventId": EVENT_ID,
    "companyId": 3,
    "instanceId": 20931,
    "instance_id": 20931,
    "instanceName": "an instance",
    "instanceTags": ["an instance"],
    "raw": {"Contact": [{"Id": "0034100000abcdeAAA"}], "objectType": "Contact", "pollDate": 1534779007000},
    "userId": 9,
    "events": [CHANGE],
}
ENVELOPE = {
    "id": "1496771",
    "topic": "instance-20931-sfdc-events",
    "severity": "medium",
    "action": "create",
    "createdDate": "Mon Aug 20 15:30:07 UTC 2018",
    "user": "notifications@cloud-elements.com",
    "message": MESSAGE,
}


def listed(**changes: Any) -> dict[str, Any]:
    """Return an event as ``GET /instances/events`` has it (fact F282); a change to MISSING takes away."""
    row = {
        "eventId": EVENT_ID,
        "elementInstanceId": 20931,
        "notificationId": 1496771,
        "notifiedData": json.dumps(ENVELOPE),
        "createdDate": "2018-08-20T15:30:07Z",
        "updatedDate": "2018-08-20T15:30:08Z",
    }
    body = {
        "id": EVENT_ID,
        "eventDate": "2018-08-20T15:30:06Z",
        "status": "NOTIFIED",
        "providerData": json.dumps(MESSAGE["raw"]),
        "notifiedData": [ENVELOPE],
        "eventElementInstances": [row],
        **changes,
    }
    return {key: value for key, value in body.items() if value != "MISSING"}
