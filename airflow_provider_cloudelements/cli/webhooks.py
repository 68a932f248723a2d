"""``webhook-connection``: makes the connection with which Airflow's API server accepts deliveries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.cli.frame import Argument, Command
from airflow_provider_cloudelements.cli.output import print_text
from airflow_provider_cloudelements.cli.running import CommandError, UsageError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_cloudelements.webhooks import WebhookSettings


def make_connection(arguments: argparse.Namespace) -> None:
    """Print a webhook's connection, or store it.

    :param arguments: The arguments of the command line.
    :raises CommandError: The command cannot make the connection.
    """
    from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
    from airflow_provider_cloudelements.webhooks import WebhookSettings, fault_of_conn_id, webhook_connection

    conn_id: str = arguments.conn_id
    if fault := fault_of_conn_id(conn_id):
        raise UsageError(f"--conn-id: {fault}")
    try:
        connection = webhook_connection(
            callback_url=arguments.callback_url, store_payload=arguments.store_payload
        )
    except CloudElementsValidationError as error:
        raise UsageError(str(error)) from None
    if arguments.show:
        # The key leaves the process only here: no logger sees it.
        print_text(f"{json.dumps(connection)}\n")
        return
    if not _store(conn_id, connection):
        raise CommandError(
            f"There is a connection {conn_id!r} already, and this command did not change it. For a new key "
            "delete it first. Then run again the tasks that turn events on: until then the platform signs "
            "deliveries with the old key."
        )
    print_text(f"Made the connection {conn_id!r}, with a new signature key.\n")
    for each in _left_to_do(WebhookSettings(conn_id, "", arguments.callback_url)):
        print_text(f"- {each}\n")


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

    from airflow_provider_cloudelements.client.wire.secrecy import shown_text
    from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

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
        address = shown_text(webhook.address())  # its query may hold a token, its login a password
        steps.append(f"Let the platform reach {address}, and nothing else of the API server.")
    except CloudElementsValidationError as error:
        steps.append(str(error))
    steps.append(
        f"Turn events on with CloudElementsEnableEventsOperator(webhook_conn_id={webhook.conn_id!r}, ...)."
    )
    return steps


COMMANDS = (
    Command(
        "webhook-connection",
        "Make the connection with which Airflow's API server accepts the platform's signed deliveries",
        make_connection,
        (
            Argument(
                "--conn-id",
                metavar="ID",
                default="webhook_cloudelements",
                help="The connection's id, webhook_NAME for the address /webhooks/NAME "
                "(default: %(default)s)",
            ),
            Argument(
                "--callback-url",
                metavar="URL",
                help="Address at which the platform reaches the webhook (default: Airflow's base_url and "
                "/webhooks/NAME)",
            ),
            Argument(
                "--store-payload",
                choices=("full", "none"),
                default="full",
                help="What asset events hold of a delivery: its full body, or none of it, so that no "
                "vendor's text is stored (default: %(default)s)",
            ),
            Argument(
                "--show",
                action="store_true",
                help="Print the connection as JSON, with its new signature key in clear, and store nothing "
                "(default: store it in Airflow's database, and show the key nowhere)",
            ),
        ),
    ),
)
