"""The retry policy: by itself, and deciding in Airflow."""

from __future__ import annotations

import importlib.util
import json
from datetime import timedelta
from pathlib import Path

import pytest
from airflow import settings
from airflow.sdk import DAG

pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="retry policies came with Airflow 3.3")

from airflow.sdk.definitions.retry_policy import RetryAction

from airflow_provider_cloudelements import exceptions as errors
from airflow_provider_cloudelements.operators.instances import (
    CloudElementsCreateInstanceOperator,
)
from airflow_provider_cloudelements.retry_policy import CloudElementsRetryPolicy
from tests.support.runs import Run

FOLDER = Path(__file__).parent / "dags"


@pytest.mark.parametrize(
    ("error", "action", "delay"),
    [
        (errors.CloudElementsAuthError("x"), RetryAction.FAIL, None),
        (errors.CloudElementsConflictError("x"), RetryAction.FAIL, None),
        (errors.CloudElementsInstanceDisabledError("x"), RetryAction.FAIL, None),
        (errors.CloudElementsValidationError("x"), RetryAction.FAIL, None),
        (errors.CloudElementsValidationError("x", provider_message="later"), RetryAction.DEFAULT, None),
        (errors.CloudElementsAmbiguousCreateError("x", code_spent=True), RetryAction.DEFAULT, None),
        (errors.CloudElementsAmbiguousCreateError("x"), RetryAction.DEFAULT, None),
        (errors.CloudElementsRateLimitError("x", retry_after=90), RetryAction.RETRY, 90),
        (errors.CloudElementsRateLimitError("x", retry_after=90_000), RetryAction.RETRY, 3600),
        (errors.CloudElementsRateLimitError("x", retry_after=1e30), RetryAction.RETRY, 3600),
        (errors.CloudElementsRateLimitError("x"), RetryAction.DEFAULT, None),
        (errors.CloudElementsServerError("x", retry_after=90), RetryAction.RETRY, 90),
        (errors.CloudElementsTimeoutError("x"), RetryAction.DEFAULT, None),
        (RuntimeError("x"), RetryAction.DEFAULT, None),
    ],
)
def test_what_each_failure_asks_for(error, action, delay):
    decision = CloudElementsRetryPolicy().evaluate(error, 1, 3)
    assert decision.action is action
    assert decision.retry_delay == (timedelta(seconds=delay) if delay else None)


def test_a_negative_wait_is_refused():
    with pytest.raises(ValueError, match="longest_wait"):
        CloudElementsRetryPolicy(timedelta(seconds=-1))


def test_it_survives_serialization():
    policy = CloudElementsRetryPolicy(timedelta(minutes=5))
    assert CloudElementsRetryPolicy.deserialize(policy.serialize()).longest_wait == timedelta(minutes=5)


def test_a_task_with_a_policy_sees_the_original_failure():
    with DAG("d", schedule=None):
        task = CloudElementsCreateInstanceOperator(
            task_id="t", instance_name="x", retry_policy=CloudElementsRetryPolicy()
        )
    with pytest.raises(errors.CloudElementsAuthError), task.final_failures():
        raise errors.CloudElementsAuthError("no")


@pytest.mark.airflow
@pytest.mark.newest
@pytest.mark.parametrize(("status", "tries"), [(401, 1), (503, 3)])
def test_in_a_dag_it_spends_retries_only_where_they_help(
    cloudelements_sandbox, airflow_database, monkeypatch, status, tries
):
    connection = cloudelements_sandbox.connection(max_retries=0)
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
    cloudelements_sandbox.add_fault("status", status=status, count=10)
    monkeypatch.setattr(settings, "DAGS_FOLDER", str(FOLDER))
    spec = importlib.util.spec_from_file_location("policy_dags", FOLDER / "policy_dags.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    done = Run(module.dag.test())
    assert done.tasks["delete", -1] == ("failed", tries)
