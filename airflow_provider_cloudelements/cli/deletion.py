"""``instances delete``: the rules are those of CloudElementsDeleteInstanceOperator; here it asks."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.cli.account import account
from airflow_provider_cloudelements.cli.frame import CONN_ID, JSON, YES, Argument, Command
from airflow_provider_cloudelements.cli.output import confirm, counted, print_json, print_rows, print_text
from airflow_provider_cloudelements.cli.running import UsageError
from airflow_provider_cloudelements.cli.targets import COLUMNS, IDS, KEY, name, row_of, target_of

if TYPE_CHECKING:
    import argparse

    from airflow_provider_cloudelements.client import CloudElementsClient, Instance
    from airflow_provider_cloudelements.client.target import Target
    from airflow_provider_cloudelements.provisioning.removal import Removal

_AGE = re.compile(r"(?P<number>\d{1,6})(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def age(text: str) -> datetime.timedelta:
    """Read an age.

    :param text: A number with the letter of its unit: seconds, minutes, hours, days or weeks.
    :raises ArgumentTypeError: The text is no age.
    """
    found = _AGE.fullmatch(text.strip())
    if found is None:
        from argparse import ArgumentTypeError

        raise ArgumentTypeError(f"{text!r} is no age; write one as 90m, 12h, 7d or 2w")
    return datetime.timedelta(**{_UNITS[found["unit"]]: int(found["number"])})


def delete_instances(arguments: argparse.Namespace) -> int | None:
    """Delete instances by the rules of CloudElementsDeleteInstanceOperator, after a question."""
    from airflow_provider_cloudelements.provisioning.removal import remove

    if arguments.older_than is not None and not arguments.tag:
        raise UsageError("--older-than goes with --tag only.")
    if arguments.tag and arguments.older_than is None:
        raise UsageError("--tag needs --older-than, a least age: for instance --older-than 7d.")
    with account(arguments.conn_id) as client:
        removals = list(_removals(client, arguments))
        chosen = list(dict.fromkeys(each for removal in removals for each in removal.chosen))
        left = {reason: ids for removal in removals for reason, ids in removal.left.items()}
        for reason, ids in left.items():
            _report_left(reason, ids)
        if arguments.dry_run:
            _print_removed(arguments, chosen, [], left)
            return None
        if chosen:
            _confirm(client, removals, chosen, yes=arguments.yes)
        deleted: list[int] = []
        missing: list[int] = []
        try:
            for instance_id, there in remove(client.instances, chosen):
                (deleted if there else missing).append(instance_id)
        finally:  # one that fails must not hide which are gone
            _print_removed(arguments, deleted, missing, left)
    return None


def _targets(client: CloudElementsClient, arguments: argparse.Namespace) -> Iterator[Target]:
    for instance_id in arguments.instances or [None]:
        yield target_of(client, arguments, instance_id)


def _removals(client: CloudElementsClient, arguments: argparse.Namespace) -> Iterator[Removal]:
    from airflow_provider_cloudelements.provisioning.removal import removal_of

    for target in list(_targets(client, arguments)):
        removal = removal_of(
            client.instances, target, older_than=arguments.older_than, max_deletes=arguments.max_deletes
        )
        if target.instance_id is None and not removal.listed:
            sys.stderr.write(f"No instance has {target.name}: there is nothing to delete.\n")
        yield removal


def _report_left(reason: str, ids: list[int | None]) -> None:
    from airflow_provider_cloudelements.provisioning.removal import LEFT

    sys.stderr.write(f"{LEFT[reason] % ', '.join(map(str, ids))}\n")


def _confirm(
    client: CloudElementsClient, removals: Iterable[Removal], chosen: list[int], *, yes: bool
) -> None:
    """Show what would be deleted, and ask."""
    from airflow_provider_cloudelements.client.view import returned

    listed = {key: each for removal in removals for key, each in removal.listed.items()}

    def shown(instance_id: int) -> dict[str, Any]:
        instance = listed.get(instance_id) or _read(client, instance_id)
        return (
            {"id": instance_id, "name": "is gone already"} if instance is None else row_of(returned(instance))
        )

    confirm(
        f"Delete {counted(len(chosen), 'instance')}?",
        lambda: print_rows(map(shown, chosen), COLUMNS, none="", file=sys.stderr),
        yes=yes,
    )


def _read(client: CloudElementsClient, instance_id: int) -> Instance | None:
    from airflow_provider_cloudelements.exceptions import CloudElementsNotFoundError

    try:
        return client.instances.get(instance_id)
    except CloudElementsNotFoundError:
        return None


def _print_removed(
    arguments: argparse.Namespace, deleted: list[int], missing: list[int], left: dict[str, list[int | None]]
) -> None:
    if arguments.json:
        print_json({"deleted": deleted, "missing": missing, "left": left, "dry_run": arguments.dry_run})
        return
    for instance_id in deleted:
        print_text(f"{'Would delete' if arguments.dry_run else 'Deleted'} instance {instance_id}.\n")
    for instance_id in missing:
        print_text(f"Instance {instance_id} is gone already.\n")


DELETE = Command(
    "delete",
    "Delete instances: some by id, those of a key, or the old ones with a tag",
    delete_instances,
    (
        IDS,
        KEY,
        Argument(
            "--tag", type=name, help="Delete the instances with this tag that are older than --older-than"
        ),
        Argument("--older-than", type=age, metavar="AGE", help="Least age, such as 90m, 12h, 7d or 2w"),
        Argument(
            "--max-deletes",
            type=int,
            default=50,
            metavar="N",
            help="Most instances to delete by tag; it deletes none if there are more (default: %(default)s)",
        ),
        Argument("--dry-run", action="store_true", help="Only print what it would delete"),
        YES,
        CONN_ID,
        JSON,
    ),
    description="Delete instances, by the rules of CloudElementsDeleteInstanceOperator: some by id, those of "
    "a key, twins included, or the old ones with a tag. An instance that is gone already is no failure. The "
    "command shows the instances and asks first.",
)
