"""The plugin: registered, cheap in every Airflow process, and switched off by configuration."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from airflow_provider_cloudelements.get_provider_info import get_provider_info
from airflow_provider_cloudelements.plugin import OPTION, SECTION, CloudElementsPlugin
from tests.support.package import PACKAGE

#: Seconds that the import may take in a process that has what every Airflow process has.
MOST_SECONDS = 0.005
VARIABLE = f"AIRFLOW__{SECTION.upper()}__{OPTION.upper()}"


@pytest.fixture
def plugin():
    """Give a plugin that Airflow has not loaded, whatever other tests of this process did."""
    return type("Fresh", (CloudElementsPlugin,), {"fastapi_apps": [], "external_views": []})


def test_airflow_finds_it():
    (found,) = (each for each in entry_points(group="airflow.plugins") if each.name == "cloudelements")
    assert found.load() is CloudElementsPlugin
    CloudElementsPlugin.validate()


def test_airflow_gets_the_pages(plugin):
    assert plugin.fastapi_apps == []
    plugin.on_load()
    (app,) = plugin.fastapi_apps
    assert (app["url_prefix"], app["name"]) == ("/cloudelements", "Cloud Elements")
    assert callable(app["app"])
    (view,) = plugin.external_views
    # Beside Airflow's own pages: of a view at the top level Airflow 3.3.2 makes a button that leads nowhere.
    assert (view["destination"], view["category"]) == ("nav", "browse")
    assert view["href"] == "cloudelements/instances"


@pytest.mark.parametrize(("said", "served"), [("False", False), ("0", False), ("true", True)])
def test_it_can_be_switched_off(plugin, monkeypatch, said, served):
    monkeypatch.setenv(VARIABLE, said)
    plugin.on_load()
    assert bool(plugin.fastapi_apps) is bool(plugin.external_views) is served


def test_airflow_knows_the_option():
    option = get_provider_info()["config"][SECTION]["options"][OPTION]
    assert (option["type"], option["default"]) == ("boolean", "True")


@pytest.mark.parametrize("process", ["airflow.plugins_manager", "airflow.sdk.execution_time.task_runner"])
def test_it_costs_an_airflow_process_next_to_nothing(with_airflow_sdk, process):
    program = f"""
import sys, time
# What a process of the server or one of a task has imported when it looks for plugins.
import {process}
before, began = set(sys.modules), time.process_time()
from {PACKAGE}.plugin import CloudElementsPlugin
CloudElementsPlugin.on_load()
print(time.process_time() - began, *sorted(set(sys.modules) - before))
"""
    runs = [with_airflow_sdk.run(program).split() for _ in range(5)]
    loaded = {name for _, *names in runs for name in names if not name.startswith("airflow.")}
    assert f"{PACKAGE}.plugin" in loaded <= {PACKAGE, f"{PACKAGE}.plugin"}
    # The least of several, because other programs share the processor and its caches.
    assert min(float(seconds) for seconds, *_ in runs) < MOST_SECONDS
