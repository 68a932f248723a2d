"""Writers cut and killed at random moments, on real stores: the whole file or none, never a second job."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import time
from types import SimpleNamespace

import pytest
from airflow import __version__ as airflow_version

from tests.support.platform import Person
from tests.support.store_writer import KINDS as WRITERS
from tests.support.store_writer import Writers
from tests.support.stores import KINDS, running

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.processes,
    pytest.mark.skipif(
        airflow_version.startswith(("3.1.", "3.2.")),
        reason="before 3.3, Airflow has no place in which a task's note of its job outlives a try",
    ),
]

TIMES = 20
#: A bulk result of 60 MB, which S3 and Azure take in four parts, and 4,000 records in pages.
BULK, RECORDS = 220_000, 4_000


@pytest.fixture(scope="module", params=KINDS)
def store(request, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp(request.param)) as made:
        yield made


@pytest.fixture(scope="module")
def number(whole_sandbox):
    return Person(whole_sandbox).make("basic")


@pytest.fixture(scope="module")
def whole_sandbox():
    from airflow_provider_cloudelements.sandbox import Sandbox

    with Sandbox(process=True) as sandbox:
        yield sandbox


@pytest.fixture
def known(whole_sandbox, monkeypatch):
    """The sandbox, known to Airflow in this process and in those that it starts."""
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(whole_sandbox.connection()))
    yield whole_sandbox
    whole_sandbox.clear_faults()


def fill(sandbox, number, kind):
    sandbox.set_records(number, "contacts", BULK if kind == "bulk" else RECORDS)


@pytest.fixture
def begin(store, known, number, tmp_path):
    """Begin a try, and return its process's id; wait for it, and return what its task returns, and when."""
    with Writers() as writers:
        out = tmp_path / "out"

        def start(kind, name, memory):
            given = {"store": store.kind, "place": store.place, "kind": kind, "name": name}
            return writers.begin(out, **given, instance_id=number, memory=str(memory))

        def finish():
            began = time.monotonic()
            status = writers.status()
            assert status == 0, out.read_text()[-3000:]
            return json.loads(out.read_text().splitlines()[-1]), time.monotonic() - began

        def kill(pid):
            with contextlib.suppress(ProcessLookupError):  # it was over already
                os.kill(pid, signal.SIGKILL)
            writers.status()

        yield SimpleNamespace(start=start, finish=finish, kill=kill)


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
