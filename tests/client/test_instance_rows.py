"""Instances of a page read straight from its bytes are those that a patient reading gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.client.instance_rows import InstanceShape, parse_row, read_page
from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.tags import marker_tag
from airflow_provider_cloudelements.exceptions import CloudElementsServerError
from tests.support.platform import Person, client_of

WORDS = st.sampled_from([None, "", "x", "true", "false", "2026-01-02T03:04:05Z", "12", "no date", "\u00e9"])
ANYTHING = st.one_of(WORDS, st.booleans(), st.integers(-1, 10**12), st.lists(WORDS, max_size=2))
USUAL: dict[str, Any] = {
    "id": 7,
    "name": "A",
    "element": {"key": "closeio", "id": 3},
    "tags": ["a"],
    "valid": True,
    "disabled": False,
    "createdDate": "2026-01-02T03:04:05Z",
    "eventsEnabled": True,
    "configuration": {"a": "1", "b": None},
    "token": "secret",
    "unknown": {"deep": [1]},
}
FIELDS = [*USUAL, "elementId", "eventsNotificationCallbackUrl", "externalAuthentication"]


def read(rows: list[Any]) -> list[Any]:
    found = []
    for each in read_page(json.dumps(rows).encode()):
        try:
            found.append(parse_row(each))
        except CloudElementsServerError:
            found.append(None)
    return found


def patiently(rows: list[Any]) -> list[Any]:
    found = []
    for each in rows:
        try:
            found.append(Instance.parse(each))
        except CloudElementsServerError:
            found.append(None)
    return found


@given(
    st.lists(
        st.dictionaries(st.sampled_from(FIELDS), ANYTHING).flatmap(
            lambda odd: st.just({**USUAL, **odd}) | st.just(odd)
        ),
        max_size=3,
    )
)
def test_any_row_is_read_as_a_patient_reading_does(rows):
    assert read(rows) == patiently(rows)
    assert [each and each.complete for each in read(rows)] == [
        each and each.complete for each in patiently(rows)
    ]


def test_a_usual_page_is_decoded_to_shapes_without_tokens():
    (shape,) = read_page(json.dumps([USUAL]).encode())
    assert isinstance(shape, InstanceShape)
    assert "secret" not in repr(shape)
    assert parse_row(shape) == Instance.parse(USUAL)
    assert parse_row(shape).complete


@pytest.mark.parametrize("left_out", ["configuration", "tags", "disabled"])
def test_a_row_that_leaves_something_out_is_not_complete(left_out):
    (found,) = read([{key: value for key, value in USUAL.items() if key != left_out}])
    assert not found.complete


@pytest.mark.parametrize("element", [None, {}, {"id": 5}, {"key": ""}])
def test_a_row_that_names_no_element_is_not_complete(element):
    (found,) = read([{**USUAL, "element": element}])
    assert not found.complete
    assert not Instance.parse({**USUAL, "element": element}).complete


class Rows:
    """A stand-in for the session: it returns one page."""

    def __init__(self, rows: list[Any]) -> None:
        self.content = json.dumps(rows).encode()

    def list_pages(self, path: str, *, read: Any) -> Any:
        yield read(self.content)


@pytest.fixture
def sandbox(cloudelements_sandbox):
    return cloudelements_sandbox


def test_all_pages_of_the_account(sandbox):
    person = Person(sandbox)
    ids = [person.make("basic", f"A {number}") for number in range(5)]
    sandbox.configure(max_page_size=2)
    pages = list(client_of(sandbox).instances.pages())
    assert [len(each) for each in pages] == [2, 2, 1]
    found = [each for page in pages for each in page]
    assert sorted(each.id for each in found) == ids
    assert {each.token for each in found} == {None}
    assert found == [client_of(sandbox).instances.get(each.id) for each in found]


def test_a_row_that_may_be_ours_and_cannot_be_read_ends_the_list(sandbox):
    instances = client_of(sandbox).instances
    foreign = {**USUAL, "id": None}
    instances._http = Rows([USUAL, foreign])
    assert [each.id for page in instances.pages() for each in page] == [7]
    for tags in ([marker_tag("k")], None, "text"):
        instances._http = Rows([USUAL, {**foreign, "tags": tags}])
        with pytest.raises(CloudElementsServerError, match="cannot be read"):
            list(instances.pages())
