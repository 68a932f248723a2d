"""After an outage of the receiver of events: release queued deliveries, and process events that never came.

Run it when the receiver works again. ``release`` makes the platform send what it has queued, and send on from
now on. ``sent_again`` waits until these deliveries have arrived or failed again, but no longer than
``wait_seconds``. ``compare`` reads the platform's list of events since ``outage_began``, and looks up which
of them the platform delivered to this receiver. ``process`` gets the other events: those that the platform
queued once more, gave up, or never made a notification of. No event is lost.

``instance_key`` names one instance that delivers to the receiver; the DAG treats all instances that do. It
needs ``cloudelements_default`` and that instance: by default the one of ``example_microsoft_graph_events``.
You can run it twice without harm: ``outage_began`` is for the first run, and a further run begins where the
last successful one ended. See ``docs/events.md``.
"""

from __future__ import annotations

import logging
from typing import Any

import pendulum
from airflow.sdk import DAG, Param, task

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook
from airflow_provider_cloudelements.operators.deliveries import CloudElementsReleaseDeliveriesOperator
from airflow_provider_cloudelements.operators.event_reading import CloudElementsReconcileEventsOperator

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
            "earliest", type="string", description="For the first run: a date, or earliest"
        ),
        "settle_seconds": Param(
            600, type="integer", minimum=0, description="How late the platform may list an event"
        ),
        "wait_seconds": Param(
            3600, type="integer", minimum=0, description="Longest wait for the released deliveries"
        ),
    },
) as dag:
    release = CloudElementsReleaseDeliveriesOperator(
        task_id="release", instance_key="{{ params.instance_key }}"
    )

    @task.sensor(mode="reschedule", poke_interval=10, timeout=86_400)
    def sent_again(released: dict[str, Any], params: dict[str, Any] | None = None) -> bool:
        """Wait, with a limit, until no delivery is pending and the platform lists all events."""
        from airflow_provider_cloudelements.client.target import Target

        params = params or {}
        passed = (pendulum.now("UTC") - pendulum.parse(released["released_at"])).total_seconds()
        if not params["settle_seconds"] <= passed < params["wait_seconds"]:
            return passed >= params["settle_seconds"]
        hook = CloudElementsHook()
        client = hook.get_conn()
        instance = Target.of(hook.settings, instance_key=params["instance_key"]).get(client.instances)
        newest = released["newest"] and pendulum.parse(released["newest"])
        return not client.deliveries.waiting(str(instance.event_callback_url), newest)

    # [start: compare]
    compare = CloudElementsReconcileEventsOperator(
        task_id="compare",
        instance_key="{{ params.instance_key }}",
        start="{{ params.outage_began }}",  # for the first run
        until="{{ ti.xcom_pull(task_ids='release')['released_at'] }}",
        settle_time=0,  # the task before it has waited
    )
    # [end: compare]

    @task
    def process(found: dict[str, Any]) -> int:
        """Do what the receiver would do with each event; return how many there are."""
        for row in found["events"]:
            log.info("Processed: %s", row)  # here is the work
        return len(found["events"])

    sent_again(release.output) >> compare
    process(compare.output)
