"""The demo's other process: runs the example DAG twice in Airflow and writes what came of it to a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from scripts.demo_connections import connections

DAG_ID = "example_microsoft_graph_events"


def main(report: Path) -> int:
    """
    Run the DAG: once as it is, once more to find the same instance and delete it.

    :param report: Where the outcome goes, as JSON. The token is in it; its folder is private and short-lived.
    """
    from airflow.utils.db import initdb

    initdb()
    from example_dags.example_microsoft_graph_events import dag

    states, runs = [], []
    for delete in (False, True):
        run = dag.test(run_conf={"delete_instance": delete})
        states.append(str(run.state))
        runs.append(_outcome(run.run_id))
    callback = connections("", "", "")["microsoft_graph_app"]["extra"]["event_callback_url"]
    state = "success" if set(states) == {"success"} else ", ".join(states)
    report.write_text(json.dumps({"state": state, "runs": runs, "callback_url": callback}))
    return 0


def _outcome(run_id: str) -> dict[str, Any]:
    deleted = _xcom(run_id, "delete_instance")
    return {
        "instance": _xcom(run_id, "create_instance"),
        "token": _xcom(run_id, "create_instance", key="token"),
        "calendars": _xcom(run_id, "list_calendars"),
        "ping": _xcom(run_id, "ping"),
        "deleted": deleted["deleted"] if deleted else [],
    }


def _xcom(run_id: str, task_id: str, key: str = "return_value") -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        query = XComModel.get_many(run_id=run_id, task_ids=task_id, dag_ids=DAG_ID, key=key)
        row = session.scalars(query).first()
        return XComModel.deserialize_value(row) if row is not None else None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
