"""The demo's other process: runs the example DAGs in Airflow and writes the outcome to a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from scripts.demo_connections import connections


def main(report: Path) -> int:
    """
    Make an instance, find it again, wait for an event from its vendor, delete the instance.

    :param report: File for the outcome, as JSON. It holds the token; its folder is private and short-lived.
    """
    from airflow.utils.db import initdb

    initdb()
    from example_dags.example_microsoft_graph_events import dag
    from example_dags.example_wait_for_event import dag as waiting

    first, again = _run(dag), _run(dag)
    wait = _run(waiting)
    last = _run(dag, delete_instance=True)
    outcome = {
        "first": _outcome(first),
        "again": _xcom(again, "create_instance"),
        "wait": _waited(wait),
        "deleted": _xcom(last, "delete_instance")["deleted"],
        "callback_url": connections("", "", "")["microsoft_graph_app"]["extra"]["event_callback_url"],
    }
    report.write_text(json.dumps(outcome))
    return 0


def _run(dag: Any, **conf: Any) -> Any:
    run = dag.test(run_conf=conf or None)
    if run.state != "success":
        sys.exit(f"{dag.dag_id}: {run.state}")  # the next run would wait for its result
    return run


def _outcome(run: Any) -> dict[str, Any]:
    return {
        "instance": _xcom(run, "create_instance"),
        "token": _xcom(run, "create_instance", key="token"),
        "calendars": _xcom(run, "list_calendars"),
        "ping": _xcom(run, "ping"),
    }


def _waited(run: Any) -> dict[str, Any]:
    (sensor,) = (ti for ti in run.get_task_instances() if ti.task_id == "wait_for_event")
    return {
        "dag_id": run.dag_id,
        "events": _xcom(run, sensor.task_id)["events"],
        "began": sensor.start_date.timestamp(),
        "ended": sensor.end_date.timestamp(),
    }


def _xcom(run: Any, task_id: str, key: str = "return_value") -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        query = XComModel.get_many(run_id=run.run_id, task_ids=task_id, dag_ids=run.dag_id, key=key)
        row = session.scalars(query).first()
        return XComModel.deserialize_value(row) if row is not None else None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
