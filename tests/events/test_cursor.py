"""Cursors as data: what a later task is given, and what an older version stored."""

from __future__ import annotations

import datetime
import json

import pendulum
import pytest

from airflow_provider_cloudelements.events.cursor import EventCursor, PartlyTold, read_until
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from tests.support.reading import tupled

NOON = pendulum.datetime(2026, 11, 24, 12)


def test_a_cursor_says_which_rows_of_an_event_were_returned():
    cursor = EventCursor(
        NOON, partly={"a": PartlyTold(NOON, frozenset(["1"])), "b": PartlyTold(None, frozenset())}
    )
    stored = json.loads(json.dumps(cursor.as_json()))
    assert EventCursor.parse(stored) == EventCursor.given({"cursor": stored}) == cursor.place == cursor


def test_a_store_may_give_tuples_for_lists():
    cursor = EventCursor(NOON, frozenset("ab"), partly={"a": PartlyTold(NOON, frozenset(["1"]))})
    assert EventCursor.parse(tupled(cursor.as_json())) == cursor


def test_what_is_finished_or_too_old_is_dropped():
    cursor = EventCursor(
        NOON,
        partly={key: PartlyTold(date, frozenset()) for key, date in (("a", NOON), ("b", None), ("c", NOON))},
    )
    assert set(cursor.partly_after(NOON, frozenset("c"))) == {"a", "b"}
    assert set(cursor.partly_after(NOON.add(seconds=1), frozenset())) == {"b"}


@pytest.mark.parametrize("stored", [None, [], {"a": 1}, {"a": {}}, {"a": {"rows": "text"}}])
def test_what_is_malformed_only_makes_rows_come_twice(stored):
    assert EventCursor.parse({"since": "2026-11-24", "partly": stored}).partly == {}


@pytest.mark.parametrize(("ahead", "since"), [(-3600, NOON.subtract(hours=1)), (0, NOON), (3600, NOON)])
def test_a_moment_of_airflow_s_clock_never_becomes_later(ahead, since):
    assert EventCursor.start(NOON).on_platform(ahead) == EventCursor(since)
    assert EventCursor(NOON).on_platform(ahead) == EventCursor(NOON)


@pytest.mark.parametrize("value", [None, "", "None", "latest", " latest "])
def test_there_may_be_no_end(value):
    assert read_until(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-24T12:00:00Z",
        "2026-11-24 13:00:00+01:00",
        NOON,
        datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC),
    ],
)
def test_an_end_is_a_date(value):
    assert read_until(value) == NOON


@pytest.mark.parametrize("value", ["now", "earliest", "{{ x }}", 1764000000000, {}, [], True])
def test_another_end_is_refused(value):
    with pytest.raises(CloudElementsValidationError, match="until must be"):
        read_until(value)
