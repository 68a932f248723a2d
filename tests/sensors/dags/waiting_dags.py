"""DAGs for the tests of the sensors inside Airflow: dag.test() runs only what lies in a DAGs folder."""

from __future__ import annotations

import datetime

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor

START = pendulum.datetime(2026, 1, 1)
ARGUMENTS = {
    "poke": {"mode": "poke", "poke_interval": 0.2},
    "reschedule": {"mode": "reschedule", "poke_interval": 0.2},
    "deferred": {"deferrable": True, "poll_interval": 1},
}
#: The modes of the sensors that said that they start, each as often as its callback was called.
starts: list[str] = []


@task
def show(instance_id: int, instance: dict) -> bool:
    """Get the id by its own key and the rest by the returned value."""
    return instance_id == instance["id"]


dags = {}
for name, arguments in ARGUMENTS.items():
    with DAG(f"waiting_{name}", schedule=None, start_date=START) as dags[name]:
        wait = CloudElementsInstanceSensor(
            task_id="wait",
            tag="{{ dag_run.conf['tag'] }}",
            timeout=60,
            on_execute_callback=lambda _, name=name: starts.append(name),
            **arguments,
        )
        show(instance_id=wait.output["id"], instance=wait.output)

    with DAG(f"waiting_soft_{name}", schedule=None, start_date=START) as dags[f"soft_{name}"]:
        CloudElementsInstanceSensor(
            task_id="wait",
            tag="{{ dag_run.conf['tag'] }}",
            timeout=datetime.timedelta(seconds=60),
            soft_fail=True,
            **arguments,
        )

    with DAG(f"waiting_mapped_{name}", schedule=None, start_date=START) as dags[f"mapped_{name}"]:
        create = CloudElementsCreateInstanceOperator.partial(
            task_id="create",
            element="closeio",
            configuration={"username": "ada", "password": "a-password-1"},
            events_enabled=False,
            push_token=False,
        ).expand(instance_name=["acme", "globex"])
        CloudElementsInstanceSensor.partial(task_id="wait_one", timeout=60, **arguments).expand(
            instance_id=create.output
        )
