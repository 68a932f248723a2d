"""A DAG with the retry policy, which came with Airflow 3.3."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_provider_cloudelements.operators.instances import CloudElementsDeleteInstanceOperator
from airflow_provider_cloudelements.retry_policy import CloudElementsRetryPolicy

with DAG("policy", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:
    CloudElementsDeleteInstanceOperator(
        task_id="delete",
        instance_id=1,
        retries=2,
        retry_delay=timedelta(seconds=0),
        retry_policy=CloudElementsRetryPolicy(),
    )
