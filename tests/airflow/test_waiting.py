"""Deferred sensors in real Airflow processes: the poll hub inside a triggerer."""

from __future__ import annotations

import json

import pytest

from tests.support.patience import eventually, quiet
from tests.support.platform import Person
from tests.support.triggers import rotating

pytestmark = [pytest.mark.processes, pytest.mark.lane("shared")]

DAG_ID = "waiting"
DAGS = """
from datetime import timedelta
from airflow.sdk import DAG
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor

with DAG("waiting", schedule=None, max_active_runs=16):
    CloudElementsInstanceSensor(
        task_id="wait",
        tag="{{ dag_run.conf['tag'] }}",
        cloudelements_conn_id="{{ dag_run.conf['connection'] }}",
        deferrable=True,
        poll_interval=1,
        timeout=300,
    )

with DAG("in_vain", schedule=None):
    for name, limits in {
        "poking": {"execution_timeout": timedelta(seconds=3)},
        "deferred": {"execution_timeout": timedelta(seconds=3), "deferrable": True},
        "lenient": {"execution_timeout": timedelta(seconds=3), "deferrable": True, "soft_fail": True},
        "expired": {"execution_timeout": timedelta(seconds=300), "deferrable": True, "timeout": 3},
        "skipped": {"deferrable": True, "timeout": 3, "soft_fail": True},
    }.items():
        CloudElementsInstanceSensor(
            task_id=name,
            tag="nobody",
            cloudelements_conn_id="plain",
            poke_interval=1,
            poll_interval=1,
            **{"timeout": 300, **limits},
        )
"""


@pytest.fixture(scope="module")
def sandbox(stage):
    return stage.sandbox


@pytest.fixture(scope="module")
def platform(sandbox):
    with rotating(sandbox) as relay:
        yield relay


@pytest.fixture(scope="module")
def airflow(stage, sandbox, platform):
    stage.add_dags({"waiting": DAGS})
    stage.add_connections({"plain": sandbox.connection(), "rotating": platform.connection()})
    return stage.airflow


@pytest.fixture
def person(sandbox):
    return Person(sandbox)


def deferred(airflow, tag: str, connection: str = "plain") -> str:
    """Start a run and wait until its sensor is deferred."""
    run_id = airflow.trigger(DAG_ID, {"tag": tag, "connection": connection})
    eventually(lambda: airflow.task_states(DAG_ID, run_id) == {"wait": "deferred"})
    return run_id


def polled(sandbox, count: int = 2) -> None:
    """Wait until the platform was asked a few times more: somebody waits in the triggerer."""
    before = len(sandbox.requests())
    eventually(lambda: len(sandbox.requests()) >= before + count)


def logs(airflow, run_id: str) -> dict[str, bytes]:
    """Return the task's log files, the triggerer's part among them."""
    folder = airflow.home / "logs" / f"dag_id={DAG_ID}" / f"run_id={run_id}"
    return {path.name: path.read_bytes() for path in folder.rglob("*.log*") if path.is_file()}


def test_it_comes_through_when_the_instance_appears(airflow, sandbox, person):
    run_id = deferred(airflow, "first")
    polled(sandbox)
    number = person.make("basic", "Mine", tags=["first"])
    assert airflow.wait_run(DAG_ID, run_id) == "success"
    assert airflow.xcom(DAG_ID, run_id, "wait")["name"] == "Mine"
    assert airflow.xcom(DAG_ID, run_id, "wait", key="id") == number
    eventually(lambda: quiet(sandbox))


def test_a_closed_waiter_s_log_gets_nothing_of_a_second_one_s(airflow, sandbox, person):
    first = deferred(airflow, "early")
    polled(sandbox)
    second = deferred(airflow, "late")
    polled(sandbox)
    number = person.make("basic", tags=["early"])
    assert airflow.wait_run(DAG_ID, first) == "success"
    polled(sandbox, 3)
    before = logs(airflow, first)
    assert any(b"trigger" in content for content in before.values())
    # The poll that the first one's coming has started now has something to say.
    sandbox.add_fault("status", status=503, count=2)
    polled(sandbox, 5)
    hub = "airflow_provider_cloudelements.triggers.poll"
    said = [line for line in airflow.process_log("triggerer").splitlines() if hub in line]
    assert ["go on waiting" in line for line in said] == [True, False]
    assert logs(airflow, first) == before
    assert not any(b"go on waiting" in content for content in logs(airflow, second).values())
    # What concerns one task is in its own log.
    late = person.make("basic", tags=["late"])
    assert airflow.wait_run(DAG_ID, second) == "success"
    assert number != late
    assert logs(airflow, first) == before


