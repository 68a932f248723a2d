"""The sensors inside Airflow, by dag.test(): rendering, XCom, mapping, rescheduling and deferral."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from tests.support.runs import Run
from tests.support.triggers import VARIABLE

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"
MODES = ["poke", "reschedule", "deferred"]


@pytest.fixture(scope="module")
def module(load_dags):
    return load_dags(FOLDER / "waiting_dags.py")


@pytest.fixture(scope="module")
def dags(module):
    return module.dags


@pytest.fixture
def run(dags, sandbox, monkeypatch):
    from airflow import settings

    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))
    return lambda name, **conf: Run(dags[name].test(run_conf=conf))


@pytest.fixture
def later():
    """Give a function that does something once the sandbox was asked so many times."""
    threads = []

    def start(sandbox, calls, work):
        def watch():
            deadline = time.monotonic() + 60
            while len(sandbox.requests()) < calls and time.monotonic() < deadline:
                time.sleep(0.05)
            work()

        threads.append(threading.Thread(target=watch, daemon=True))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(60)


@pytest.mark.parametrize("mode", MODES)
def test_it_waits_until_the_instance_is_there(run, module, sandbox, person, later, mode):
    module.starts.clear()
    later(sandbox, 2, lambda: person.make("basic", "Mine", tags=["Docs"]))
    done = run(mode, tag="Docs")
    assert done.state == "success", done.tasks
    (instance,) = sandbox.instances()
    returned = done.xcoms["wait", -1, "return_value"]
    assert (returned["id"], returned["name"], returned["tags"]) == (instance["id"], "Mine", ["Docs"])
    assert done.xcoms["wait", -1, "id"] == instance["id"]
    assert done.xcoms["show", -1, "return_value"] is True
    assert done.rendered["wait", -1]["tag"] == "Docs"
    # docs/advice.md says so of on_execute_callback: a wait starts more than once in one try.
    assert min(module.starts.count(mode), 2) == (1 if mode == "poke" else 2)


@pytest.mark.parametrize("mode", MODES)
def test_it_is_mapped_over_what_was_created(run, sandbox, mode):
    done = run(f"mapped_{mode}")
    assert done.state == "success", done.tasks
    assert [done.xcoms["wait_one", index, "return_value"]["name"] for index in (0, 1)] == ["acme", "globex"]
    assert [done.xcoms["wait_one", index, "id"] for index in (0, 1)] == [
        done.xcoms["create", index, "id"] for index in (0, 1)
    ]


@pytest.mark.parametrize("mode", MODES)
def test_wrong_secrets_fail_where_soft_fail_skips(run, sandbox, monkeypatch, mode):
    connection = {**sandbox.connection(max_retries=0), "password": "wrong" * 9}
    monkeypatch.setenv(VARIABLE, json.dumps(connection))
    done = run(f"soft_{mode}", tag="Docs")
    assert done.states()["wait", -1] == "failed"
