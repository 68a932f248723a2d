"""Tasks that run formulas: plain, mapped, and one whose formula fails."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.operators.formulas import CloudElementsRunFormulaOperator
from airflow_provider_cloudelements.sensors.formulas import CloudElementsFormulaExecutionSensor

with DAG("formulas", schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as formulas:
    echo = CloudElementsRunFormulaOperator(
        task_id="echo",
        formula_name="{{ params.get('formula', 'Echo') }}",
        payload={"run": "{{ run_id }}", "password": "A value not to show"},
        steps=["echo"],
        poke_interval=1,
    )

    @task
    def payloads(execution_id):
        """Return what two copies send."""
        return [{"of": execution_id, "number": number} for number in range(2)]

    CloudElementsRunFormulaOperator.partial(
        task_id="mapped", formula_id=8104, steps=["echo"], poke_interval=1
    ).expand(payload=payloads(echo.output["execution_id"]))
    CloudElementsRunFormulaOperator(
        task_id="fails", formula_instance_name="A failing one", poke_interval=1, retries=0
    )
    started = CloudElementsRunFormulaOperator(task_id="start", formula_id=8104, wait=False)
    CloudElementsFormulaExecutionSensor(
        task_id="waited", execution_id=started.output, steps=["echo"], deferrable=True, poll_interval=1
    )
    CloudElementsRunFormulaOperator(task_id="deferred", formula_id=8104, deferrable=True, poke_interval=1)
