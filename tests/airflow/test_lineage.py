"""What Airflow's OpenLineage provider sends of our tasks: its events hold no secret, in either setting."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

from tests.support.leaks import search
from tests.support.package import ROOT
from tests.support.platform import EVENTS, WAYS, Person

pytestmark = [pytest.mark.airflow, pytest.mark.newest]

#: Whether the provider can write full task information. Up to 2.18.1 it then writes no event of any task
#: (findings/openlineage_full_task_info.sh). Our list for Airflow 3.1 is of a day when it was at 2.13.0.
WRITES_FULL = Version(version("apache-airflow-providers-openlineage")) >= Version("2.19.0")

FOLDER = Path(__file__).resolve().parents[1] / "operators" / "dags"
SECRETS = {
    "password": "lineage/password+0001=",
    "api_key": "lineage/api-key+0002=",
    "api_secret": "lineage/api-secret+0003=",
    "signature": "lineage/signature+0004=",
    "realm": "lineage/realm+0005=",
}
TENANT = "lineage/tenant+0006="
#: Runs DAGs in a process whose Airflow has loaded the provider. Each prints its state.
PROGRAM = """
import importlib.util, json, os, sys
from tests.support.runs import use_dags_of
use_dags_of(os.path.dirname(sys.argv[1]))
spec = importlib.util.spec_from_file_location("heart_dags", sys.argv[1])
dags = importlib.util.module_from_spec(spec)
spec.loader.exec_module(dags)
for name, conf in json.loads(sys.stdin.read()).items():
    print(f"<{name} {getattr(dags, name).test(run_conf=conf).state}>")
"""


def without_conf(event):
    """Return an event without the conf of its run, which the provider sends as it is."""
    if isinstance(event, dict):
        return {key: without_conf(value) for key, value in event.items() if key != "conf"}
    return [without_conf(each) for each in event] if isinstance(event, list) else event


def events_of(dags, confs, sandbox, file, full):
    """Run DAGs with OpenLineage's file transport; return its events, and what the runs printed."""
    settings = {
        "AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT": json.dumps(sandbox.connection()),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(file), "append": True}
        ),
        "AIRFLOW__OPENLINEAGE__INCLUDE_FULL_TASK_INFO": str(full),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(dags)],
        cwd=ROOT,
        input=json.dumps(confs),
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return [json.loads(line) for line in file.read_text().splitlines()], done.stdout


@pytest.mark.parametrize(
    "full",
    [
        False,
        pytest.param(
            True, marks=pytest.mark.skipif(not WRITES_FULL, reason="this provider writes no event of a task")
        ),
    ],
)
def test_no_event_holds_a_secret(full, cloudelements_sandbox, airflow_database, tmp_path):
    file = tmp_path / "events.jsonl"
    codes = [cloudelements_sandbox.code() for _ in range(4)]
    confs = {"plain": {**SECRETS, "codes": codes[:2], "name": "A name"}}
    if full:  # what mapped tasks are given is in their __dict__
        confs["mapped"] = {**SECRETS, "codes": codes[2:], "tenants": {"acme": TENANT}}
    events, said = events_of(FOLDER / "heart_dags.py", confs, cloudelements_sandbox, file, full)
    for name in confs:
        assert f"<{name} success>" in said, said[-5000:]
    names = {event["job"]["name"] for event in events}
    assert {"heart_plain.create", "heart_plain.use"} <= names
    person = Person(cloudelements_sandbox)
    tokens = {
        f"token {each['id']}": person.show(each["id"])["token"] for each in cloudelements_sandbox.instances()
    }
    assert tokens
    secrets = {**SECRETS, **dict(zip("abcd", codes, strict=True)), **tokens, "tenant": TENANT}
    # The search does find what is there.
    found = {each.secret for each in search([("events", file.read_text())], secrets)}
    assert set(SECRETS) <= found
    rest = [(event["job"]["name"], json.dumps(without_conf(event))) for event in events]
    assert not (places := {(each.secret, each.place) for each in search(rest, secrets)}), places


