"""
A pytest plugin for ``scripts/gate.py``: writes which tests pytest selected, and the outcome of each.

``-p scripts.gate_plugin`` loads it. The variable ``GATE_REPORT`` names the file.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest


class _Report:
    """Collects the tests of one run and writes them when it ends."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.tests: dict[str, dict[str, Any]] = defaultdict(lambda: {"seconds": 0.0, "outcome": "selected"})

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            marks = list(item.iter_markers())
            lanes = [mark.args[0] for mark in marks if mark.name == "lane"]
            self.tests[item.nodeid] |= {
                "markers": sorted({mark.name for mark in marks}),
                "lane": lanes[0] if lanes else None,
            }

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = self.tests[report.nodeid]
        test["seconds"] += report.duration
        # The call decides, unless the set-up skips or fails the test, or the teardown fails.
        if report.when == "call" or report.outcome != "passed":
            test["outcome"] = report.outcome

    def pytest_sessionfinish(self) -> None:
        self.file.write_text(json.dumps(self.tests, indent=1))


def pytest_configure(config: pytest.Config) -> None:
    """Register the report in the main process only: xdist's workers report to it."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Report(Path(os.environ["GATE_REPORT"])), "gate-report")
