"""The stores, a sandbox in a process of its own, and tries in processes of theirs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from types import SimpleNamespace

import pytest

from tests.support.platform import Person
from tests.support.store_writer import Writers
from tests.support.stores import KINDS, running


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


@pytest.fixture
def begin(store, known, number, tmp_path):
    """Begin a try, and return its process's id; wait for it, and return what its task returns, and when."""
    with Writers() as writers:
        out = tmp_path / "out"

        def start(kind, name, memory, try_number=1):
            given = {"store": store.kind, "place": store.place, "kind": kind, "name": name}
            given |= {"instance_id": number, "memory": str(memory), "try_number": try_number}
            return writers.begin(out, **given)

        def end():
            status = writers.status()
            return status, out.read_text()

        def finish():
            began = time.monotonic()
            status, said = end()
            assert status == 0, said[-3000:]
            return json.loads(said.splitlines()[-1]), time.monotonic() - began

        def kill(pid):
            with contextlib.suppress(ProcessLookupError):  # it was over already
                os.kill(pid, signal.SIGKILL)
            writers.status()

        yield SimpleNamespace(start=start, end=end, finish=finish, kill=kill)
