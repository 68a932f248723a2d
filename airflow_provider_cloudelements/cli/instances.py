"""``instances``: what is there, and whether it works; and ``marker``, by which a key finds its instance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.cli.account import account, settings_of
from airflow_provider_cloudelements.cli.deletion import DELETE
from airflow_provider_cloudelements.cli.frame import CONN_ID, JSON, Argument, Command, Group
from airflow_provider_cloudelements.cli.output import print_fields, print_json, print_rows, print_text
from airflow_provider_cloudelements.cli.running import DONE, UNHEALTHY, UsageError
from airflow_provider_cloudelements.cli.targets import (
    COLUMNS,
    ELEMENT,
    IDS,
    KEY,
    TAG,
    WITH_TAG,
    instance_id,
    name,
    row_of,
    target_of,
)

if TYPE_CHECKING:
    import argparse

    from airflow_provider_cloudelements.client import CloudElementsClient
    from airflow_provider_cloudelements.provisioning.health import Checkup

_HEALTH = ("id", "name", "element", "state", "detail")


def list_instances(arguments: argparse.Namespace) -> None:
    """Print the account's instances, or those with some tags or of an element."""
    from airflow_provider_cloudelements.client.view import returned

    with account(arguments.conn_id) as client:
        found = [
            returned(each) for each in client.instances.list(tags=arguments.tag, element=arguments.element)
        ]
    if arguments.json:
        print_json(found)
    else:
        print_rows(map(row_of, found), COLUMNS, none="There are no such instances.")


def show_instance(arguments: argparse.Namespace) -> None:
    """Print one instance, with what may be shown of its configuration."""
    from airflow_provider_cloudelements.client.tags import own_tags
    from airflow_provider_cloudelements.client.view import returned
    from airflow_provider_cloudelements.client.wire import secrecy

    with account(arguments.conn_id) as client:
        instance = target_of(client, arguments, arguments.instance).get(client.instances)
    callback = instance.event_callback_url
    shown = {
        **returned(instance),
        "own_tags": list(own_tags(instance.tags)),
        "event_callback_url": None if callback is None else secrecy.shown_text(callback),
        "configuration": secrecy.shown(instance.configuration),
    }
    if arguments.json:
        print_json(shown)
        return
    configuration = shown.pop("configuration")
    print_fields(shown)
    if configuration:
        print_text("\n")
        rows = ({"configuration": key, "value": value} for key, value in sorted(configuration.items()))
        print_rows(rows, ("configuration", "value"), none="")


def ping_instances(arguments: argparse.Namespace) -> int:
    """Print whether instances work: by their state on the platform and, if that is good, by a ping."""
    with account(arguments.conn_id) as client:
        checked = list(_checked(client, arguments))
    rows = [_health(instance_id, checkup) for instance_id, checkup in checked]
    if arguments.json:
        print_json(rows)
    else:
        print_rows(rows, _HEALTH, none="There are no such instances.")
    return DONE if all(checkup is not None and checkup.healthy for _, checkup in checked) else UNHEALTHY


def print_marker(arguments: argparse.Namespace) -> None:
    """Print the tags by which a key finds its instance."""
    from airflow_provider_cloudelements.client.tags import Identity, named_text

    if arguments.namespace is None:
        identity = Identity.of(settings_of(arguments.conn_id), arguments.key, "KEY")
    else:
        identity = Identity(arguments.namespace, named_text("KEY", arguments.key))
    tags = {
        "marker": identity.marker,
        "key_tag": identity.key_tag,
        "key": identity.key,
        "namespace": identity.namespace,
    }
    if arguments.json:
        print_json(tags)
    else:
        print_fields(tags)


def _checked(
    client: CloudElementsClient, arguments: argparse.Namespace
) -> Iterator[tuple[int, Checkup | None]]:
    from airflow_provider_cloudelements.provisioning.health import sweep, sweep_ids

    if arguments.instances:
        if arguments.tag or arguments.element:
            raise UsageError("ID goes with neither --tag nor --element.")
        yield from sweep_ids(client.instances, dict.fromkeys(arguments.instances))
        return
    for checkup in sweep(client.instances, tag=arguments.tag, element=arguments.element):
        yield checkup.instance.id, checkup


def _health(instance_id: int, checkup: Checkup | None) -> dict[str, Any]:
    if checkup is None:
        return {"id": instance_id, "name": None, "element": None, "state": "missing", "detail": None}
    instance = checkup.instance
    return {
        "id": instance.id,
        "name": instance.name,
        "element": instance.element_key,
        "state": checkup.state.value,
        "detail": checkup.detail,
    }


LIST = Command(
    "list",
    "List instances",
    list_instances,
    (
        Argument(
            "--tag",
            action="append",
            default=[],
            type=name,
            help="Only instances with this tag; if you repeat it, with all of them",
        ),
        ELEMENT,
        CONN_ID,
        JSON,
    ),
)
SHOW = Command(
    "show",
    "Show one instance, named by its id, key or tag",
    show_instance,
    (
        Argument("instance", metavar="ID", nargs="?", type=instance_id, help="The instance's id"),
        KEY,
        TAG,
        CONN_ID,
        JSON,
    ),
    description="Show one instance, named by its id, key or tag, with what is known to be harmless of its "
    "configuration. Asterisks stand for the rest. It never shows the token.",
)
PING = Command(
    "ping",
    "Check whether instances work: some by id, or all with a tag or of an element",
    ping_instances,
    (IDS, WITH_TAG, ELEMENT, CONN_ID, JSON),
    description="Check whether instances work: by their state on the platform and, if that is good, by a "
    "ping of their vendor. Without id, tag and element it checks the whole account. It ends with 3 if an "
    "instance is not healthy or does not exist.",
)
MARKER = Command(
    "marker",
    "Show the tags by which a key finds its instance",
    print_marker,
    (
        Argument("key", metavar="KEY", help="The instance key, without the namespace", type=name),
        Argument("--namespace", help="The namespace (default: that of the connection)"),
        CONN_ID,
        JSON,
    ),
    description="Show the tags by which a key finds its instance. To adopt an instance that a person made by "
    "hand, give it the marker as a tag.",
)

COMMANDS = (
    Group(
        "instances",
        "Element instances: what is there, and whether it works",
        (LIST, SHOW, PING, DELETE),
    ),
    MARKER,
)
