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


def written(rows: list[tuple[str, str]], end: str, quoted: str) -> bytes:
    """Return a CSV that quotes cells with some characters alone."""

    def cell(value: str) -> str:
        return '"' + value.replace('"', '""') + '"' if set(value) & set(quoted) else value

    return "".join(",".join(map(cell, row)) + end for row in [("one", "two"), *rows]).encode()


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


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=6),
    size=st.integers(1, 9),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_carriage_return_that_nobody_quoted_is_data(rows, size, end) -> None:
    assert counted(written(rows, end, '",\n'), "csv", size) == len(rows)


@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=6), size=st.integers(1, 9))
def test_rows_end_in_carriage_returns_if_there_is_no_line_feed(rows, size) -> None:
    content = written(rows, "\r", '",\n\r')
    count = RowCount("csv")
    for begin in range(0, len(content), size):
        count.add(content[begin : begin + size])
    assert (count.rows, count.ended) == (len(rows), True)
    count.add(b"half")
    assert (count.rows, count.ended) == (len(rows) + 1, False)


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


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(
    ("content", "file_format", "ended"),
    [
        (b"", "csv", True),
        (b"a\r\n1\r\n", "csv", True),
        (b"a\r\n1\r", "csv", False),
        (b"a\n1", "csv", False),
        (b'a\n"1\n', "csv", False),
        (b'a\n"1\n"\n', "csv", True),
        (b"a\r", "csv", True),
        (b"a\r1\r2\r", "csv", True),
        (b"a\r1\r2", "csv", False),
        (b'a\r"1\r', "csv", False),
        (b"a\r1\n2\r", "csv", False),
        (b'{"a": 1}\n{"a": 2}', "jsonl", True),
        (b'{"a": 1}\n{"a": {"b": 2}', "jsonl", False),
        (b'{"a": 1}\n12', "jsonl", False),
        (b'{"a": "\xc3\xa9"}\n{"a": "\xc3', "jsonl", False),
        (b"[" * 100_000, "jsonl", False),
    ],
)
def test_whether_the_last_row_has_ended(content: bytes, file_format: str, ended: bool, size: int) -> None:
    count = RowCount(file_format)
    for begin in range(0, len(content), size):
        count.add(content[begin : begin + size])
    assert count.ended is ended


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(
    ("content", "blank"),
    [
        (b"a\n1\n", 0),
        (b"a\r\n1\r\n\r\n", 1),
        (b"a\n" + b"\n" * 40, 40),
        (b"a,b\n1,2\n\n", 0),
        (b'"a,b"\n1\n\n', 1),
        (b'"a",b\n1,2\n\n', 0),
        (b"a\r1\r\r\r", 2),
        (b"a,b\r1,2\r\r", 0),
        (b"a\rb,c\n1,2\n\n", 0),
    ],
)
def test_empty_lines_that_may_be_rows(content: bytes, blank: int, size: int) -> None:
    count = RowCount("csv")
    for begin in range(0, len(content), size):
        count.add(content[begin : begin + size])
    assert count.blank == blank


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("content", "file_format", "rows", "empty"),
    [
        (b"a,b\n\n1,2\n\n\n3,4\n\n", "csv", 5, 3),
        (b"a,b\r\n\r\n1,2\r\n\n\r\n3,4", "csv", 5, 3),
        (b'a\n"\n\n\n"\n\n2', "csv", 3, 1),
        (b'{"a": 1}\n\n\n{"a": 2}\n', "jsonl", 4, 2),
        (b"a,b\n1,2\n3,4\n", "csv", 2, 0),
        (b"\n\r\na,b\n1,2\n", "csv", 3, 2),
        (b"\r\ra,b\r1,2\r", "csv", 3, 2),
        (b'\r\n{"a": 1}', "jsonl", 2, 1),
    ],
)
def test_empty_lines_between_rows_are_told(
    content: bytes, file_format: str, rows: int, empty: int, size: int
) -> None:
    count = RowCount(file_format, with_empty=True)
    for begin in range(0, len(content), size):
        count.add(content[begin : begin + size])
    assert (count.rows, count.empty) == (rows, empty)
