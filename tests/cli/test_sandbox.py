"""``sandbox``: becomes the sandbox's own program, which needs neither Airflow nor its database."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "airflow_provider_cloudelements", "sandbox"]


def run(*words):
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_it_starts_and_ends(tmp_path):
    # No module of Airflow is there, and a home that cannot be made.
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "__init__.py").write_text("raise SystemExit('Airflow was imported')")
    with subprocess.Popen(
        [*COMMAND, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        try:
            said = json.loads(process.stdout.readline().partition("ready: ")[2])
            assert said["pid"] == process.pid
            code = run("code", "--url", said["url"])
            assert (code.returncode, code.stderr) == (0, "")
            assert len(code.stdout.strip()) > 20
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


@pytest.mark.slow
@pytest.mark.parametrize("word", [(), ("emit",), ("code",)], ids=["itself", "emit", "code"])
def test_its_help_is_the_programs_own(word):
    done = run(*word, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        " ".join(["usage: python -m airflow_provider_cloudelements.sandbox", *word])
    )


@pytest.mark.slow
def test_its_exit_code_is_the_programs_own():
    assert run("--port", "none").returncode == 2
    assert run("code", "--url", "http://127.0.0.1:1").returncode == 1
