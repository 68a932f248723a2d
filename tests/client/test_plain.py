"""The client hands on of vendors' data what Airflow can carry."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.plain import MOST_LEVELS, fitted, plain_json, plain_text
from airflow_provider_cloudelements.client.view import returned

TEXT = st.text(st.characters(codec=None, exclude_categories=()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("", ""),
        ("Déjeuner 🍽", "Déjeuner 🍽"),
        ("cut in \ud83d", "cut in \ufffd"),
        ("\udf7d\ud83c", "\ufffd\ufffd"),
        ("a\x00b", "a\ufffdb"),
        ("tab\tand\x1b", "tab\tand\x1b"),
    ],
)
def test_a_character_that_cannot_be_carried_is_replaced(text: str, plain: str) -> None:
    assert plain_text(text) == plain
    assert plain_json({text: [text]}) == {plain: [plain]}


@given(JSON)
def test_what_is_plain_can_be_carried_and_nothing_else_is_changed(value: Any) -> None:
    value = json.loads(json.dumps(value))
    try:
        plain = plain_json(value)
    except ValueError:
        assert any(not -(2**63) <= each < 2**63 for each in _integers(value))
        return
    # As Airflow's processes do, and as PostgreSQL would refuse.
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plain)) == plain
    assert "\\u0000" not in json.dumps(plain).replace("\\\\", "")
    if all(each not in json.dumps(value) for each in ("\\ud", "\\u0000")):
        assert plain == value


def _integers(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [each for inner in value.values() for each in _integers(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in _integers(inner)]
    return [value] if isinstance(value, int) else []


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
def test_a_number_that_is_too_large_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        plain_json({"a": [number]})
    assert plain_json([2**63 - 1, -(2**63), True]) == [2**63 - 1, -(2**63), True]


def test_what_is_too_deep_is_refused() -> None:
    deep: Any = "x"
    for _ in range(MOST_LEVELS):
        deep = [deep]
    assert plain_json(deep) == deep
    with pytest.raises(ValueError, match="too deep"):
        plain_json({"a": deep})


@given(JSON | st.floats())
def test_what_is_fitted_is_plain_without_a_refusal(value: Any) -> None:
    fit = fitted(value)
    assert plain_json(fit) == fit
    json.dumps(fit, allow_nan=False)
    if all(-(2**63) <= each < 2**63 for each in _integers(value)) and value == value:
        assert fit == (None if value in (float("inf"), -float("inf")) else plain_json(value))


def test_what_json_does_not_have_stays_but_for_what_is_in_it() -> None:
    other = object()
    assert fitted(({"a\0"}, [other], frozenset({2**64}))) == (
        {"a\ufffd"},
        [other],
        frozenset({str(2**64)}),
    )
    assert fitted({1: float("nan"), None: "\0"}) == {1: None, None: "\ufffd"}


def test_what_is_too_deep_to_fit_is_a_text() -> None:
    deep: Any = "\ud83d"
    for _ in range(MOST_LEVELS + 2):
        deep = [deep]
    fit = fitted(deep)
    for _ in range(MOST_LEVELS):
        (fit,) = fit
    assert fit == '[["\ufffd"]]'


def test_an_instance_is_told_in_plain_texts() -> None:
    body = {"id": 1, "name": "cut \ud83d", "element": {"key": "a\x00b"}, "tags": ["half \ude00"]}
    told = returned(Instance.parse(body))
    assert (told["name"], told["element"], told["tags"]) == ("cut \ufffd", "a\ufffdb", ["half \ufffd"])
