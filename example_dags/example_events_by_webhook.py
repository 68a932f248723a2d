"""Calendar events start this DAG: the platform delivers them to Airflow's own API server.

A run starts with every notification of any instance of the element; one run may get several that come
together. To follow only one instance, use ``webhook_asset_of_instance(12, ELEMENT)``.

When many come at once, Airflow gives some of the asset events only to a later run, and a few to none: those
that it was storing while a run began. So this DAG does not rely on the events that started its run. It also
runs by time, and reads from a cursor of its own. It keeps the cursor in an Airflow variable, which moves on
only when the work is done. The next run reads again what a failed run has read.

Needs the extra ``webhooks`` on the API server, the connection that ``airflow cloudelements
webhook-connection`` makes, and instances whose events
``CloudElementsEnableEventsOperator(webhook_conn_id=...)`` turned on. The DAG itself needs none of these:
without deliveries it finds nothing to do. See ``docs/webhooks.md``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pendulum
from airflow.sdk import DAG, Variable, task
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_provider_cloudelements.webhooks import notification_of, webhook_asset_of_element

ELEMENT = "microsoftgraph"
ASSET = webhook_asset_of_element(ELEMENT)
#: Where the first run begins to read; the DAG ignores earlier deliveries.
BEGIN = pendulum.datetime(2026, 1, 1)
#: The variable that holds how far the DAG has read, and which deliveries of the last minutes it has read.
CURSOR = "example_events_by_webhook_cursor"
#: How long an event may take until Airflow has stored it. The DAG reads the events of that time again.
OVERLAP = pendulum.duration(minutes=2)
#: How many the DAG reads at once. Airflow looks up the runs of each, and a task waits five seconds for an
#: answer.
PAGE = 50


def came_since(events: Any, since: datetime) -> dict[str, Any]:
    """Return the deliveries since a moment, by their ids, whichever run they started."""
    if not hasattr(events, "after"):  # Airflow 3.1 only gives all of them
        read = [event for event in events if event.timestamp >= since]
    else:
        read = page = list(events.after(since).limit(PAGE))
        while len(page) == PAGE and page[-1].timestamp > since:
            since = page[-1].timestamp
            page = list(events.after(since).limit(PAGE))  # begins with the events of exactly that time
            read = read + page
    return {
        event.extra["inbound_delivery_id"]: event for event in read if "inbound_delivery_id" in event.extra
    }


with DAG(
    "example_events_by_webhook",
    description="Calendar events start this DAG: the platform delivers them to Airflow's own API server.",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/15 * * * *", timezone="UTC"), assets=[ASSET]
    ),
    start_date=BEGIN,
    catchup=False,
    max_active_runs=1,  # two would read the same
    tags=["cloudelements", "example", "events"],
    doc_md=__doc__,
) as dag:

    @task(inlets=[ASSET])
    def what_changed(inlet_events: Any = None) -> dict[str, Any]:
        """Read the deliveries since the cursor, and return what changed: ids only, no vendor's body."""
        now = pendulum.now("UTC")
        cursor = Variable.get(CURSOR, default=None, deserialize_json=True) or {}
        since = pendulum.parse(cursor.get("until", BEGIN.isoformat())) - OVERLAP
        came = came_since(inlet_events[ASSET], since)
        new = [notification_of(came[each]) for each in came.keys() - set(cursor.get("had", ()))]
        still_near = [each for each, event in came.items() if event.timestamp >= now - OVERLAP]
        return {
            "changes": [
                {"instance_id": each.instance_id, "type": event.event_type, "object_id": event.object_id}
                for each in new
                for event in each.events
            ],
            # A webhook that stores no payload names only the instances: the platform's list has their events.
            "instances": sorted({each.instance_id for each in new if not each.events and each.instance_id}),
            "cursor": {"until": now.isoformat(), "had": still_near},
        }

    @task
    def handle(found: dict[str, Any]) -> int:
        """Stand for the work; return the number of changes."""
        return len(found["changes"])

    @task
    def move_on(found: dict[str, Any]) -> None:
        """Remember that this much is done."""
        Variable.set(CURSOR, found["cursor"], serialize_json=True)

    found = what_changed()
    handle(found) >> move_on(found)
