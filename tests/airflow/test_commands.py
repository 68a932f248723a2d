"""What a new user tries first, as they try it: ``make demo``, and ``make up`` until Ctrl-C."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from scripts.up import STARTED_BY_EVENT
from tests.support.patience import eventually

pytestmark = pytest.mark.newest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.airflow
def test_the_demo_tells_its_story_to_the_end():
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = dict(re.findall(r"^  (\w[\w ]*?) {2,}(.*)$", done.stdout, flags=re.MULTILINE))
    titles = "consent,created,events,by token,by id,run again,waited,event,torn down,took"
    assert list(told) == titles.split(",")
    assert "created: False" in told["run again"]
    assert re.match(r"events \w{32} CREATED, received by the waiting task \d+\.\d s after", told["event"])
    assert told["torn down"] == "instance 410001; left: 0"


class Up:
    """``make up``, in a folder of its own, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.up"],
            cwd=ROOT,
            # With the fault handler an ABRT prints where each thread is.
            env=os.environ | {"TMPDIR": str(folder), "PYTHONFAULTHANDLER": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # What a shell starts in the background ignores Ctrl-C, and so would all that it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def said(self, pattern: str) -> str:
        """Wait until it says something; return the pattern's group."""

        def find():
            assert self.process.poll() is None, self.text
            return re.search(pattern, self.text, flags=re.MULTILINE)

        return eventually(find, 180)[1]

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def runs(self, dag_id: str, url: str) -> list[dict]:
        """Return a DAG's runs that events have started."""
        token = requests.get(f"{url}/auth/token", timeout=30).json()["access_token"]
        answer = requests.get(
            f"{url}/api/v2/dags/{dag_id}/dagRuns",
            params={"run_type": "asset_triggered"},
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["dag_runs"]

    def processes(self) -> list[str]:
        """Return the command lines of what was started in its folder and still runs."""
        return [
            command
            for entry in Path("/proc").glob("[0-9]*")
            if str(self.folder).encode() in read(entry / "environ")
            and (command := read(entry / "cmdline").replace(b"\0", b" ").decode())
        ]

    def stop(self) -> int:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            running = "\n".join(self.processes())
            self.process.send_signal(signal.SIGABRT)
            self._reader.join(10)
            pytest.fail(f"it goes on after Ctrl-C; it said:\n{self.text}\nStill running:\n{running}")
        self._reader.join(10)
        return code

    def close(self) -> None:
        """End it if it still runs, and close its pipe: an open one would fail a later test by its warning."""
        self.process.kill()
        self.process.wait()
        self._reader.join(10)
        self.process.stdout.close()


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.processes
def test_up_shows_how_an_event_starts_a_dag_and_leaves_nothing(tmp_path):
    up = Up(tmp_path)
    try:
        url = up.said(r"^Airflow +(http\S+)")
        command = up.said(r"^Make another meeting, in another shell .+:\n  (.+ emit .+)\n")
        for dag_id in STARTED_BY_EVENT:
            run_id = up.said(rf"^  {dag_id}, \d+\.\d s later: {url}/dags/{dag_id}/runs/(\S+)$")
            assert run_id in [each["dag_run_id"] for each in up.runs(dag_id, url)]
        before = {dag_id: len(up.runs(dag_id, url)) for dag_id in STARTED_BY_EVENT}
        # As a person does, from another folder.
        said = subprocess.run(shlex.split(command), cwd=tmp_path, check=True, capture_output=True, text=True)
        assert said.stdout == "1 vendor calls, 1 events\n"
        for dag_id, count in before.items():
            eventually(
                lambda dag_id=dag_id, count=count: (
                    [each["state"] for each in up.runs(dag_id, url)] == ["success"] * (count + 1)
                ),
                120,
            )
        assert up.processes()
        assert up.stop() == 0
        assert up.lines[-1] == "stopped: nothing is left running\n"
    finally:
        up.close()
    time.sleep(0.5)
    assert up.processes() == []
    assert list(tmp_path.iterdir()) == []
