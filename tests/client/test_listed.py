"""Pages of events and deliveries read straight from their bytes give what they gave before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.events import read_listed
from airflow_provider_cloudelements.client.listed import ListedEvent
from airflow_provider_cloudelements.client.notifications import Event, Notification
from airflow_provider_cloudelements.client.shapes import read_page
from airflow_provider_cloudelements.client.wire.decoding import decode
from airflow_provider_cloudelements.events.query import EventQuery
from airflow_provider_cloudelements.exceptions import CloudElementsServerError
from tests.support import patient
from tests.support.events import CHANGE, ENVELOPE, MESSAGE, listed

NUMBER = MESSAGE["instanceId"]
IDS = (NUMBER, 7)
KINDS = ("Contact", "events")
CHANGES = ("UPDATED", "UNKNOWN")


def read(page: bytes) -> Any:
    """Return what the package makes of a page: of each item all that a reading asks for."""
    try:
        items = read_page(page)
    except (ValueError, RecursionError):
        return "no JSON"
    if not isinstance(items, list):
        return "no list"
    found: list[Any] = []
    for item in items:
        try:
            event = read_listed(item)
        except CloudElementsServerError:
            found.append(None)
            continue
        tags = [each.instance_tags for each in event.notifications]
        rows = [
            [row.data for row in query.rows(event, IDS)]
            for query in (
                EventQuery.of(tag="any"),
                EventQuery.of(tag="any", object_types=KINDS),
                EventQuery.of(tag="any", event_types=CHANGES),
            )
        ]
        found.append([event.id, event.date, event.instance_ids, event.settled, set(tags), rows])
    return found


def expected(page: bytes) -> Any:
    """Return what the parser made of a page before."""
    try:
        items = json.loads(page)
    except (ValueError, RecursionError):
        return "no JSON"
    if not isinstance(items, list):
        return "no list"
    found: list[Any] = []
    for item in items:
        try:
            event = patient.event(item)
        except patient.Unreadable:
            found.append(None)
            continue
        tags = [each.instance_tags for each in event.notifications]
        rows = [list(patient.rows(event, IDS, *wanted)) for wanted in ((), (KINDS,), ((), CHANGES))]
        found.append([event.id, event.date, event.instance_ids, event.settled, set(tags), rows])
    return found


def page_of(*events: Any, **form: Any) -> bytes:
    return json.dumps(events, **form).encode("utf-8", "surrogatepass")


DATES = st.sampled_from(
    [
        "2018-08-20T15:30:07Z",
        "2018-08-20T15:30:07.000Z",
        "2018-12-31T23:59:59.9999999Z",
        "2018-08-20x15:30:07Z",
        "2018-W34-1T15:30:07Z",
        "2018-08-20T17:30:07+02:00",
        "Mon Aug 20 15:30:07 UTC 2018",
        "Mon Xyz 20 15:30:07 UTC 2018",
        1534779007000,
        1534779007000.0,
        "0001-01-01",
        -1,
    ]
)
ODD = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        1.0,
        -0.0,
        "1",
        " 7 ",
        7,
        2**63,
        10**19,
        10**20,
        "",
        " ",
        "\ud83d",
        "\x00",
        "ä",
        "x" * 501,
    ]
) | st.sampled_from(["x" * 501, [], {}, [[]], [None], {"id": 1}, "created", " NEW ", "[]", "{", '"1"', "\\"])
TEXTS = st.sampled_from(["Contact", "events", "UPDATED", "created", "NOTIFIED", "2|0", "sfdc"]) | ODD
CHANGED = st.fixed_dictionaries(
    {},
    optional={
        "date": DATES | ODD,
        "pollDate": DATES | ODD,
        "elementKey": TEXTS,
        "eventType": TEXTS,
        "hubKey": TEXTS,
        "objectId": TEXTS,
        "objectType": TEXTS,
        "more": ODD,
    },
).map(lambda changes: {**CHANGE, **changes})
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "events": st.lists(CHANGED | ODD, max_size=3) | ODD,
        "instanceId": st.sampled_from([NUMBER, 7]) | ODD,
        "instance_id": st.sampled_from([NUMBER, 7]) | ODD,
        "eventId": ODD,
        "elementKey": TEXTS,
        "instanceTags": st.just(["a", "b"]) | ODD,
        "raw": ODD,
    },
).map(lambda changes: {**MESSAGE, **changes})
ENVELOPES = st.builds(
    lambda message, changes: {**ENVELOPE, "message": message, **changes},
    MESSAGES | MESSAGES.map(json.dumps),
    st.fixed_dictionaries({}, optional={"id": ODD, "createdDate": DATES | ODD, "topic": ODD}),
)
TOLD = ENVELOPES | ENVELOPES.map(json.dumps) | ODD


@st.composite
def events(draw: st.DrawFn) -> Any:
    """Draw an event as the platform lists it, each notification twice, with oddities here and there."""
    told = draw(st.lists(TOLD, max_size=2))
    texts = [each if isinstance(each, str) else json.dumps(each) for each in told]
    numbers = [draw(st.sampled_from([NUMBER, 7]) | ODD) for _ in texts]
    rows: list[Any] = [
        {"elementInstanceId": number, "notifiedData": text}
        for number, text in zip(numbers, texts, strict=True)
    ]
    changes = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "id": ODD,
                "eventDate": DATES | ODD,
                "status": TEXTS,
                "providerData": ODD,
                "notifiedData": TOLD | st.lists(TOLD, max_size=3),
                "eventElementInstances": st.lists(ODD, max_size=2) | ODD,
            },
        )
    )
    return {**listed(notifiedData=told, eventElementInstances=rows), **changes}


@given(page=st.lists(events() | ODD, max_size=3), ascii_only=st.booleans())
def test_a_page_gives_the_rows_that_it_gave_before(page: list[Any], ascii_only: bool) -> None:
    content = page_of(*page, ensure_ascii=ascii_only)
    assert read(content) == expected(content)


USUAL = page_of(listed(), listed(id="another", status="NEW", notifiedData=[]))


@given(at=st.integers(0, len(USUAL) - 1), bytes_=st.binary(max_size=2), count=st.integers(0, 3))
@example(at=0, bytes_=b"\xef\xbb\xbf", count=0)
@example(at=USUAL.index(b"severity") + 2, bytes_=b"\xff", count=0)
@example(at=USUAL.index(b"severity") + 2, bytes_=b"\xed\xa0\x80", count=0)
@example(at=USUAL.index(b"accountId") + len(b'accountId": '), bytes_=b"1" * 4301, count=1)
@example(at=USUAL.index(b"accountId") + len(b'accountId": '), bytes_=b"1" * 4300, count=1)
@example(at=USUAL.index(b"accountId") + len(b'accountId": '), bytes_=b"NaN", count=1)
@example(at=USUAL.index(b"accountId") + len(b'accountId": '), bytes_=b"1e999", count=1)
@example(at=USUAL.index(b"accountId") + len(b'accountId": '), bytes_=b"[" * 2000 + b"]" * 2000, count=1)
def test_a_page_of_other_bytes_gives_what_it_gave_before(at: int, bytes_: bytes, count: int) -> None:
    content = USUAL[:at] + bytes_ + USUAL[at + count :]
    assert read(content) == expected(content)


@pytest.mark.parametrize("form", ["utf-16", "utf-32-le", "utf-8-sig"])
def test_a_page_in_another_encoding_is_read(form: str) -> None:
    content = USUAL.decode().encode(form)
    assert read(content) == expected(content)


def test_a_usual_page_is_read_in_short_form() -> None:
    (item, _) = read_page(USUAL)
    event = read_listed(item)
    assert isinstance(event, ListedEvent)
    assert len(event.notifications) == 1


def test_an_event_of_an_instances_list_concerns_that_instance() -> None:
    (item,) = read_page(page_of(listed(notifiedData=[], eventElementInstances=[])))
    assert read_listed(item).instance_ids == ()
    assert read_listed(item, 9).instance_ids == (9,)


@given(body=events() | ODD)
def test_an_event_is_read_as_before(body: Any) -> None:
    try:
        before = patient.event(body)
    except patient.Unreadable:
        with pytest.raises(CloudElementsServerError):
            Event.parse(body)
        return
    event = Event.parse(body)
    assert event == before
    assert repr([each.raw for each in event.notifications]) == repr(
        [each.raw for each in before.notifications]
    )


@given(body=ENVELOPES | ODD, ascii_only=st.booleans())
def test_a_delivery_is_read_from_its_bytes_as_from_its_json(body: Any, ascii_only: bool) -> None:
    content = json.dumps(body, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        before = patient.notification(json.loads(content))
    except patient.Unreadable:
        with pytest.raises(CloudElementsServerError):
            Notification.parse(content)
        return
    for read_again in (Notification.parse(content), Notification.parse(decode(content))):
        assert read_again == before
        assert repr(read_again.raw) == repr(before.raw)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"message":' + b"1" * 5000 + b"}"])
def test_bytes_that_are_no_json_are_an_error_of_ours(content: bytes) -> None:
    with pytest.raises(CloudElementsServerError, match="not JSON"):
        Notification.parse(content)
