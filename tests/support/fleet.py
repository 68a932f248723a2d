"""What tests of the fleet share: element connections, manifests, and a plan applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.connections import ElementSettings
from airflow_provider_cloudelements.fleet import Manifest, Plan, Report, apply, plan, read_manifest
from tests.support.platform import CALLBACK

TAG = "managed-by-airflow"
#: A secret with what URLs quote.
PASSWORD = "first/pass+word="


def connection(password: str = PASSWORD, **configuration: Any) -> ElementSettings:
    """Return the element connection of a Close account."""
    values = {
        "username": "ada",
        "password": password,
        "event.notification.callback.url": CALLBACK,
        **configuration,
    }
    return ElementSettings("closeio", "basic", values, conn_id="closeio_app")


class Connections(dict[str, ElementSettings]):
    """The element connections of an Airflow, by id."""

    def __init__(self, **more: ElementSettings) -> None:
        super().__init__({"closeio_app": connection(), **more})

    def __call__(self, conn_id: str) -> ElementSettings:
        return self[conn_id]


def manifest_of(*rows: Mapping[str, Any], tag: str | None = TAG, **defaults: Any) -> Manifest:
    """Return a manifest of Close accounts."""
    given = {"element_conn_id": "closeio_app", **defaults}
    whole: dict[str, Any] = {"defaults": given, "instances": list(rows)}
    if tag is not None:
        whole["ownership_tag"] = tag
    return read_manifest(whole)


def tenants(count: int, first: int = 1, **more: Any) -> list[dict[str, Any]]:
    """Return rows of tenants."""
    return [{"key": f"tenant-{n}", "name": f"Tenant {n}", **more} for n in range(first, first + count)]


def applied(client: CloudElementsClient, manifest: Manifest, credentials: Connections, **more: Any) -> Report:
    """Plan and apply a manifest. Every change must succeed."""
    made, report = both(client, manifest, credentials, **more)
    assert report.ok, report.markdown()
    assert len(report.results) == len(made.changes)
    return report


def both(
    client: CloudElementsClient, manifest: Manifest, credentials: Connections, **more: Any
) -> tuple[Plan, Report]:
    """Plan and apply a manifest."""
    of_apply = {
        name: more.pop(name)
        for name in (
            "force",
            "concurrency",
            "fail_fast",
            "settle_time",
            "max_changes",
            "max_deletes",
            "on_progress",
        )
        if name in more
    }
    made = Plan.from_json(plan(client, manifest, credentials, **more).to_json())
    return made, apply(client, made, made.checksum, credentials, **of_apply)


def kinds(made: Plan) -> list[tuple[str, str]]:
    """Return kind and key of each change."""
    return [(str(each.kind), each.key) for each in made.changes]
