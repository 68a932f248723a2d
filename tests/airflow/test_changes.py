"""What changed since the last successful run, in real Airflow: two runs of a mapped task with an asset."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.support.platform import Person

pytestmark = [pytest.mark.processes, pytest.mark.lane("shared")]

DAGS = """
from airflow.sdk import DAG, Asset, task
from airflow_provider_cloudelements.operators.record_changes import CloudElementsDownloadChangesOperator

leads = Asset("changed leads")

with DAG("download_changes", schedule=None):
    CloudElementsDownloadChangesOperator.partial(
        task_id="read",
        cloudelements_conn_id="changes",
        path="/leads",
        updated_field="date_updated",
        output_path="file://{{ dag_run.conf['folder'] }}/{{ run_id }}-{{ task.instance_id }}.jsonl",
        outlets=[leads],
    ).expand(instance_id=task(lambda dag_run: dag_run.conf["instances"], task_id="tenants")())
"""


@pytest.fixture(scope="module")
def tenants(stage):
    stage.add_dags({"changes": DAGS})
    stage.add_connections({"changes": stage.sandbox.connection()})
    person = Person(stage.sandbox)
    made = [person.make("basic", name) for name in ("one", "two")]
    stage.airflow.wait_dag("download_changes")
    return made


def run(stage, folder, tenants):
    """Run the DAG; return what its copies returned, and the extras of the asset's events."""
    conf = {"instances": tenants, "folder": str(folder)}
    run_id = stage.airflow.trigger("download_changes", conf)
    assert stage.airflow.wait_run("download_changes", run_id) == "success"
    base = f"/dags/download_changes/dagRuns/{run_id}/taskInstances/read/xcomEntries/return_value"
    events = stage.airflow.pages("/assets/events", "asset_events")
    return [
        stage.airflow.rest("GET", base, map_index=index, deserialize=True)["value"] for index in (0, 1)
    ], [each["extra"] for each in events if each["source_run_id"] == run_id]


def test_the_next_run_writes_what_changed_and_the_asset_s_events_say_where(stage, tenants, tmp_path):
    first, extras = run(stage, tmp_path, tenants)
    assert [each["count"] for each in first] == [each["rows"] for each in extras] == [3, 3]
    person = Person(stage.sandbox)
    token = person.show(tenants[1])["token"]
    person.session.headers["Authorization"] += f", Element {token}"
    person.call("POST", "/leads", {"name": "new"})
    # The order of the tenants has changed.
    second, extras = run(stage, tmp_path, tenants[::-1])
    assert [each["count"] for each in second] == [1, 0]
    told = {each["instance_id"]: each for each in extras}
    for tenant, result in zip(tenants[::-1], second, strict=True):
        data = Path(result["path"].removeprefix("file://")).read_bytes()
        assert told[tenant] == {
            "instance_id": tenant,
            "object": "leads",
            "rows": result["count"],
            "bytes": len(data),
            "path": result["path"],
            "sha256": hashlib.sha256(data).hexdigest(),
        }
