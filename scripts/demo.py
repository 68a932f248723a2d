"""``make demo``: run the Microsoft Graph example DAG against the sandbox and print a short report.

There are two processes. This one starts the sandbox, plays the vendor and prints the report. The other runs
the DAGs in a private Airflow home. Airflow's own output goes to a log file there. If something fails, the
demo prints the end of this file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.demo_connections import connections

ROOT = Path(__file__).resolve().parent.parent
DAG_ID = "example_microsoft_graph_events"
#: Seconds after which the demo has failed.
PATIENCE = 300


def main() -> int:
    """Run the demo and return the process's exit code."""
    began = time.monotonic()
    print("Starting the sandbox, a local Cloud Elements, and running DAGs in Airflow ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="cloudelements-demo-") as home, Sandbox(process=True) as sandbox:
        report = _run_in_airflow(Path(home), sandbox)
        if report is None:
            return 1
        _tell(report, sandbox, time.monotonic() - began)
        return 0


def _run_in_airflow(home: Path, sandbox: Sandbox) -> dict[str, Any] | None:
    report, log = home / "report.json", home / "airflow.log"
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")},
        **airflow_environment(home),
        **{
            f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(connection)
            for conn_id, connection in connections(
                sandbox.url, sandbox.user_secret, sandbox.organization_secret
            ).items()
        },
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.demo_run", str(report)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        emitted = _play_vendor(process, sandbox)
    finally:
        process.kill()
        process.wait()
    if process.returncode or not report.exists():
        print(log.read_text(errors="replace")[-6000:])
        print("The DAGs did not run to their end; above is the end of Airflow's log.")
        return None
    result: dict[str, Any] = json.loads(report.read_text())
    return result | {"emitted": emitted}


def _play_vendor(process: subprocess.Popen[bytes], sandbox: Sandbox) -> float | None:
    """
    Make a meeting as soon as a task looks for events, and wait for the end of the other process.

    :param process: The other process.
    :param sandbox: The sandbox that has the calendar.
    :return: When the meeting was made, in seconds since 1970, or None.
    """
    emitted, seen = None, 0
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        calls = [] if emitted else sandbox.requests(seen)
        if any(each["path"] == "/instances/events" for each in calls):
            emitted = time.time()
            sandbox.emit(element="microsoftgraph", object_type="events")
        seen = max([seen, *(each["number"] for each in calls)])
        time.sleep(0.1)
    return emitted


def airflow_environment(home: Path) -> dict[str, str]:
    """
    Return the settings of a private Airflow that runs the example DAGs in process.

    :param home: An empty folder.
    """
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    }


def _tell(report: dict[str, Any], sandbox: Sandbox, seconds: float) -> None:
    first, again, wait = report["first"], report["again"], report["wait"]
    instance, (event,) = first["instance"], wait["events"]
    posts = [each for each in sandbox.requests() if (each["method"], each["path"]) == ("POST", "/instances")]
    lines = [
        ("consent", "asked for a link, pressed Allow on the sandbox's login page, got a code"),
        (
            "created",
            f"instance {instance['id']}, {instance['name']!r}, element {instance['element']}, tags "
            f"{', '.join(instance['tags'])}",
        ),
        (
            "events",
            f"{'enabled' if instance['events_enabled'] else 'NOT enabled'}, delivered to "
            f"{report['callback_url']}",
        ),
        (
            "by token",
            f"list_calendars got {_masked(first['token'])} and found {', '.join(first['calendars'])}",
        ),
        ("by id", f"ping says: {first['ping']}"),
        (
            "run again",
            f"found instance {again['id']}, created: {again['created']}; "
            f"POST /instances was sent {len(posts)} time(s) in all",
        ),
        (
            "waited",
            f"{wait['dag_id']} waited {wait['ended'] - wait['began']:.1f} s; meanwhile the calendar changed",
        ),
        (
            "event",
            f"{event['object_type']} {event['object_id']} {event['event_type']}, received by the waiting "
            f"task {wait['ended'] - report['emitted']:.1f} s after it was made",
        ),
        ("torn down", f"instance {', '.join(map(str, report['deleted']))}; left: {len(sandbox.instances())}"),
        ("took", f"{seconds:.1f} s, set-up of the environment not counted"),
    ]
    print(f"\n{DAG_ID}: success\n")
    for title, text in lines:
        print(f"  {title:<10} {text}")
    print("\nNext: `make up` starts an Airflow to click through, and shows an event start a DAG.")


def _masked(token: str) -> str:
    """Return a text that shows the length of a token and nothing else of it."""
    return f"the token *** ({len(token)} characters)"


if __name__ == "__main__":
    sys.exit(main())
