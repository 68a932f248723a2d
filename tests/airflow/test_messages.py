"""What the log of a failed task shows in real Airflow: the sentence first and last, and few lines of code."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.processes, pytest.mark.lane("shared")]

DAGS = """
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.instances import (
    CloudElementsCreateInstanceOperator,
    CloudElementsDeleteInstanceOperator,
)
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor

with DAG("mistakes", schedule=None):
    CloudElementsCreateInstanceOperator(
        task_id="wrong_secret",
        cloudelements_conn_id="wrong_secret",
        element="closeio",
        instance_name="x",
        event_callback_url=None,
    )
    CloudElementsDeleteInstanceOperator(
        task_id="nobody", cloudelements_conn_id="wrong_port", instance_key="x"
    )
    CloudElementsDeleteInstanceOperator(task_id="missing", cloudelements_conn_id="not_there", instance_id=7)
    CloudElementsInstanceSensor(
        task_id="wait",
        cloudelements_conn_id="right",
        instance_id="{{ ti.xcom_pull(task_ids='wrong_secret', key='id') }}",
        deferrable=True,
        trigger_rule="all_done",
    )
"""
#: Beginning and end of the sentence, by the task.
SENTENCES = {
    "wrong_secret": ("CloudElementsAuthError: GET /instances answered 401.", "of connection 'wrong_secret'"),
    "nobody": (
        "GET /instances: could not connect to http://127.0.0.1:9 (connection 'wrong_port'",
        "and port?",
    ),
    "missing": ("There is no connection 'not_there' (argument cloudelements_conn_id)", "Airflow process."),
    "wait": ("CloudElementsValidationError: instance_id must be", "gave no value."),
}


@pytest.fixture(scope="module")
def run(stage):
    right = {**stage.sandbox.connection(max_retries=1)}
    wrong = {**right, "password": "Wrong/Secret+Of+Somebody0123456w="}
    nobody = {**right, "host": "http://127.0.0.1:9"}
    stage.add_dags({"mistakes": DAGS})
    stage.add_connections({"right": right, "wrong_secret": wrong, "wrong_port": nobody})
    stage.airflow.wait_dag("mistakes")
    run_id = stage.airflow.trigger("mistakes")
    assert stage.airflow.wait_run("mistakes", run_id) == "failed"
    return run_id


@pytest.mark.parametrize("task", SENTENCES)
def test_the_log_begins_its_error_with_the_sentence_and_ends_with_it(stage, run, task):
    log = stage.airflow.task_log("mistakes", run, task)
    (error,) = [each for each in map(json.loads, log.splitlines()) if each.get("error_detail")]
    begin, end = SENTENCES[task]
    first, *more = error["error_detail"]
    assert first["exc_value"].startswith(begin)
    assert end in first["exc_value"]
    files = [frame["filename"] for each in error["error_detail"] for frame in each["frames"]]
    assert not [name for name in files if "tenacity" in name or "/client/" in name]
    ours = [name for name in files if "airflow_provider_cloudelements" in name]
    assert len(ours) <= 3
    assert len(more) <= 1
    for cause in more:
        assert first["exc_value"].endswith(cause["exc_value"])
        assert cause["frames"] == []
