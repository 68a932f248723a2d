"""Uploads from real stores: a file becomes records once, whoever replaces it or kills the worker."""

from __future__ import annotations

import hashlib
import json
import random
import time

import pytest

from tests.support.platform import client_of
from tests.support.store_writer import UPLOAD, outliving_notes

pytestmark = [pytest.mark.nightly, pytest.mark.processes, outliving_notes]

#: A file of 8 MB, which is read in two parts. Two of its rows have a field too many.
ROWS, BAD = 20_000, (7, 15_000)
TIMES = 10


def content_of(letter: str) -> bytes:
    """Return a file of rows whose names begin with a letter. All such files have as many bytes."""
    lines = [f"{letter} {each:06},{letter * 400}" for each in range(ROWS)]
    for each in BAD:
        lines[each] += ",more"
    return "\n".join(["name,note", *lines, ""]).encode()


def uploads(sandbox):
    return [job["id"] for job in sandbox.bulk_jobs() if job["direction"] == "UPLOAD"]


def names_in(sandbox, number):
    with client_of(sandbox) as client:
        rows = client.instance(number).records("/contacts", page_size=1000)
        return [str(row.get("name")) for row in rows]


@pytest.fixture
def empty(known, number):
    known.set_records(number, "contacts", 0)


def test_the_rows_become_records_and_the_errors_a_file_of_the_store(
    store, known, number, begin, tmp_path, empty
):
    content = content_of("A")
    store.write("rows.csv", content)
    store.surround("rows.csv")
    before = uploads(known)
    begin.start(UPLOAD, "rows.csv", tmp_path / "memory")
    done, _ = begin.finish()
    (job,) = uploads(known)[len(before) :]
    assert done == {
        "job_id": job,
        "path": store.path("rows.csv"),
        "rows": ROWS,
        "records": ROWS,
        "errors": len(BAD),
        "errors_path": store.path("rows.csv.errors"),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    errors = [json.loads(line)["error"] for line in store.read("rows.csv.errors").splitlines()]
    assert [each.partition(":")[0] for each in errors] == [f"Row {each + 1}" for each in BAD]
    names = names_in(known, number)
    assert len(names) == len(set(names)) == ROWS - len(BAD)


def test_a_killed_upload_is_gone_on_with(store, known, number, begin, tmp_path, empty):
    store.write("killed.csv", content_of("A"))
    begin.start(UPLOAD, "killed.csv", tmp_path / "memory")
    _, seconds = begin.finish()
    chance = random.Random(f"upload {store.kind}")  # noqa: S311
    for turn in range(TIMES):
        known.set_records(number, "contacts", 0)
        before, memory = len(uploads(known)), tmp_path / f"memory-{turn}"
        for each in (1, 2):
            pid = begin.start(UPLOAD, "killed.csv", memory, each)
            time.sleep(chance.uniform(0, seconds))
            begin.kill(pid)
        begin.start(UPLOAD, "killed.csv", memory, 3)
        done, _ = begin.finish()
        assert uploads(known)[before:] == [done["job_id"]]
        assert (done["rows"], len(names_in(known, number))) == (ROWS, ROWS - len(BAD))


def test_a_file_that_is_replaced_meanwhile_goes_whole_or_not_at_all(
    store, known, number, begin, tmp_path, empty
):
    contents = {letter: content_of(letter) for letter in "AB"}
    known_sums = {hashlib.sha256(each).hexdigest(): letter for letter, each in contents.items()}
    store.write("replaced.csv", contents["A"])
    begin.start(UPLOAD, "replaced.csv", tmp_path / "memory")
    _, seconds = begin.finish()
    chance, refused = random.Random(f"replaced {store.kind}"), 0  # noqa: S311
    for turn in range(TIMES):
        known.set_records(number, "contacts", 0)
        store.write("replaced.csv", contents["A"])
        before = len(uploads(known))
        begin.start(UPLOAD, "replaced.csv", tmp_path / f"memory-{turn}")
        time.sleep(chance.uniform(0, seconds))
        store.write("replaced.csv", contents["B"])
        status, said = begin.end()
        if status:
            # Some stores notice first that the file which was opened is no longer there.
            said_so = ("path: the file changed while it was sent", "path: the file cannot be read (FileExp")
            assert any(each in said for each in said_so), said[-3000:]
            assert len(uploads(known)) == before
            refused += 1
            continue
        done = json.loads(said.splitlines()[-1])
        letter = known_sums[done["sha256"]]
        assert {name[0] for name in names_in(known, number)} == {letter}
    print(f"{store.kind}: {refused} of {TIMES} replaced files were refused")
