"""Searching everything that Airflow leaves behind for secrets, in every form that they may take."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from cryptography.fernet import Fernet

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.local_airflow import LocalAirflow

#: Where the arguments of triggers are found: a watcher's are stored encrypted, a deferred task's as they are.
TRIGGER_ARGUMENTS = "table trigger.kwargs, decrypted"


@dataclass(frozen=True)
class Finding:
    """
    A secret where it was found.

    :param secret: Its name; never its value.
    :param place: File, table and column, or URL.
    """

    secret: str
    place: str


def forms(secret: str) -> set[bytes]:
    """Return a secret as it is, URL-quoted, as JSON writes it, and inside base64 at each alignment."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), quote(secret).encode(), quote_plus(secret).encode()}
    found |= {secret.replace("/", "\\/").encode()}
    for shift in range(3):
        # Cut what the neighbours of the secret would change: the first and the last characters.
        encoded = base64.b64encode(b"\0" * shift + raw)
        core = encoded[(0, 2, 3)[shift] : len(encoded) - 4]
        if len(core) >= 8:
            found |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def search(places: Iterable[tuple[str, str | bytes]], secrets: dict[str, str]) -> Iterator[Finding]:
    """
    Yield every secret found.

    :param places: Pairs of a place's name and what lies there.
    :param secrets: Values by name.
    """
    needles = {name: forms(value) for name, value in secrets.items()}
    for place, content in places:
        text = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        for name, shapes in needles.items():
            if any(shape in text for shape in shapes):
                yield Finding(name, place)


def left_behind(airflow: LocalAirflow, sandbox: Sandbox) -> Iterator[tuple[str, str | bytes]]:
    """
    Yield everything that lies where somebody may read it: logs, tables, the sandbox's request log.

    Airflow encrypts the arguments of some triggers, as it does connections. They are opened all the same:
    unlike in a connection, nothing secret has to be there.

    :param airflow: Whose folder and database are read.
    :param sandbox: Which platform it used.
    """
    for path, content in airflow.log_files():
        yield str(path.relative_to(airflow.home)), content
    fernet = Fernet(airflow.environment["AIRFLOW__CORE__FERNET_KEY"])
    for table, column, value in airflow.dump_database():
        yield f"table {table}.{column}", value
        if (table, column) == ("trigger", "kwargs"):
            yield TRIGGER_ARGUMENTS, value if str(value).startswith("{") else fernet.decrypt(value)
    yield "the sandbox's request log", json.dumps(sandbox.requests())


def secrets_in(known: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return every secret that the connections hold, by connection and field."""
    found = {}
    for conn_id, connection in known.items():
        if connection.get("password"):
            found[f"{conn_id}.password"] = connection["password"]
        extra = connection.get("extra", {})
        for field, value in extra.items():
            if field.endswith(("_secret", "_token")):
                found[f"{conn_id}.{field}"] = value
        for key, value in extra.get("configuration", {}).items():
            found[f"{conn_id}.{key}"] = value
    return found
