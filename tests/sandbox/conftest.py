"""A sandbox over real HTTP, and a small caller that knows its secrets."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from airflow_provider_cloudelements.sandbox import Sandbox
from airflow_provider_cloudelements.sandbox.pytest_plugin import (  # noqa: F401 - fixtures
    cloudelements_sandbox,
    cloudelements_sandbox_server,
)

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


@pytest.fixture
def sandbox(cloudelements_sandbox: Sandbox) -> Sandbox:  # noqa: F811 - the fixture, not the import
    return cloudelements_sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    return Api(sandbox)
