"""The command line in this process, against a sandbox that Airflow knows as ``cloudelements_default``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_cloudelements.cli import main
from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.platform import known_to_airflow


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The lines of a table, split at its columns."""
        return [[cell for cell in line.split("  ") if cell] for line in self.out.splitlines()]


@pytest.fixture
def ce(capsys) -> Callable[..., Ended]:
    """Give a function that runs a command, as ``python -m airflow_provider_cloudelements`` would."""

    def run(*words: str) -> Ended:
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as ended:  # the parser's own
            code = ended.code
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return run


@pytest.fixture
def sandbox(cloudelements_sandbox, monkeypatch) -> Sandbox:
    return known_to_airflow(
        cloudelements_sandbox, monkeypatch, request_timeout=5, create_timeout=1, max_retries=0
    )
