"""A second API server of a running Airflow, below a path, where people log in and have roles."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from scripts.local_airflow import PATIENCE, LocalAirflow
from scripts.processes import free_port

SECONDS = 60 * PATIENCE
BELOW = "/some/path"


@contextlib.contextmanager
def with_roles(airflow: LocalAirflow, folder: Path, roles: Mapping[str, str]) -> Iterator[str]:
    """Run the server; gives its address.

    :param airflow: the Airflow whose database it serves
    :param folder: where the file of passwords goes
    :param roles: each person's role of Airflow's simple auth manager
    """
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({name: password_of(name) for name in roles}))
    settings = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{roles[name]}" for name in roles),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }
    with second_server(airflow, settings) as url:
        yield url


@contextlib.contextmanager
def second_server(airflow: LocalAirflow, settings: Mapping[str, str]) -> Iterator[str]:
    """Run an API server beside the one of an Airflow, below a path; gives its address.

    :param airflow: the Airflow whose database it serves
    :param settings: its variables, besides those of that Airflow
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}{BELOW}"
    settings = {**settings, "AIRFLOW__API__PORT": str(port), "AIRFLOW__API__BASE_URL": url}
    with (airflow.home / "processes" / "second-api-server.log").open("wb") as log:
        process = subprocess.Popen(
            [str(airflow.python), "-m", "airflow", "api-server", "--port", str(port)],
            env={**airflow.environment, **settings},
            cwd=airflow.home,
            stdout=log,
            stderr=log,
        )
        try:
            deadline = time.monotonic() + SECONDS
            while not _answers(f"{url}/api/v2/version"):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()
            process.wait(SECONDS)


def password_of(name: str) -> str:
    """Return the password of a person."""
    return f"pass-of-{name}"


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except OSError:
        return False


def log_in(browser: Any, url: str, name: str) -> None:
    """Log in as the page for it does: a token in a cookie.

    :param browser: the context of a browser
    :param url: the server's address
    :param name: the person
    """
    answer = requests.post(
        f"{url}/auth/token", json={"username": name, "password": password_of(name)}, timeout=30
    )
    parts = urlsplit(url)
    browser.add_cookies(
        [
            {
                "name": "_token",
                "value": answer.json()["access_token"],
                "domain": parts.hostname,
                "path": parts.path,
                "httpOnly": True,
                "sameSite": "Lax",
            }
        ]
    )
