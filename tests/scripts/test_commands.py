"""Long commands: what they wrote and how they ended, and the figures in what they wrote."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from scripts import commands
from scripts.commands import figures, run
from scripts.processes import runs
from tests.support.patience import wait_for


def test_what_it_wrote_is_shown_and_returned(tmp_path, capsys):
    program = (
        "import os, sys; print(os.getcwd(), flush=True); print('on the other', file=sys.stderr); sys.exit(3)"
    )
    done = run([sys.executable, "-c", program], cwd=tmp_path, patience=30, show=True)
    assert (done.code, done.text) == (3, f"{tmp_path}\non the other\n")
    assert capsys.readouterr().out == done.text


def test_unless_asked_nothing_is_shown(tmp_path, capsys):
    assert run([sys.executable, "-c", "print('x')"], cwd=tmp_path, patience=30).text == "x\n"
    assert capsys.readouterr().out == ""


def test_it_hears_ctrl_c_though_we_do_not(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        program = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
        assert run([sys.executable, "-c", program], cwd=tmp_path, patience=30).text == "True\n"
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("deaf", [False, True])
def test_one_that_takes_too_long_is_ended_with_what_it_started(deaf, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "CLEANING_UP", 0.5)
    program = f"""
import os, signal, subprocess, sys, time
if {deaf}:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
    began = time.monotonic()
    done = run([sys.executable, "-c", program], cwd=tmp_path, patience=1.5)
    assert done.code is None
    assert time.monotonic() - began < 20
    child = int(done.text.split()[0])
    wait_for(lambda: not runs(child), 10)


def test_what_ends_us_ends_it(tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        program = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
        with pytest.raises(KeyboardInterrupt):
            run([sys.executable, "-c", program], cwd=tmp_path, patience=30)
    finally:
        signal.signal(signal.SIGALRM, before)
    child = int((tmp_path / "pid").read_text())
    wait_for(lambda: not runs(child), 10)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", (0, 0, 0)),
        ("===== 12 passed, 3 deselected, 1 warning in 63.83s (0:01:03) =====\n", (12, 0, 0)),
        ("= 2 failed, 60 passed, 4 skipped in 5.00s =\nand then\n1 passed, 1 error in 0.31s\n", (61, 3, 4)),
        ("1 failed, 2 errors in 3.14s", (0, 3, 0)),
        ("no tests ran in 0.18s\n", (0, 0, 0)),
        ("[1/2] 3.3 docs: 5 passed, 0 failed in 1:00\n12 passed, 1 failed, 3 skipped\n", (12, 1, 3)),
        ("12/900 tests collected (888 deselected) in 3.20s\n", (0, 0, 0)),
        ("a log line: 7 passed in 1.00s\n    8 failed in 1.00s\n9 passed and so on\n", (0, 0, 0)),
    ],
)
def test_the_figures_are_those_of_all_summaries(text, found):
    counts = figures(text)
    assert (counts["passed"], counts["failed"], counts["skipped"]) == found
