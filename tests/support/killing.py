"""Kill the process that runs a task of a real Airflow."""

from __future__ import annotations

from typing import Any

import psutil

from scripts.local_airflow import LocalAirflow
from tests.support.patience import eventually


def kill_process_of(ti_id: str) -> bool:
    """
    Kill the process that runs a task with SIGKILL; return whether it was there.

    :param ti_id: id of the task instance
    """
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        # The worker is named after the task instance too; the one that runs it is its child.
        if ti_id in words and any(ti_id in " ".join(parent.cmdline()) for parent in process.parents()):
            process.kill()
            return True
    return False


def when_running(
    airflow: LocalAirflow, dag_id: str, run_id: str, task_id: str, map_index: int = -1
) -> dict[str, Any]:
    """
    Wait until a task runs, and return its task instance.

    :param airflow: the Airflow
    :param dag_id: the DAG
    :param run_id: the run
    :param task_id: the task
    :param map_index: index of a mapped task
    """

    def running() -> dict[str, Any] | None:
        for each in airflow.task_instances(dag_id, run_id):
            if (each["task_id"], each["map_index"], each["state"]) == (task_id, map_index, "running"):
                return each
        return None

    found: dict[str, Any] = eventually(running, pause=0.1)
    return found
