"""A newcomer, and a platform."""

from __future__ import annotations

import pytest

from tests.support.mistakes import Newcomer


@pytest.fixture
def newcomer(cloudelements_sandbox, monkeypatch) -> Newcomer:
    return Newcomer(cloudelements_sandbox, monkeypatch)
