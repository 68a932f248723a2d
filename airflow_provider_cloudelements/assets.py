"""Make assets whose DAGs run when a vendor reports an event, or when operators find something of a fleet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from airflow.sdk import Asset, AssetWatcher

from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID

__all__ = ["FLEET_FINDINGS", "cloudelements_event_asset", "cloudelements_fleet_asset"]

#: What operators with ``emit_assets=True`` find of the instances of a connection.
FLEET_FINDINGS = ("unhealthy", "drift", "changed")


def cloudelements_event_asset(
    name: str,
    *,
    cloudelements_conn_id: str = DEFAULT_CONN_ID,
    instance_id: int | str | Mapping[str, Any] | None = None,
    instance_key: str | None = None,
    tag: str | None = None,
    object_types: Collection[str] | None = None,
    event_types: Collection[str] | None = None,
    where: Mapping[str, Any] | None = None,
    start: Any = "now",
    poll_interval: float = 10.0,
    include_raw: bool = False,
    uri: str | None = None,
    group: str | None = None,
    extra: dict[str, Any] | None = None,
    **limits: int,
) -> Asset:
    """Return an asset whose DAGs run when there are events, with the watcher that looks for them.

    .. code-block:: python

        orders = cloudelements_event_asset("shop orders", tag="shop", object_types=["orders"])

        with DAG("on_orders", schedule=[orders]):

            @task
            def show(triggering_asset_events):
                for event in triggering_asset_events[orders]:
                    for row in event.extra["payload"]["events"]:
                        print(row["event_type"], row["object_id"])

    A run may be for several asset events, each with a list. Delivery is at least once.
    :class:`~airflow_provider_cloudelements.triggers.events.CloudElementsEventTrigger` describes what happens
    after a restart or a pause.

    A DAG file that calls it loads Airflow's triggers when Airflow parses it, because Airflow needs the
    trigger object. That costs a tenth of loading ``airflow.sdk``.

    :param name: Name of the asset and of its watcher. It must be unique.
    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    :param instance_id: Events of this instance: an integer, its digits, or what the create operator returned.
        Give exactly one of ``instance_id``, ``instance_key`` and ``tag``.
    :param instance_key: Events of the instance with this key, as given to the create operator.
    :param tag: Events of all instances that have this tag now, or had it at the event.
    :param object_types: Only events of these kinds of object, as the element names them.
    :param event_types: Only ``CREATED``, ``UPDATED``, ``DELETED``, ``UNKNOWN``, in any case.
    :param where: Only events whose values match: paths to values, as in ``CloudElementsEventSensor``.
    :param start: Where it begins: ``now``, ``earliest`` (all that the platform still has), or a date.
    :param poll_interval: Seconds between two looks, and two asset events, at least 1. Default: 10.
    :param include_raw: Whether each row holds the vendor's body as well, up to 16,384 bytes of each. Airflow
        then stores it in clear in its database. Default: ``False``.
    :param uri: The asset's URI. Default: its name.
    :param group: The asset's group.
    :param extra: The asset's extra.
    :param limits: ``max_events``, ``max_bytes`` and ``max_pages`` of the trigger.
    :raises CloudElementsValidationError: Not exactly one of the three is given, or an argument is malformed.
    :raises ValueError: A number is out of bounds, or the name is empty.
    :raises TypeError: An argument does not exist.
    """
    from airflow_provider_cloudelements.client.arguments import refuse_unknown
    from airflow_provider_cloudelements.triggers.events import CloudElementsEventTrigger

    refuse_unknown(
        "cloudelements_event_asset()", limits, cloudelements_event_asset, CloudElementsEventTrigger
    )
    trigger = CloudElementsEventTrigger(
        name=name,
        cloudelements_conn_id=cloudelements_conn_id,
        instance_id=instance_id,
        instance_key=instance_key,
        tag=tag,
        object_types=object_types,
        event_types=event_types,
        where=where,
        start=start,
        poll_interval=poll_interval,
        include_raw=include_raw,
        **limits,
    )
    given = {"uri": uri, "group": group, "extra": extra}
    more: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    return Asset(name=name, watchers=[AssetWatcher(name=name, trigger=trigger)], **more)


def cloudelements_fleet_asset(finding: str, cloudelements_conn_id: str = DEFAULT_CONN_ID) -> Asset:
    """Return the asset that the check, plan and apply operators of a connection update, if told to.

    .. code-block:: python

        unhealthy = cloudelements_fleet_asset("unhealthy")

        with DAG("repair", schedule=[unhealthy]):

            @task
            def show(triggering_asset_events):
                for event in triggering_asset_events[unhealthy]:
                    print(event.extra["connection"], event.extra["counts"])

    Each of these operators takes ``emit_assets=True``. It then updates the asset only if it found something,
    and only if its task succeeds: Airflow stores no asset event of a task that fails.

    :param finding: ``unhealthy``: ``CloudElementsCheckInstancesOperator`` found instances that are not
        healthy, or do not exist; ``drift``: ``CloudElementsPlanInstancesOperator`` found that the account is
        not as the manifest says; ``changed``: ``CloudElementsApplyInstancesOperator`` changed something.
    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    :return: The asset ``cloudelements/CONNECTION/FINDING``. Its events hold ``connection`` and numbers.
    :raises CloudElementsValidationError: ``finding`` is another word, or the id is empty or no text.
    """
    from airflow_provider_cloudelements.client.arguments import one_of
    from airflow_provider_cloudelements.client.tags import named_text

    one_of("finding", finding, FLEET_FINDINGS)
    return Asset(f"cloudelements/{named_text('cloudelements_conn_id', cloudelements_conn_id)}/{finding}")
