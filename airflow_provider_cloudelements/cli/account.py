"""The account that a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.cli.running import CommandError

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client import CloudElementsClient
    from airflow_provider_cloudelements.connections import ConnectionSettings
    from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook


@contextmanager
def account(conn_id: str) -> Iterator[CloudElementsClient]:
    """Give the client of a connection's account.

    :param conn_id: Id of a connection of type ``cloudelements``, which Airflow finds in the environment, in a
        secrets backend or in its database.
    :raises CommandError: There is no such connection.
    :raises CloudElementsConnectionError: A field of it is missing or malformed.
    """
    with _hook(conn_id).get_conn() as client:
        yield client


def settings_of(conn_id: str) -> ConnectionSettings:
    """Return a connection's settings; nothing is called.

    :param conn_id: Id of a connection of type ``cloudelements``.
    :raises CommandError: There is no such connection.
    :raises CloudElementsConnectionError: A field of it is missing or malformed.
    """
    return _hook(conn_id).settings


def _hook(conn_id: str) -> CloudElementsHook:
    from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsHook

    connection_of(conn_id)
    return CloudElementsHook(conn_id)


def connection_of(conn_id: str) -> Any:
    """Read a connection, of any type.

    :param conn_id: Its id.
    :raises CommandError: There is no such connection.
    """
    from airflow.sdk import BaseHook

    from airflow_provider_cloudelements.compat import AirflowNotFoundException

    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise CommandError(_not_found(conn_id)) from None


def _not_found(conn_id: str) -> str:
    """Return why Airflow finds no connection."""
    from airflow_provider_cloudelements.compat import unreadable

    if fault := unreadable(conn_id):
        return fault
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    where = f" ({name})" if name.isidentifier() else ""
    return f"Airflow has no connection {conn_id!r}, neither in its database nor in the environment{where}."
