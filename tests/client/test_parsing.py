"""Dates in three forms, booleans and ids that may be text: nothing here ever raises but by plan."""

from __future__ import annotations

import datetime
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.parsing import (
    parse_bool,
    parse_date,
    parse_id,
    parse_object,
    parse_text,
)
from airflow_provider_cloudelements.exceptions import CloudElementsServerError

WHEN = pendulum.datetime(2018, 8, 20, 15, 30, 7)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "text",
    [
        "2018-08-20T15:30:07Z",
        "2018-08-20T15:30:07.000Z",
        "2018-08-20T15:30:07+00:00",
        "2018-08-20T17:30:07+02:00",
        "2018-08-20T15:30:07+0000",
        "2018-08-20 15:30:07",
        " 2018-08-20T15:30:07Z ",
        "Mon Aug 20 15:30:07 UTC 2018",
        "Mon Aug 20 15:30:07 GMT 2018",
        "Mon Aug 20 10:30:07 EST 2018",
        1534779007000,
        1534779007000.0,
        "1534779007000",
    ],
)
def test_a_date_is_read_in_each_of_its_forms(text: Any) -> None:
    moment = parse_date(text)
    assert moment == WHEN
    assert moment.timezone_name == "UTC"


@given(st.datetimes())
def test_the_usual_forms_are_read_as_the_others_are(moment: datetime.datetime) -> None:
    moment = moment.replace(microsecond=0)
    iso = moment.isoformat()
    java = f"Mon {moment:%b} {moment.day:02} {moment:%H:%M:%S} UTC {moment.year:04}"
    for usual in (f"{iso}Z", java):
        read = parse_date(usual)
        assert read == pendulum.instance(moment, tz="UTC")
        assert type(read) is pendulum.DateTime
        assert read.timezone_name == "UTC"
        assert str(read) == str(parse_date(f"{iso}+00:00"))


@pytest.mark.parametrize(
    "text",
    [
        "2018-W34-1T15:30:07Z",
        "2018-02-30T15:30:07Z",
        "2018-08-20T15:30:61Z",
        "2018-08-20T15.30.07Z",
        "Mon Xyz 20 15:30:07 UTC 2018",
        "Mon Feb 30 15:30:07 UTC 2018",
        "x" * 20,
        "x" * 19 + "Z",
        "\u0662018-08-20T15:30:07",
    ],
)
def test_what_is_only_as_long_as_a_date_is_none(text: str) -> None:
    assert parse_date(text) is None


def test_parts_of_seconds_are_kept() -> None:
    assert parse_date("2018-08-20T15:30:07.250Z") == WHEN.add(microseconds=250_000)
    assert parse_date(1534779007250) == WHEN.add(microseconds=250_000)


def test_a_day_alone_is_its_midnight() -> None:
    assert parse_date("2018-08-20") == WHEN.start_of("day")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        "",
        " ",
        "soon",
        "false",
        "********",
        [],
        {},
        "-2018",
        "20 Aug 2018",
        "2018-08-20Tnoon",
        "2018-13-40T99:99:99Z",
        "2018-08-20T15:30:07Z/P1D",
        "2018-08-20T15:30:07Z/2018-08-21T15:30:07Z",
        "Mon Foo 20 15:30:07 UTC 2018",
        "Mon Aug 40 15:30:07 UTC 2018",
        "Mon Aug 20 15:30:07 Nowhere/Land 2018",
        "Mon Aug 20 15:30:07 ../../etc/passwd 2018",
        10**30,
        -(10**30),
        "9" * 5000,
        float("nan"),
        float("inf"),
    ],
)
def test_what_is_no_date_is_none(value: Any) -> None:
    assert parse_date(value) is None


@given(ANYTHING)
def test_anything_is_a_date_in_utc_or_none(value: Any) -> None:
    moment = parse_date(value)
    assert moment is None or moment.utcoffset().total_seconds() == 0


@given(st.from_regex(r"\d{4}-\d\d-\d\d([T ].{0,25})?", fullmatch=True))
def test_what_looks_like_a_date_is_one_or_none(text: str) -> None:
    moment = parse_date(text)
    assert moment is None or moment.utcoffset().total_seconds() == 0


@given(st.from_regex(r"[A-Z][a-z]{2} (Feb|Aug) \d{1,2} \d\d:\d\d:\d\d (UTC|\S{1,6}) \d{4}", fullmatch=True))
def test_what_looks_like_javas_date_is_one_or_none(text: str) -> None:
    moment = parse_date(text)
    assert moment is None or moment.year in range(int(text[-4:]) - 1, int(text[-4:]) + 2)


@given(st.datetimes(min_value=datetime.datetime(1970, 1, 2), timezones=st.just(datetime.UTC)))  # noqa: DTZ001
def test_all_three_forms_mean_the_same_second(moment: datetime.datetime) -> None:
    moment = moment.replace(microsecond=0)
    milliseconds = int(moment.timestamp()) * 1000
    for form in (
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        moment.strftime("%a %b %d %H:%M:%S UTC %Y"),
        milliseconds,
        str(milliseconds),
    ):
        assert parse_date(form) == moment


@pytest.mark.parametrize(
    ("value", "default", "read"),
    [
        (True, False, True),
        (False, True, False),
        ("true", False, True),
        ("TRUE ", False, True),
        ("False", True, False),
        (None, True, True),
        (None, False, False),
        ("", True, True),
        ("yes", False, False),
        ("********", True, True),
        (1, False, False),
        (0, True, True),
        ([], True, True),
    ],
)
def test_a_boolean_may_be_text(value: Any, default: bool, read: bool) -> None:
    assert parse_bool(value, default) is read


@pytest.mark.parametrize(
    ("value", "read"), [(1, 1), ("7", 7), ("0012", 12), (2**63, 2**63), ("9" * 18, 10**18 - 1)]
)
def test_an_id_may_be_text(value: Any, read: int) -> None:
    assert parse_id(value, "thing") == read


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        "0",
        "-1",
        "",
        " 1",
        "1.0",
        1.0,
        "a",
        10**19,
        "9" * 20,
        "9" * 5000,
        "٣",
        "²",
        [1],
        {},
    ],
)
def test_what_is_no_id_is_an_error_that_says_of_what(value: Any) -> None:
    with pytest.raises(CloudElementsServerError, match="no id of the thing"):
        parse_id(value, "thing")


@given(ANYTHING)
def test_anything_is_read_or_refused_by_plan(value: Any) -> None:
    assert isinstance(parse_bool(value), bool)
    assert parse_text(value) is None or parse_text(value) == value
    for read in (parse_id, parse_object):
        try:
            read(value, "thing")
        except CloudElementsServerError:
            pass
