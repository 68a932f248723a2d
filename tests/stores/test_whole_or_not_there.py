"""Writers cut and killed at random moments, on real stores: the whole file or none, never a second job."""

from __future__ import annotations

import hashlib
import random
import time

import pytest

from tests.support.store_writer import KINDS as WRITERS
from tests.support.store_writer import outliving_notes

pytestmark = [pytest.mark.nightly, pytest.mark.processes, outliving_notes]

TIMES = 20
#: A bulk result of 60 MB, which S3 and Azure take in four parts, and 4,000 records in pages.
BULK, RECORDS = 220_000, 4_000


def fill(sandbox, number, kind):
    sandbox.set_records(number, "contacts", BULK if kind == "bulk" else RECORDS)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_writer_killed_at_any_moment_leaves_the_whole_file_or_none(
    store, known, number, begin, tmp_path, kind
):
    fill(known, number, kind)
    name = "result"
    begin.start(kind, name, tmp_path / "first")
    done, seconds = begin.finish()
    content = store.read(name)
    digest = hashlib.sha256(content).hexdigest()
    assert done.get("sha256", digest) == digest
    chance = random.Random(f"{store.kind} {kind}")  # noqa: S311
    left = []
    for turn in range(TIMES):
        name = f"{kind}-{turn}"
        memory = tmp_path / name
        jobs = len(known.bulk_jobs())
        store.surround(name)
        pid = begin.start(kind, name, memory)
        time.sleep(chance.uniform(0, seconds))
        begin.kill(pid)
        left.append(found := store.read(name))
        assert found is None or found == content
        begin.start(kind, name, memory)
        again, _ = begin.finish()
        assert store.read(name) == content
        assert again.get("sha256", digest) == digest
        if kind == "bulk" and found is None:
            # A kill between the request and the note of its job is answered by the list of jobs.
            assert len(known.bulk_jobs()) == jobs + 1
    print(f"{store.kind} {kind}: {sum(each is None for each in left)} of {TIMES} kills left no file")
    assert any(each is None for each in left)


@pytest.mark.parametrize("ranges", ["serve", "ignore", "forget"])
def test_a_download_that_is_cut_at_any_place_is_whole(store, known, number, begin, tmp_path, ranges):
    fill(known, number, "bulk")
    known.configure(bulk_ranges="ignore" if ranges == "ignore" else "serve")
    name = f"cut-{ranges}"
    begin.start("bulk", name, tmp_path / "first")
    whole, _ = begin.finish()
    store.surround(name)
    chance = random.Random(f"{store.kind} {ranges}")  # noqa: S311
    for turn in range(TIMES):
        jobs = len(known.bulk_jobs())
        known.add_fault("cut", path="/bulk/*/contacts", bytes=chance.randrange(whole["bytes"]))
        if ranges == "forget":
            known.add_fault("forget_range", path="/bulk/*/contacts")
        begin.start("bulk", name, tmp_path / f"cut-{turn}")
        done, _ = begin.finish()
        known.clear_faults()
        assert {**done, "job_id": 0} == {**whole, "job_id": 0}
        assert hashlib.sha256(store.read(name)).hexdigest() == whole["sha256"]
        assert len(known.bulk_jobs()) == jobs + 1
