"""The command line as people type it, beside Airflow's own configuration, database and loggers."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import airflow
import pytest

from tests.support.leaks import search
from tests.support.platform import EVENTS, Person

pytestmark = pytest.mark.airflow

#: Airflow 3.1 reads no commands of providers.
FORMS = {"module": [sys.executable, "-m", "airflow_provider_cloudelements"]}
if not airflow.__version__.startswith("3.1."):
    FORMS["airflow"] = [str(Path(sys.executable).with_name("airflow")), "cloudelements"]
STORED = "command_line_stored"


@pytest.fixture(scope="module")
def stored(airflow_database, cloudelements_sandbox_server):
    """Store a connection to the sandbox in Airflow's database; no environment names it."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    fields = cloudelements_sandbox_server.connection(request_timeout=5, max_retries=0)
    with create_session() as session:
        session.add(Connection(conn_id=STORED, **{**fields, "extra": json.dumps(fields["extra"])}))
    yield STORED
    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id == STORED))


@pytest.fixture
def person(cloudelements_sandbox):
    return Person(cloudelements_sandbox)


def run(form, *words, **options):
    """Run a command as a person types it."""
    return subprocess.run(
        [*FORMS[form], *words],
        **{"capture_output": True, "text": True, "timeout": 180, "check": False, **options},
    )


@pytest.mark.parametrize("form", FORMS)
def test_stdout_holds_the_result_alone(form, stored, person):
    configuration = {"username": "ada-lovelace", "password": "first/pass+word==", **EVENTS}
    made = person.make("basic", "One", configuration=configuration)
    done = run(form, "instances", "show", str(made), "--conn-id", STORED, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    shown = json.loads(done.stdout)
    assert (shown["id"], shown["name"]) == (made, "One")
    secrets = {
        "token": person.show(made)["token"],
        "user secret": person.sandbox.user_secret,
        "organization secret": person.sandbox.organization_secret,
        "password": "first/pass+word==",
        "username": "ada-lovelace",
    }
    assert list(search([("planted", f"x{secrets['token']}y")], secrets))
    assert list(search([("stdout", done.stdout), ("stderr", done.stderr)], secrets)) == []


#: A secrets backend that says what it does, in each way in which Python and a program of its own can.
TALKATIVE = """
import logging, subprocess, warnings
import structlog
from airflow.secrets import BaseSecretsBackend

class Backend(BaseSecretsBackend):
    def get_conn_value(self, conn_id, team_name=None):
        print("a print")
        warnings.warn("a warning")
        logging.getLogger("vault").error("a line of a log")
        structlog.get_logger("vault").error("a line of structlog")
        subprocess.run(["echo", "a program's line"], check=True)
"""


@pytest.mark.parametrize("form", FORMS)
def test_whatever_else_prints_prints_to_stderr(form, stored, person, tmp_path):
    (tmp_path / "talkative.py").write_text(TALKATIVE)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    talkative = os.environ | {"PYTHONPATH": path, "AIRFLOW__SECRETS__BACKEND": "talkative.Backend"}
    done = run(form, "instances", "list", "--conn-id", STORED, "--json", env=talkative)
    assert done.returncode == 0
    assert json.loads(done.stdout) == []
    for each in ("a print", "a warning", "a line of a log", "a line of structlog", "a program's line"):
        assert each in done.stderr


def test_what_airflow_warns_of_as_it_starts_goes_to_stderr(stored, person):
    outdated = os.environ | {"AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "300"}
    done = run("module", "instances", "list", "--conn-id", STORED, "--json", env=outdated)
    assert json.loads(done.stdout) == []
    assert "dag_dir_list_interval" in done.stderr


def test_a_connection_of_the_environment_comes_first(stored, person):
    fields = person.sandbox.connection(max_retries=0, request_timeout=5)
    wrong = os.environ | {
        f"AIRFLOW_CONN_{STORED.upper()}": json.dumps({**fields, "password": "Wrong/Secret+of=="})
    }
    done = run("module", "test", STORED, env=wrong)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("cloudelements: ")
    assert done.stderr.count("\n") == 1
    assert "Wrong/Secret" not in done.stderr
    assert run("module", "test", STORED).returncode == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_failure_is_one_line_and_a_code(form, stored, person):
    made = person.make("basic")
    person.disable(made)
    unhealthy = run(form, "instances", "ping", str(made), "--conn-id", STORED)
    assert (unhealthy.returncode, unhealthy.stderr) == (3, "")
    assert "disabled" in unhealthy.stdout
    nowhere = run(form, "instances", "list", "--conn-id", "nowhere")
    assert (nowhere.returncode, nowhere.stdout) == (1, "")
    assert nowhere.stderr.startswith("cloudelements: Airflow has no connection 'nowhere'")
    assert nowhere.stderr.count("\n") == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_manifest_is_planned_applied_and_as_it_says(form, stored, person, tmp_path):
    manifest = tmp_path / "tenants.yaml"
    manifest.write_text(
        "defaults: {element: closeio, events_enabled: false}\n"
        "instances: [{key: tenant-1, name: Tenant 1, element_conn_id: fleet_app}]\n"
    )
    login = {"conn_type": "cloudelements_element", "login": "ada-lovelace", "password": "first/pass+word=="}
    login["extra"] = {"element": "closeio", "authentication": "basic"}
    given = {"env": os.environ | {"AIRFLOW_CONN_FLEET_APP": json.dumps(login)}}
    planned = run(form, "plan", str(manifest), "--conn-id", STORED, "--json", **given)
    assert planned.returncode == 2
    saved = tmp_path / "plan.json"
    saved.write_text(planned.stdout)
    checksum = json.loads(planned.stdout)["checksum"]
    words = ("apply", "--plan", str(saved), "--checksum", checksum, "--conn-id", STORED, "--yes", "--json")
    applied = run(form, *words, **given)
    assert applied.returncode == 0
    assert json.loads(applied.stdout)["counts"]["done"] == 1
    assert [each["name"] for each in person.sandbox.instances()] == ["Tenant 1"]
    same = run(form, "plan", str(manifest), "--conn-id", STORED, **given)
    assert same.returncode == 0
    assert same.stdout.startswith("Nothing to change; 1 unchanged.")


def test_a_person_at_a_terminal_is_asked(stored, person):
    keep, gone = person.make("basic", "Keep"), person.make("basic", "Gone")
    refused = run("module", "instances", "delete", str(keep), "--conn-id", STORED, stdin=subprocess.DEVNULL)
    assert refused.returncode == 2
    assert "add --yes" in refused.stderr
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, b"y\n")
        done = run("module", "instances", "delete", str(gone), "--conn-id", STORED, stdin=terminal)
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert (done.returncode, done.stdout) == (0, f"Deleted instance {gone}.\n")
    assert "Delete 1 instance? [y/N]" in done.stderr
    assert [each["id"] for each in person.sandbox.instances()] == [keep]


def test_a_reader_that_has_enough_sees_no_fault(stored, person):
    for number in range(3):
        person.make("basic", f"{number}" * 30_000)  # more than a pipe holds
    with subprocess.Popen(
        [*FORMS["module"], "instances", "list", "--conn-id", STORED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(180) == 1


@pytest.mark.newest
@pytest.mark.skipif("airflow" not in FORMS, reason="this line reads no commands of providers")
def test_airflow_starts_the_sandbox():
    done = run("airflow", "sandbox", "--port", "0", "--stop-with-stdin", stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Cloud Elements sandbox ready: ")
