"""A sandbox, a client and element connections for the tests of the fleet."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.fleet import Connections
from tests.support.platform import client_of


@pytest.fixture
def sandbox(cloudelements_sandbox) -> Sandbox:
    return cloudelements_sandbox


@pytest.fixture
def client(sandbox) -> CloudElementsClient:
    return client_of(sandbox)


@pytest.fixture
def connections() -> Connections:
    return Connections()
