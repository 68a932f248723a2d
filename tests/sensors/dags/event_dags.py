"""DAGs for the tests of the event sensor inside Airflow."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_cloudelements.sensors.events import CloudElementsEventSensor

START = pendulum.datetime(2026, 1, 1)
ARGUMENTS = {
    "poke": {"mode": "poke", "poke_interval": 0.2},
    "reschedule": {"mode": "reschedule", "poke_interval": 0.2},
    "deferred": {"deferrable": True, "poll_interval": 1},
}


@task
def show(instance_events: dict, cursor: dict) -> int:
    """Get the events by the returned value and the cursor by its own key."""
    return len(instance_events["events"]) if cursor == instance_events["cursor"] else -1


dags = {}
for name, arguments in ARGUMENTS.items():
    with DAG(f"events_{name}", schedule=None, start_date=START) as dags[name]:
        first = CloudElementsEventSensor(
            task_id="first", tag="{{ dag_run.conf['tag'] }}", min_events=2, timeout=60, **arguments
        )
        second = CloudElementsEventSensor(
            task_id="second",
            tag="{{ dag_run.conf['tag'] }}",
            since=first.output,
            timeout=60,
            where={"object_id": "{{ dag_run.conf['object'] }}"},
            **arguments,
        )
        show(instance_events=first.output, cursor=first.output["cursor"])
        first >> second
