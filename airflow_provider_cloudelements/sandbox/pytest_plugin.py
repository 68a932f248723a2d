"""Give pytest fixtures that start a sandbox.

Name the plugin in a ``conftest.py``:
``pytest_plugins = ["airflow_provider_cloudelements.sandbox.pytest_plugin"]``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox

__all__ = ["cloudelements_sandbox", "cloudelements_sandbox_server"]


@pytest.fixture(scope="session")
def cloudelements_sandbox_server() -> Iterator[Sandbox]:
    """Run one sandbox for the whole session, in a thread."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def cloudelements_sandbox(cloudelements_sandbox_server: Sandbox) -> Sandbox:
    """Return the session's sandbox, empty: no instances, codes, faults or logged calls."""
    cloudelements_sandbox_server.reset()
    return cloudelements_sandbox_server
