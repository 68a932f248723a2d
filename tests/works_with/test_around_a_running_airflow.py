"""What stands around a running Airflow: airflowctl, DAGs of a Git repository, two API workers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.airflow_rest import run_path

pytestmark = [pytest.mark.processes, pytest.mark.nightly]

PASSWORD = "of-a/vendor+login="
DAG_ID = "of_a_repository"
DAG = f"""
from airflow.sdk import DAG, task
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

with DAG("{DAG_ID}", schedule=None):
    made = CloudElementsCreateInstanceOperator(
        task_id="create",
        element="closeio",
        instance_name="Of a repository",
        element_conn_id="closeio_login",
        events_enabled=False,
    )

    @task
    def use(instance_id: int, token: str) -> bool:
        return bool(instance_id and token)

    use(instance_id=made.output["id"], token=made.output["token"])
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(process=True) as running:
        yield running


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Make a Git repository with one commit, and return its folder and the commit."""
    program = shutil.which("git") or pytest.skip("there is no git")
    folder = tmp_path_factory.mktemp("repository")
    (folder / "dags").mkdir()
    (folder / "dags" / "one.py").write_text(DAG)

    def git(*words):
        author = ("-c", "user.name=Tests", "-c", "user.email=tests@example.com")
        return subprocess.run(
            [program, *author, *words],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    git("init", "--quiet", "--initial-branch", "main")
    git("add", ".")
    git("commit", "--quiet", "--message", "One DAG")
    return folder, git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def airflow(start_airflow, repository, tmp_path_factory):
    pytest.importorskip("airflow.providers.git")
    pytest.importorskip("airflowctl")
    bundle = {
        "name": "repository",
        "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
        "kwargs": {"tracking_ref": "main", "subdir": "dags", "repo_url": str(repository[0])},
    }
    return start_airflow(
        tmp_path_factory.mktemp("no-dags"),
        environment={
            "AIRFLOW__API__WORKERS": "2",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        },
    )


@pytest.fixture
def ctl(airflow, tmp_path):
    """Give a function that runs airflowctl against this Airflow."""
    home = tmp_path / "ctl"
    home.mkdir()
    (home / "production.json").write_text(json.dumps({"api_url": airflow.url}))

    def run(*words):
        return subprocess.run(
            [str(Path(sys.executable).with_name("airflowctl")), *words],
            env=os.environ | {"AIRFLOW_HOME": str(home), "AIRFLOW_CLI_TOKEN": airflow.token()},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def rows(sandbox, extra):
    login = {"conn_type": "cloudelements_element", "login": "ada", "password": PASSWORD}
    login["extra"] = {"element": "closeio", "authentication": "basic"}
    found = {"cloudelements_default": sandbox.connection(), "closeio_login": login}
    return {name: {**fields, "extra": extra(fields["extra"])} for name, fields in found.items()}


def stored(airflow):
    return {each["connection_id"] for each in airflow.pages("/connections", "connections")}


def test_airflowctl_imports_both_types_with_extra_as_a_text_alone(airflow, sandbox, ctl, tmp_path):
    file = tmp_path / "connections.json"
    file.write_text(json.dumps(rows(sandbox, dict)))
    refused = ctl("connections", "import", str(file))
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "Input should be a valid string" in refused.stdout
    assert sandbox.organization_secret not in refused.stdout + refused.stderr
    assert stored(airflow) == set()

    file.write_text(json.dumps(rows(sandbox, json.dumps)))
    done = ctl("connections", "import", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert stored(airflow) == {"cloudelements_default", "closeio_login"}
    shown = ctl("connections", "get", "cloudelements_default", "--output", "json")
    assert "***" in shown.stdout, shown.stdout + shown.stderr
    for secret in (sandbox.organization_secret, sandbox.user_secret):
        assert secret not in shown.stdout


def test_a_dag_of_a_git_repository_runs(airflow, sandbox, repository):
    for conn_id, fields in rows(sandbox, dict).items():
        if conn_id not in stored(airflow):  # airflowctl may have brought it
            airflow.add_connection(conn_id, **fields)
    run_id = airflow.trigger(DAG_ID)
    assert airflow.wait_run(DAG_ID, run_id) == "success"
    assert [each["name"] for each in sandbox.instances()] == ["Of a repository"]
    assert airflow.rest("GET", run_path(DAG_ID, run_id))["bundle_version"] == repository[1]


@pytest.mark.parametrize("page", ["consent", "instances"])
def test_two_api_workers_serve_our_pages(airflow, page):
    asked = urllib.request.Request(  # noqa: S310
        f"{airflow.url}/cloudelements/{page}", headers={"Authorization": f"Bearer {airflow.token()}"}
    )
    for _ in range(8):
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            assert answer.status == 200
            assert "Cloud Elements" in answer.read().decode()
