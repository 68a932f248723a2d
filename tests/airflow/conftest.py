"""Fixtures for tests that need Airflow itself, in this process or in processes of its own."""

from __future__ import annotations

import pytest

from tests.support.running import start_airflow

__all__ = ["airflow_database", "start_airflow"]


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Make the metadata database of the private Airflow folder, once: what ``dag.test()`` needs."""
    from airflow.utils.db import initdb

    initdb()
