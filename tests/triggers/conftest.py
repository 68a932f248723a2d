"""A sandbox in a process of its own, known to Airflow, and a hub that is quicker than in life."""

from __future__ import annotations

import json
import logging

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from airflow_provider_cloudelements.triggers import poll
from tests.support.triggers import VARIABLE


@pytest.fixture(scope="module")
def running_sandbox():
    # A process of its own: a thread would share Python's lock with the event loop that is watched.
    with Sandbox(process=True) as running:
        yield running


@pytest.fixture
def sandbox(running_sandbox, monkeypatch) -> Sandbox:
    running_sandbox.reset()
    monkeypatch.setenv(VARIABLE, json.dumps(running_sandbox.connection(request_timeout=5)))
    return running_sandbox


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Shorten the hub's pauses."""
    monkeypatch.setattr(poll, "FLOOR", 0.02)
    monkeypatch.setattr(poll, "GATHER", 0.02)


@pytest.fixture(autouse=True)
def hub_log(caplog):
    """Collect what the hub and its kinds log."""
    caplog.set_level(logging.INFO, "airflow_provider_cloudelements.triggers")
    return caplog
