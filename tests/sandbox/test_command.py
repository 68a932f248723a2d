"""``python -m airflow_provider_cloudelements.sandbox``."""

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import requests

from airflow_provider_cloudelements.sandbox import DEFAULT_ORGANIZATION_SECRET, DEFAULT_USER_SECRET

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "airflow_provider_cloudelements.sandbox"]


@contextmanager
def running(*options, **settings):
    """Start it and give the process and what its line says."""
    process = subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings
    )
    try:
        ready, _, _ = select.select([process.stdout], [], [], 30)
        assert ready, "no line within 30 seconds"
        line = process.stdout.readline()
        head, _, rest = line.partition(": ")
        assert head == "Cloud Elements sandbox ready"
        yield process, json.loads(rest)
    finally:
        process.kill()
        process.communicate()


def answer(said):
    words = f"User {said['user_secret']}, Organization {said['organization_secret']}"
    url = f"{said['url']}/elements/api-v2/instances"
    return requests.get(url, headers={"Authorization": words}, timeout=20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_free_port_the_known_secrets_and_a_clean_end(number):
    with running("--port", "0") as (process, said):
        assert said["pid"] == process.pid
        assert said["user_secret"] == DEFAULT_USER_SECRET
        assert said["organization_secret"] == DEFAULT_ORGANIZATION_SECRET
        assert answer(said).status_code == 200
        process.send_signal(number)
        rest, errors = process.communicate(timeout=20)
        assert process.returncode == 0
        assert (rest, errors) == ("", "")


def test_options():
    options = [
        "--port=0",
        "--host=localhost",
        "--user-secret=own",
        "--organization-secret=other",
        "--empty-list=missing",
    ]
    with running(*options, "--mask=a", "--mask=b", "--page-size=7", "--failed-refresh-interval=3") as (
        _,
        said,
    ):
        assert (said["user_secret"], said["organization_secret"]) == ("own", "other")
        assert answer(said).status_code == 404
        settings = requests.get(f"{said['url']}/sandbox/settings", timeout=20).json()
        assert (settings["masked_keys"], settings["page_size"]) == (["a", "b"], 7)
        assert settings["failed_refresh_interval"] == 3


def test_secrets_from_the_environment():
    with running("--port=0", env={**os.environ, "CLOUDELEMENTS_SANDBOX_USER_SECRET": "from-there"}) as (
        _,
        said,
    ):
        assert said["user_secret"] == "from-there"
        assert answer(said).status_code == 200


def test_it_ends_when_standard_input_is_closed():
    with running("--port=0", "--stop-with-stdin", stdin=subprocess.PIPE) as (process, said):
        assert answer(said).status_code == 200
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_a_taken_port_is_said_without_a_traceback():
    with running("--port=0") as (_, said):
        port = said["url"].rpartition(":")[2]
        done = subprocess.run(
            [*COMMAND, "--port", port], capture_output=True, text=True, timeout=30, check=False
        )
    assert done.returncode == 2
    assert done.stdout == ""
    assert port in done.stderr
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--host", "0.0.0.0"], "loopback"),
        (["--host", "example.com"], "loopback"),
        (["--port", "70000"], "70000"),
        (["--user-secret", "a b"], "user_secret"),
        (["--delay", "-1"], "delay"),
        (["--masked-values", "perhaps"], "masked-values"),
    ],
)
def test_wrong_options(options, part):
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert part in done.stderr
    assert "Traceback" not in done.stderr
