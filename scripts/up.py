"""Start a real local Airflow with the sandbox and the examples, to click through. Ctrl-C ends all of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scripts import installed_wheel
from scripts.airflow_rest import LocalAirflowError
from scripts.example_hints import hints
from scripts.local_airflow import LocalAirflow
from scripts.processes import LOOPBACK, free_port, port_is_free
from scripts.seed import Seeder
from scripts.warehouse import CONNECTION, LOADS, warehouses

#: The port on which people expect an Airflow.
USUAL_PORT = 8080
#: The example that makes a calendar's instance, the element connection that it uses, and the examples that a
#: meeting in the calendar starts.
MAKES_INSTANCE, ITS_CONNECTION = "example_microsoft_graph_events", "microsoft_graph_app"
STARTED_BY_EVENT = ("example_events_by_webhook", "example_events_by_watcher")
#: The same for sales: an example makes the instance, and its events start another.
MAKES_SALES, STARTED_BY_SALES = "example_basic_authentication", "example_events_collected"
WEBHOOK = "cloudelements"
#: Seconds to wait for the start of a run.
PATIENCE = 120


def main() -> None:
    """Start everything, print the addresses, and wait for Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    with (
        contextlib.suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="cloudelements-") as folder,
    ):
        python = _install(Path(folder))
        dags = installed_wheel.examples(Path(folder) / "environment")
        port = USUAL_PORT if port_is_free(USUAL_PORT) else free_port()
        print("starting the sandbox and Airflow, some 15 seconds ...", flush=True)
        with sandbox(python) as running, warehouses() as database:
            connections = connections_of(running, f"http://{LOOPBACK}:{port}") | database
            # Airflow does not listen yet: the events of an outage find no receiver.
            Seeder(running["url"], connections).seed()
            _run(dags, python, port, running, connections)
    print("\nstopped: nothing is left running")


def _run(
    dags: Path,
    python: Path,
    port: int,
    sandbox: Mapping[str, str],
    connections: Mapping[str, Mapping[str, Any]],
) -> None:
    """
    Run Airflow with the examples until Ctrl-C.

    :param dags: the folder of the examples
    :param python: interpreter that has the package
    :param port: port of Airflow's API server
    :param sandbox: the sandbox's address and secrets
    :param connections: the connections of the examples by id
    """
    environment = _calm() | webhook_settings(WEBHOOK)
    with LocalAirflow(dags, python=python, api_port=port, environment=environment) as airflow:
        for connection_id, connection in connections.items():
            airflow.add_connection(connection_id, **connection)
        examples = sorted(path.stem for path in dags.glob("example_*.py"))
        _unpause(airflow, [name for name in examples if name != LOADS or CONNECTION in connections])
        print(_message(airflow, sandbox, sorted(connections), examples))
        _show_an_event(airflow, sandbox["url"])
        _watch(airflow)


