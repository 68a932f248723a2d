"""Fixtures for tests in a browser."""

from tests.airflow.conftest import start_airflow

__all__ = ["start_airflow"]
