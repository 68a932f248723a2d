"""Run the sandbox inside a test or a script: :class:`Sandbox`.

The module imports nothing heavy until you start one.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from airflow_provider_cloudelements.sandbox.settings import (
    CONTROL_PREFIX,
    DEFAULT_ORGANIZATION_SECRET,
    DEFAULT_USER_SECRET,
    Behaviour,
    Settings,
)

if TYPE_CHECKING:
    from airflow_provider_cloudelements.sandbox.server.server import SandboxServer

#: What the line on stdout begins with; the rest of it is a JSON object.
READY = "Cloud Elements sandbox ready: "

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
#: An emit of many events takes long on a busy machine.
_CALL_SECONDS = 120.0


class SandboxError(RuntimeError):
    """The sandbox could not be started, or refused a control call."""


class Sandbox:
    """A running sandbox, from ``with Sandbox() as sandbox:`` to the end of the block.

    :param process: whether to run in a process of its own instead of a thread of this one.
    :param host: a loopback address.
    :param port: 0 picks a free one.
    :param user_secret: the secret after the word User in Authorization.
    :param organization_secret: the secret after the word Organization in Authorization.
    :param behaviour: fields of :class:`Behaviour`, for example ``create_delay=0.1``.
    :raises ValueError: an argument is out of bounds.
    """

    def __init__(
        self,
        *,
        process: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        user_secret: str = DEFAULT_USER_SECRET,
        organization_secret: str = DEFAULT_ORGANIZATION_SECRET,
        **behaviour: Any,
    ) -> None:
        self._settings = Settings(user_secret, organization_secret, Behaviour().changed(behaviour))
        self._changes = behaviour
        self._in_process = process
        if port not in range(65_536):
            raise ValueError("port must be a number from 0 to 65535")
        self._host, self._port = host, port
        self._server: SandboxServer | None = None
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._url = ""

    def __repr__(self) -> str:
        """Return where it listens, without secrets."""
        return f"Sandbox(url={self._url!r})"

    @property
    def url(self) -> str:
        """The origin, for example http://127.0.0.1:40123."""
        if not self._url:
            raise SandboxError("the sandbox is not running")
        return self._url

    @property
    def user_secret(self) -> str:
        """The secret after the word User in Authorization."""
        return self._settings.user_secret

    @property
    def organization_secret(self) -> str:
        """The secret after the word Organization in Authorization."""
        return self._settings.organization_secret

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        if self._url:
            raise SandboxError("the sandbox is running already")
        self._owner = os.getpid()
        if self._in_process:
            self._start_process()
        else:
            self._start_thread()

    def stop(self) -> None:
        """Stop it and wait for its end. In a forked child do nothing, since the server is the parent's."""
        if not self._url or os.getpid() != self._owner:
            return
        self._url = ""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join(_STOP_SECONDS)
            if self._thread.is_alive():
                raise SandboxError("the sandbox's thread did not end")
            self._server = self._thread = None
        if self._process is not None:
            self._end_process()

    def _end_process(self) -> int:
        """End the process and return its exit code."""
        process, self._process = self._process, None
        if process is None:
            raise RuntimeError("there is no process")
        with process:
            process.terminate()
            try:
                return process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                return process.wait()

    def _start_thread(self) -> None:
        from airflow_provider_cloudelements.sandbox.core.loopback import loopback_address
        from airflow_provider_cloudelements.sandbox.server.server import SandboxServer, listen, origin_of

        sock = listen(loopback_address(self._host), self._port)
        origin = origin_of(sock)
        ready = threading.Event()
        self._server = SandboxServer(self._settings, sock, ready.set)
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="cloudelements-sandbox", daemon=True
        )
        self._thread.start()
        if not ready.wait(_START_SECONDS):
            self._server.stop()
            raise SandboxError("the sandbox did not start")
        self._url = origin

    def _start_process(self) -> None:
        command = [
            sys.executable,
            "-m",
            __package__ or "airflow_provider_cloudelements.sandbox",
            f"--host={self._host}",
            f"--port={self._port}",
            "--stop-with-stdin",
        ]
        root = str(Path(__file__).resolve().parents[2])
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
            # Not on the command line, where every user of the machine could read them.
            "CLOUDELEMENTS_SANDBOX_USER_SECRET": self.user_secret,
            "CLOUDELEMENTS_SANDBOX_ORGANIZATION_SECRET": self.organization_secret,
            "CLOUDELEMENTS_SANDBOX_BEHAVIOUR": json.dumps(self._changes),
        }
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        stdout = self._process.stdout
        line = stdout.readline() if stdout is not None else ""
        if not line.startswith(READY):
            code = self._end_process()
            raise SandboxError(f"the sandbox's process did not start (exit code {code})")
        self._url = json.loads(line.removeprefix(READY))["url"]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Make a control call and return its JSON answer, or None when it has no body.

        :param method: the verb.
        :param path: what follows /sandbox.
        :param body: sent as JSON unless None.
        :raises SandboxError: if the status of the answer is not 200.
        """
        content = None if body is None else json.dumps(body).encode()
        headers = {} if content is None else {"Content-Type": "application/json"}
        status, answer, _ = self._send(method, f"{CONTROL_PREFIX}{path}", content, headers)
        if status != 200:
            message = json.loads(answer).get("message", "") if answer else ""
            raise SandboxError(f"{method} {CONTROL_PREFIX}{path.partition('?')[0]}: {status} {message}")
        return json.loads(answer) if answer else None

    def _send(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes, str | None]:
        """Make one request without any proxy; return status, body and Location."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_CALL_SECONDS)
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            return response.status, response.read(), response.getheader("Location")
        finally:
            connection.close()

    def reset(self) -> None:
        """Forget everything but the settings of the start. Calls that still run have no effect any more."""
        self.control("POST", "/reset")

    def configure(self, **behaviour: Any) -> dict[str, Any]:
        """Change the behaviour until the next reset; return all of it.

        :param behaviour: fields of :class:`Behaviour`.
        """
        changed: dict[str, Any] = self.control("PATCH", "/settings", behaviour)
        return changed

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the log of API calls, oldest first: no secrets in it.

        :param since: only calls with a higher number.
        """
        entries: list[dict[str, Any]] = self.control("GET", f"/requests?since={since}")["requests"]
        return entries

    def counters(self) -> dict[str, Any]:
        """Return how many API calls came, by verb and route and by status."""
        counters: dict[str, Any] = self.control("GET", "/requests?since=999999999999")["counters"]
        return counters

    def instances(self) -> list[dict[str, Any]]:
        """Return all instances, without tokens and configuration."""
        rows: list[dict[str, Any]] = self.control("GET", "/instances")
        return rows

    def set_instance(self, instance_id: int, **changes: bool) -> dict[str, Any]:
        """Make an instance valid or invalid, disabled or enabled.

        :param instance_id: its id.
        :param changes: ``valid`` (True also takes back :meth:`revoke`) and ``disabled``.
        """
        row: dict[str, Any] = self.control("PATCH", f"/instances/{instance_id}", changes)
        return row

    def revoke(self, instance_id: int) -> dict[str, Any]:
        """Revoke an instance's access at its vendor, as a person does there; return the instance.

        From now on the vendor refuses the instance, until it gets a new code, refresh token or password. The
        refreshes of an OAuth2 instance fail, and the fifth disables it (setting ``failed_refresh_interval``).

        :param instance_id: its id.
        """
        row: dict[str, Any] = self.control("POST", f"/instances/{instance_id}/revoke")
        return row

    def vendor_secrets(self, element: str, accepted: Collection[str] | None) -> dict[str, Any]:
        """Set which secrets the vendor of an element accepts from now on: rotate them.

        The secret is ``oauth.api.secret`` of an OAuth2 element, ``password`` of a basic one, the last secret
        of a custom one. The vendor refuses instances with another secret as after :meth:`revoke`, until they
        get an accepted one.

        :param element: its key.
        :param accepted: all accepted values; None for any that does not begin with ``rejected``.
        """
        body = {"accepted": None if accepted is None else sorted(accepted)}
        answer: dict[str, Any] = self.control("PUT", f"/vendors/{element}", body)
        return answer

    def emit(
        self,
        instance_id: int | None = None,
        *,
        element: str | None = None,
        **fields: Any,
    ) -> list[str]:
        """Let a vendor report a change; return the ids of the resulting events.

        An instance that is disabled or whose events are off yields no id.

        :param instance_id: the instance that the change concerns,
        :param element: or all instances of this element with events on.
        :param fields: of :class:`emission.Emission`: ``object_type``, ``event_type`` (CREATED),
            ``object_id``, ``count`` of calls, ``objects`` in each, ``date``, or a ``body`` of your own.
        """
        target = {"instance_id": instance_id} if element is None else {"element": element}
        ids: list[str] = self.control("POST", "/events", {**target, **fields})["events"]
        return ids

    def event_counters(self) -> dict[str, Any]:
        """Return how many events were ``accepted``, ``dropped`` (by reason), ``kept`` and ``visible``."""
        counters: dict[str, Any] = self.control("GET", "/events")
        return counters

    def poll(self, instance_id: int) -> list[str]:
        """Let the platform poll an instance now; return the ids of the resulting events.

        :param instance_id: its id.
        """
        ids: list[str] = self.control("POST", f"/instances/{instance_id}/poll")["events"]
        return ids

    def deliveries(self) -> list[dict[str, Any]]:
        """Return every delivery of a notification: status, attempts, outcome, without bodies and secrets."""
        rows: list[dict[str, Any]] = self.control("GET", "/deliveries")
        return rows

    def set_records(self, instance_id: int, object_name: str, count: int) -> None:
        """Give a resource of an instance so many generated records, in place of those that it has.

        :param instance_id: its id.
        :param object_name: the resource's name.
        :param count: up to a billion; they cost no memory.
        """
        self.control("PUT", f"/instances/{instance_id}/records/{object_name}", {"count": count})

    def bulk_jobs(self) -> list[dict[str, Any]]:
        """Return every bulk job: its state, and how much of its result was sent."""
        rows: list[dict[str, Any]] = self.control("GET", "/bulk")["jobs"]
        return rows

    def plan_bulk(self, outcome: str = "complete", **fields: Any) -> None:
        """Say what becomes of the next bulk jobs.

        :param outcome: ``complete``; ``fail``; or ``stay``: the job never begins.
        :param fields: further fields of :class:`store.Plan`: ``status`` (ERROR or ABORTED) and ``message`` of
            a job that fails, ``rows`` by which the number that a job tells is wrong, ``count`` of jobs.
        """
        self.control("POST", "/bulk", {"outcome": outcome, **fields})

    def formula_executions(self) -> list[dict[str, Any]]:
        """Return every execution of a formula: its status and that of each step, without values."""
        rows: list[dict[str, Any]] = self.control("GET", "/formulas")["executions"]
        return rows

    def plan_formula(self, outcome: str = "success", **fields: Any) -> None:
        """Say what becomes of the next executions of formulas.

        :param outcome: ``success``; ``fail``; or ``stay``: no step ever begins.
        :param fields: further fields of :class:`store.Plan`: ``step`` that fails and its ``message``,
            ``count`` of executions and retries.
        """
        self.control("POST", "/formulas", {"outcome": outcome, **fields})

    def add_fault(self, action: str, **fields: Any) -> dict[str, Any]:
        """Add a fault for the next matching calls and return the rule.

        :param action: delay, status, drop, cut, html or forget_range.
        :param fields: further fields of :class:`faults.Fault`.
        """
        rule: dict[str, Any] = self.control("POST", "/faults", {"action": action, **fields})
        return rule

    def faults(self) -> list[dict[str, Any]]:
        """Return all rules and how often the sandbox applied each."""
        rules: list[dict[str, Any]] = self.control("GET", "/faults")
        return rules

    def clear_faults(self) -> None:
        """Forget all faults."""
        self.control("DELETE", "/faults")

    def code(
        self,
        element: str = "microsoftgraph",
        *,
        client_id: str | None = None,
        oauth_callback_url: str | None = None,
        scope: str | None = None,
        lifetime: float | None = None,
    ) -> str:
        """Return a fresh authorization code, as if a person had allowed the access.

        :param element: the element it is for.
        :param client_id: the app that the code is bound to; None: any.
        :param oauth_callback_url: the address that the code is bound to; None: any.
        :param scope: the allowed scopes.
        :param lifetime: seconds; None for the setting ``code_lifetime``.
        """
        body = {
            "element": element,
            "client_id": client_id,
            "oauth_callback_url": oauth_callback_url,
            "scope": scope,
            "lifetime": lifetime,
        }
        code: str = self.control("POST", "/codes", body)["code"]
        return code

    def codes(self) -> list[dict[str, Any]]:
        """Return every code by index and fingerprint, with how often an instance presented it."""
        rows: list[dict[str, Any]] = self.control("GET", "/codes")
        return rows

    def approve(self, oauth_url: str, decision: str = "allow") -> dict[str, str]:
        """Play the person at the login page; return the query of the redirect to the callback.

        :param oauth_url: the link that oauth/url gave.
        :param decision: allow or deny.
        """
        address = urlsplit(oauth_url)
        if f"{address.scheme}://{address.netloc}" != self.url:
            raise SandboxError("this link does not lead to the sandbox")
        form = urlencode({"decision": decision}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _, location = self._send("POST", f"{address.path}?{address.query}", form, headers)
        if location is None:
            raise SandboxError(f"the login page refused the link with status {status}")
        return dict(parse_qsl(urlsplit(location).query))

    def connection(self, **extra: Any) -> dict[str, Any]:
        """Return a connection to this sandbox, for ``AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT`` as JSON.

        :param extra: further fields of the connection's extra.
        """
        return {
            "conn_type": "cloudelements",
            "host": self.url,
            "password": self.user_secret,
            "extra": {"organization_secret": self.organization_secret, **extra},
        }
