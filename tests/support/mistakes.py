"""Plausible mistakes of newcomers, made one at a time, and the table of the docs that says what they read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.context import context_of
from tests.support.hidden import assert_hidden, shown
from tests.support.package import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
#: Stands in the table for what differs from case to case: an id, an address, the platform's own words.
ELLIPSIS = "…"
#: Secrets of the vendor's login, in the shapes of real ones.
API_SECRET = "App/Secret+Of+The+Vendor0001="
REFRESH_TOKEN = "0.Refresh/Token+Of+Somebody0002="
PASSWORD = "Vendor/Pass+word0003="
CALLBACK = "https://hooks.example.com/events"


def rows(page: Path = PAGE) -> dict[str, str]:
    """Return the messages of the page's tables, by the mistake that leads to each."""
    found = re.findall(r"^\| ([^|`]+) \| `([^`]+)` \| [^|]+ \|$", page.read_text(), flags=re.MULTILINE)
    assert len(dict(found)) == len(found), "a mistake stands in two rows"
    return dict(found)


def matches(message: str, text: str) -> bool:
    """Return whether a text is a message of the table."""
    parts = (re.escape(part) for part in message.split(ELLIPSIS))
    return re.fullmatch(".+?".join(parts), text) is not None


def check(mistake: str, text: str) -> None:
    """Check that the page shows a message as it is.

    :param mistake: The first cell of the row.
    :param text: The message.
    """
    told = rows()
    assert mistake in told, f"docs/troubleshooting.md has no row {mistake!r}; its message is: {text}"
    assert matches(told[mistake], text), f"docs: {told[mistake]}\nhere: {text}"


class Newcomer:
    """Somebody who sets up connections, writes tasks, and makes a mistake.

    :param sandbox: The platform.
    :param monkeypatch: Sets the variables of the environment.
    """

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox = sandbox
        self.monkeypatch = monkeypatch
        self.secrets = {
            sandbox.user_secret,
            sandbox.organization_secret,
            API_SECRET,
            REFRESH_TOKEN,
            PASSWORD,
        }
        self.account()

    def account(self, extra: dict[str, Any] | None = None, **fields: Any) -> None:
        """Store ``cloudelements_default``; ``None`` takes a field away."""
        quick = {"request_timeout": 5, "create_timeout": 1, "max_retries": 0}
        connection = self.sandbox.connection(**{**quick, **(extra or {})}) | fields
        connection["extra"] = {name: each for name, each in connection["extra"].items() if each is not None}
        self.store("cloudelements_default", {k: v for k, v in connection.items() if v is not None})

    def app(self, conn_id: str = "vendor_app", extra: dict[str, Any] | None = None, **fields: Any) -> str:
        """Store an element connection for an OAuth app of Microsoft's; ``None`` takes a field away."""
        known = {
            "element": "microsoftgraph",
            "oauth_scope": "Calendars.Read offline_access",
            "oauth_callback_url": "https://app.example.com/callback",
            "event_callback_url": CALLBACK,
            **(extra or {}),
        }
        connection = {
            "conn_type": "cloudelements_element",
            "login": "client-1",
            "password": API_SECRET,
            **fields,
        }
        connection["extra"] = {name: each for name, each in known.items() if each is not None}
        self.store(conn_id, {name: each for name, each in connection.items() if each is not None})
        return conn_id

    def login(self, conn_id: str = "vendor_login", extra: dict[str, Any] | None = None, **fields: Any) -> str:
        """Store an element connection with user and password."""
        known = {"element": "closeio", "authentication": "basic", "event_callback_url": CALLBACK}
        connection = {"conn_type": "cloudelements_element", "login": "ada", "password": PASSWORD, **fields}
        self.store(conn_id, {**connection, "extra": {**known, **(extra or {})}})
        return conn_id

    def store(self, conn_id: str, connection: dict[str, Any]) -> None:
        """Store a connection as Airflow reads it from the environment."""
        self.monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    def run(self, kind: type, **arguments: Any) -> Any:
        """Make a task and run it."""
        return kind(task_id="a_task", **arguments).execute(context_of())

    @contextmanager
    def mistake(self, name: str, *secrets: str) -> Iterator[None]:
        """Expect the error of a mistake: as the page shows it, and without any secret.

        :param name: The mistake, as the page calls it.
        :param secrets: Further secrets that must not show.
        """
        with pytest.raises(Exception) as caught:  # noqa: PT011  its text is compared with the page's
            yield
        error = caught.value
        assert_hidden(shown(error), *self.secrets, *secrets)
        text = " ".join(str(error).split())  # a manifest's problems have a line each
        check(name, re.sub(r"^(CloudElements\w+|ValueError|TypeError): ", "", text))
