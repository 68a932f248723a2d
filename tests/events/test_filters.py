"""Which events a filter takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from airflow_provider_cloudelements.client.notifications import Event, Notification, ObjectEvent
from airflow_provider_cloudelements.events.scan import EventFilter
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError


def event_of(*told: tuple[int | None, str, str], ids: Iterable[int] = ()) -> Event:
    notifications = tuple(
        Notification("e", instance, events=(ObjectEvent("1", kind, change),))
        for instance, kind, change in told
    )
    named = {each for each, *_ in told if each is not None}
    return Event("e", notifications=notifications, instance_ids=(*named, *ids))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["events", "contacts"]),
        ({"object_types": ["events"]}, ["events"]),
        ({"object_types": [" events\n"]}, ["events"]),
        ({"object_types": []}, ["events", "contacts"]),
        ({"object_types": ["Events"]}, None),
        ({"event_types": [" created "]}, ["events"]),
        ({"event_types": ("deleted", "UPDATED")}, ["contacts"]),
        ({"event_types": {"UNKNOWN"}}, None),
        ({"object_types": ["events"], "event_types": ["DELETED"]}, None),
    ],
    ids=repr,
)
def test_a_filter_takes_what_is_wanted(wanted: dict[str, Any], found: list[str] | None) -> None:
    event = event_of((5, "events", "CREATED"), (6, "contacts", "DELETED"))
    taken = EventFilter.of(**wanted).told(event.notifications)
    assert (None if taken is None else [each.object_type for each in taken]) == found


def test_what_nobody_told_is_wanted_where_nothing_is_asked_about_it() -> None:
    untold = event_of(ids=[5])
    assert EventFilter.of().told(untold.notifications) == ()
    assert EventFilter.of(event_types=["UNKNOWN"]).told(untold.notifications) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"object_types": "events"},
        {"object_types": [5]},
        {"object_types": [""]},
        {"object_types": ["events", "None"]},
        {"event_types": ["None"]},
        {"event_types": "CREATED"},
        {"event_types": {"CREATED": 1}},
        {"event_types": 5},
    ],
    ids=repr,
)
def test_what_is_no_list_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(CloudElementsValidationError):
        EventFilter.of(**wrong)
