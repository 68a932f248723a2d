"""After an outage of the receiver of events: release queued deliveries, and process events that never came.

Run it when the receiver works again. ``release`` makes the platform send what it has queued, and send on from
now on. ``sent_again`` waits until these deliveries have arrived or failed again, but no longer than
``wait_seconds``. ``compare`` reads the platform's list of events since ``outage_began``, and looks up which
of them the platform delivered to this receiver. ``process`` gets the other events: those that the platform
queued once more, gave up, or never made a notification of. No event is lost. An event may come twice, as it
may from the platform itself.

``instance_key`` names one instance that delivers to the receiver; the DAG treats all instances that do. It
needs ``cloudelements_default`` and that instance: by default the one of ``example_microsoft_graph_events``.
You can run it twice without harm: it remembers what it processed. See ``docs/events.md``.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, Variable, task

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators.deliveries import CloudElementsReleaseDeliveriesOperator

#: The most rows and bytes that one run passes on as XCom.
MOST_EVENTS, MOST_BYTES = 1_000, 262_144
#: The variable that holds the processed rows, as short hashes of the latest ones.
DONE, MOST_DONE = "example_events_after_outage_done", 10_000
#: Events may have failed until this long after the release: the platform's clock and ours may differ.
CLOCKS_DIFFER = pendulum.duration(minutes=1)

log = logging.getLogger(__name__)

with DAG(
    "example_events_after_outage",
    description="After an outage of the receiver of events: release queued deliveries, and process events "
    "that never came.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # two would process the same
    tags=["cloudelements", "example", "events", "operation"],
    doc_md=__doc__,
    params={
        "instance_key": Param(
            "microsoftgraph/My calendar",
            type="string",
            description="An instance that delivers to the receiver",
        ),
        "outage_began": Param(
            "earliest", type="string", description="A date, the cursor that a run ended with, or earliest"
        ),
        "settle_seconds": Param(
            600, type="integer", minimum=0, description="How late the platform may list an event"
        ),
        "wait_seconds": Param(
            3600, type="integer", minimum=0, description="Longest wait for the released deliveries"
        ),
    },
) as dag:

    def receiver(instance_key: str) -> tuple[Any, str]:
        """Return the client, and the receiver's address: it may hold a secret, so no XCom has it."""
        from airflow_provider_cloudelements.client.target import Target

        hook = CloudElementsHook()
        client = hook.get_conn()
        instance = Target.of(hook.settings, instance_key=instance_key).get(client.instances)
        if instance.event_callback_url is None:
            raise ValueError(f"Instance {instance.id} has no callback URL: its events are delivered nowhere.")
        return client, instance.event_callback_url

    release = CloudElementsReleaseDeliveriesOperator(
        task_id="release", instance_key="{{ params.instance_key }}"
    )

    @task.sensor(mode="reschedule", poke_interval=10, timeout=86_400)
    def sent_again(released: dict[str, Any], params: dict[str, Any] | None = None) -> bool:
        """Wait, with a limit, until no delivery is pending and the platform lists all events."""
        params = params or {}
        passed = (pendulum.now("UTC") - pendulum.parse(released["released_at"])).total_seconds()
        if passed < params["settle_seconds"]:
            return False
        if passed >= params["wait_seconds"]:
            log.warning("The wait ends here: the DAG now processes the events that were not delivered.")
            return True
        client, url = receiver(params["instance_key"])
        newest = released["newest"] and pendulum.parse(released["newest"])
        return not client.deliveries.waiting(url, newest)

    @task
    def compare(released: dict[str, Any], params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the events until the release that the platform did not deliver."""
        from airflow_provider_cloudelements.events.cursor import EventCursor
        from airflow_provider_cloudelements.events.reading import EventLimits
        from airflow_provider_cloudelements.events.reconcile import reconcile
        from airflow_provider_cloudelements.events.scan import MAX_PAGES

        params = params or {}
        client, url = receiver(params["instance_key"])
        found = reconcile(
            client,
            url,
            EventCursor.given(params["outage_began"]),
            until=pendulum.parse(released["released_at"]) + CLOCKS_DIFFER,
        )
        limits = EventLimits.of(max_events=MOST_EVENTS, max_bytes=MOST_BYTES, max_pages=MAX_PAGES)
        return found.as_json(limits)

    def short_hash(row: dict[str, Any]) -> str:
        return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:18]

    @task
    def process(found: dict[str, Any]) -> int:
        """Do what the receiver would do with each event, unless an earlier run did; return how many."""
        done = Variable.get(DONE, default=[], deserialize_json=True)
        rows = {short_hash(row): row for row in found["events"]}
        new = [key for key in rows if key not in set(done)]
        for key in new:
            log.info("Processed: %s", rows[key])  # here is the work
        Variable.set(DONE, [*done, *new][-MOST_DONE:], serialize_json=True)
        return len(new)

    @task
    def report(released: dict[str, Any], found: dict[str, Any], processed: int) -> dict[str, Any]:
        """Report the outcome of all events, and fail if there are more than one run takes."""
        told = {
            "released": released["queued"],
            "listed": found["listed"],
            "delivered": found["delivered"],
            "not_delivered": found["missing"],
            "by_state": found["states"],
            "of_no_instance": found["unattributed"],
            "processed": processed,
        }
        for name, value in told.items():
            log.info("%s: %s", name, value)
        if found["rest"]:
            raise RuntimeError(
                "There is more than one run takes. Trigger the DAG once more; its outage_began is what "
                "compare returned as rest, as JSON."
            )
        return told

    found = compare(release.output)
    sent_again(release.output) >> found
    report(release.output, found, process(found))
