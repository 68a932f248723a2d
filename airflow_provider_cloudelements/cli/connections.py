"""``test``: whether a connection works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_cloudelements.cli.account import connection_of
from airflow_provider_cloudelements.cli.frame import JSON, Argument, Command
from airflow_provider_cloudelements.cli.output import print_json, print_text
from airflow_provider_cloudelements.cli.running import DONE, FAILED, CommandError

if TYPE_CHECKING:
    import argparse


def test_connection(arguments: argparse.Namespace) -> int:
    """Do what the Test button does, also where Airflow's configuration disables the button."""
    from airflow_provider_cloudelements.connection_form import ELEMENT_CONN_TYPE
    from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsElementHook, CloudElementsHook

    conn_id = arguments.connection
    of_element = connection_of(conn_id).conn_type == ELEMENT_CONN_TYPE
    hook = CloudElementsElementHook(conn_id) if of_element else CloudElementsHook(conn_id)
    works, message = hook.test_connection()
    if arguments.json:
        print_json({"conn_id": conn_id, "works": works, "message": message})
    elif works:
        print_text(f"{message}\n")
    else:
        raise CommandError(message)
    return DONE if works else FAILED


COMMANDS = (
    Command(
        "test",
        "Test a connection of type cloudelements or cloudelements_element",
        test_connection,
        (
            Argument(
                "connection",
                metavar="CONN_ID",
                nargs="?",
                default="cloudelements_default",
                help="The connection's id (default: %(default)s)",
            ),
            JSON,
        ),
        description="Test a connection: whether the platform accepts its secrets, or, for an element's "
        "connection, whether its fields are well-formed and the platform of cloudelements_default has the "
        "element. Ends with 1 if it does not work.",
    ),
)
