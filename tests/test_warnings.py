"""A warning fails a test, also one that Python itself tells nobody of."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.support.package import ROOT

PLANTED = """
import socket
import threading
import warnings

def test_deprecated():
    warnings.warn("old", DeprecationWarning)

def test_file_left_open():
    open(__file__)

def test_socket_left_open():
    socket.socket()

def test_failed_thread():
    one = threading.Thread(target=int, args=("x",))
    one.start()
    one.join()

def test_coroutine_that_nobody_awaits():
    async def nothing(): ...
    nothing()

def test_nothing_of_it():
    pass
"""


def test_a_warning_fails_a_test(tmp_path):
    (tmp_path / "test_it.py").write_text(PLANTED)
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, f"--config-file={ROOT / 'pyproject.toml'}", f"--rootdir={tmp_path}", "test_it.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    outcomes = dict(re.findall(r"::(test_\w+) (PASSED|FAILED|ERROR)", done.stdout))
    passed = outcomes.pop("test_nothing_of_it")
    assert passed == "PASSED"
    assert set(outcomes.values()) == {"FAILED"}
    assert len(outcomes) == PLANTED.count("def test_") - 1
