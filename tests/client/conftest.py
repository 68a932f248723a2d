"""A sandbox, and a person at its console, for the tests of the client."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox


@pytest.fixture
def sandbox(cloudelements_sandbox) -> Sandbox:
    return cloudelements_sandbox
