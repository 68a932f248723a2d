"""Real Airflows for a module of tests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.local_airflow import LocalAirflow


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
