"""A sandbox, and a person at its console, for the tests of provisioning."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.platform import Person


@pytest.fixture
def sandbox(cloudelements_sandbox) -> Sandbox:
    return cloudelements_sandbox


@pytest.fixture
def person(sandbox) -> Person:
    return Person(sandbox)
