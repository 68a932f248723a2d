"""A file is whole under the name that was asked for, or not there."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from airflow_provider_cloudelements.exceptions import CloudElementsServerError, CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.json_lines import JsonLines, json_line
from airflow_provider_cloudelements.operators._parts.whole_file import WholeFile, storage_path

BUCKET = "memory://uploads@folder"


class _Upload(AbstractBufferedFile):
    """A file as s3fs, gcsfs and adlfs write it: its parts go up, and the last call makes it an object."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.parts = []

    def _upload_chunk(self, final=False):
        if self.fs.broken_after is not None and len(self.parts) >= self.fs.broken_after:
            raise OSError("The store is gone.")
        self.parts.append(self.buffer.getvalue())
        if final:
            self.fs.objects[self.path] = b"".join(self.parts)
        return True

    def discard(self):
        self.fs.discarded += 1


class ObjectStore(AbstractFileSystem):
    """An object store in memory under the name of a real one. It has no folders, and cannot rename."""

    protocol = ("s3", "s3a")
    cachable = False
    root_marker = "/"

    def __init__(self):
        super().__init__()
        self.objects = {}
        self.discarded = 0
        self.broken_after = None

    def _open(self, path, mode="rb", block_size=None, **options):
        if mode == "rb":
            return io.BytesIO(self.objects[path])
        return _Upload(self, path, mode, block_size)

    def isdir(self, path):
        return any(each.startswith(f"{path}/") for each in self.objects)


@pytest.fixture
def store():
    """The store, under the addresses that begin with ``BUCKET``."""
    made = ObjectStore()
    attach("memory", conn_id="uploads").fs = made  # Airflow keeps what was attached first
    return made


@pytest.fixture(params=["local", "memory", "s3"])
def place(request, tmp_path):
    """The address of a file in each kind of store, and a function that lists what is there."""
    if request.param == "local":
        found = tmp_path.rglob
        return f"file://{tmp_path}/folder/rows.jsonl", lambda: sorted(
            str(each.relative_to(tmp_path)) for each in found("*") if each.is_file()
        )
    made = request.getfixturevalue("memory_store" if request.param == "memory" else "store")
    if request.param == "memory":
        return "memory://folder/rows.jsonl", lambda: sorted(each.lstrip("/") for each in made.find("/folder"))
    return f"{BUCKET}/rows.jsonl", lambda: sorted(each.lstrip("/") for each in made.objects)


def put(path, *parts):
    with WholeFile(storage_path(path, "path")) as file:
        for each in parts:
            file.write(each)
    return file.size


def put_and_raise(path, error):
    """Write, and fail. fsspec completes an upload when it forgets the object, as after this function."""
    with WholeFile(storage_path(path, "path")) as file:
        file.write(b"x" * 100)
        raise error


def read(path):
    return ObjectStoragePath(path).read_bytes()


def test_a_file_is_there_when_it_is_whole_and_replaces_another(place):
    path, listed = place
    assert put(path, b"old") == 3
    with WholeFile(storage_path(path, "path")) as file:
        file.write(b"new ")
        file.write(b"rows")
        assert read(path) == b"old"
    assert (read(path), file.size) == (b"new rows", 8)
    assert listed() == ["folder/rows.jsonl"]


def test_an_empty_file_is_a_file(place):
    path, listed = place
    put(path)
    assert (read(path), listed()) == (b"", ["folder/rows.jsonl"])


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, SystemExit], ids=lambda each: each.__name__)
def test_what_ends_the_writing_leaves_the_file_as_it_was(place, error):
    path, listed = place
    with pytest.raises(error):
        put_and_raise(path, error)
    assert listed() == []
    put(path, b"old")
    with pytest.raises(error):
        put_and_raise(path, error)
    assert (read(path), listed()) == (b"old", ["folder/rows.jsonl"])


@pytest.mark.parametrize("place", ["memory", "s3"], indirect=True)
def test_a_name_that_is_the_beginning_of_others_is_a_name(place):
    path, _ = place
    put(f"{path}/part-1.json", b"other")
    put(path, b"rows")
    assert read(path) == b"rows"


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "rows").mkdir()
    with pytest.raises(CloudElementsValidationError, match="path is a folder"):
        storage_path(f"file://{tmp_path}/rows", "path")


def test_a_local_file_that_cannot_get_its_name_leaves_nothing(tmp_path, monkeypatch):
    def fails(*_):
        raise PermissionError("no")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(PermissionError):
        put(f"file://{tmp_path}/rows", b"rows")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_breaks_while_it_is_written_shows_nothing(store):
    store.objects["/folder/rows"] = b"old"
    store.broken_after = 1
    block = b"x" * (16 * 1024 * 1024)
    with pytest.raises(OSError, match="gone"):
        put(f"{BUCKET}/rows", block, block, b"rest")
    assert (store.objects, store.discarded) == ({"/folder/rows": b"old"}, 1)


