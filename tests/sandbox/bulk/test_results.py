"""The bytes of a result: their number is known beforehand, and they can be read from any place on."""

import itertools
from array import array

import pytest

from airflow_provider_cloudelements.sandbox.bulk.formats import CSV, JSONL, Writer
from airflow_provider_cloudelements.sandbox.bulk.results import Result, Selection
from airflow_provider_cloudelements.sandbox.elements.catalogue import ELEMENTS
from airflow_provider_cloudelements.sandbox.vendors.records import Table
from airflow_provider_cloudelements.sandbox.vendors.resources import shape_of

SHAPES = {
    f"{element.key} {name}": shape_of(element, name) for element in ELEMENTS for name in element.objects
}


def writer(table: Table, form: str = CSV) -> Writer:
    return Writer(form, tuple(table.columns()))


def changed() -> Table:
    table = Table(SHAPES["sfdc contacts"], 1200)
    table.change(7, {"LastName": "longer than before"})
    table.change(1100, {"LastName": ""})
    for number in (1, 8, 9, 10, 11, 1000):
        table.remove(number)
    table.add({"LastName": "added", "more": {"a": [1]}})
    table.remove(table.last)
    table.add({"LastName": 'an "added" one,\r\nin two lines'})
    return table


def whole(result: Result) -> bytes:
    return b"".join(result.chunks(0, result.size))


@pytest.mark.parametrize("form", [CSV, JSONL])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_size_is_that_of_the_bytes(shape, form):
    table = Table(shape, 131)
    result = Result(Selection(table), writer(table, form))
    found = whole(result)
    assert len(found) == result.size
    assert found == writer(table, form).head() + writer(table, form).write(map(shape.record, range(1, 132)))


@pytest.mark.parametrize("form", [CSV, JSONL])
@pytest.mark.parametrize(
    "select",
    [
        lambda table: Selection(table),
        lambda table: Selection(table, None, 5, 1000),
        lambda table: Selection(table, None, 9_999, 5),
        lambda table: Selection(table, None, 0, 0),
        lambda table: Selection(table, array("q", [number for number in table.numbers() if number % 3])),
        lambda table: Selection(table, array("q")),
    ],
    ids=["all", "a stretch", "behind the end", "nothing", "some", "none of all"],
)
def test_any_part_is_a_part_of_the_whole(select, form):
    table = changed()
    result = Result(select(table), writer(table, form))
    found = whole(result)
    assert len(found) == result.size
    for begin in (0, 1, 50, 97, 98, 1000, result.size // 2, result.size - 1):
        for end in (begin + 1, begin + 70_000, result.size):
            if begin < min(end, result.size):
                part = b"".join(result.chunks(begin, min(end, result.size)))
                assert part == found[begin:end]


def test_a_huge_result_costs_what_is_read_of_it():
    table = Table(SHAPES["microsoftgraph events"], 1_000_000_000)
    result = Result(Selection(table), writer(table, JSONL))
    assert result.size > 10**12
    (last,) = result.chunks(result.size - 3_000, result.size)
    assert last.endswith(b"\n")
    assert b'"AAMk-event-1000000000"' in last
    middle = b"".join(itertools.islice(result.chunks(result.size // 2, result.size), 1))
    assert len(middle) > 50_000
