"""A sandbox for the sensors, known to Airflow as ``cloudelements_default``."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from airflow_provider_cloudelements.sensors.base import CloudElementsBaseSensor
from airflow_provider_cloudelements.triggers import poll
from tests.support.platform import known_to_airflow


@pytest.fixture
def sandbox(cloudelements_sandbox, monkeypatch) -> Sandbox:
    return known_to_airflow(cloudelements_sandbox, monkeypatch, request_timeout=5, max_retries=0)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Shorten the hub's pauses."""
    monkeypatch.setattr(poll, "FLOOR", 0.02)
    monkeypatch.setattr(poll, "GATHER", 0.02)


@pytest.fixture
def task_log(monkeypatch, caplog):
    """Collect what sensors log: Airflow's own logger writes past pytest's."""
    monkeypatch.setattr(CloudElementsBaseSensor, "log", logging.getLogger("tests.sensors"))
    caplog.set_level(logging.INFO, "tests.sensors")
    return caplog
