"""Provide the command ``airflow cloudelements webhook-connection``.

The command makes the connection with which Airflow's API server accepts the platform's deliveries
(:mod:`airflow_provider_cloudelements.webhooks`). Airflow 3.1 reads no commands of providers. There, run
``python -m airflow_provider_cloudelements.cli webhook-connection``.

Every ``airflow`` command loads this module to find the command, so it imports inside its functions.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.webhooks import (
    DEFAULT_WEBHOOK_CONN_ID,
    STORED_PAYLOADS,
    WebhookSettings,
    fault_of_conn_id,
    webhook_connection,
)

if TYPE_CHECKING:
    import argparse

    from airflow.cli.cli_config import CLICommand

_MODULE = "airflow_provider_cloudelements.cli"
_GROUP = "cloudelements"
_COMMAND = "webhook-connection"
_DESCRIPTION = "Make the connection with which Airflow's API server accepts the platform's signed deliveries"
_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "--conn-id",
        {
            "default": DEFAULT_WEBHOOK_CONN_ID,
            "help": "The connection's id, webhook_NAME for the address /webhooks/NAME (default: %(default)s)",
        },
    ),
    (
        "--callback-url",
        # No brackets: Airflow's command line takes them for markup.
        {
            "help": "Address at which the platform reaches the webhook; default: Airflow's base_url and "
            "/webhooks/NAME"
        },
    ),
    (
        "--store-payload",
        {
            "choices": STORED_PAYLOADS,
            "default": STORED_PAYLOADS[0],
            "help": "What asset events hold of a delivery: its full body, or none of it, so that no "
            "vendor's text is stored (default: %(default)s)",
        },
    ),
    (
        "--show",
        {
            "action": "store_true",
            "help": "Print the connection as JSON, with its new signature key in clear, and store nothing; "
            "default: store it in Airflow's database, and show the key nowhere",
        },
    ),
)


def get_cli_commands() -> list[CLICommand]:
    """Return ``airflow cloudelements``, which Airflow 3.2 and later finds by the provider's metadata."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

    command = ActionCommand(
        name=_COMMAND,
        help=_DESCRIPTION,
        func=lazy_load_command(f"{_MODULE}.make_connection"),
        args=tuple(Arg((flag,), **options) for flag, options in _OPTIONS),  # type: ignore[no-untyped-call]
    )
    return [GroupCommand(name=_GROUP, help="Cloud Elements / SAP Open Connectors", subcommands=(command,))]


def make_connection(arguments: argparse.Namespace) -> None:
    """Print a webhook's connection, or store it.

    :param arguments: The arguments of the command line.
    :raises SystemExit: The command cannot make the connection; holds the reason.
    """
    conn_id: str = arguments.conn_id
    if fault := fault_of_conn_id(conn_id):
        raise SystemExit(f"--conn-id: {fault}")
    try:
        connection = webhook_connection(
            callback_url=arguments.callback_url, store_payload=arguments.store_payload
        )
    except CloudElementsValidationError as error:
        raise SystemExit(str(error)) from None
    if arguments.show:
        # The key leaves the process only here: no logger sees it.
        sys.stdout.write(f"{json.dumps(connection)}\n")
        return
    if not _store(conn_id, connection):
        raise SystemExit(
            f"There is a connection {conn_id!r} already, and this command did not change it. For a new key "
            "delete it first. Then run again the tasks that turn events on: until then the platform signs "
            "deliveries with the old key."
        )
    sys.stdout.write(f"Made the connection {conn_id!r}, with a new signature key.\n")
    for each in _left_to_do(WebhookSettings(conn_id, "", arguments.callback_url)):
        sys.stdout.write(f"- {each}\n")


def _store(conn_id: str, connection: Mapping[str, Any]) -> bool:
    """Store a connection in Airflow's database, unless one has its id; return whether it was stored."""
    from airflow.models.connection import Connection  # tasks read one, this stores one
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import IntegrityError

    made = Connection(conn_id=conn_id, **{**connection, "extra": json.dumps(connection["extra"])})
    try:
        with create_session() as session:
            if session.scalar(select(Connection).where(Connection.conn_id == conn_id).limit(1)):
                return False
            session.add(made)
    except IntegrityError:
        pass  # returned below: another process was quicker, and this error's text holds the values
    else:
        return True
    return False


def _left_to_do(webhook: WebhookSettings) -> list[str]:
    """Return the steps that are left until the webhook works, as far as this machine shows them."""
    from importlib.util import find_spec

    from airflow.configuration import conf

    steps = []
    if find_spec("airflow_inbound_webhooks") is None:
        steps.append(
            "Install airflow-provider-cloudelements[webhooks] where the API server runs, then run airflow db "
            "migrate."
        )
    names = conf.get("inbound_webhooks", "webhook_names", fallback="") or ""
    if webhook.name not in (each.strip() for each in names.split(",")):
        steps.append(f"Add {webhook.name} to [inbound_webhooks] webhook_names, and restart the API server.")
    try:
        steps.append(f"Let the platform reach {webhook.address()}, and nothing else of the API server.")
    except CloudElementsValidationError as error:
        steps.append(str(error))
    steps.append(
        f"Turn events on with CloudElementsEnableEventsOperator(webhook_conn_id={webhook.conn_id!r}, ...)."
    )
    return steps


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command without ``airflow cloudelements``: Airflow 3.1 reads no commands of providers.

    :param argv: The command line. Default: this process's.
    """
    import argparse

    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}")
    command = parser.add_subparsers(required=True).add_parser(
        _COMMAND, help=_DESCRIPTION, description=_DESCRIPTION
    )
    for flag, options in _OPTIONS:
        command.add_argument(flag, **options)
    make_connection(parser.parse_args(argv))
