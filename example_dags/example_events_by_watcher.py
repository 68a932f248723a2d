"""Calendar events start this DAG: a watcher in the triggerer reads the platform's list of events.

Nothing has to reach Airflow from outside. Every ten seconds at most, what is new becomes one asset event
with a list of rows, and that starts a run.

When several asset events come while a run is at work, Airflow gives the next run the first of them only, and
leaves the others to the run that a later one starts. So this DAG does not rely on the events that a run was
started by. It also runs by time, and reads what came from a cursor of its own, kept in an Airflow variable
that moves on only when the work is done. What a failed run was given, the next is given again.

A restart of the triggerer repeats some rows, and before Airflow 3.3, which keeps no watcher's place, all
since ``START``: let your tasks bear them. A row that is repeated has the same ``id`` and ``object_id``.

Needs ``cloudelements_default``, and the instance that ``example_microsoft_graph_events`` makes. As long as
there is none, there are no events. See ``docs/events.md``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pendulum
from airflow.sdk import DAG, Variable, task
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_provider_cloudelements.assets import cloudelements_event_asset

#: Since when events count, for a watcher that does not know how far it was.
START = pendulum.datetime(2026, 1, 1)
MEETINGS = cloudelements_event_asset(
    "example meetings",
    instance_key="microsoftgraph/My calendar",
    object_types=["events"],
    start=START,
)
#: The variable: the time of the last asset event that was worked through.
CURSOR = "example_events_by_watcher_cursor"
#: So many asset events are read at once. Airflow looks up the runs of each, and a task waits five seconds for
#: an answer.
PAGE = 50


def came_since(events: Any, since: datetime) -> list[Any]:
    """Return the asset events after a moment. The watcher stores one after another, so none comes late."""
    if not hasattr(events, "after"):  # Airflow 3.1 only gives all that there are
        return [event for event in events if event.timestamp > since]
    came: list[Any] = []
    # A page begins with what has just that time.
    while page := [event for event in events.after(since).limit(PAGE) if event.timestamp > since]:
        came += page
        since = page[-1].timestamp
    return came


with DAG(
    "example_events_by_watcher",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("*/15 * * * *", timezone="UTC"), assets=[MEETINGS]
    ),
    start_date=START,
    catchup=False,
    max_active_runs=1,  # two would read the same
    tags=["cloudelements", "example"],
    doc_md=__doc__,
) as dag:

    @task(inlets=[MEETINGS])
    def what_changed(inlet_events: Any = None) -> dict[str, Any]:
        """Read what came since the cursor, and say what changed."""
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
        """Stand for the work; return how much there was."""
        return len(found["changes"])

    @task
    def move_on(found: dict[str, Any]) -> None:
        """Remember that this much is done."""
        Variable.set(CURSOR, found["cursor"])

    found = what_changed()
    handle(found) >> move_on(found)
