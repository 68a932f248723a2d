"""A real local Airflow with the sandbox and the examples, to click through; Ctrl-C ends all of it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts import installed_wheel
from scripts.local_airflow import LocalAirflow, free_port, port_is_free

#: Where people expect an Airflow.
USUAL_PORT = 8080


def main() -> None:
    """Start everything, say where it is, and wait for Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    with (
        contextlib.suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="cloudelements-") as folder,
    ):
        python = _install(Path(folder))
        dags = installed_wheel.examples(Path(folder) / "environment")
        port = USUAL_PORT if port_is_free(USUAL_PORT) else free_port()
        user_secret, organization_secret = (f"{secrets.token_urlsafe(24)}=" for _ in range(2))
        print("starting the sandbox and Airflow, some 15 seconds ...", flush=True)
        with (
            _sandbox(python, user_secret, organization_secret) as sandbox_url,
            LocalAirflow(dags, python=python, api_port=port, environment=_calm()) as airflow,
        ):
            connections = _connections(sandbox_url, user_secret, organization_secret)
            for connection_id, connection in connections.items():
                airflow.add_connection(connection_id, **connection)
            print(_message(airflow, sandbox_url, sorted(connections), sorted(dags.glob("example_*.py"))))
            _watch(airflow)
    print("\nstopped: nothing is left running")


def _interrupt(number: int, frame: object) -> None:
    """
    Treat a TERM like Ctrl-C, so that it leaves nothing behind either.

    :param number: the signal
    :param frame: where it came
    """
    raise KeyboardInterrupt


def _install(folder: Path) -> Path:
    """
    Build the package, install it and return the interpreter that has it.

    :param folder: a private folder
    """
    wheel = installed_wheel.build("wheel", folder / "dist")
    return installed_wheel.install(wheel, folder / "environment")


def _calm() -> dict[str, str]:
    """Return settings for people, who wait longer than tests and keep their laptop's fan in mind."""
    return {
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    }


@contextlib.contextmanager
def _sandbox(python: Path, user_secret: str, organization_secret: str) -> Iterator[str]:
    """
    Run the sandbox and yield its address.

    :param python: interpreter that has the package
    :param user_secret: the User secret it accepts
    :param organization_secret: the Organization secret it accepts
    """
    variables = {
        "CLOUDELEMENTS_SANDBOX_USER_SECRET": user_secret,
        "CLOUDELEMENTS_SANDBOX_ORGANIZATION_SECRET": organization_secret,
    }
    process = subprocess.Popen(
        [str(python), "-m", f"{installed_wheel.PACKAGE}.sandbox", "--port", "0", "--stop-with-stdin"],
        env=os.environ | variables,
        # It ends when this pipe does, however we end; a session of its own spares it our Ctrl-C until then.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield _address(process)
    finally:
        process.terminate()
        process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    """
    Return the address from the line that the sandbox prints once it is ready.

    :param process: the sandbox
    """
    line = process.stdout.readline() if process.stdout else ""
    found = re.search(r"http://[^\s\"]+", line)
    if not found:
        raise SystemExit(f"the sandbox did not start: {line.strip() or 'it printed nothing'}")
    return found.group()


def _connections(sandbox_url: str, user_secret: str, organization_secret: str) -> dict[str, dict[str, Any]]:
    """
    Return the connections that the examples need, by id.

    :param sandbox_url: where the sandbox listens
    :param user_secret: its User secret
    :param organization_secret: its Organization secret
    """
    # Late: only a person who clicks through the examples needs what they need.
    from scripts.demo_connections import connections

    return connections(sandbox_url, user_secret, organization_secret)


def _message(airflow: LocalAirflow, sandbox_url: str, connections: list[str], examples: list[Path]) -> str:
    """
    Return what to open and how to stop.

    :param airflow: the running Airflow
    :param sandbox_url: where the sandbox listens
    :param connections: ids of the connections
    :param examples: the example files
    """
    return "\n".join(
        [
            "",
            f"Airflow      {airflow.url}  (no login)",
            f"Connections  {airflow.url}/connections  ({', '.join(connections)})",
            f"Sandbox      {sandbox_url}/sandbox/requests  (what Airflow has asked of it)",
            "DAGs         " + ", ".join(path.stem for path in examples),
            "",
            "Open a DAG, press Trigger. Ctrl-C here stops all and removes the temporary folder.",
        ]
    )


def _watch(airflow: LocalAirflow) -> None:
    """
    Wait until a person has had enough, or a part of Airflow dies.

    :param airflow: the running Airflow
    """
    while True:
        airflow.check_alive()
        time.sleep(1)


if __name__ == "__main__":
    main()
