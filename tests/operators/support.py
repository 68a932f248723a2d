"""What the tests of the heart share: the three ways in, a person at the console, and a look at the wire."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import requests

from airflow_provider_cloudelements.client import CloudElementsClient, InstanceSpec
from airflow_provider_cloudelements.client.identity import marker_tag, user_tags
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.sandbox import Sandbox

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


class Relay:
    """Stands between client and sandbox: writes down what passes, and can be shut to refuse connections."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._target = urlsplit(sandbox.url)
        self._port = 0
        self.seen: list[tuple[str, str, Any]] = []
        #: Shut before the next answer goes out, so that the call after it is refused.
        self.shut_after_next = False
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def bodies(self, method: str) -> list[Any]:
        """Return the JSON bodies sent with a verb."""
        return [body for verb, _, body in self.seen if verb == method]

    def open(self) -> None:
        """Listen, on the same port each time."""
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                relay.seen.append((self.command, self.path, json.loads(body) if body else None))
                status, content = relay._forward(self.command, self.path, body, self.headers["Authorization"])
                if relay.shut_after_next:
                    relay.shut_after_next = False
                    relay.close()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        server.daemon_threads, server.block_on_close = True, False
        self._server: http.server.ThreadingHTTPServer | None = server
        self._port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def _forward(self, method: str, path: str, body: bytes, authorization: str) -> tuple[int, bytes]:
        onward = http.client.HTTPConnection(self._target.hostname or "", self._target.port, timeout=30)
        try:
            headers = {"Authorization": authorization, "Content-Type": "application/json"}
            onward.request(method, path, body, headers)
            answer = onward.getresponse()
            return answer.status, answer.read()
        finally:
            onward.close()

    def close(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextlib.contextmanager
def relaying(sandbox: Sandbox) -> Iterator[Relay]:
    relay = Relay(sandbox)
    try:
        yield relay
    finally:
        relay.close()


class FakeStore:
    """The task state store of Airflow 3.3, in memory: ``None`` is refused as there."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, **_: Any) -> None:
        if value is None:
            raise ValueError("Cannot set value as None")
        self.values[key] = json.dumps(value)


class FakeTi:
    """A task instance that keeps what is pushed."""

    def __init__(self, try_number: int = 1, **names: Any) -> None:
        self.try_number = try_number
        self.dag_id = names.get("dag_id", "a_dag")
        self.task_id = names.get("task_id", "create")
        self.run_id = names.get("run_id", "manual__1")
        self.map_index = names.get("map_index", -1)
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


def context_of(ti: FakeTi | None = None, store: FakeStore | None = None) -> dict[str, Any]:
    """Return what ``execute`` gets; with a store as on Airflow 3.3, without as before."""
    context: dict[str, Any] = {"ti": ti or FakeTi()}
    if store is not None:
        context["task_state_store"] = store
    return context