def test_a_store_that_cannot_complete_an_upload_shows_nothing(store, caplog):
    store.broken_after = 0
    with pytest.raises(OSError, match="gone"):
        put(f"{BUCKET}/rows", b"rows")
    assert (store.objects, store.discarded) == ({}, 1)


def test_an_upload_that_cannot_be_discarded_is_named_and_never_completed(store, monkeypatch, caplog):
    def fails(_):
        raise OSError("no")

    monkeypatch.setattr(_Upload, "discard", fails)
    with pytest.raises(KeyError):
        put_and_raise(f"{BUCKET}/rows", KeyError)
    assert store.objects == {}
    assert "The unfinished upload of /folder/rows could not be removed." in caplog.text


def test_a_copy_that_the_store_has_not_made_yet_is_no_success(memory_store, monkeypatch):
    """As Azure may answer: the copy is accepted, and made (or not) later."""
    monkeypatch.setattr(MemoryFileSystem, "cp_file", lambda self, old, new: self.pipe_file(new, b""))
    with pytest.raises(CloudElementsServerError, match="has 0 bytes; 4 were written"):
        put("memory://folder/rows", b"rows")


def test_a_store_that_renames_renames(memory_store, monkeypatch):
    moved = []

    def mv(self, old, new, **_):
        moved.append(new)
        self.store[new] = self.store.pop(old)

    monkeypatch.setattr(MemoryFileSystem, "mv", mv)
    put("memory://folder/rows", b"rows")
    assert (read("memory://folder/rows"), moved) == (b"rows", ["/folder/rows"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("None", "is 'None'"),
        ("~/rows", "must not begin with ~"),
        ("file://~/rows", "must not begin with ~"),
        ("{}/two\nlines", "no line break"),
        ("{}/nul\0", "no other control character"),
        ("{}/half\ud83d", "no half of a surrogate pair"),
        ("{}/" + "n" * 256, "more than 255 bytes"),
        ("file://{}/" + "ü" * 128, "more than 255 bytes"),
    ],
)
def test_what_names_no_file_is_refused(tmp_path, name, said):
    with pytest.raises(CloudElementsValidationError, match=f"^output_path:? .*{said}"):
        storage_path(name.format(tmp_path), "output_path")


@pytest.mark.parametrize("name", ["n" * 242, "n" * 255, "ü" * 127, "😀" * 63])
def test_a_long_name_is_written(tmp_path, name):
    put(f"file://{tmp_path}/{name}", b"rows")
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_the_file_to_which_a_link_leads_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "rows").write_bytes(b"old")
    for link, file in (("link", "rows"), ("dangling", "new")):
        (tmp_path / link).symlink_to(tmp_path / "there" / file)
        put(f"file://{tmp_path}/{link}", b"rows")
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / "there" / file).read_bytes() == b"rows"
    assert len(list((tmp_path / "there").iterdir())) == 2


# -- lines ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"a": 1, "b": [True, None, 1.5, "é\n\r\u2028"]}, '{"a":1,"b":[true,null,1.5,"é\\n\\r\u2028"]}'),
        ({"half": "x\ud83d", "whole": "\ud83d\ude00"}, '{"half":"x\ufffd","whole":"😀"}'),
        ({"\ude00": ["\ud83dy"]}, '{"\ufffd":["\ufffdy"]}'),
        (
            {"a": float("nan"), "b": [float("inf"), "\ud83d", -float("inf")]},
            '{"a":null,"b":[null,"\ufffd",null]}',
        ),
        (
            {"id": 2**63, "ids": [-(2**63) - 1, -(2**63), 2**63 - 1]},
            '{"id":"9223372036854775808",'
            '"ids":["-9223372036854775809",-9223372036854775808,9223372036854775807]}',
        ),
        ({"id": "00123456789012345678901"}, '{"id":"00123456789012345678901"}'),
        ({"id": 10**30, "x": True}, '{"id":"1000000000000000000000000000000","x":true}'),
    ],
    ids=["plain", "half", "half as a key", "no number", "64 bits", "digits", "huge"],
)
def test_a_line_is_one_that_every_reader_reads(row, line):
    assert json_line(row).decode() == line + "\n"
    json.loads(json_line(row), parse_constant=lambda _: pytest.fail("no JSON"))


def test_rows_are_lines(tmp_path):
    path = f"file://{tmp_path}/rows"
    with JsonLines(storage_path(path, "path")) as lines:
        for number in range(3):
            lines.write_row({"n": number})
    assert Path(tmp_path / "rows").read_text() == '{"n":0}\n{"n":1}\n{"n":2}\n'