def _interrupt(number: int, frame: object) -> None:
    """
    Treat a TERM like Ctrl-C, so that it leaves nothing behind either.

    :param number: the signal
    :param frame: the frame that it interrupted
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
    """Return settings for people, who can wait longer than tests and want a quiet laptop."""
    return {
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
    }


def webhook_settings(*names: str) -> dict[str, str]:
    """
    Return settings that make Airflow's API server receive the platform's deliveries.

    :param names: names of the webhooks
    """
    settings = {"AIRFLOW__INBOUND_WEBHOOKS__WEBHOOK_NAMES": ",".join(names)}
    if version("apache-airflow").startswith("3.1."):  # later lines find it by themselves
        settings["AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS"] = "airflow_inbound_webhooks.db.WebhooksDBManager"
    return settings


@contextlib.contextmanager
def sandbox(python: Path) -> Iterator[dict[str, str]]:
    """
    Run the sandbox, with its known secrets, and yield ``url``, ``user_secret`` and ``organization_secret``.

    :param python: interpreter that has the package
    """
    process = subprocess.Popen(
        [str(python), "-m", f"{installed_wheel.PACKAGE}.sandbox", "--port", "0", "--stop-with-stdin"],
        env={name: value for name, value in os.environ.items() if not name.startswith("CLOUDELEMENTS_")},
        # The sandbox ends when this pipe closes, however we end. Its own session shields it from our Ctrl-C
        # until then.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield _ready(process)
    finally:
        process.terminate()
        process.communicate()


def _ready(process: subprocess.Popen[str]) -> dict[str, str]:
    """
    Return the object in the line that the sandbox prints once it is ready.

    :param process: the sandbox
    """
    line = process.stdout.readline() if process.stdout else ""
    found = re.search(r"\{.*\}", line)
    if not found:
        raise SystemExit(f"the sandbox did not start: {line.strip() or 'it printed nothing'}")
    ready: dict[str, str] = json.loads(found.group())
    return ready


def connections_of(sandbox: Mapping[str, str], airflow_url: str) -> dict[str, dict[str, Any]]:
    """
    Return the connections of the examples by id. A calendar's events and consents come to this Airflow.

    :param sandbox: its address and secrets
    :param airflow_url: where Airflow's API server listens
    """
    # Import late: tests import this module for its constants alone.
    from airflow_provider_cloudelements.webhooks import webhook_connection
    from scripts.demo_connections import connections

    webhook = webhook_connection()
    found = connections(sandbox["url"], sandbox["user_secret"], sandbox["organization_secret"])
    found[ITS_CONNECTION]["extra"] |= {
        "event_callback_url": f"{airflow_url}/webhooks/{WEBHOOK}",
        "event_signature_secret": webhook["password"],
        "oauth_callback_url": f"{airflow_url}/cloudelements/consent",
    }
    return found | {f"webhook_{WEBHOOK}": webhook}


def _unpause(airflow: LocalAirflow, dag_ids: Sequence[str]) -> None:
    """
    Unpause DAGs, now and not earlier: scheduled ones would run before Airflow is ready.

    :param airflow: the running Airflow
    :param dag_ids: ids of the DAGs
    """
    for dag_id in dag_ids:
        file_token = airflow.wait_dag(dag_id)["file_token"]
        airflow.rest("PATCH", f"/dags/{dag_id}", {"is_paused": False})
        if dag_id in (*STARTED_BY_EVENT, STARTED_BY_SALES):
            # The watcher of an unpaused DAG begins when the DAG processor next reads its file.
            airflow.rest("PUT", f"/parseDagFile/{file_token}")


def _message(
    airflow: LocalAirflow, sandbox: Mapping[str, str], connections: list[str], examples: list[str]
) -> str:
    """
    Return a text that says what to open and how to stop.

    :param airflow: the running Airflow
    :param sandbox: its address and secrets
    :param connections: ids of the connections
    :param examples: ids of the example DAGs
    """
    return "\n".join(
        [
            "",
            f"Airflow      {airflow.url}  (no login)",
            f"Connections  {airflow.url}/connections  ({', '.join(connections)})",
            f"Sandbox      {sandbox['url']}  (open it: its instances, and the calls that Airflow has made)",
            f"Its secrets  User {sandbox['user_secret']}, Organization {sandbox['organization_secret']}",
            "",
            "Open a DAG, press Trigger:",
            *hints(examples),
            "",
            "Ctrl-C here stops all and removes the temporary folder.",
        ]
    )


def _emit_command(sandbox_url: str, element: str, object_type: str) -> list[str]:
    """
    Return the command that changes something at the vendor of every instance of an element.

    :param sandbox_url: where the sandbox listens
    :param element: the element's key
    :param object_type: what changes
    """
    module = f"{installed_wheel.PACKAGE}.sandbox"
    options = ["--url", sandbox_url, "--element", element, "--object-type", object_type]
    return [sys.executable, "-m", module, "emit", *options]


def _show_an_event(airflow: LocalAirflow, sandbox_url: str) -> None:
    """
    Make instances and let their vendors change something; print which DAGs that starts and how to repeat it.

    :param airflow: the running Airflow
    :param sandbox_url: where the sandbox listens
    """
    meeting = _emit_command(sandbox_url, "microsoftgraph", "events")
    lead = _emit_command(sandbox_url, "closeio", "leads")
    print(f"\nEvents start DAGs: {MAKES_INSTANCE} makes an instance, then we make a meeting ...", flush=True)
    try:
        run_id = airflow.trigger(MAKES_INSTANCE)
        airflow.wait_run(MAKES_INSTANCE, run_id)
        made = time.time()
        subprocess.run(meeting, check=True, stdout=subprocess.DEVNULL)
        for dag_id in STARTED_BY_EVENT:
            _tell_run(airflow, dag_id, made)
        airflow.wait_run(MAKES_SALES, airflow.trigger(MAKES_SALES))
        made = time.time()
        subprocess.run(lead, check=True, stdout=subprocess.DEVNULL)
        _tell_run(airflow, STARTED_BY_SALES, made)
    except (LocalAirflowError, OSError, subprocess.CalledProcessError) as error:
        # A person can still go on. The next check reports a part of Airflow that has died.
        print(f"  this failed: {error}")
    print("Make another meeting, in another shell (a run of example_wait_for_event takes it, too):")
    print(f"  {shlex.join(meeting)}", flush=True)


def _tell_run(airflow: LocalAirflow, dag_id: str, made: float) -> None:
    """
    Wait for the first run that an event starts, and print how long it took and where it is.

    :param airflow: the running Airflow
    :param dag_id: the DAG
    :param made: when the event was made, in seconds since 1970
    """
    run = _run_by_event(airflow, dag_id)
    seconds = datetime.fromisoformat(run["start_date"]).timestamp() - made
    address = f"{airflow.url}/dags/{dag_id}/runs/{run['dag_run_id']}"
    print(f"  {dag_id}, {seconds:.1f} s later: {address}", flush=True)


def _run_by_event(airflow: LocalAirflow, dag_id: str) -> dict[str, Any]:
    """
    Wait until the first run that an event starts has begun, and return it.

    :param airflow: the running Airflow
    :param dag_id: the DAG
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        airflow.check_alive()
        found = airflow.rest("GET", f"/dags/{dag_id}/dagRuns", run_type="asset_triggered")
        for run in found["dag_runs"]:
            if run["start_date"]:
                return dict(run)
        time.sleep(0.5)
    raise LocalAirflowError(f"no event has started {dag_id} within {PATIENCE} s")


def _watch(airflow: LocalAirflow) -> None:
    """
    Wait for Ctrl-C, or until a part of Airflow dies.

    :param airflow: the running Airflow
    """
    while True:
        airflow.check_alive()
        time.sleep(1)


if __name__ == "__main__":
    main()
