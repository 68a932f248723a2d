"""What the benchmarks of a fleet share: its manifest, its connection, and the calls that a sandbox counts."""

from __future__ import annotations

from collections import Counter

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.connections import ElementSettings
from airflow_provider_cloudelements.fleet import Manifest, Plan, Report, apply, plan, read_manifest
from airflow_provider_cloudelements.sandbox import Sandbox
from benchmarks.setting import ELEMENT

INSTANCES = 10_000
#: Rows of a page, as the client asks for them.
PAGE = 200
LIST = "GET /instances"
CREATE = "POST /instances"


def manifest_of(count: int) -> Manifest:
    """Return the manifest of a fleet.

    :param count: Number of instances.
    """
    return read_manifest(
        {
            "ownership_tag": "managed-by-airflow",
            "defaults": {"element": ELEMENT, "element_conn_id": "closeio_app", "events_enabled": True},
            "instances": [
                {"key": f"tenant-{n}", "name": f"Tenant {n}", "tags": ["gold"]} for n in range(count)
            ],
        }
    )


def credentials(conn_id: str) -> ElementSettings:
    """Return the element connection of the fleet.

    :param conn_id: Its id.
    """
    values = {
        "username": "benchmark",
        "password": "not-a-real-password",
        "event.notification.callback.url": "https://example.com/events",
    }
    return ElementSettings(ELEMENT, "basic", values, conn_id=conn_id)


def planned(client: CloudElementsClient, manifest: Manifest) -> Plan:
    """Plan."""
    return plan(client, manifest, credentials)


def created(client: CloudElementsClient, manifest: Manifest, at_once: int) -> Report:
    """Make the instances of a manifest, in an account without instances."""
    made = planned(client, manifest)
    report = apply(client, made, made.checksum, credentials, concurrency=at_once)
    assert report.ok, report.markdown()
    return report


def calls(sandbox: Sandbox) -> Counter[str]:
    """Return how many calls a sandbox has had, by verb and route."""
    return Counter(sandbox.counters()["by_call"])
