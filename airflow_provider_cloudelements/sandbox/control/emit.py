"""Play a vendor that calls a running sandbox: ``python -m airflow_provider_cloudelements.sandbox emit``."""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import sys
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_cloudelements.sandbox.control.emission import Emission
from airflow_provider_cloudelements.sandbox.core.jsontext import parse_body
from airflow_provider_cloudelements.sandbox.elements.catalogue import find
from airflow_provider_cloudelements.sandbox.settings import (
    API_PREFIX,
    CONTROL_PREFIX,
    DEFAULT_PORT,
    POLLING_SUFFIX,
)
from airflow_provider_cloudelements.sandbox.vendors.payloads import CREATED, EVENT_TYPES

#: Exit codes: no event resulted; a wrong option (the same as argparse's).
DROPPED, USAGE_ERROR = 1, 2

_SECONDS = 30.0


class EmitError(RuntimeError):
    """The sandbox did not answer, or cannot do what the command needs."""


def _parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_cloudelements.sandbox emit",
        description="Play an instance's vendor: send an event to a running sandbox, by its inbound route.",
    )
    parser.add_argument("--url", default=f"http://127.0.0.1:{DEFAULT_PORT}", help="(default: %(default)s)")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--instance", type=int, help="id of an instance")
    target.add_argument("--element", help="key of an element: all of its instances that have events on")
    parser.add_argument("--object-type", help="name of the resource (default: one of the element's)")
    parser.add_argument(
        "--event-type",
        type=str.upper,
        choices=EVENT_TYPES,
        default=CREATED,
        help="(default: %(default)s)",
    )
    parser.add_argument("--object-id", help="id of the object (default: made up)")
    parser.add_argument("--count", type=int, default=1, help="how many calls the vendor makes (default: 1)")
    parser.add_argument("--objects", type=int, default=1, help="objects that each call reports (default: 1)")
    parser.add_argument("--date", help="when they changed, ISO (default: now)")
    parser.add_argument("--body", help="a JSON body of your own instead, or - for standard input")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Send the vendor's calls, print the result and return the exit code.

    :param arguments: the command line after ``emit``.
    """
    options = _parser().parse_args(arguments)
    text = sys.stdin.read() if options.body == "-" else options.body
    try:
        body = None if text is None else parse_body(text.encode("utf-8", "surrogateescape"))[0]
    except ValueError:
        return _fail("--body is not JSON", USAGE_ERROR)
    try:
        emission = Emission(
            options.object_type,
            options.event_type,
            options.object_id,
            options.count,
            options.objects,
            options.date,
            body,
        )
    except ValueError as error:
        return _fail(str(error), USAGE_ERROR)
    try:
        with contextlib.closing(_Sandbox(options.url)) as sandbox:
            return _emit(sandbox, emission, options.instance, options.element)
    except (EmitError, ValueError) as error:
        return _fail(str(error), USAGE_ERROR)


def _emit(sandbox: _Sandbox, emission: Emission, instance_id: int | None, element_key: str | None) -> int:
    """Send to every selected instance."""
    rows = [
        row
        for row in sandbox.get("/instances")
        if row["id"] == instance_id or (row["element"] == element_key and row["eventsEnabled"])
    ]
    if not rows:
        wanted = (
            f"instance {instance_id}" if element_key is None else f"{element_key} instance with events on"
        )
        raise EmitError(f"there is no {wanted} at {sandbox.url}")
    before = sandbox.get("/events")
    for row in rows:
        element = find(row["element"])
        if element is None:
            raise EmitError("the sandbox has another version")
        polled = row["eventsBy"] == "polling"
        for _, text in emission.bodies(element, time.time(), polled=polled):
            sandbox.vendor_call(row["id"], element.key, text, polled=polled)
    after = sandbox.get("/events")
    made = after["accepted"] - before["accepted"]
    sys.stdout.write(f"{emission.count * len(rows)} vendor calls, {made} events\n")
    if made:
        return 0
    reasons = [name for name, count in after["dropped"].items() if count > before["dropped"].get(name, 0)]
    return _fail(f"dropped: {', '.join(reasons)}", DROPPED)


def _fail(message: str, code: int) -> int:
    """Print what is wrong to stderr, and return the exit code."""
    sys.stderr.write(f"cloudelements sandbox: {message}\n")
    return code


class _Sandbox:
    """A running sandbox, on one connection.

    :param url: its origin.
    """

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        if address.scheme != "http" or not address.hostname:
            raise EmitError("--url must be like http://127.0.0.1:8095")
        self.url = f"http://{address.netloc}"
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=_SECONDS)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def get(self, path: str) -> Any:
        """Return the answer of a control call."""
        return json.loads(self._send("GET", f"{CONTROL_PREFIX}{path}", None, {}))

    def vendor_call(self, instance_id: int, key: str, text: str, *, polled: bool) -> None:
        """Send a body as the vendor, or the platform's poller, does (facts F213, F219)."""
        headers = {"Content-Type": "application/json"}
        if polled:
            path = f"/events/{key}{POLLING_SUFFIX}"
            headers["Id"] = str(instance_id)
        else:
            path = f"/events/{key}/{base64.b64encode(str(instance_id).encode()).decode()}"
        self._send("POST", f"{API_PREFIX}{path}", text.encode("ascii"), headers)

    def _send(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> bytes:
        """Make one call and return the answer's body."""
        try:
            self._connection.request(method, path, content, headers)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise EmitError(f"no sandbox answers at {self.url}: {type(error).__name__}") from None
        if response.status != 200:
            raise EmitError(f"the sandbox answered {response.status}")
        return answer
