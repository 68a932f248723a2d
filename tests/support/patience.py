"""Waiting for what comes about by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from scripts.local_airflow import PATIENCE


def eventually(condition: Callable[[], Any], seconds: float = 60, pause: float = 0.2) -> Any:
    """Wait until something is so, and return it.

    :param condition: what is asked again and again
    :param seconds: how long it may take, times the patience of a local Airflow
    :param pause: seconds between two questions
    """
    deadline = time.monotonic() + seconds * PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(pause)
    return found


def quiet(sandbox, seconds: float = 4) -> bool:
    """Say whether the platform is asked nothing for some polls' time."""
    before = len(sandbox.requests())
    time.sleep(seconds)
    return len(sandbox.requests()) == before


def wait_for(condition: Callable[[], Any], seconds: float = 15) -> Any:
    """Wait for what comes about within moments, in this process."""
    return eventually(condition, seconds, pause=0.01)