def asset_events():
    """Return the extras of the assets' events, by the task."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(AssetEvent).filter_by(source_dag_id="lineage_files"))
        return {each.source_task_id: dict(each.extra) for each in found}


def test_a_file_s_datasets_and_asset_events_say_what_it_is_and_hold_no_secret(
    cloudelements_sandbox, airflow_database, tmp_path
):
    person, secret = Person(cloudelements_sandbox), "lineage/condition+0007="
    number = person.make("basic", configuration={**WAYS["basic"][1], **EVENTS})
    cloudelements_sandbox.emit(number, object_id="a lead")
    token = person.show(number)["token"]
    person.session.headers["Authorization"] += f", Element {token}"
    person.call("POST", "/leads", {"name": secret})
    conf = {"instance": number, "folder": str(tmp_path), "secret": secret, "token": token}
    file, dags = tmp_path / "ol", FOLDER / "lineage_dags.py"
    events, said = events_of(dags, {"files": conf}, cloudelements_sandbox, file, full=WRITES_FULL)
    assert "<files success>" in said, said[-5000:]
    ended = {
        event["job"]["name"].removeprefix("lineage_files."): event
        for event in events
        if event["eventType"] == "COMPLETE" and event["job"]["name"].startswith("lineage_files.")
    }
    host = cloudelements_sandbox.url.removeprefix("http://")
    extras = asset_events()
    assert set(extras) == set(ended) == {"call", "few", "changes", "bulk", "events", "upload"}
    for name, file in {
        "call": "call.jsonl",
        "changes": "changes.jsonl",
        "bulk": "bulk.csv",
        "events": "events.jsonl",
    }.items():
        data = (tmp_path / file).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        rows = len(data.splitlines()) - (name == "bulk")  # a CSV has a heading
        assert rows == 1 or (name == "events" and rows > 1)  # the lead is an event, too
        assert extras[name] == {
            "instance_id": number,
            "object": None if name == "events" else "leads",
            "rows": rows,
            "bytes": len(data),
            "path": f"file://{tmp_path / file}",
            "sha256": digest,
        }
        sources = [(each["namespace"], each["name"]) for each in ended[name]["inputs"]]
        assert sources == ([] if name == "events" else [(f"cloudelements://{host}", "closeio/leads")])
        (output,) = ended[name]["outputs"]
        assert (output["namespace"], output["name"]) == ("file", str(tmp_path / file))
        statistics = output["outputFacets"]["outputStatistics"]
        assert (statistics["rowCount"], statistics["size"]) == (rows, len(data))
        assert output["facets"]["version"]["datasetVersion"] == digest
    sent = {**extras["call"], "object": "contacts"}
    assert extras["upload"] == sent
    (source,), (target,) = ended["upload"]["inputs"], ended["upload"]["outputs"]
    assert (source["namespace"], source["name"]) == ("file", str(tmp_path / "call.jsonl"))
    assert source["facets"]["version"]["datasetVersion"] == sent["sha256"]
    assert (target["namespace"], target["name"]) == (f"cloudelements://{host}", "closeio/contacts")
    assert target["outputFacets"]["outputStatistics"]["rowCount"] == sent["rows"] == 1
    assert (extras["few"]["rows"], extras["few"]["path"], ended["few"]["outputs"]) == (4, None, [])
    secrets = {
        "condition": secret,
        "token": token,
        "user": cloudelements_sandbox.user_secret,
        "organization": cloudelements_sandbox.organization_secret,
    }
    # The run's conf holds two of them, as it was given. Nothing else does.
    assert {each.secret for each in search([("", json.dumps(events))], secrets)} == {"condition", "token"}
    rest = [json.dumps([without_conf(events), extras])]
    assert [each.secret for each in search([("", text) for text in rest], secrets)] == []
