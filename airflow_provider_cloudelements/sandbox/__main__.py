"""Start a sandbox by hand: ``python -m airflow_provider_cloudelements.sandbox``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

from airflow_provider_cloudelements.sandbox.runner import READY
from airflow_provider_cloudelements.sandbox.settings import (
    CHOICES,
    DEFAULT_ORGANIZATION_SECRET,
    DEFAULT_PORT,
    DEFAULT_USER_SECRET,
    Behaviour,
    Settings,
)

#: Exit code for a wrong option or a taken port, the same as argparse's.
USAGE_ERROR = 2

#: Settings about events and deliveries that are numbers.
_EVENT_OPTIONS = {
    "event_visible_after": "seconds until an event is listed",
    "event_visible_spread": "most further seconds, a random number for each event",
    "event_notified_after": "seconds until an event is NOTIFIED",
    "events_kept": "most events that it keeps; it forgets the oldest first",
    "event_retention": "seconds until it forgets an event, 0 for never",
    "delivery_timeout": "seconds that a receiver may take",
    "retry_count": "number of retries of a failed delivery",
    "retry_base": "retry x comes base ^ (exponent * x) seconds after the try before it",
    "retry_exponent": "see --retry-base",
    "time_factor": "multiplies the pauses before retries and between polls",
}


def _parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_cloudelements.sandbox",
        description="A local Cloud Elements (SAP Open Connectors) API with known secrets, for tests.",
        epilog="With emit as the first word it sends a vendor's event to a running sandbox, with code it gets"
        " an authorization code from one: see emit --help and code --help."
        " The two secrets may also come from the environment, as CLOUDELEMENTS_SANDBOX_USER_SECRET and"
        " CLOUDELEMENTS_SANDBOX_ORGANIZATION_SECRET.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="0 picks a free one (default: %(default)s)"
    )
    parser.add_argument("--user-secret", help="secret after the word User (default: a fixed, known one)")
    parser.add_argument("--organization-secret", help="the same for Organization")
    group = parser.add_argument_group("behaviour, where the real platform is unknown (docs/sandbox.md)")
    defaults = Behaviour()
    group.add_argument("--delay", type=float, help="seconds that every API call takes")
    group.add_argument("--create-delay", type=float, help="further seconds that a create takes")
    group.add_argument(
        "--code-lifetime",
        type=float,
        help=f"seconds until an authorization code expires (default: {defaults.code_lifetime:g})",
    )
    for name, choices in CHOICES.items():
        default = getattr(defaults, name)
        group.add_argument(f"--{name.replace('_', '-')}", choices=choices, help=f"(default: {default})")
    group.add_argument(
        "--mask",
        dest="masked_keys",
        action="append",
        metavar="KEY",
        help="a further key that reads back masked",
    )
    group.add_argument("--page-size", type=int, help=f"rows of a page (default: {defaults.page_size})")
    group.add_argument("--vendor-refusal-status", type=int, help="status of a create that the vendor refuses")
    group.add_argument(
        "--failed-refresh-interval",
        type=float,
        help="seconds between two failed refreshes of a vendor's token; the fifth disables the instance"
        f" (default: {defaults.failed_refresh_interval:g})",
    )
    group.add_argument(
        "--echo-provider-data",
        action="store_const",
        const=True,
        help="let the answer of a create repeat providerData, the code too",
    )
    for name, meaning in _EVENT_OPTIONS.items():
        default = getattr(defaults, name)
        group.add_argument(
            f"--{name.replace('_', '-')}", type=type(default), help=f"{meaning} (default: {default:g})"
        )
    parser.add_argument("--stop-with-stdin", action="store_true", help="end when standard input is closed")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    """Return the settings from command line and environment; the command line wins."""
    changes: dict[str, Any] = json.loads(os.environ.get("CLOUDELEMENTS_SANDBOX_BEHAVIOUR", "{}"))
    for name in Behaviour.__slots__:
        value = getattr(options, name, None)
        if value is not None:
            changes[name] = value
    environment = os.environ.get
    user = options.user_secret or environment("CLOUDELEMENTS_SANDBOX_USER_SECRET") or DEFAULT_USER_SECRET
    organization = (
        options.organization_secret
        or environment("CLOUDELEMENTS_SANDBOX_ORGANIZATION_SECRET")
        or DEFAULT_ORGANIZATION_SECRET
    )
    return Settings(user, organization, Behaviour().changed(changes))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sandbox until a signal or closed standard input ends it; return the exit code.

    :param arguments: the command line; None for the process's own.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["emit"]:
        from airflow_provider_cloudelements.sandbox.control.emit import main as emit

        return emit(given[1:])
    if given[:1] == ["code"]:
        from airflow_provider_cloudelements.sandbox.control.code import main as code

        return code(given[1:])
    options = _parser().parse_args(given)
    from airflow_provider_cloudelements.sandbox.core.loopback import loopback_address
    from airflow_provider_cloudelements.sandbox.server.server import SandboxServer, listen, origin_of

    try:
        settings = _settings(options)
        host = loopback_address(options.host)
        sock = listen(host, options.port)
    except ValueError as error:
        return _fail(str(error))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return _fail(f"cannot listen on {options.host} port {options.port}: {reason}")
    line = READY + json.dumps(
        {
            "url": origin_of(sock),
            "user_secret": settings.user_secret,
            "organization_secret": settings.organization_secret,
            "pid": os.getpid(),
        }
    )
    server = SandboxServer(settings, sock, lambda: print(line, flush=True))
    if options.stop_with_stdin:
        threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
    server.serve_forever()
    return 0


def _stop_with_stdin(server: Any) -> None:
    """End the server when the process that started it has ended."""
    # The raw descriptor: a thread that waits in the buffered reader would hold its lock at exit.
    while os.read(0, 4096):
        pass
    server.stop()


def _fail(message: str) -> int:
    """Print what is wrong to stderr, and return the exit code."""
    print(f"cloudelements sandbox: {message}", file=sys.stderr)
    return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
