"""docs/sandbox.md says what the code does, and the plugin works as it says."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from airflow_provider_cloudelements.sandbox import DEFAULT_ORGANIZATION_SECRET, DEFAULT_USER_SECRET, Sandbox
from airflow_provider_cloudelements.sandbox.control.emission import FIELDS
from airflow_provider_cloudelements.sandbox.core.faults import ACTIONS, BODIES, Fault
from airflow_provider_cloudelements.sandbox.elements.catalogue import ELEMENTS
from airflow_provider_cloudelements.sandbox.routes import api_router, control_router
from airflow_provider_cloudelements.sandbox.settings import Behaviour

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "sandbox.md").read_text()

PROJECT = """
pytest_plugins = ["airflow_provider_cloudelements.sandbox.pytest_plugin"]
"""
USE = """
import urllib.request

seen = []

def use(sandbox):
    assert sandbox.codes() == []
    sandbox.code()
    seen.append(sandbox.url)

def test_one(cloudelements_sandbox):
    use(cloudelements_sandbox)

def test_two(cloudelements_sandbox):
    use(cloudelements_sandbox)
    assert seen[0] == seen[1]
"""


def test_secrets_settings_and_faults_are_documented():
    assert TEXT.count(DEFAULT_USER_SECRET) == 3
    assert TEXT.count(DEFAULT_ORGANIZATION_SECRET) == 3
    for name in (
        *(entry.name for entry in fields(Behaviour)),
        *(entry.name for entry in fields(Fault) if entry.init),
        *ACTIONS,
        *BODIES,
        *FIELDS,
    ):
        assert f"`{name}`" in TEXT, name
    for element in ELEMENTS:
        assert element.key in TEXT


def test_the_routes_that_it_names_exist():
    for path in (
        "instances/count",
        "elements/keys",
        "elements/metadata",
        "hubs/keys",
        "organizations/me",
        "accounts/settings",
        "instances/events",
        "instances/events/dispositions",
        "instances/events/analytics",
        "notifications",
        "notifications/subscriptions/deliveries",
        "ping",
        "objects",
    ):
        assert path in TEXT
        route = api_router().match(path.split("/"))
        assert route is not None
        assert route.template == f"/{path}"
    for path in (
        "reset",
        "requests",
        "instances",
        "instances/{id}/revoke",
        "instances/{id}/poll",
        "vendors/{element}",
        "events",
        "deliveries",
        "codes",
        "faults",
        "settings",
    ):
        assert f"/sandbox/{path}" in TEXT
        assert control_router().match(path.split("/")) is not None


def test_every_method_of_the_sandbox_is_documented():
    for name in vars(Sandbox):
        if not name.startswith("_") and name not in ("control", "start", "stop"):
            assert f"`{name}" in TEXT, name


def test_the_plugin_in_a_project_of_its_own(tmp_path):
    (tmp_path / "conftest.py").write_text(PROJECT)
    (tmp_path / "test_use.py").write_text(USE)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
