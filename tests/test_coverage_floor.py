"""``make unit`` fails when its coverage falls below the floor; a part of the tests is not held to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import coverage_floor

ROOT = Path(__file__).resolve().parents[1]
FLOOR = "scripts.coverage_floor"
OF_A_RUN = ("SLIPCOVER_", "PYTEST_")


def report_of(tmp_path, covered):
    files = {
        "package/whole.py": {"missing_lines": [], "missing_branches": []},
        "package/a.py": {"missing_lines": [7], "missing_branches": []},
        "package/b.py": {"missing_lines": [3, 4], "missing_branches": [[2, 3], [9, 0]]},
    }
    path = tmp_path / "coverage.json"
    path.write_text(json.dumps({"files": files, "summary": {"percent_covered": covered}}))
    return path


def test_what_is_not_below_the_floor_passes(tmp_path, capsys):
    assert coverage_floor.main([str(report_of(tmp_path, coverage_floor.FLOOR))]) == 0
    assert "fell" not in capsys.readouterr().out


def test_what_is_below_fails_and_names_what_misses_most_first(tmp_path, capsys):
    assert coverage_floor.main([str(report_of(tmp_path, coverage_floor.FLOOR - 0.01))]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == ["  package/b.py: 3, 4, 2->3, 9->exit", "  package/a.py: 7"]


def unit(*arguments):
    """Return the commands that ``make unit`` would run."""
    make = shutil.which("make") or "make"
    command = [make, "--dry-run", "--assume-old=.venv/.made-from", "unit", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


@pytest.mark.parametrize("arguments", [(), ("PYTEST_ARGS=-p scripts.gate_plugin",)])
def test_all_unit_tests_are_measured_and_compared(arguments):
    assert "-m slipcover" in unit(*arguments)
    assert FLOOR in unit(*arguments)


@pytest.mark.parametrize("arguments", ["-k retries", "-x", "tests/client", "-p scripts.gate_plugin -x"])
def test_a_part_of_them_is_not(arguments):
    commands = unit(f"PYTEST_ARGS={arguments}")
    assert f"-m pytest {arguments}" in commands
    assert "slipcover" not in commands
    assert FLOOR not in commands


SOURCE = """
def used(flag):
    if flag:
        return 1
    return 2
"""
TESTS = """
import package

def test_one():
    assert package.used(True) == 1

def test_two():
    pass
"""


def test_branches_are_measured_over_the_workers_of_a_run(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text(SOURCE)
    (tmp_path / "package" / "never.py").write_text("x = 1\ny = 2\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "slipcover", "--branch", "--source=package", "--json", "--out=report"]
    subprocess.run(
        [*command, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        # Nothing of the run that this test itself is measured by.
        env={name: value for name, value in os.environ.items() if not name.startswith(OF_A_RUN)},
        check=True,
        timeout=100,
    )
    report = json.loads((tmp_path / "report").read_text())
    (used,) = [file for name, file in report["files"].items() if name.endswith("__init__.py")]
    assert used["missing_lines"] == [5]
    assert used["missing_branches"] == [[3, 5]]
    # What nothing loads counts as well.
    (never,) = [file for name, file in report["files"].items() if name.endswith("never.py")]
    assert never["missing_lines"] == [1, 2]
