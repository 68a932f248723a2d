"""Calendar events start this DAG: a watcher in the triggerer reads the platform's list of events.

Nothing needs to reach Airflow from outside. Every ten seconds at most, the watcher makes one asset event of
the new events, with a list of rows. The asset event starts a run.

When several asset events come while a run is at work, Airflow gives the next run only the first of them, and
leaves the others to the run that a later one starts. So this DAG does not rely on the events that started its
run. It also runs by time, and reads from a cursor of its own. It keeps the cursor in an Airflow variable,
which moves on only when the work is done. The next run reads again what a failed run has read.

A restart of the triggerer repeats some rows. Your tasks must tolerate that: a repeated row has the same
``id`` and ``object_id``. ``example_events_collected`` needs no cursor of its own.

Needs ``cloudelements_default``, and the instance that ``example_microsoft_graph_events`` makes. Without the
instance there are no events. See ``docs/events.md``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pendulum
from airflow.sdk import DAG, Variable, task
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

# [start: asset]
from airflow_provider_cloudelements.assets import cloudelements_event_asset

# [end: asset]

# [start: asset]
#: The moment from which events count, for a watcher that has no saved place.
START = pendulum.datetime(2026, 1, 1)
MEETINGS = cloudelements_event_asset(
    "example meetings",
    instance_key="microsoftgraph/My calendar",
    object_types=["events"],
    start=START,
)
# [end: asset]
#: The variable that holds the time of the last processed asset event.
CURSOR = "example_events_by_watcher_cursor"
#: How many asset events the DAG reads at once. Airflow looks up the runs of each, and a task waits five
#: seconds for an answer.
PAGE = 50


def came_since(events: Any, since: datetime) -> list[Any]:
    """Return the asset events after a moment. The watcher stores them one by one, so none comes late."""
    if not hasattr(events, "after"):  # Airflow 3.1 only gives all of them
        return [event for event in events if event.timestamp > since]
    came: list[Any] = []
    # A page begins with the events of exactly that time.
    while page := [event for event in events.after(since).limit(PAGE) if event.timestamp > since]:
        came += page
        since = page[-1].timestamp
    return came


with DAG(
    "example_events_by_watcher",
    description="Calendar events start this DAG: a watcher in the triggerer reads the platform's list of "
    "events.",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/15 * * * *", timezone="UTC"), assets=[MEETINGS]
    ),
    start_date=START,
    catchup=False,
    max_active_runs=1,  # two would read the same
    tags=["cloudelements", "example", "events"],
    doc_md=__doc__,
) as dag:

    @task(inlets=[MEETINGS])
    def what_changed(inlet_events: Any = None) -> dict[str, Any]:
        """Read the asset events since the cursor, and return what changed."""
        since = pendulum.parse(Variable.get(CURSOR, default=START.isoformat()))
        came = came_since(inlet_events[MEETINGS], since)
        new = [event for event in came if "payload" in event.extra]
        return {
            "changes": [
                {"instance_id": row["instance_id"], "type": row["event_type"], "object_id": row["object_id"]}
                for event in new
                for row in event.extra["payload"]["events"]
            ],
            "cursor": max([since, *(event.timestamp for event in new)]).isoformat(),
        }

    @task
    def handle(found: dict[str, Any]) -> int:
        """Stand for the work; return the number of changes."""
        return len(found["changes"])

    @task
    def move_on(found: dict[str, Any]) -> None:
        """Remember that this much is done."""
        Variable.set(CURSOR, found["cursor"])

    found = what_changed()
    handle(found) >> move_on(found)
