"""``plan``: compare a manifest with the account. ``apply`` plans in the same way."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.cli.account import account
from airflow_provider_cloudelements.cli.frame import CONN_ID, JSON, Argument, Command
from airflow_provider_cloudelements.cli.output import print_json, print_text
from airflow_provider_cloudelements.cli.running import CHANGES, CommandError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_cloudelements.client import CloudElementsClient
    from airflow_provider_cloudelements.connections import ElementSettings
    from airflow_provider_cloudelements.fleet import Plan

#: Arguments that say what a plan may do. The library has the defaults of those that are not given.
LIMITS = (
    Argument("--max-updates", type=int, metavar="N", help="Most instances that a safe plan changes in place"),
    Argument(
        "--max-update-percent",
        type=float,
        metavar="N",
        help="The same in per cent of the managed instances (default: 30)",
    ),
    Argument(
        "--max-delete-percent",
        type=float,
        metavar="N",
        help="Most instances that a safe plan deletes or replaces, in per cent of the managed instances "
        "(default: 30)",
    ),
    Argument(
        "--limits-from",
        type=int,
        metavar="N",
        help="The limits in per cent count only if at least so many instances are managed (default: 10)",
    ),
)
WHAT = (
    Argument(
        "--prune",
        action="store_true",
        help="Delete instances of this namespace that carry the ownership tag and that no row names",
    ),
    Argument(
        "--adopt",
        action="store_true",
        help="Let rows take over instances of the same name and element that have no key yet",
    ),
    *LIMITS,
)
FILES_HELP = "YAML or JSON files, or folders of them; together they are one manifest"


def print_plan(arguments: argparse.Namespace) -> int | None:
    """Print what would change; nothing is written."""
    with account(arguments.conn_id) as client:
        made = planned(client, arguments, max_deletes=arguments.max_deletes)
    if arguments.json:
        print_json(made.to_json())
    else:
        print_text(f"{made.table()}\nChecksum: {made.checksum}\n")
    return None if made.clean else CHANGES


def planned(client: CloudElementsClient, arguments: argparse.Namespace, **limits: Any) -> Plan:
    """Return the plan of the manifest that a command line names.

    :param client: The account.
    :param arguments: ``files``, and the values of :data:`WHAT`.
    :param limits: Further limits of :class:`~airflow_provider_cloudelements.fleet.Safety`.
    :raises CommandError: The manifest has problems; they are on stderr.
    """
    from airflow_provider_cloudelements.fleet import Safety, plan, read_manifest

    given = {
        **limits,
        "max_updates": arguments.max_updates,
        "max_update_percent": arguments.max_update_percent,
        "max_delete_percent": arguments.max_delete_percent,
        "least": arguments.limits_from,
    }
    safety = Safety(**{name: value for name, value in given.items() if value is not None})
    with problems_in_lines():
        return plan(
            client,
            read_manifest(*arguments.files),
            element_settings,
            prune=arguments.prune,
            adopt=arguments.adopt,
            safety=safety,
        )


def element_settings(conn_id: str) -> ElementSettings:
    """Read an element connection.

    :param conn_id: Its id.
    """
    from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsElementHook

    return CloudElementsElementHook(conn_id).get_conn()


@contextmanager
def problems_in_lines() -> Iterator[None]:
    """Let an error that lists many things have a line on stderr for each of them.

    :raises CommandError: Instead of that error, with what they have in common.
    """
    from airflow_provider_cloudelements.client.wire.secrecy import one_line
    from airflow_provider_cloudelements.exceptions import (
        CloudElementsManifestError,
        CloudElementsUnsafePlanError,
    )

    common = None
    try:
        yield
    except (CloudElementsManifestError, CloudElementsUnsafePlanError) as error:
        common, *each = str(error).splitlines()
        for line in each:
            sys.stderr.write(f"{one_line(line.strip())}\n")
    if common is not None:
        raise CommandError(common.rstrip(".:") + ".")


PLAN = Command(
    "plan",
    "Show what would change so that the account is as a manifest says",
    print_plan,
    (
        Argument("files", metavar="FILE", nargs="+", help=FILES_HELP),
        *WHAT,
        Argument(
            "--max-deletes", type=int, metavar="N", help="Most instances that a safe plan deletes or replaces"
        ),
        CONN_ID,
        JSON,
    ),
    description="Show what would change so that the account is as a manifest says. Nothing is written. It "
    "ends with 0 if all is as the manifest says, with 2 if something would change or an instance that "
    "differs is left alone, and with 1 on an error. What it prints with --json can be saved and given to "
    "apply.",
)
