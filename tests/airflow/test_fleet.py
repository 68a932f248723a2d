"""Instances as code in real Airflow: killed, cleared, raced, approved by a person; no secret is left."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_cloudelements.client.tags import Identity
from scripts.demo_connections import connections
from tests.support.killing import kill_process_of, when_running
from tests.support.leaks import search
from tests.support.package import ROOT
from tests.support.patience import eventually
from tests.support.platform import Person

pytestmark = [pytest.mark.processes, pytest.mark.newest, pytest.mark.lane("shared")]

EXAMPLE = "example_instances_as_code"
TENANTS = 12
#: Not that of the example, whose plan deletes what no row names.
FLEET_TAG = "test-of-the-fleet"
#: How long the sandbox takes for a create: long enough to be killed in its midst.
CREATE_SECONDS = 0.7
DAGS = """
from datetime import timedelta
from airflow.sdk import DAG, Asset, task
from airflow_provider_cloudelements.assets import cloudelements_fleet_asset
from airflow_provider_cloudelements.operators.fleet import (
    CloudElementsApplyInstancesOperator,
    CloudElementsPlanInstancesOperator,
)
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

ROWS = [
    {"key": f"{{{{ run_id }}}}-{n}", "name": f"{{{{ run_id }}}}-{n}", "element_conn_id": "closeio_login"}
    for n in range(TENANTS)
]

with DAG("fleet_killed", schedule=None):
    plan = CloudElementsPlanInstancesOperator(
        task_id="plan",
        manifest=ROWS,
        ownership_tag="FLEET_TAG",
        chunk_size=4,
        plan_path="file://PLANS/{{ run_id }}.json",
    )
    CloudElementsApplyInstancesOperator.partial(
        task_id="apply",
        concurrency=1,
        report="all",
        checksum="{{ ti.xcom_pull('plan', key='checksum') }}",
        retries=1,
        retry_delay=timedelta(seconds=1),
        outlets=[Asset("fleet")],
    ).expand(plan=plan.output)

with DAG("fleet_raced", schedule=None):
    plan = CloudElementsPlanInstancesOperator(
        task_id="plan", manifest=ROWS[:3], ownership_tag="FLEET_TAG"
    )
    create = CloudElementsCreateInstanceOperator.partial(
        task_id="create",
        element_conn_id="closeio_login",
        tags=["FLEET_TAG"],
        delete_twins=True,
        trigger_rule="all_done",
    ).expand_kwargs([{"instance_key": row["key"], "instance_name": row["name"]} for row in ROWS[:3]])
    apply = CloudElementsApplyInstancesOperator(task_id="apply", plan=plan.output, concurrency=1, retries=0)
    plan >> [create, apply]

with DAG("fleet_checked", schedule=None):
    for name, states in (("check", ()), ("failing", ("disabled",))):
        CloudElementsCheckInstancesOperator(
            task_id=name, tag="{{ run_id }}", emit_assets=True, fail_on=states, retries=0
        )

UNHEALTHY = cloudelements_fleet_asset("unhealthy")

with DAG("fleet_unhealthy", schedule=[UNHEALTHY]):

    @task
    def told(triggering_asset_events=None):
        return [event.extra for event in triggering_asset_events[UNHEALTHY]]

    told()
