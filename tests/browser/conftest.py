"""Fixtures for tests in a browser."""

from tests.support.running import start_airflow

__all__ = ["start_airflow"]
