"""The context manager, its secrets, its end, and what importing it costs."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests

from airflow_provider_cloudelements.sandbox import (
    DEFAULT_ORGANIZATION_SECRET,
    DEFAULT_USER_SECRET,
    Sandbox,
    SandboxError,
)


def me(sandbox, user=None):
    words = f"User {user or sandbox.user_secret}, Organization {sandbox.organization_secret}"
    return requests.get(
        f"{sandbox.url}/elements/api-v2/organizations/me", headers={"Authorization": words}, timeout=20
    ).status_code


def refuses(url):
    address = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname, address.port)) != 0


def test_the_default_secrets_have_the_real_shapes():
    assert len(base64.b64decode(DEFAULT_USER_SECRET, validate=True)) == 32
    assert {"/", "+", "="} <= set(DEFAULT_USER_SECRET)
    assert re.fullmatch("[0-9a-f]{32}", DEFAULT_ORGANIZATION_SECRET)


@pytest.mark.parametrize("process", [False, True])
def test_from_start_to_end(process):
    before = threading.active_count()
    sandbox = Sandbox(
        process=process, user_secret="own-user", organization_secret="own-organization", page_size=1
    )
    with pytest.raises(SandboxError):
        _ = sandbox.url
    with sandbox as entered:
        assert entered is sandbox
        url = sandbox.url
        assert me(sandbox) == 200
        assert me(sandbox, DEFAULT_USER_SECRET) == 401
        assert sandbox.configure()["page_size"] == 1
        assert "own-" not in repr(sandbox)
        with pytest.raises(SandboxError):
            sandbox.start()
    assert refuses(url)
    assert threading.active_count() == before
    with sandbox:  # it can be started again
        assert me(sandbox) == 200


def test_two_at_once_are_strangers():
    with Sandbox() as one, Sandbox() as two:
        assert one.url != two.url
        one.add_fault("status")
        assert two.faults() == []


def test_a_connection_for_airflow(sandbox):
    connection = json.loads(json.dumps(sandbox.connection(namespace="here")))
    assert connection == {
        "conn_type": "cloudelements",
        "host": sandbox.url,
        "password": sandbox.user_secret,
        "extra": {"organization_secret": sandbox.organization_secret, "namespace": "here"},
    }


def test_it_ends_although_a_call_still_waits():
    failures = []
    with Sandbox(delay=60) as sandbox:

        def call():
            try:
                me(sandbox)
            except requests.ConnectionError as error:
                failures.append(error)

        waiting = threading.Thread(target=call)
        waiting.start()
        while sandbox.counters()["running"] == 0:
            time.sleep(0.01)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    waiting.join(5)
    assert len(failures) == 1


# From Python 3.12 on: threads and a fork together are what is tried here.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("process", [False, True])
def test_a_forked_child_neither_ends_it_nor_keeps_connections_alive(process):
    with Sandbox(process=process) as sandbox:
        session = requests.Session()
        url = f"{sandbox.url}/elements/api-v2/instances"
        session.get(url, timeout=20)  # this connection stays open, and the child gets a copy of it
        said, tell = os.pipe()
        child = os.fork()
        if child == 0:  # holds copies of every socket
            try:
                sandbox.stop()
                os.write(tell, b"done")
                time.sleep(30)
            finally:
                os._exit(0)
        try:
            assert os.read(said, 4) == b"done"
            assert me(sandbox) == 200
            sandbox.add_fault("drop")
            started = time.monotonic()
            with pytest.raises(requests.ConnectionError):
                session.get(url, timeout=20)
            assert time.monotonic() - started < 5
            sandbox.stop()
            assert refuses(url)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(said)
            os.close(tell)


def test_it_listens_on_loopback_only():
    for host in ("0.0.0.0", "192.0.2.1", "example.com", ""):
        with pytest.raises(ValueError, match="loopback"):
            Sandbox(host=host).start()
    with Sandbox(host="localhost") as sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("port", [-1, 65_536, 70_000])
def test_a_port_that_does_not_exist_is_refused(port):
    with pytest.raises(ValueError, match="port must be a number from 0 to 65535"):
        Sandbox(port=port)


@pytest.mark.parametrize("secret", ["", "a b", "a,b", "ä", "a\n"])
def test_secrets_that_no_header_can_carry_are_refused(secret):
    with pytest.raises(ValueError, match="user_secret"):
        Sandbox(user_secret=secret)


def test_an_unknown_option_is_refused():
    with pytest.raises(ValueError, match="unknown setting"):
        Sandbox(page=1)


def test_importing_it_is_light_and_meets_neither_client_nor_airflow():
    program = (
        "import sys; before = set(sys.modules); import airflow_provider_cloudelements.sandbox;"
        "print([name for name in set(sys.modules) - before if name.split('.')[0] in"
        " ('airflow', 'requests', 'fastapi', 'starlette', 'uvicorn', 'pydantic', 'asyncio')]);"
        "import airflow_provider_cloudelements.sandbox.server.server;"
        "print([name for name in set(sys.modules) - before if name.split('.')[0] == 'airflow'"
        " or (name.startswith('airflow_provider_cloudelements.')"
        " and not name.startswith('airflow_provider_cloudelements.sandbox'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n[]\n"
