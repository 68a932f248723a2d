"""Play a vendor that calls a running sandbox: ``python -m airflow_provider_cloudelements.sandbox emit``."""

from __future__ import annotations

import argparse
import base64
import contextlib
import sys
import time
from collections.abc import Sequence

from airflow_provider_cloudelements.sandbox.control.caller import Caller, CallerError, fail
from airflow_provider_cloudelements.sandbox.control.emission import Emission
from airflow_provider_cloudelements.sandbox.core.jsontext import parse_body
from airflow_provider_cloudelements.sandbox.elements.catalogue import find
from airflow_provider_cloudelements.sandbox.settings import (
    API_PREFIX,
    DEFAULT_PORT,
    POLLING_SUFFIX,
)
from airflow_provider_cloudelements.sandbox.vendors.payloads import CREATED, EVENT_TYPES

#: Exit codes: no event resulted, or no sandbox answered; a wrong option (the same as argparse's).
FAILED, USAGE_ERROR = 1, 2


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
        return fail("--body is not JSON", USAGE_ERROR)
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
        return fail(str(error), USAGE_ERROR)
    try:
        with contextlib.closing(Caller(options.url)) as sandbox:
            return _emit(sandbox, emission, options.instance, options.element)
    except CallerError as error:
        return fail(str(error), FAILED)
    except ValueError as error:
        return fail(str(error), USAGE_ERROR)


def _emit(sandbox: Caller, emission: Emission, instance_id: int | None, element_key: str | None) -> int:
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
        raise CallerError(f"there is no {wanted} at {sandbox.url}")
    before = sandbox.get("/events")
    for row in rows:
        element = find(row["element"])
        if element is None:
            raise CallerError("the sandbox has another version")
        polled = row["eventsBy"] == "polling"
        for _, text in emission.bodies(element, time.time(), polled=polled):
            _vendor_call(sandbox, row["id"], element.key, text, polled=polled)
    after = sandbox.get("/events")
    made = after["accepted"] - before["accepted"]
    sys.stdout.write(f"{emission.count * len(rows)} vendor calls, {made} events\n")
    if made:
        return 0
    reasons = [name for name, count in after["dropped"].items() if count > before["dropped"].get(name, 0)]
    return fail(f"dropped: {', '.join(reasons)}", FAILED)


def _vendor_call(sandbox: Caller, instance_id: int, key: str, text: str, *, polled: bool) -> None:
    """Send a body as the vendor, or the platform's poller, does (facts F213, F219)."""
    headers = {"Content-Type": "application/json"}
    if polled:
        path = f"/events/{key}{POLLING_SUFFIX}"
        headers["Id"] = str(instance_id)
    else:
        path = f"/events/{key}/{base64.b64encode(str(instance_id).encode()).decode()}"
    sandbox.send("POST", f"{API_PREFIX}{path}", text.encode("ascii"), headers)
