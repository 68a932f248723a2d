"""Fixtures for tests that need Airflow itself, in this process or in processes of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.local_airflow import LocalAirflow


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Make the metadata database of the private Airflow folder, once: what ``dag.test()`` needs."""
    from airflow.utils.db import initdb

    initdb()


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
