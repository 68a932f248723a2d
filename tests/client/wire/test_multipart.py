"""A form with a file: its bytes as another library reads them, its length, files that have changed."""

from __future__ import annotations

import io
import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser, parse_options_header

from airflow_provider_cloudelements.client.wire import multipart
from airflow_provider_cloudelements.client.wire.multipart import Form
from airflow_provider_cloudelements.exceptions import CloudElementsError


def parts_of(form: Form) -> list[tuple[dict[str, str], bytes]]:
    """Read a form with a parser of someone else's: headers and content of each part."""
    found: list[tuple[dict[str, str], bytes]] = []
    name = value = content = b""

    def begin():
        nonlocal content
        content = b""
        found.append(({}, b""))

    def on_name(data, start, end):
        nonlocal name
        name += data[start:end]

    def on_value(data, start, end):
        nonlocal value
        value += data[start:end]

    def end_header():
        nonlocal name, value
        found[-1][0][name.decode().lower()] = value.decode()
        name = value = b""

    def on_data(data, start, end):
        nonlocal content
        content += data[start:end]

    def end():
        found[-1] = (found[-1][0], content)

    boundary = parse_options_header(form.content_type)[1][b"boundary"]
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": begin,
            "on_header_field": on_name,
            "on_header_value": on_value,
            "on_header_end": end_header,
            "on_part_data": on_data,
            "on_part_end": end,
        },
    )
    body = b"".join(form)
    assert len(body) == len(form)
    parser.write(body)
    parser.finalize()
    return found


@given(name=st.text(), field=st.text(), content=st.binary(), value=st.binary())
def test_no_name_and_no_content_forges_a_part(name, field, content, value):
    form = Form({field: ("application/json", value)}, "file", io.BytesIO(content), name, "text/csv")
    (head, first), (file_head, second) = parts_of(form)
    assert (first, second) == (value, content)
    assert set(head) == set(file_head) == {"content-disposition", "content-type"}
    assert (head["content-type"], file_head["content-type"]) == ("application/json", "text/csv")
    assert file_head["content-disposition"].startswith('form-data; name="file"; filename="')
    assert form.is_sent


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ('a"b', "a%22b"),
        ("a\r\nX-Forged: 1", "a%0D%0AX-Forged: 1"),
        ("a\\", "a%5C"),
        ("漢字 é.csv", "漢字 é.csv"),
        ("half \ud800", "half ?"),
        ("\x00\x7f", "%00%7F"),
    ],
    ids=range(6),
)
def test_names_are_quoted_as_browsers_do(name, sent):
    ((head, _),) = parts_of(Form({}, "file", io.BytesIO(b"x"), name, "text/csv"))
    assert head["content-disposition"] == f'form-data; name="file"; filename="{sent}"'


def test_a_file_is_read_again_from_its_begin_and_in_pieces(monkeypatch):
    monkeypatch.setattr(multipart, "_PIECE", 10)
    file = io.BytesIO(b"x" * 95)
    file.seek(50)
    form = Form({}, "file", file, "a", "text/csv")
    first = list(form)
    assert b"".join(first) == b"".join(form)
    assert max(map(len, first[1:-1])) == 10
    assert b"".join(first[1:-1]) == b"x" * 95


@pytest.mark.parametrize("change", [-1, 1, 30])
def test_a_file_of_another_size_is_never_sent_to_its_end(monkeypatch, change):
    monkeypatch.setattr(multipart, "_PIECE", 10)
    file = io.BytesIO(b"x" * 95)
    form = Form({}, "file", file, "a", "text/csv")
    file.seek(0)
    file.truncate() if change < 0 else file.seek(0, os.SEEK_END)
    file.write(b"x" * (95 + change if change < 0 else change))
    sent = bytearray()

    def send():
        for piece in form:
            sent.extend(piece)

    with pytest.raises(CloudElementsError, match="changed its size while it was sent"):
        send()
    assert sent.count(b"x") <= 95
    assert not sent.endswith(b"--\r\n")
    assert not form.is_sent


def test_a_file_that_cannot_be_read_says_its_kind_alone():
    class Broken(io.BytesIO):
        def read(self, *_):
            raise OSError("https://store.example/signed?signature=secret")

    with pytest.raises(CloudElementsError, match=r"could not be read to its end \(OSError\)") as caught:
        list(Form({}, "file", Broken(b"abc"), "a", "text/csv"))
    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)


class Endless(io.RawIOBase):
    """A file of many bytes that are nowhere."""

    def __init__(self, size):
        self._size, self._place = size, 0

    def seek(self, offset, whence=0):
        self._place = self._size if whence == os.SEEK_END else offset
        return self._place

    def read(self, size=-1):
        size = min(size, self._size - self._place)
        self._place += size
        return b"x" * size


def test_a_file_of_any_size_needs_the_memory_of_a_few_pieces():
    form = Form({}, "file", Endless(100_000_000), "a", "text/csv")
    tracemalloc.start()
    try:
        assert sum(map(len, form)) == len(form)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 256 * 1024
