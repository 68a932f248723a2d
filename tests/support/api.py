"""A small caller of the sandbox over real HTTP, which knows its secrets."""

from __future__ import annotations

import base64
import re
from typing import Any

import requests

from airflow_provider_cloudelements.sandbox import Sandbox

REQUEST_ID = re.compile(r"[0-9a-f]{24}")


#: A complete configuration for one element of each authentication kind.
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "closeio": {"username": "ada", "password": "pass-word"},
    "pipedrive": {"api.token": "pipe-token"},
    "microsoftgraph": {
        "oauth.callback.url": "https://app.example/cb",
        "oauth.api.key": "client-1",
        "oauth.api.secret": "client-secret",
        "oauth.scope": "Calendars.Read offline_access",
    },
    "sfdc": {
        "oauth.callback.url": "https://app.example/cb",
        "oauth.api.key": "client-1",
        "oauth.api.secret": "client-secret",
    },
}


EVENTS_ON = {"event.notification.enabled": True}


def encoded(instance_id: int) -> str:
    """Return an instance id as vendors have it in the path."""
    return base64.b64encode(str(instance_id).encode()).decode()


class Api:
    """Calls the platform's API of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.base = f"{sandbox.url}/elements/api-v2"
        self.session = requests.Session()
        self.session.trust_env = False

    def authorization(self, token: str | None = None) -> str:
        words = f"User {self.sandbox.user_secret}, Organization {self.sandbox.organization_secret}"
        return words if token is None else f"{words}, Element {token}"

    def __call__(
        self, method: str, path: str, *, token: str | None = None, **options: Any
    ) -> requests.Response:
        headers = {"Authorization": self.authorization(token), **options.pop("headers", {})}
        options.setdefault("timeout", 20)
        return self.session.request(
            method,
            self.base + path,
            headers={name: value for name, value in headers.items() if value is not None},
            allow_redirects=False,
            **options,
        )

    def body(self, element: str = "closeio", /, **fields: Any) -> dict[str, Any]:
        """Return a complete create body; an OAuth2 element gets a fresh code."""
        body: dict[str, Any] = {
            "element": {"key": element},
            "name": "An instance",
            "configuration": dict(CONFIGURATIONS[element]),
        }
        if element in ("microsoftgraph", "sfdc"):
            body["providerData"] = {"code": self.sandbox.code(element)}
        return {**body, **fields}

    def create(self, element: str = "closeio", /, **fields: Any) -> dict[str, Any]:
        answer = self("POST", "/instances", json=self.body(element, **fields))
        assert answer.status_code == 200, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def listening(
        self, element: str = "closeio", /, callback: str | None = None, **configuration: Any
    ) -> int:
        """Create an instance with its events on; return its id."""
        keys = {**CONFIGURATIONS[element], **EVENTS_ON, **configuration}
        if callback is not None:
            keys["event.notification.callback.url"] = callback
        number: int = self.create(element, configuration=keys)["id"]
        return number

    def events(self, instance_id: int | None = None, **query: Any) -> list[dict[str, Any]]:
        """Read all pages of the events."""
        path = "/instances/events" if instance_id is None else f"/instances/{instance_id}/events"
        rows: list[dict[str, Any]] = []
        while True:
            answer = self("GET", path, params=query)
            assert answer.status_code == 200, answer.text
            rows += answer.json()
            token = answer.headers.get("Elements-Next-Page-Token")
            if token is None:
                return rows
            query["nextPage"] = token

    def vendor(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Call the inbound route as a vendor does, without Authorization."""
        if body is not None:
            options["json"] = body
        headers = {"Authorization": None, **options.pop("headers", {})}
        return self(options.pop("method", "POST"), f"/events/{path}", headers=headers, **options)

    def show(self, instance_id: int) -> dict[str, Any]:
        answer = self("GET", f"/instances/{instance_id}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def refused(self, answer: requests.Response, status: int) -> dict[str, Any]:
        """Check that an answer is the error body with this status, and return it."""
        assert answer.status_code == status, answer.text
        body: dict[str, Any] = answer.json()
        assert REQUEST_ID.fullmatch(body["requestId"])
        assert body["requestId"] == answer.headers["Elements-Request-Id"]
        assert body["message"]
        assert answer.headers["Elements-Error"]
        return body
