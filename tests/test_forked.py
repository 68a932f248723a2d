"""The interpreter that is forked where a test needs one that has imported nothing but ``airflow.sdk``."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.package import PACKAGE, ROOT

pytestmark = pytest.mark.slow

LOADED = "import sys; import airflow.sdk; print(*sorted(sys.modules))"


def test_it_has_loaded_what_a_fresh_one_has(with_airflow_sdk):
    fresh = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split()
    forked = with_airflow_sdk.run(LOADED).split()
    assert set(forked) - set(fresh) == {"tests", "tests.support", "tests.support.forked"}
    assert set(fresh) <= set(forked)


def test_what_one_program_loads_and_changes_the_next_does_not_see(with_airflow_sdk):
    program = f"import sys; print('{PACKAGE}.connections' in sys.modules, hasattr(sys, 'changed'))"
    change = f"import sys, {PACKAGE}.connections; sys.changed = True"
    with_airflow_sdk.run(change)
    assert with_airflow_sdk.run(program) == "False False\n"
    assert with_airflow_sdk.run(f"{change}\n{program}") == "True True\n"


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("print('so far'); assert 1 == 2, 'no'", ["exit code 1", "so far", "AssertionError: no"]),
        ("raise SystemExit(3)", ["exit code 3"]),
        ("raise SystemExit('why')", ["exit code 1"]),
        ("import os; os.kill(os.getpid(), 9)", ["exit code -9"]),
        ("this is no Python", ["exit code 1", "SyntaxError"]),
    ],
)
def test_a_program_that_fails_fails_the_test_with_what_it_said(with_airflow_sdk, program, told):
    with pytest.raises(AssertionError) as caught:
        with_airflow_sdk.run(program)
    assert all(each in str(caught.value) for each in told), caught.value
    assert with_airflow_sdk.run("print('the next one runs')") == "the next one runs\n"


def test_a_program_that_hangs_is_ended(with_airflow_sdk, monkeypatch):
    monkeypatch.setattr(with_airflow_sdk, "patience", 0.5)
    with pytest.raises(AssertionError, match=r"more than 0\.5 seconds"):
        with_airflow_sdk.run("import time; time.sleep(60)")
    monkeypatch.undo()
    assert with_airflow_sdk.run("print('the next one runs')") == "the next one runs\n"
