"""Wait for calendar events, process them, and begin the next wait behind them.

The sensor waits in the triggerer, where it holds no worker. It returns the events and a cursor: the place
behind the last of them. The DAG keeps the cursor in an Airflow variable, which moves on only when the work is
done. So the next run gets the events that came meanwhile, even while no run waited. It also gets the events
of a failed run again. The first run takes the events since its own begin.

In use, give it ``schedule="@continuous"``: then one run always waits.

Needs ``cloudelements_default``, and the instance that ``example_microsoft_graph_events`` makes. You may make
the instance while the sensor waits. Its name is a parameter. See ``docs/events.md``.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param, Variable, task

from airflow_provider_cloudelements.sensors.events import CloudElementsEventSensor

# [start: sensor]
#: The variable that holds the cursor, behind which the next run begins.
CURSOR = "example_wait_for_event_cursor"
SINCE = f"{{{{ var.value.get('{CURSOR}', none) or dag_run.run_after }}}}"
# [end: sensor]

with DAG(
    "example_wait_for_event",
    description="Wait for calendar events, process them, and begin the next wait behind them.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # two would get the same events
    tags=["cloudelements", "example", "events"],
    doc_md=__doc__,
    params={"instance_name": Param("My calendar", type="string", description="Name of the instance")},
) as dag:
    # [start: sensor]
    wait = CloudElementsEventSensor(
        task_id="wait_for_event",
        instance_key="microsoftgraph/{{ params.instance_name }}",
        object_types=["events"],
        since=SINCE,
        deferrable=True,
        poll_interval=5,
        timeout=pendulum.duration(hours=12),
    )
    # [end: sensor]

    @task
    def handle(found: dict) -> list[str]:
        """Stand for the work; return what happened to which object."""
        return [f"{event['event_type']} {event['object_id']}" for event in found["events"]]

    @task
    def move_on(found: dict) -> None:
        """Remember that this much is done."""
        Variable.set(CURSOR, found["cursor"], serialize_json=True)

    handle(wait.output) >> move_on(wait.output)
