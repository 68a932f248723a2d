"""Queries from fields and values: no value can change the query."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.ceql import evenly_spaced, object_in, where_of
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.sandbox.core.ceql import parse_where

#: What would be another query if it were written as it is.
HOSTILE = ["O'Hara", "' OR 'a'='a", "''", "') OR (Id!='", "100%", "a\nb\r", "日本; --", "{{ x }}", "AND", '"']


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({"Name": "O'Hara"}, "Name='O''Hara'"),
        ({"a.b": 5, "Amount >=": 1.5, "x !=": "y"}, "a.b=5 AND Amount>=1.5 AND x!='y'"),
        ({"Open": True, "Shut": False}, "Open=true AND Shut=false"),
        ({"Name like": "A%"}, "Name LIKE 'A%'"),
        ({"Id": ["1", 2], "No IN": ("a'b",)}, "Id IN ('1', 2) AND No IN ('a''b')"),
        ({"Gone": None}, "Gone IS NULL"),
        ({"d >": datetime.date(2026, 1, 2)}, "d>'2026-01-02'"),
        ("Name='as it is'", "Name='as it is'"),
        ({}, None),
        ("", None),
        (None, None),
    ],
    ids=str,
)
def test_a_query_is_written(where: Any, text: str | None) -> None:
    assert where_of(where) == text


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"Name='x' OR a": 1}, "A key of where"),
        ({"or": 1}, "A key of where"),
        ({"": 1}, "A key of where"),
        ({5: 1}, "A key of where"),
        ({"a": "x\\"}, "holds a backslash"),
        ({"a": b"x"}, "a value must be"),
        ({"a": float("nan")}, "a value must be"),
        ({"a": []}, "a list needs"),
        ({"a >": [1]}, "a list needs"),
        ({"a IN": 1}, "IN needs a list"),
        ({"a >": None}, "None goes with = alone"),
        (5, "where must be a dictionary"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_refused_by_the_fields_name(where: Any, said: str) -> None:
    with pytest.raises(CloudElementsValidationError, match=said):
        where_of(where)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("form", ["Name", "Name IN"])
def test_a_hostile_value_is_a_value(value: str, form: str) -> None:
    holds = parse_where(where_of({form: [value] if "IN" in form else value}) or "")
    assert holds({"Name": value})
    assert not holds({"Name": "another", "Id": "1", "a": "a"})


@given(st.text(st.characters(exclude_characters="\\\0", exclude_categories=["Cs"]), max_size=40))
def test_any_text_is_one_value_and_nothing_more(value: str) -> None:
    text = where_of({"Name": value})
    assert text is not None
    assert text[:6] == "Name='"
    assert text[6:-1].replace("''", "") == value.replace("'", "")
    assert text[-1] == "'"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("select * from emails", "emails"),
        ("  SELECT a, b\nFROM\temails  WHERE a = 'x' LIMIT 5 ", "emails"),
        ("select from from emails", "emails"),
        ("select from, to from emails limit 3", "emails"),
        ("select from from from where from='x from y'", "from"),
        ("select date-from from emails", "emails"),
        ("select where from where where where='x'", "where"),
        ("select a.from from my-emails.v2 order by a", "my-emails.v2"),
        ("select 'from cc' from emails where a='it''s from bcc'", "emails"),
        ('select "a from b" from emails', "emails"),
        ("select a from emails e where e.a=1", None),
        ("select from", None),
        ("emails", None),
        ("", None),
    ],
)
def test_the_object_of_a_query_is_found(query: str, name: str | None) -> None:
    assert object_in(query) == name


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("select  a\nfrom b ", "select a from b", True),
        ("a='x  y'  and b", "a='x  y' and b", True),
        ("a='x  y'", "a='x y'", False),
        ("a='x\ty'", "a='x y'", False),
        ('a="x  y"', 'a="x y"', False),
        ("a='it''s  so'", "a='it''s so'", False),
        ("a='it''s'  and b='  c'", "a='it''s' and b='  c'", True),
        ("a='open  end", "a='open end", True),
    ],
)
def test_blanks_count_in_texts_alone(one: str, other: str, same: bool) -> None:
    assert (evenly_spaced(one) == evenly_spaced(other)) is same
