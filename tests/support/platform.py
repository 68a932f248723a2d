"""The platform as tests use it: the three ways in, a person at the console, and a look at the wire."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import requests

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.tags import marker_tag, user_tags
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec
from airflow_provider_cloudelements.sandbox import Sandbox

if TYPE_CHECKING:
    import pytest

CALLBACK = "https://hooks.example.com/events"
EVENTS = {"event.notification.enabled": True, "event.notification.callback.url": CALLBACK}
APP = {
    "oauth.api.key": "client-1",
    "oauth.api.secret": "app-secret-1",
    "oauth.callback.url": "https://app.example.com/callback",
}
#: The three ways in, by what authenticates: element and configuration.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "basic": ("closeio", {"username": "ada", "password": "first-password"}),
    "refresh": ("hubspotcrm", {**APP, "oauth.user.refresh_token": "refresh-token-1"}),
    "code": ("microsoftgraph", {**APP, "oauth.scope": "Calendars.Read offline_access"}),
}


def settings_of(sandbox: Sandbox, **changes: Any) -> ConnectionSettings:
    """Return a connection's settings."""
    quick = {"request_timeout": 20.0, "create_timeout": 20.0, "max_retries": 1, **changes}
    return ConnectionSettings(
        **{
            "base_url": sandbox.url,
            "user_secret": sandbox.user_secret,
            "organization_secret": sandbox.organization_secret,
            **quick,
        }
    )


def client_of(sandbox: Sandbox, **changes: Any) -> CloudElementsClient:
    return CloudElementsClient(settings_of(sandbox, **changes))


def known_to_airflow(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, **extra: Any) -> Sandbox:
    """Make a sandbox known to Airflow as ``cloudelements_default``, and return it."""
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(sandbox.connection(**extra)))
    return sandbox


def spec_of(way: str, sandbox: Sandbox, **changes: Any) -> InstanceSpec:
    """Return what to ask for; a create by code gets a fresh one."""
    element, configuration = WAYS[way]
    spec = InstanceSpec(
        element=element,
        name="An instance",
        key=f"{element}/An instance",
        configuration={**configuration, **EVENTS},
        provider_data={"code": sandbox.code(element)} if way == "code" else {},
        external_authentication="initial" if way == "refresh" else None,
    )
    return replace(spec, **changes)


def configured(spec: InstanceSpec, **changes: Any) -> InstanceSpec:
    """Return the spec with other configuration values; two underscores stand for a dot."""
    values = {key.replace("__", "."): value for key, value in changes.items()}
    return replace(spec, configuration={**spec.configuration, **values})


class Person:
    """What a person does at the platform's console: calls of its own, without our client."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = (
            f"User {sandbox.user_secret}, Organization {sandbox.organization_secret}"
        )

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(
            method, f"{self.sandbox.url}/elements/api-v2{path}", json=body, timeout=20
        )
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else None

    def show(self, instance_id: int) -> dict[str, Any]:
        return self.call("GET", f"/instances/{instance_id}")

    def edit(self, instance_id: int, **body: Any) -> None:
        self.call("PATCH", f"/instances/{instance_id}", body)

    def disable(self, instance_id: int) -> None:
        self.call("DELETE", f"/instances/{instance_id}/enabled")

    def delete(self, instance_id: int) -> None:
        self.call("DELETE", f"/instances/{instance_id}")

    def make(self, way: str, name: str = "An instance", **body: Any) -> int:
        element, configuration = WAYS[way]
        body = {"element": {"key": element}, "name": name, "configuration": configuration, **body}
        if way == "code":
            body["providerData"] = {"code": self.sandbox.code(element)}
        if way == "refresh":
            body["externalAuthentication"] = "initial"
        return self.call("POST", "/instances", body)["id"]


def marked(sandbox: Sandbox, key: str) -> list[dict[str, Any]]:
    """Return the instances with the marker of a key, as the platform has them."""
    return [each for each in sandbox.instances() if marker_tag(key) in each["tags"]]


def peoples_tags(instance: dict[str, Any]) -> list[str]:
    return list(user_tags(instance["tags"]))


def presented(sandbox: Sandbox) -> list[int]:
    """Return how often each code was presented."""
    return [each["presented"] for each in sandbox.codes()]


class Wire:
    """The API calls since it was made, with ids left out."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.since = max((each["number"] for each in sandbox.requests()), default=0)

    @classmethod
    def of(cls, sandbox: Sandbox) -> list[str]:
        """Return all calls since the sandbox's reset."""
        wire = cls(sandbox)
        wire.since = 0
        return wire.calls()

    def calls(self) -> list[str]:
        return [
            f"{each['method']} {re.sub(r'[0-9]+', 'N', each['path'])}"
            for each in self.sandbox.requests(self.since)
        ]

    def writes(self) -> list[str]:
        return [call for call in self.calls() if not call.startswith("GET ")]
