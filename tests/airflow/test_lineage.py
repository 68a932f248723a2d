"""What Airflow's OpenLineage provider sends of our tasks: its events hold no secret, in either setting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.leaks import search
from tests.support.platform import Person

pytestmark = [pytest.mark.airflow, pytest.mark.newest]

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
import importlib.util, json, sys
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


@pytest.mark.parametrize("full", [False, True])
def test_no_event_holds_a_secret(full, cloudelements_sandbox, airflow_database, tmp_path):
    file = tmp_path / "events.jsonl"
    codes = [cloudelements_sandbox.code() for _ in range(4)]
    confs = {"plain": {**SECRETS, "codes": codes[:2], "name": "A name"}}
    if full:  # what mapped tasks are given is in their __dict__
        confs["mapped"] = {**SECRETS, "codes": codes[2:], "tenants": {"acme": TENANT}}
    settings = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(FOLDER),
        "AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT": json.dumps(cloudelements_sandbox.connection()),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(file), "append": True}
        ),
        "AIRFLOW__OPENLINEAGE__INCLUDE_FULL_TASK_INFO": str(full),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(FOLDER / "heart_dags.py")],
        input=json.dumps(confs),
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    for name in confs:
        assert f"<{name} success>" in done.stdout, done.stdout[-5000:]
    events = [json.loads(line) for line in file.read_text().splitlines()]
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
