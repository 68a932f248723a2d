"""A Debian with Python 3.13: what it sees of this machine, and that nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import python313
from scripts.commands import Done
from scripts.python313 import client_variables, named, outcome, shared
from scripts.scratch import ROOT
from tests.support.patience import wait_for


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("find-links = /srv/wheels", ["/srv/wheels"]),
        (
            "extra-index-url = file:///srv/index/simple\n  file:///srv/more/simple/",
            ["/srv/index", "/srv/more"],
        ),
        ("cert=/etc/x.pem", ["/etc/x.pem"]),
        ("index-url = https://packages.example.com/simple/x", []),
        ("index-url = http://127.0.0.1:8080/simple/", []),
        ("trusted-host = packages.example.com", []),
        ("file:///simple", ["/simple"]),
    ],
)
def test_folders_that_a_setting_names(text, found):
    assert list(named(text)) == [Path(each) for each in found]


def test_it_sees_settings_and_what_they_name(tmp_path, monkeypatch):
    settings, wheels, index = tmp_path / "settings", tmp_path / "wheels", tmp_path / "index" / "simple"
    for folder in (settings, wheels / "inside", index):
        folder.mkdir(parents=True)
    (settings / "pip.conf").write_text(
        f"[global]\nfind-links = {wheels}\nextra-index-url = file://{index}\ncert = /no/such.pem\n"
    )
    monkeypatch.setattr(python313, "SETTINGS", ("~/settings", "/no/such/folder"))
    found = shared({"PIP_FIND_LINKS": str(wheels / "inside"), "OTHER": "/usr"}, tmp_path)
    assert found == sorted([settings, wheels, tmp_path / "index"])


def test_only_variables_of_package_clients_go_along():
    given = {"PIP_CERT": "a", "UV_INDEX": "b", "https_proxy": "c", "NO_PROXY": "d", "SSL_CERT_FILE": "e"}
    assert client_variables({**given, "AIRFLOW_CONN_X": "f", "PIPELINE": "g", "CI": "h"}) == given


def test_what_became_of_a_step():
    assert outcome(Done(0, "3 passed, 1 skipped in 1.00s\n", 61.2)) == (
        "ended well after 61 s (3 passed, 1 skipped)"
    )
    assert outcome(Done(2, "", 1.0)) == "ended with exit code 2 after 1 s"
    assert outcome(Done(None, "", 1.0)) == "took too long after 1 s"


@pytest.mark.parametrize(
    "end", ["pass", "raise SystemExit", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
)
def test_the_folder_is_gone_however_it_ends(end):
    program = f"""
from scripts.python313 import temporary_root
with temporary_root() as root:
    (root / "folder").mkdir()
    print(root, flush=True)
    {end}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    root = Path(done.stdout.strip())
    assert root.name.startswith("python313-")
    wait_for(lambda: not root.exists(), 10)


def may_unshare() -> bool:
    command = [*python313._namespaces(), "true"]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0 or not may_unshare(), reason="needs root, and a kernel that lets it")
def test_what_runs_there_ends_with_us_even_when_we_are_killed(tmp_path):
    """Not the shell alone, which is the first process there, but what it has started too."""
    program = f"""
import os, signal, subprocess, time
from scripts.python313 import _namespaces
from tests.scripts.test_python313 import sleepers
subprocess.Popen([*_namespaces(), "sh", "-c", "mount -t tmpfs x {tmp_path}; sleep 4711.25; exit"])
while not sleepers():
    time.sleep(0.05)
os.kill(os.getpid(), signal.SIGKILL)
"""
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, cwd=ROOT, timeout=30, check=False).returncode == -signal.SIGKILL
    wait_for(lambda: not sleepers(), 10)
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def sleepers() -> list[Path]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if path.read_bytes().split(b"\0")[:2] == [b"sleep", b"4711.25"]:
                found.append(path)
    return found