def test_what_an_instance_lacks_is_in_the_log_of_whoever_waits_for_it(airflow, sandbox, person):
    other = deferred(airflow, "nobody's")
    number = person.make("basic", tags=["ill"])
    sandbox.set_instance(number, disabled=True)
    run_id = deferred(airflow, "ill")
    polled(sandbox, 3)
    sandbox.set_instance(number, disabled=False, valid=False)
    said = f"Instance {number} is invalid".encode()
    eventually(lambda: any(said in content for content in logs(airflow, run_id).values()))
    sandbox.set_instance(number, valid=True)
    assert airflow.wait_run(DAG_ID, run_id) == "success"
    assert not any(str(number).encode() in content for content in logs(airflow, other).values())
    person.make("basic", tags=["nobody's"])
    assert airflow.wait_run(DAG_ID, other) == "success"


def test_a_rotated_secret_heals_when_the_connection_is_updated(airflow, sandbox, person, platform):
    run_id = deferred(airflow, "rotated", "rotating")
    polled(sandbox)
    old = platform.secret
    platform.rotate()
    eventually(lambda: platform.refused >= 2)
    connection = platform.connection()
    connection["extra"] = json.dumps(connection["extra"])
    airflow.rest("PATCH", "/connections/rotating", {"connection_id": "rotating", **connection})
    polled(sandbox)
    person.make("basic", tags=["rotated"])
    assert airflow.wait_run(DAG_ID, run_id) == "success"
    for _, content in airflow.log_files():
        assert old.encode() not in content
        assert platform.secret.encode() not in content


def test_an_execution_time_out_ends_a_deferred_wait_as_it_ends_a_poking_one(airflow, sandbox):
    run_id = airflow.trigger("in_vain")
    assert airflow.wait_run("in_vain", run_id) == "failed"
    states = dict.fromkeys(("poking", "deferred", "lenient", "expired"), "failed")
    assert airflow.task_states("in_vain", run_id) == {**states, "skipped": "skipped"}
    folder = airflow.home / "logs" / "dag_id=in_vain" / f"run_id={run_id}"
    for name in states:
        said = b"".join(path.read_bytes() for path in (folder / f"task_id={name}").rglob("*.log*"))
        kind = b"AirflowSensorTimeout" if name == "expired" else b"AirflowTaskTimeout"
        assert kind in said
    assert max(each["duration"] for each in airflow.task_instances("in_vain", run_id)) < 60
    eventually(lambda: quiet(sandbox))


def test_what_is_cleared_or_failed_by_hand_leaves_nothing_running(airflow, sandbox):
    eventually(lambda: quiet(sandbox))
    failed, cleared = deferred(airflow, "never"), deferred(airflow, "never either")
    polled(sandbox)
    path = f"/dags/{DAG_ID}/dagRuns/{failed}/taskInstances/wait"
    airflow.rest("PATCH", path, {"new_state": "failed"})
    polled(sandbox)  # the other one waits on
    # A cleared task begins anew. (With its DAG paused it keeps its trigger: Airflow lets go of one only when
    # the state is another than deferred, and a cleared one has none.)
    (before,) = airflow.task_instances(DAG_ID, cleared)
    body = {"dry_run": False, "dag_run_id": cleared, "task_ids": ["wait"], "only_failed": False}
    airflow.rest("POST", f"/dags/{DAG_ID}/clearTaskInstances", body)

    def deferred_anew() -> bool:
        (now,) = airflow.task_instances(DAG_ID, cleared)
        return now["state"] == "deferred" and now["try_number"] > before["try_number"]

    eventually(deferred_anew)
    polled(sandbox)
    path = f"/dags/{DAG_ID}/dagRuns/{cleared}/taskInstances/wait"
    airflow.rest("PATCH", path, {"new_state": "failed"})
    eventually(lambda: quiet(sandbox), 30)
    assert quiet(sandbox, 5)
    assert airflow.wait_run(DAG_ID, failed) == airflow.wait_run(DAG_ID, cleared) == "failed"
