"""A pytest plugin: fixtures for tests that need Airflow, in this process or in processes of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local_airflow import LocalAirflow

if TYPE_CHECKING:
    from tests.support.forked import ForkedInterpreter
    from tests.support.shared import Shared


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Make the metadata database of the private Airflow folder, once: what ``dag.test()`` needs."""
    from airflow.utils.db import initdb

    initdb()


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
