"""Keep instances as a file says: plan, ask a person if the plan deletes, apply.

``example_tenants.yaml`` names the instances. The first run makes them, and the next finds nothing to do. Edit
a line, and a run changes only that. Remove a line, and the plan deletes its instance, because it carries the
ownership tag. Then the run waits until a person has read the plan and approved it.

The plan comes in parts. Airflow applies each in a task of its own, on any executor. A task that was killed
can be cleared: what is done counts as done, and nothing is made twice.

Needs ``cloudelements_default`` and ``closeio_login``, of type ``cloudelements_element``.
"""

from __future__ import annotations

from pathlib import Path

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.operators.fleet import (
    CloudElementsApplyInstancesOperator,
    CloudElementsPlanInstancesOperator,
)

MANIFEST = Path(__file__).with_name("example_tenants.yaml")

with DAG(
    "example_instances_as_code",
    description="Keep instances as a file says: plan, ask a person if the plan deletes, apply.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    # Two runs at once would plan the same changes.
    max_active_runs=1,
    tags=["cloudelements", "example", "instances", "mapping"],
    doc_md=__doc__,
) as dag:
    # [start: plan_and_apply]
    plan = CloudElementsPlanInstancesOperator(task_id="plan", manifest=str(MANIFEST), prune=True)
    # [end: plan_and_apply]

    @task.branch
    def who_decides(deletes: int, unsafe: list[str]) -> str:
        """Ask a person about what cannot be undone, and about what breaks a limit."""
        return "approve" if deletes or unsafe else "nobody_is_needed"

    approve = ApprovalOperator(
        task_id="approve",
        subject="Apply this plan?",
        body="{{ ti.xcom_pull('plan', key='markdown') }}",
        fail_on_reject=True,
    )
    nobody_is_needed = EmptyOperator(task_id="nobody_is_needed")

    # [start: plan_and_apply]
    apply = CloudElementsApplyInstancesOperator.partial(
        task_id="apply",
        checksum="{{ ti.xcom_pull('plan', key='checksum') }}",
        # The person has read, and approved, what breaks a limit.
        force=plan.output["unsafe"],
        trigger_rule="none_failed_min_one_success",
    ).expand(plan=plan.output)
    # [end: plan_and_apply]

    who_decides(plan.output["deletes"], plan.output["unsafe"]) >> [approve, nobody_is_needed] >> apply
