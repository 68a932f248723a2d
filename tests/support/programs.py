"""Programs that pip cannot install."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from scripts.postgres import newest


def needs(name: str, places: Iterable[Path]) -> None:
    """
    Skip a test whose program is not installed here; fail it in CI, which installs all of them.

    :param name: what to call the program
    :param places: where it may lie
    """
    if not any(place.exists() for place in places):
        if os.environ.get("CI"):
            raise RuntimeError(f"{name} is missing, and .ci/run should have installed it")
        pytest.skip(f"{name} is not installed")


def needs_postgresql() -> None:
    """Skip a test if no PostgreSQL server is installed here; fail it in CI."""
    needs("PostgreSQL", filter(None, [newest()]))
