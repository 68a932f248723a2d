"""Generated records: cheap in any number, and as long as their rule says."""

import pytest

from airflow_provider_cloudelements.sandbox.core.ceql import parse_where
from airflow_provider_cloudelements.sandbox.elements.catalogue import ELEMENTS
from airflow_provider_cloudelements.sandbox.vendors.records import Table
from airflow_provider_cloudelements.sandbox.vendors.resources import shape_of
from airflow_provider_cloudelements.sandbox.vendors.shapes import MOST_RECORDS, PERIOD

SHAPES = {
    f"{element.key} {name}": shape_of(element, name) for element in ELEMENTS for name in element.objects
}
SOME = [1, 2, 9, 10, 59, 60, 61, 99, 100, 12_345, 999_999, MOST_RECORDS]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_record_and_its_number_belong_together(shape):
    for number in SOME:
        record = shape.record(number)
        assert shape.number_of(str(record["id"])) == number
        assert shape.record(number) == record
    for other in ("", "0", "-1", "x", str(shape.id_of(7)) + "0" * 20, "\u0661"):
        assert shape.number_of(other) is None


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_length_follows_from_remainder_and_digits(shape):
    """The size of a result rests on this rule."""
    for number in (100, 1_007, 40_019, 123_456):
        others = [number + PERIOD * step for step in (1, 7, 11)]
        lengths = {len(str(shape.record(each))) for each in others if len(str(each)) == len(str(number))}
        assert lengths == {len(str(shape.record(number)))}


def table(count: int = 100) -> Table:
    return Table(SHAPES["sfdc contacts"], count)


def test_what_is_deleted_is_skipped_wherever_one_begins():
    held = table(10)
    for number in (1, 4, 5, 10):
        held.remove(number)
    left = [2, 3, 6, 7, 8, 9]
    assert list(held.numbers()) == left
    assert [held.place(position) for position in range(6)] == left
    assert held.place(6) > held.last
    assert list(held.numbers(after=4)) == [6, 7, 8, 9]
    assert len(held) == 6
    assert held.at(4) is None
    assert held.number_of("003000000000004AAA") is None


def test_added_records_come_last_and_a_snapshot_stays():
    held = table(3)
    before = held.snapshot()
    record = held.add({"LastName": "New", "id": "own"})
    held.change(1, {"LastName": "Changed"})
    held.remove(2)
    assert record["id"] == "003000000000004AAA"
    assert [held.at(number)["LastName"] for number in held.numbers()] == ["Changed", "Box 3", "New"]
    assert [before.at(number)["LastName"] for number in before.numbers()] == ["Box 1", "Box 2", "Box 3"]


def test_a_condition_on_the_id_looks_at_one_record():
    held = table(MOST_RECORDS)
    one = parse_where("id = '003000500000000AAA' AND LastName LIKE 'Box%'")
    assert [number for number, _ in held.matching(one)] == [500_000_000]
    assert list(held.matching(parse_where("id = 'nothing'"))) == []
    assert list(held.matching(one, after=500_000_000)) == []


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("id = '003000000000002AAA' OR LastName = 'Box 3'", [2, 3]),
        ("(id = '003000000000002AAA')", [2]),
        ("id != '003000000000002AAA'", [1, 3, 4]),
        ("LastName = 'Churro''s'", [4]),
        ("LastName = 'Churro''s' OR LastName = '''' OR LastName = 'Box 1'", [1, 4]),
        ("CreatedDate > '2025-01-01T04:23:58Z' AND LastName LIKE 'Box%'", [3]),
        ("CreatedDate >= '2025-01-01T04:23:58Z' AND LastName LIKE 'Box%'", [2, 3]),
        ("CreatedDate = '2025-01-01T05:23:58+01:00'", [2]),
    ],
)
def test_conditions(where, numbers):
    held = table(3)
    held.add({"LastName": "Churro's"})
    assert [number for number, _ in held.matching(parse_where(where))] == numbers


def test_the_order_of_mixed_values():
    held = table(0)
    for value in ("b", 10, None, 9.5, "a", 10**400, -(10**400), True):
        held.add({"v": value})
    values = [held.at(number)["v"] for number in held.ordered(None, "v", descending=False)]
    assert values == [None, -(10**400), 9.5, 10, 10**400, "a", "b", True]
    held.remove(1)
    assert len(held.ordered(None, "v", descending=True)) == 7
