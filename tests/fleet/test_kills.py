"""An apply that is killed at any line and run again ends the same: each instance as its row says, once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.package import ROOT

SEED = 14


@pytest.mark.slow
@pytest.mark.parametrize("count", [10, pytest.param(60, marks=pytest.mark.nightly)], ids=["few", "many"])
def test_an_apply_killed_at_any_line_is_run_again(sandbox, count):
    secrets = [sandbox.user_secret, sandbox.organization_secret]
    command = [
        sys.executable,
        "-m",
        "tests.support.fleet_kills",
        sandbox.url,
        *secrets,
        str(SEED),
        str(count),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    figures = json.loads(ended.stdout.splitlines()[-1])
    assert figures["lines"] > 1000
    assert figures["killed"] >= count * 0.8, figures