"""


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    return tmp_path_factory.mktemp("plans")


@pytest.fixture(scope="module")
def airflow(stage, plans):
    stage.sandbox.configure(create_delay=CREATE_SECONDS)
    source = DAGS
    for word, value in {"TENANTS": TENANTS, "PLANS": plans, "FLEET_TAG": FLEET_TAG}.items():
        source = source.replace(word, str(value))
    example = (ROOT / "example_dags" / f"{EXAMPLE}.py").read_text()
    manifest = stage.folder / "example_tenants.yaml"
    manifest.write_text((ROOT / "example_dags" / manifest.name).read_text())
    stage.add_dags({"fleet": source, EXAMPLE: example})
    known = connections(stage.sandbox.url, stage.sandbox.user_secret, stage.sandbox.organization_secret)
    stage.add_connections({name: known[name] for name in ("cloudelements_default", "closeio_login")})
    for dag_id in ("fleet_killed", "fleet_raced", EXAMPLE):
        stage.airflow.wait_dag(dag_id)
    yield stage.airflow
    manifest.unlink()


@pytest.fixture(scope="module")
def sandbox(stage):
    return stage.sandbox


def of_run(sandbox, run_id):
    """Return how many instances each name of a run has."""
    return Counter(each["name"] for each in sandbox.instances() if each["name"].startswith(run_id))


def once_each(run_id, count):
    return {f"{run_id}-{number}": 1 for number in range(count)}


def creates(sandbox):
    calls = sandbox.requests()
    return sum((each["method"], each["path"]) == ("POST", "/instances") for each in calls)


def test_killed_in_the_midst_retried_and_cleared_ends_the_same(airflow, sandbox, stage, plans):
    run_id = airflow.trigger("fleet_killed", run_id="killed")
    ti = when_running(airflow, "fleet_killed", run_id, "apply", 1)
    eventually(lambda: of_run(sandbox, run_id).keys() & {f"{run_id}-{n}" for n in range(4, 8)}, pause=0.1)
    assert kill_process_of(ti["id"])
    assert airflow.wait_run("fleet_killed", run_id) == "success"
    assert of_run(sandbox, run_id) == once_each(run_id, TENANTS)
    tries = {
        each["map_index"]: each["try_number"]
        for each in airflow.task_instances("fleet_killed", run_id)
        if each["task_id"] == "apply"
    }
    assert tries == {0: 1, 1: 2, 2: 1}
    told = airflow.xcom("fleet_killed", run_id, "apply", map_index=1)
    assert told["counts"]["already"] >= 1
    assert told["counts"]["already"] + told["counts"]["done"] == 4

    # Cleared, all of it: the tasks find everything done.
    before = creates(sandbox)
    airflow.rest(
        "POST",
        "/dags/fleet_killed/clearTaskInstances",
        {"dag_run_id": run_id, "task_ids": ["apply"], "dry_run": False, "only_failed": False},
    )
    assert airflow.wait_run("fleet_killed", run_id) == "success"
    for index in range(3):
        counts = airflow.xcom("fleet_killed", run_id, "apply", map_index=index)["counts"]
        assert counts["already"] == 4
    assert creates(sandbox) == before
    assert of_run(sandbox, run_id) == once_each(run_id, TENANTS)

    # What the search at the end of the lane does not see: the file of the plan.
    (file,) = plans.iterdir()
    assert list(search([(file.name, file.read_bytes())], stage.secrets)) == []
    for each in sandbox.instances():
        stage.secrets[f"token of {each['name']}"] = Person(sandbox).show(each["id"])["token"]


def test_an_apply_beside_a_scheduled_create_of_the_same_keys(airflow, sandbox):
    run_id = airflow.trigger("fleet_raced", run_id="raced")
    state = airflow.wait_run("fleet_raced", run_id)
    assert state == "success", airflow.task_states("fleet_raced", run_id)
    assert of_run(sandbox, run_id) == once_each(run_id, 3)
    keys = {Identity("", f"{run_id}-{number}").key_tag for number in range(3)}
    ours = [each for each in sandbox.instances() if keys & set(each["tags"])]
    assert len(ours) == 3
    assert all(FLEET_TAG in each["tags"] for each in ours)


def test_a_person_approves_or_rejects_what_a_plan_deletes(airflow, sandbox, stage):
    manifest = stage.folder / "example_tenants.yaml"
    whole = manifest.read_text()

    def there():
        return sorted(each["name"] for each in sandbox.instances() if each["name"].startswith("Tenant "))

    everyone = ["Tenant North", "Tenant South", "Tenant West"]
    run_id = airflow.trigger(EXAMPLE, run_id="first")
    assert airflow.wait_run(EXAMPLE, run_id) == "success"
    assert there() == everyone

    manifest.write_text(without_line(whole, "tenant-south"))
    for answer, state, names in (
        ("Reject", "failed", everyone),
        ("Approve", "success", ["Tenant North", "Tenant West"]),
    ):
        run_id = airflow.trigger(EXAMPLE, run_id=answer)
        asked = airflow.hitl(EXAMPLE, run_id, "approve")
        assert "1 to delete; 2 unchanged" in asked["body"]
        assert there() == everyone
        airflow.answer(EXAMPLE, run_id, "approve", {}, option=answer)
        assert airflow.wait_run(EXAMPLE, run_id) == state, airflow.task_states(EXAMPLE, run_id)
        assert there() == names


def without_line(text: str, word: str) -> str:
    lines = text.splitlines(keepends=True)
    assert sum(word in line for line in lines) == 1
    return "".join(line for line in lines if word not in line)


def test_a_check_that_finds_something_starts_a_dag_and_one_that_fails_does_not(airflow, sandbox, stage):
    """Both tasks of a run find the same; Airflow stores the event of the one that succeeds."""
    for dag_id in ("fleet_checked", "fleet_unhealthy"):
        airflow.wait_dag(dag_id)
    airflow.rest("PATCH", "/dags/fleet_unhealthy", {"is_paused": False})
    person = Person(sandbox)
    person.make("basic", tags=["well", "ill"])
    ill = person.make("basic", tags=["ill"])
    sandbox.set_instance(ill, disabled=True)
    for run_id, state in (("well", "success"), ("ill", "failed")):
        airflow.trigger("fleet_checked", run_id=run_id)
        assert airflow.wait_run("fleet_checked", run_id) == state
    assert airflow.task_states("fleet_checked", "ill") == {"check": "success", "failing": "failed"}
    # Airflow shows the link of both: to the page of the instance that is not healthy.
    for task_id in ("check", "failing"):
        links = airflow.rest("GET", f"/dags/fleet_checked/dagRuns/ill/taskInstances/{task_id}/links")
        page = f"{sandbox.url}/sandbox/instances/{ill}"
        assert links["extra_links"]["Instance in the console"] == page
        all_instances = f"{airflow.url}/cloudelements/instances?connection=cloudelements_default"
        assert links["extra_links"]["All instances"] == all_instances

    def runs():
        return airflow.rest("GET", "/dags/fleet_unhealthy/dagRuns")["dag_runs"]

    eventually(runs)
    (run,) = runs()
    assert airflow.wait_run("fleet_unhealthy", run["dag_run_id"]) == "success"
    (extra,) = airflow.xcom("fleet_unhealthy", run["dag_run_id"], "told")
    assert (extra["connection"], extra["checked"]) == ("cloudelements_default", 2)
    assert (extra["counts"]["healthy"], extra["counts"]["disabled"]) == (1, 1)
