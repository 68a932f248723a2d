"""Kill the process that runs a task of a real Airflow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil

from scripts.local_airflow import PATIENCE, LocalAirflow


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
    found: dict[str, Any] = {}

    def runs() -> bool:
        for each in airflow.task_instances(dag_id, run_id):
            if (each["task_id"], each["map_index"], each["state"]) == (task_id, map_index, "running"):
                found.update(each)
        return bool(found)

    assert until(runs), f"{task_id}[{map_index}] did not begin"
    return found


def until(true: Callable[[], bool], seconds: float = 60.0) -> bool:
    """
    Wait until something is true; return whether it became so.

    :param true: looked at ten times a second
    :param seconds: for how long, on a machine that has nothing else to do
    """
    deadline = time.monotonic() + seconds * PATIENCE
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
