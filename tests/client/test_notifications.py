"""What the client reads of events: both shapes of a notification, events as listed, and anything else."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.notifications import Event, Notification, ObjectEvent, id_text
from airflow_provider_cloudelements.exceptions import CloudElementsServerError
from tests.support.events import CHANGE, ENVELOPE, EVENT_ID, MESSAGE, listed
from tests.support.hidden import assert_hidden
from tests.support.wire import USER

OLDER = {
    "eventId": 812,
    "instanceId": 427,
    "response": {
        "events": [
            {"path": "/a.txt", "metadata": {"path": "/a.txt", "name": "a.txt", "type": "file"}},
            {"metadata": {"path": "/b.txt", "type": "created"}},
        ]
    },
    "notificationId": 3077,
}
OBJECT = ObjectEvent(
    object_id="0034100000abcdeAAA",
    object_type="Contact",
    event_type="UPDATED",
    date=pendulum.datetime(2018, 8, 20, 15, 29, 59),
    poll_date=pendulum.datetime(2018, 8, 20, 15, 30, 7),
    element_key="sfdc",
    hub_key="crm",
)
READ = Notification(
    event_id=EVENT_ID,
    instance_id=20931,
    element_key="sfdc",
    events=(OBJECT,),
    id="1496771",
    topic="instance-20931-sfdc-events",
    instance_name="an instance",
    instance_tags=("an instance",),
    created_date=pendulum.datetime(2018, 8, 20, 15, 30, 7),
)


def change(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**CHANGE, **changes}.items() if value != "MISSING"}


def message(**changes: Any) -> dict[str, Any]:
    body = {key: value for key, value in {**MESSAGE, **changes}.items() if value != "MISSING"}
    return {**ENVELOPE, "message": body}


def deep(levels: int = 100_000, of: Any = None) -> Any:
    for _ in range(levels):
        of = [of]
    return of


#: Made once: it takes a while, and parameters are kept from the collection to the end.
DEEP = deep()


def test_a_real_notification_is_read_whole() -> None:
    notification = Notification.parse(ENVELOPE)
    assert notification == READ
    assert notification.raw == MESSAGE["raw"]


def test_a_message_alone_is_read() -> None:
    assert Notification.parse(MESSAGE) == dataclasses.replace(READ, id=None, topic=None, created_date=None)


def test_a_message_that_is_a_text_of_json_is_read() -> None:
    assert Notification.parse({**ENVELOPE, "message": json.dumps(MESSAGE)}) == READ


def test_the_older_shape_is_read() -> None:
    notification = Notification.parse(OLDER)
    assert notification == Notification(
        event_id="812",
        instance_id=427,
        events=(ObjectEvent("/a.txt", "file"), ObjectEvent("/b.txt", "", "CREATED")),
        id="3077",
    )
    assert notification.raw == OLDER["response"]


@pytest.mark.parametrize(
    ("given_ids", "instance_id"),
    [
        ({"instanceId": 5, "instance_id": "MISSING"}, 5),
        ({"instanceId": "MISSING", "instance_id": 5}, 5),
        ({"instanceId": None, "instance_id": "5"}, 5),
        ({"instanceId": "5", "instance_id": "five"}, 5),
        ({"instanceId": 0, "instance_id": -1}, None),
        ({"instanceId": True, "instance_id": 5.0}, None),
        ({"instanceId": "MISSING", "instance_id": "MISSING"}, None),
    ],
    ids=repr,
)
def test_an_instances_id_is_read_from_either_key(given_ids: dict[str, Any], instance_id: int | None) -> None:
    assert Notification.parse(message(**given_ids)).instance_id == instance_id


@pytest.mark.parametrize("event_id", ["MISSING", None, "", "  ", True, 1.5, [], {}, 10**5000], ids=type)
def test_without_an_events_id_it_is_no_notification(event_id: Any) -> None:
    with pytest.raises(CloudElementsServerError, match="no eventId"):
        Notification.parse(message(eventId=event_id))
    older = {key: value for key, value in {**OLDER, "eventId": event_id}.items() if value != "MISSING"}
    with pytest.raises(CloudElementsServerError, match="no eventId"):
        Notification.parse(older)


@pytest.mark.parametrize(("event_id", "text"), [(812, "812"), (" a_-9 ", "a_-9"), ("812", "812")])
def test_an_events_id_is_text(event_id: Any, text: str) -> None:
    assert Notification.parse(message(eventId=event_id)).event_id == text
    assert Event.parse(listed(id=event_id)).id == text


@pytest.mark.parametrize(
    ("given_type", "read"),
    [
        ("created", "CREATED"),
        (" Deleted ", "DELETED"),
        ("UNKNOWN", "UNKNOWN"),
        ("MERGED", "MERGED"),
        ("", "UNKNOWN"),
        ("  ", "UNKNOWN"),
        (None, "UNKNOWN"),
        (["CREATED"], "UNKNOWN"),
        ("MISSING", "UNKNOWN"),
    ],
)
def test_kinds_of_change_are_words_in_capitals(given_type: Any, read: str) -> None:
    (event,) = Notification.parse(message(events=[change(eventType=given_type)])).events
    assert event.event_type == read


@pytest.mark.parametrize(
    ("object_id", "text"),
    [("2|0", "2|0"), (17, "17"), ("a/b c", "a/b c"), (None, ""), (True, ""), ([1], ""), ("MISSING", "")],
)
def test_an_objects_id_may_be_composite_a_number_or_missing(object_id: Any, text: str) -> None:
    (event,) = Notification.parse(message(events=[change(objectId=object_id)])).events
    assert event.object_id == text


def test_one_wrong_object_loses_no_other() -> None:
    read = Notification.parse(message(events=[None, "text", CHANGE, [CHANGE], 5]))
    assert read.events == (OBJECT,)
    older = {**OLDER, "response": {"events": [7, {"path": "/c", "metadata": "none"}]}}
    assert Notification.parse(older).events == (ObjectEvent("/c", ""),)


def test_the_element_is_taken_from_the_message_where_the_object_names_none() -> None:
    assert Notification.parse(message(events=[change(elementKey="MISSING")])).events == (OBJECT,)


@pytest.mark.parametrize("events", [None, {}, "text", 5, {"0": CHANGE}])
def test_events_that_are_no_list_are_none(events: Any) -> None:
    assert Notification.parse(message(events=events)).events == ()


def test_a_listed_event_is_read_whole() -> None:
    assert Event.parse(listed()) == Event(
        id=EVENT_ID,
        date=pendulum.datetime(2018, 8, 20, 15, 30, 6),
        status="NOTIFIED",
        notifications=(READ,),
        instance_ids=(20931,),
        provider_data=json.dumps(MESSAGE["raw"]),
    )


@pytest.mark.parametrize(
    "told",
    [
        ENVELOPE,
        json.dumps(ENVELOPE),
        [ENVELOPE],
        [json.dumps(ENVELOPE)],
        json.dumps([ENVELOPE]),
        [json.dumps([json.dumps(ENVELOPE)])],
        [
            None,
            5,
            "text",
            "{",
            {},
            [],
            [[[[ENVELOPE]]]],
            ENVELOPE,
            "[" * 100_000,
            DEEP,
            {"message": DEEP},
        ],
    ],
    ids=lambda told: repr(told)[:12] if isinstance(told, str) else type(told).__name__,
)
@pytest.mark.parametrize("place", ["event", "instance"])
def test_what_was_told_is_read_whatever_it_is_wrapped_in(told: Any, place: str) -> None:
    rows = [{"elementInstanceId": "20931", "notifiedData": told if place == "instance" else None}, 5, None]
    body = listed(notifiedData=told if place == "event" else [], eventElementInstances=rows)
    event = Event.parse(body)
    assert event.notifications == (READ,)
    assert event.objects == (OBJECT,)
    assert event.instance_ids == (20931,)


def test_what_is_told_twice_is_there_once_though_a_raw_body_cannot_be_hashed() -> None:
    other = {**ENVELOPE, "id": "1496772", "message": {**MESSAGE, "events": [CHANGE, change(objectId="2|0")]}}
    event = Event.parse(listed(notifiedData=[ENVELOPE, other, ENVELOPE, json.dumps(other)]))
    assert [each.id for each in event.notifications] == ["1496771", "1496772"]
    assert [each.object_id for each in event.objects] == [OBJECT.object_id, "2|0"]


def test_an_event_of_several_instances_names_them_all() -> None:
    rows = [{"elementInstanceId": each} for each in (4, "3", 4, None, "x")]
    assert Event.parse(listed(eventElementInstances=rows)).instance_ids == (4, 3, 20931)


@pytest.mark.parametrize(
    ("provider_data", "text"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ("rubbish {", "rubbish {"),
        ("", ""),
        (None, None),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ([], "[]"),
        (5, "5"),
        (DEEP, None),
        ("[" * 1_000_000, "[" * 1_000_000),
        ({1, 2}, None),
    ],
    ids=lambda value: repr(value)[:12] if isinstance(value, str) else type(value).__name__,
)
def test_the_vendors_body_is_text(provider_data: Any, text: str | None) -> None:
    assert Event.parse(listed(providerData=provider_data)).provider_data == text


@pytest.mark.parametrize(
    ("status", "told", "settled"),
    [
        ("NEW", [], False),
        ("received", [], False),
        (" new ", ["rubbish"], False),
        ("NEW", [ENVELOPE], True),
        ("DISPATCHED", [], True),
        ("CONSUMED", [], True),
        ("NOTIFIED", [], True),
        ("LOST", [], True),
        (None, [], True),
        (5, [], True),
    ],
)
def test_an_event_is_settled_in_no_early_state_or_when_told(status: Any, told: Any, settled: bool) -> None:
    assert Event.parse(listed(status=status, notifiedData=told, eventElementInstances=[])).settled is settled


def test_of_an_event_only_its_id_must_be_there() -> None:
    assert Event.parse({"id": EVENT_ID}) == Event(EVENT_ID)
    with pytest.raises(CloudElementsServerError, match="no id of the event"):
        Event.parse(listed(id="MISSING"))


@pytest.mark.parametrize("model", [Event, Notification])
@pytest.mark.parametrize("body", [None, [], "text", json.dumps(ENVELOPE), 5, True, [ENVELOPE]], ids=repr)
def test_what_is_no_object_is_an_error_of_ours(model: Any, body: Any) -> None:
    with pytest.raises(CloudElementsServerError, match="not a JSON object"):
        model.parse(body)


def test_nothing_of_a_vendors_body_shows() -> None:
    secret = {"key": USER, "list": [{USER: USER}]}
    told = message(raw=secret)
    event = Event.parse(
        listed(
            providerData=json.dumps(secret), notifiedData=[told, json.dumps(told)], eventElementInstances=[]
        )
    )
    assert event.notifications[0].raw == secret
    older = Notification.parse({**OLDER, "response": {**OLDER["response"], "more": secret}})
    assert_hidden(repr(event) + repr(event.notifications[0].raw is None) + repr(older), USER)
    with pytest.raises(CloudElementsServerError) as caught:
        Event.parse({"notes": USER, "providerData": USER})
    assert_hidden(repr(caught.value) + str(caught.value), USER)


def test_models_are_frozen_and_can_be_counted_in_a_set() -> None:
    event = Event.parse(listed())
    assert len({event, Event.parse(listed()), *event.notifications, *event.objects}) == 3
    for model in (event, event.notifications[0], event.objects[0]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(model, dataclasses.fields(model)[0].name, "other")


def test_a_huge_event_is_read() -> None:
    changes = [change(objectId=str(number)) for number in range(20_000)]
    told = message(events=changes, raw={"text": "x" * 4_000_000})
    event = Event.parse(listed(notifiedData=[told], eventElementInstances=[], providerData="y" * 8_000_000))
    assert len(event.objects) == 20_000
    assert len(repr(event)) < 20_000 * 400


def test_an_id_too_long_for_any_is_none() -> None:
    assert id_text(10**19) == str(10**19)
    assert id_text(10**20) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = sorted(
    {*ENVELOPE, *MESSAGE, *CHANGE, *OLDER, *listed(), "path", "metadata", "type", "elementInstanceId", "name"}
)
VALUES = (
    ANYTHING
    | st.integers(1, 9)
    | st.sampled_from(
        [
            EVENT_ID,
            "NEW",
            "created",
            "0001-01-01",
            "9999-12-31T23:59:59-12:00",
            "Mon Aug 20 15:30:07 XXX 2018",
        ]
    )
)


def _texts_too(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return inner | inner.map(json.dumps)


SHAPED = st.recursive(
    VALUES,
    lambda inner: _texts_too(
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=8) | st.lists(inner, max_size=3)
    ),
    max_leaves=20,
)
BODIES = st.dictionaries(st.sampled_from(KEYS), SHAPED, max_size=10)


@pytest.mark.parametrize("model", [Event, Notification])
@given(body=ANYTHING | BODIES, whole=st.sampled_from([{}, listed(), ENVELOPE, OLDER]))
def test_anything_is_read_or_refused_by_plan(model: Any, body: Any, whole: dict[str, Any]) -> None:
    if isinstance(body, dict):
        body = {**whole, **body}
    try:
        made = model.parse(body)
    except CloudElementsServerError:
        return
    hash(made)
    assert made == model.parse(body)
    assert isinstance(made.id if model is Event else made.event_id, str)
    told = made.notifications if model is Event else (made,)
    for each in told:
        assert each.event_id
        assert each.instance_id is None or each.instance_id > 0
        for one in each.events:
            assert one.event_type == one.event_type.strip().upper() != ""
            assert isinstance(one.object_id, str)
            assert isinstance(one.object_type, str)
            for date in (one.date, one.poll_date):
                assert date is None or date.timezone_name == "UTC"
