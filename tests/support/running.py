"""A pytest plugin: fixtures for tests that need Airflow, in this process or in processes of its own."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local_airflow import LocalAirflow

if TYPE_CHECKING:
    from tests.support.forked import ForkedInterpreter
    from tests.support.shared import Shared


#: Airflow has one masker for what a task does and one for the rest.
MASKERS = ("airflow.sdk._shared.secrets_masker", "airflow._shared.secrets_masker")


@pytest.fixture(autouse=True)
def own_masks() -> Iterator[None]:
    """
    Take from Airflow's maskers what a test registered, when it ends.

    No test hides what another one fails to; and since a masker compiles one expression of all its secrets
    whenever one is added, this was most of what the tests of the operators cost.
    """
    maskers = [sys.modules[name]._secrets_masker() for name in MASKERS if name in sys.modules]
    before = [(masker, masker.patterns.copy(), masker.replacer) for masker in maskers]
    yield
    for masker, patterns, replacer in before:
        masker.patterns, masker.replacer = patterns, replacer


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Make the metadata database of the private Airflow folder, once: what ``dag.test()`` needs."""
    from airflow.utils.db import initdb

    initdb()
    _keep_the_execution_api()


@pytest.fixture(scope="session")
def load_dags(airflow_database: None) -> Callable[[Path], ModuleType]:
    """Give a function that imports a DAG file, for ``dag.test()``."""

    def load(file: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def _keep_the_execution_api() -> None:
    """
    Have ``dag.test()`` build Airflow's execution API once.

    Airflow 3.1 and 3.2 build it anew for each task, which takes seconds of processor time. Airflow 3.3
    keeps it, and takes the DAG of the last task out of it as here.
    """
    from airflow.api_fastapi.common.dagbag import dag_bag_from_app
    from airflow.sdk.execution_time import supervisor

    make = supervisor.in_process_api_server
    if hasattr(make, "cache_info"):
        return
    kept = functools.lru_cache(maxsize=1)(make)

    def in_process_api_server() -> Any:
        api = kept()
        api.app.dependency_overrides.pop(dag_bag_from_app, None)
        return api

    supervisor.in_process_api_server = in_process_api_server


@pytest.fixture(scope="session")
def with_airflow_sdk() -> Iterator[ForkedInterpreter]:
    """Give an interpreter that has imported ``airflow.sdk`` and nothing else, anew for each program."""
    from tests.support.forked import ForkedInterpreter

    with ForkedInterpreter() as running:
        yield running


@pytest.fixture(scope="session")
def shared_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Run an Airflow and a sandbox for all modules with the marker ``lane("shared")``."""
    from tests.support.shared import shared

    with shared(tmp_path_factory.mktemp("shared-dags")) as running:
        yield running


@pytest.fixture(scope="module")
def stage(shared_airflow: Shared) -> Iterator[Shared]:
    """Give this module the shared Airflow and sandbox, with nothing in them of other modules."""
    with shared_airflow.stage() as clean:
        yield clean


@pytest.fixture(scope="module")
def start_airflow() -> Iterator[Callable[..., LocalAirflow]]:
    """
    Give a function that starts a real Airflow, for the rest of the module.

    It takes what :class:`LocalAirflow` takes, and returns when all is healthy.
    """
    with contextlib.ExitStack() as running:

        def start(dags_folder: Path | str, **options: Any) -> LocalAirflow:
            return running.enter_context(LocalAirflow(dags_folder, **options))

        yield start
