"""``elements``: the catalogue of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.cli.account import account
from airflow_provider_cloudelements.cli.frame import CONN_ID, JSON, Argument, Command, Group
from airflow_provider_cloudelements.cli.output import print_fields, print_json, print_rows

if TYPE_CHECKING:
    import argparse

    from airflow_provider_cloudelements.client import Element
    from airflow_provider_cloudelements.client.elements import ElementsApi


def list_elements(arguments: argparse.Namespace) -> None:
    """Print the elements of which the account can make instances."""
    with account(arguments.conn_id) as client:
        elements = [_row(each) for each in client.elements.list() if not each.deleted]
    elements.sort(key=lambda each: str(each["key"]))
    if arguments.json:
        print_json(elements)
    else:
        print_rows(
            elements, ("key", "name", "hub", "authentication", "active"), none="There are no elements."
        )


def show_element(arguments: argparse.Namespace) -> None:
    """Print what an element needs of an instance, and what it can do with events."""
    with account(arguments.conn_id) as client:
        element = _element(client.elements, arguments.element)
        metadata = client.elements.metadata(arguments.element if element.id is None else element.id)
        keys = client.elements.configuration(arguments.element)
    shown = {
        **_row(element),
        "id": element.id,
        "events": metadata.events_supported,
        "event_methods": list(metadata.event_methods),
        "required_configuration": [each.key for each in keys if each.required],
        "optional_configuration": [each.key for each in keys if not each.required],
    }
    if arguments.json:
        print_json(shown)
    else:
        print_fields(shown)


def _element(elements: ElementsApi, key: str) -> Element:
    """Read an element.

    :raises CloudElementsNotFoundError: There is none. The error names the nearest one.
    """
    from airflow_provider_cloudelements.exceptions import CloudElementsNotFoundError
    from airflow_provider_cloudelements.provisioning.codes import check_element

    try:
        return elements.get(key)
    except CloudElementsNotFoundError:
        check_element(elements, key, given="KEY")
        raise


def _row(element: Element) -> dict[str, Any]:
    return {
        "key": element.key,
        "name": element.name,
        "hub": element.hub,
        "authentication": element.authentication,
        "active": element.active,
    }


COMMANDS = (
    Group(
        "elements",
        "The catalogue: what there can be instances of",
        (
            Command("list", "List the elements", list_elements, (CONN_ID, JSON)),
            Command(
                "show",
                "Show what an element needs, and what it can do with events",
                show_element,
                (
                    Argument("element", metavar="KEY", help="The element's key, such as microsoftgraph"),
                    CONN_ID,
                    JSON,
                ),
            ),
        ),
    ),
)
