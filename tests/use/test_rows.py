"""Rows of a file that streams through in parts of any size."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.use.rows import RowCount

CELLS = st.text(alphabet='a"\n\r,x é', max_size=5)


def counted(content: bytes, file_format: str, size: int) -> int:
    count = RowCount(file_format)
    for begin in range(0, len(content), size):
        count.add(content[begin : begin + size])
    return count.rows


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=6),
    size=st.integers(1, 9),
    ended=st.booleans(),
    everything=st.booleans(),
)
def test_rows_of_a_csv_are_those_that_python_reads(rows, size, ended, everything) -> None:
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL
    csv.writer(text, quoting=quoting).writerows([("one", "two"), *rows])
    content = text.getvalue().encode()
    if not ended:
        content = content.removesuffix(b"\r\n")
    assert counted(content, "csv", size) == len(rows)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"", 0),
        (b"\n", 0),
        (b"{}", 1),
        (b"{}\n", 1),
        (b"{}\r\n{}\r\n" + b"\n" * 40, 2),
        (b'{"a": "\\""}\n{"b": "\\n"}\n', 2),
    ],
)
def test_rows_of_json_lines(content: bytes, rows: int, size: int) -> None:
    assert counted(content, "jsonl", size) == rows


def test_many_line_breaks_at_the_end_of_one_part_are_no_rows() -> None:
    count = RowCount("jsonl")
    count.add(b"{}" + b"\n" * 40)
    assert count.rows == 1
    count.add(b"{}")
    assert count.rows == 41  # a platform's empty lines in between are seen
