"""What changed since the last successful run: scheduled runs of a mapped task, by dag.test()."""

from __future__ import annotations

import json
from pathlib import Path

import pendulum
import pytest
import time_machine

pytestmark = pytest.mark.airflow

FOLDER = Path(__file__).parent / "dags"
FIRST = pendulum.datetime(2026, 1, 2)


@pytest.fixture(scope="module")
def dag(load_dags):
    return load_dags(FOLDER / "changes_dags.py").changes


@pytest.fixture
def run(dag, nightly, tmp_path):
    night = nightly(FOLDER, "changes", FIRST)
    return lambda day, *tenants: night(dag, day, conf={"folder": str(tmp_path), "instances": tenants})


@pytest.fixture
def change(person, sandbox):
    """Give a function that makes a lead of a tenant some hours before midnight of a day."""

    def change_one(tenant, day, name, hours=3):
        token = person.show(tenant)["token"]
        headers = {"Authorization": f"{person.session.headers['Authorization']}, Element {token}"}
        with time_machine.travel(FIRST.add(days=day, hours=-hours)):
            answer = person.session.post(
                f"{sandbox.url}/elements/api-v2/leads", json={"name": name}, headers=headers, timeout=20
            )
        assert answer.status_code == 200

    return change_one


def written(done, index=0):
    """Return the names in the file of a copy."""
    result = done.xcoms["read", index, "return_value"]
    rows = [
        json.loads(line) for line in Path(result["path"].removeprefix("file://")).read_bytes().splitlines()
    ]
    assert len(rows) == result["count"]
    return [row["name"] for row in rows]


def test_each_tenant_s_copy_goes_on_where_it_ended_whatever_its_index_is(run, change, person):
    tenants = [person.make("basic", name) for name in ("one", "two")]
    for day in range(4):
        for tenant in tenants:
            change(tenant, day, f"{tenant}-{day}")
        order = tenants if day % 2 else tenants[::-1]
        done = run(day, *order)
        assert done.state == "success", done.tasks
        assert [written(done, index) for index in (0, 1)] == [[f"{tenant}-{day}"] for tenant in order]


def test_a_failed_or_cleared_run_loses_nothing(run, change, person, sandbox):
    tenant = person.make("basic")
    for day in (0, 1):
        change(tenant, day, f"{day}")
        change(tenant, day + 1, f"{day} too late", hours=23.99)
    assert written(run(0, tenant)) == ["0"]
    sandbox.add_fault("status", status=400, path="/leads")
    assert run(1, tenant).state == "failed"
    sandbox.clear_faults()
    change(tenant, 2, "2")
    assert written(run(2, tenant)) == ["0 too late", "1", "1 too late", "2"]
    assert written(run(0, tenant)) == ["0"]
    assert written(run(2, tenant)) == ["0 too late", "1", "1 too late", "2"]
    change(tenant, 3, "3")
    assert written(run(3, tenant)) == ["3"]


def test_the_run_ends_when_it_was_due(run, change, person):
    tenant = person.make("basic")
    change(tenant, 0, "0")
    change(tenant, 1, "1")
    done = run(0, tenant)
    assert (written(done), done.xcoms["read", 0, "return_value"]["later"]) == (["0"], 1)
    assert done.rendered["read", 0]["until"].startswith("2026-01-02")
    assert written(run(1, tenant)) == ["1"]
