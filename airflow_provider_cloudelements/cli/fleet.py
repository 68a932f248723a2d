"""``plan``, ``apply``, ``export`` and ``schema``: instances as a manifest says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_cloudelements.cli.account import account
from airflow_provider_cloudelements.cli.applying import APPLY
from airflow_provider_cloudelements.cli.frame import CONN_ID, YES, Argument, Command
from airflow_provider_cloudelements.cli.output import confirm, counted, print_text
from airflow_provider_cloudelements.cli.planning import PLAN
from airflow_provider_cloudelements.cli.running import CommandError
from airflow_provider_cloudelements.cli.targets import ELEMENT, WITH_TAG

if TYPE_CHECKING:
    import argparse


def export_instances(arguments: argparse.Namespace) -> None:
    """Write a manifest of what the account has."""
    from airflow_provider_cloudelements.fleet import export

    target = None if arguments.output is None else Path(arguments.output)
    exists = target is not None and target.exists()
    if exists:
        confirm(f"Replace the file {arguments.output}?", yes=arguments.yes)
    with account(arguments.conn_id) as client:
        exported = export(client, element=arguments.element, tag=arguments.tag)
    if target is None:
        print_text(exported.text)
    else:
        try:
            # A file that appeared since the question is nobody's to replace.
            with target.open("w" if exists else "x", encoding="utf-8", newline="\n") as file:
                file.write(exported.text)
        except OSError as error:
            raise CommandError(f"{arguments.output} cannot be written: {error.strerror}.") from None
    left = f", {len(exported.left_out)} left out" if exported.left_out else ""
    sys.stderr.write(f"{counted(exported.instances, 'instance')} exported{left}.\n")


def print_schema(arguments: argparse.Namespace) -> None:
    """Print the JSON Schema of manifests; nothing is called."""
    from airflow_provider_cloudelements.fleet.schema import shipped_schema

    print_text(shipped_schema())


EXPORT = Command(
    "export",
    "Write a manifest of the instances that the account has, without secrets",
    export_instances,
    (
        Argument("--output", "-o", metavar="FILE", help="Write this file (default: to standard output)"),
        WITH_TAG,
        ELEMENT,
        YES,
        CONN_ID,
    ),
    description="Write a manifest of the instances that the account has, without secrets. A plan of it is "
    "empty. It asks before it replaces a file.",
)
SCHEMA = Command(
    "schema",
    "Print the JSON Schema of manifests, for editors; it needs no connection",
    print_schema,
)

COMMANDS = (PLAN, APPLY, EXPORT, SCHEMA)
