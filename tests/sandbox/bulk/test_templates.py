"""Rows from templates are those that the records themselves give, and almost all rows come from templates."""

import pytest

from airflow_provider_cloudelements.sandbox.bulk.formats import CSV, JSONL, Writer
from airflow_provider_cloudelements.sandbox.bulk.templates import Templates
from airflow_provider_cloudelements.sandbox.elements.catalogue import ELEMENTS
from airflow_provider_cloudelements.sandbox.vendors.records import Table
from airflow_provider_cloudelements.sandbox.vendors.resources import shape_of
from airflow_provider_cloudelements.sandbox.vendors.shapes import Shape

SHAPES = {
    f"{element.key} {name}": shape_of(element, name) for element in ELEMENTS for name in element.objects
}
NUMBERS = [7, 99_999, *range(100_000, 100_130), *range(123_456_789, 123_456_800), 1_000_000_000]


@pytest.mark.parametrize("form", [CSV, JSONL])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_rows_from_templates_are_the_records(shape, form):
    writer = Writer(form, tuple(Table(shape, 100).columns()))
    templates = Templates(shape, writer)
    assert templates.write(NUMBERS) == writer.write(map(shape.record, NUMBERS))
    made = [template for (_, digits), template in templates._found.items() if digits >= 5]
    assert len(made) > 60
    assert None not in made


def test_what_a_template_does_not_fit_is_written_as_it_is():
    shape = Shape(lambda number: {"square": number * number % 97 + 100})
    writer = Writer(JSONL, ())
    templates = Templates(shape, writer)
    numbers = range(20_000, 20_100)
    assert templates.write(numbers) == writer.write(map(shape.record, numbers))
    assert None in templates._found.values()
