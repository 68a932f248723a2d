"""The commands of docs/connections.md that give a stored connection port 0, at a running Airflow."""

from __future__ import annotations

import os

import pytest

from scripts.commands import run
from tests.support.blocks import ROOT, blocks

# Not in the gate: the command starts an Airflow process of its own.
pytestmark = [
    pytest.mark.processes,
    pytest.mark.newest,
    pytest.mark.nightly,
    pytest.mark.lane("shared"),
]

CONN_ID = "cloudelements_default"
SECRETS = {"USER_SECRET": "User/Secret+Of+The+Page0001=", "ORGANIZATION_SECRET": "0123456789abcdef" * 2}


@pytest.fixture
def shell(stage):
    """Return a function that runs commands as a person does who administers this Airflow."""
    airflow = stage.airflow
    stage.secrets |= SECRETS
    path = os.pathsep.join([str(airflow.python.parent), os.environ["PATH"]])
    known = {"PATH": path, "AIRFLOW_URL": airflow.url, "TOKEN": airflow.token(), **SECRETS}

    def administer(commands):
        # After a time-out no import may go on: it would change the connection of the next module.
        done = run(
            ["/bin/sh", "-euc", commands],
            cwd=airflow.home,
            patience=180,
            environment={**airflow.environment, **known},
        )
        assert done.code == 0, done.text

    return administer


def test_both_ways_store_port_0_and_nothing_else_changes(stage, shell):
    (block,) = (each for each in blocks(ROOT / "docs" / "connections.md") if '"port": 0' in each.text)
    added, patched = block.text.split("\n\n")
    shell(added)
    first = stage.airflow.rest("GET", f"/connections/{CONN_ID}")
    assert (first["port"], first["host"]) == (0, "https://api.cloud-elements.com")
    assert "organization_secret" in first["extra"]

    without = {"connection_id": CONN_ID, "conn_type": "cloudelements", "port": None}
    stage.airflow.rest("PATCH", f"/connections/{CONN_ID}", without, update_mask="port")
    assert stage.airflow.rest("GET", f"/connections/{CONN_ID}")["port"] is None
    shell(patched)
    assert stage.airflow.rest("GET", f"/connections/{CONN_ID}") == first
