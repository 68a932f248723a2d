"""Tasks killed in real Airflow while they create: one instance at the end, and no code sent twice."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.demo_connections import connections
from scripts.postgres import postgres
from tests.support.killing import kill_process_of, when_running
from tests.support.programs import needs_postgresql

pytestmark = pytest.mark.processes

#: How many tasks are killed: on the older lines the gate sees one of each kind.
MANY, FEW = 10, 3
#: The newest line sees the ten.
OLDER = pytest.mark.skipif(not airflow_version.startswith(("3.1.", "3.2.")), reason="ten are killed here")
SEED = 4711
#: How long the sandbox takes for a create: long enough to be killed in its midst.
CREATE_SECONDS = 2.0
DAGS = """
from datetime import timedelta
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

for kind, arguments in {
    "basic": {"element": "closeio", "element_conn_id": "closeio_login"},
    "refresh": {"element": "hubspotcrm", "element_conn_id": "hubspot_app", "event_callback_url": None},
    "code": {
        "element": "microsoftgraph",
        "element_conn_id": "microsoft_graph_app",
        "authorization_code": "{{ dag_run.conf['code'] }}",
    },
}.items():
    with DAG(f"killed_{kind}", schedule=None, max_active_runs=16) as dag:
        CloudElementsCreateInstanceOperator(
            task_id="create",
            instance_name="{{ run_id }}",
            retries=3,
            retry_delay=timedelta(seconds=1),
            settle_time=6,
            **arguments,
        )
    globals()[kind] = dag
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(process=True) as running:
        running.configure(create_delay=CREATE_SECONDS)
        yield running


@pytest.fixture(scope="module")
def database():
    """A real database server: SQLite stays locked for others when tasks die in the midst of a write."""
    needs_postgresql()
    with postgres() as address:
        yield address


@pytest.fixture(scope="module")
def airflow(start_airflow, database, sandbox, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dags")
    Path(folder / "killed.py").write_text(DAGS)
    running = start_airflow(folder, sql_alchemy_conn=database)
    known = connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret)
    # A retry waits as long as the killed try could have: for the answer, and then for the instance.
    known["cloudelements_default"]["extra"]["create_timeout"] = 5
    for conn_id, connection in known.items():
        running.add_connection(conn_id, **connection)
    return running


def start(airflow, sandbox, number):
    kind = ("basic", "refresh", "code")[number % 3]
    conf = {}
    if kind == "code":
        app = connections("", "", "")["microsoft_graph_app"]
        conf["code"] = sandbox.code(
            client_id=app["login"], oauth_callback_url=app["extra"]["oauth_callback_url"]
        )
    return f"killed_{kind}", airflow.trigger(f"killed_{kind}", conf, f"kill-{number}")


def kill_when_running(airflow, dag_id, run_id, delay):
    """Kill the process that runs the task, some time after it began; return whether it was there."""
    ti = when_running(airflow, dag_id, run_id, "create")
    time.sleep(delay)
    return kill_process_of(ti["id"])


@pytest.mark.parametrize(
    "kills", [pytest.param(MANY, marks=pytest.mark.newest), pytest.param(FEW, marks=OLDER)]
)
def test_killed_tasks_leave_one_instance_each(airflow, sandbox, kills):
    chance = random.Random(SEED)  # noqa: S311  moments, not secrets
    runs, killed = [], 0
    for number in range(3 * kills):
        if killed == kills:
            break
        dag_id, run_id = start(airflow, sandbox, number)
        killed += kill_when_running(airflow, dag_id, run_id, chance.uniform(0.2, CREATE_SECONDS + 1))
        runs.append((dag_id, run_id))
    states = {run_id: airflow.wait_run(dag_id, run_id, timeout=180) for dag_id, run_id in runs}

    made = {}
    for instance in sandbox.instances():
        made.setdefault(instance["name"], []).append(instance["id"])
    spent = 0
    for dag_id, run_id in runs:
        ids = made.get(run_id, [])
        assert len(ids) <= 1, (run_id, ids)
        if states[run_id] == "success":
            assert ids == [airflow.xcom(dag_id, run_id, "create", key="id")]
        else:
            # The one way to fail: the code may be spent, and no instance shows it.
            assert dag_id == "killed_code"
            (ti,) = airflow.task_instances(dag_id, run_id)
            log = airflow.task_log(dag_id, run_id, "create", attempt=ti["try_number"])
            assert "may have sent this authorization code already" in log, log
            spent += 1
    presented = [each["presented"] for each in sandbox.codes()]
    assert max(presented) <= 1, presented
    print(
        f"\n{len(runs)} runs, {killed} of them killed, {sum(map(len, made.values()))} instances, "
        f"{spent} code(s) spent without one, seed {SEED}"
    )
    assert killed == kills, "too many tasks were over before they were killed"
