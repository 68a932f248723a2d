"""Name instances on the command line, and print them."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.cli.frame import Argument
from airflow_provider_cloudelements.cli.running import UsageError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_cloudelements.client import CloudElementsClient
    from airflow_provider_cloudelements.client.target import Target


def name(text: str) -> str:
    """Read a text that names something: a key, a tag, an element.

    :param text: The text.
    :raises ArgumentTypeError: It names nothing. Then the shell's variable was empty, or a program's ``None``.
    """
    with _checked():
        from airflow_provider_cloudelements.client.tags import named_text

        return named_text("the value", text)


def instance_id(text: str) -> int:
    """Read the id of an instance.

    :param text: Its digits.
    :raises ArgumentTypeError: It is no id.
    """
    with _checked():
        from airflow_provider_cloudelements.client.parsing import instance_id_of

        return instance_id_of(text)


@contextmanager
def _checked() -> Iterator[None]:
    """Let the parser report a wrong value. What is imported to check it loads Airflow, which may print."""
    with redirect_stdout(sys.stderr):
        from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

        try:
            yield
        except CloudElementsValidationError as error:
            raise ArgumentTypeError(str(error)) from None


KEY = Argument(
    "--key", help="The instance key, as given to the create operator, or its default element/name", type=name
)
TAG = Argument("--tag", help="A tag that it has, letter by letter", type=name)
WITH_TAG = Argument("--tag", help="Only instances with this tag", type=name)
ELEMENT = Argument("--element", metavar="KEY", help="Only instances of the element with this key", type=name)
IDS = Argument("instances", metavar="ID", nargs="*", type=instance_id, help="Ids of instances")

#: Columns of a table of instances.
COLUMNS = ("id", "name", "element", "state", "events", "created", "tags")


def target_of(client: CloudElementsClient, arguments: argparse.Namespace, instance_id: int | None) -> Target:
    """Return the target that the one given of id, key and tag names.

    :param client: The account.
    :param arguments: ``key`` and ``tag``.
    :param instance_id: The id.
    :raises UsageError: Not exactly one of the three is given, or it is malformed.
    """
    from airflow_provider_cloudelements.client.target import Target, way_of
    from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

    try:
        way_of({"ID": instance_id, "--key": arguments.key, "--tag": arguments.tag}, in_a_dag=False)
        return Target.of(
            client.settings, instance_id=instance_id, instance_key=arguments.key, tag=arguments.tag
        )
    except CloudElementsValidationError as error:
        raise UsageError(str(error)) from None


def row_of(instance: dict[str, Any]) -> dict[str, Any]:
    """Return an instance as a row of a table.

    :param instance: The instance, as ``client.view.returned`` returns it.
    """
    state = "disabled" if instance["disabled"] else "valid" if instance["valid"] else "invalid"
    events = "on" if instance["events_enabled"] else "off"
    return {**instance, "state": state, "events": events, "created": instance["created_date"]}
