"""Events on demand: what a vendor shall report, read from a control call or the command line."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from airflow_provider_cloudelements.sandbox.core.dates import read_iso
from airflow_provider_cloudelements.sandbox.elements.catalogue import Element
from airflow_provider_cloudelements.sandbox.vendors.payloads import (
    CREATED,
    EVENT_TYPES,
    Change,
    default_object,
    vendor_body,
)

MOST_BODIES, MOST_OBJECTS_EACH = 100_000, 10_000


@dataclass(frozen=True, slots=True)
class Emission:
    """What a vendor shall report.

    :param object_type: name of the resource; None for one of the element's.
    :param event_type: CREATED, UPDATED, DELETED or UNKNOWN, in any case.
    :param object_id: id of the object, with a number appended if there are several; None makes ids up.
    :param count: how many calls the vendor makes.
    :param objects: how many objects each call reports.
    :param date: when they changed, ISO; None for now. Microsoft Graph does not send it.
    :param body: a body of your own, any JSON, which replaces all fields but ``count``.
    """

    object_type: str | None = None
    event_type: str = CREATED
    object_id: str | None = None
    count: int = 1
    objects: int = 1
    date: str | None = None
    body: Any = None

    def __post_init__(self) -> None:
        """Refuse a value that does not fit; the error names the field."""
        for name in ("object_type", "object_id", "date"):
            if not isinstance(getattr(self, name), (str, type(None))):
                raise ValueError(f"{name} must be a string")
        if not isinstance(self.event_type, str) or self.event_type.upper() not in EVENT_TYPES:
            raise ValueError(f"event_type must be one of {', '.join(EVENT_TYPES)}")
        for name, most in (("count", MOST_BODIES), ("objects", MOST_OBJECTS_EACH)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise ValueError(f"{name} must be a number from 1 to {most}")
        if self.date is not None and read_iso(self.date) is None:
            raise ValueError("date must be an ISO date")

    def bodies(self, element: Element, now: float, *, polled: bool) -> Iterator[tuple[Any, str]]:
        """Yield the bodies that the vendor of an element sends, parsed and as text, one for each call.

        :param element: the element.
        :param now: seconds since 1970.
        :param polled: whether a poller fetches it.
        """
        date = read_iso(self.date)
        kind = self.object_type or default_object(element)
        alone = self.count == self.objects == 1
        number = 0
        for _ in range(self.count):
            if self.body is not None:
                body = self.body
            else:
                changes: list[Change] = []
                for _ in range(self.objects):
                    number += 1
                    name = uuid.uuid4().hex if self.object_id is None else self.object_id
                    if self.object_id is not None and not alone:
                        name = f"{name}-{number}"
                    changes.append(
                        Change(
                            kind, name, self.event_type.upper(), None if date is None else date.timestamp()
                        )
                    )
                body = vendor_body(element, changes, now, polled=polled)
            yield body, json.dumps(body)


FIELDS = tuple(entry.name for entry in fields(Emission))
