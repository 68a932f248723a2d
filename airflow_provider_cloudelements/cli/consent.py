"""``consent``: what an address of a consent is, and what to do with it; at the sandbox it consents."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.cli.frame import JSON, Argument, Command
from airflow_provider_cloudelements.cli.output import print_fields, print_json, print_text
from airflow_provider_cloudelements.cli.running import CommandError, UsageError

if TYPE_CHECKING:
    import argparse

#: Where the sandbox has the page on which a person allows or denies.
_SANDBOX_PAGE = "/sandbox/authorize/"
_SECONDS = 30.0
_NEXT_LINK = (
    "Open the link in a browser and allow the access. The vendor then sends you to the callback. Paste that "
    "whole address where the task asks for it."
)
_NEXT_WHOLE = (
    "Paste this whole address where the task asks for it, or give it to the create as authorization_code, "
    "with the link's state as authorization_state."
)
_NEXT_CODE = (
    "The address holds no state, so nobody can tell whether it belongs to your link. Give the code alone, "
    "only if you have just consented by that link."
)


def consent(arguments: argparse.Namespace) -> None:
    """Read an address; follow it if it is a link of a sandbox on this machine."""
    from airflow_provider_cloudelements.provisioning.consent import values_of

    address = (sys.stdin.readline() if arguments.url == "-" else arguments.url).strip()
    values = values_of(address)
    if _is_of_sandbox(address):
        _at_sandbox(address, arguments)
    elif "redirect_uri" in values or values.get("response_type") == "code":
        _link(address, values, arguments)
    elif {"code", "error"} & set(values):
        _answer(address, values, arguments)
    else:
        raise UsageError(
            "The address is neither a consent link nor one that a vendor sent a person to: it holds no "
            "redirect_uri, no code and no error. Put it in quotes, since a shell ends it at the first '&'."
        )


def _at_sandbox(address: str, arguments: argparse.Namespace) -> None:
    """Allow or deny as a person would in a browser, and print where the browser would go."""
    import requests

    decision = {"decision": "deny" if arguments.deny else "allow"}
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(address, data=decision, timeout=_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        raise CommandError(f"No sandbox answers at this link ({type(error).__name__}).") from None
    target = answer.headers.get("Location")
    if not answer.is_redirect or target is None:
        raise CommandError(
            f"The sandbox answered {answer.status_code} to this link. Open it in a browser to see why."
        )
    if arguments.json:
        print_json({"kind": "sandbox", "address": target})
    else:
        print_text(f"{target}\n")


def _link(address: str, values: dict[str, str], arguments: argparse.Namespace) -> None:
    """Print what a vendor's link asks for."""
    from urllib.parse import urlsplit

    from airflow_provider_cloudelements.client.wire.secrecy import shown_text

    callback = values.get("redirect_uri")
    _print(
        {
            "kind": "link",
            "vendor": urlsplit(address).hostname,
            "scopes": values.get("scope", "").split(),
            "callback": None if callback is None else shown_text(callback),
            "state": values.get("state"),
            "next": _NEXT_LINK,
        },
        arguments,
    )


def _answer(address: str, values: dict[str, str], arguments: argparse.Namespace) -> None:
    """Say whether a vendor's answer can be used, without its code."""
    from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
    from airflow_provider_cloudelements.provisioning.consent import read_consent

    state = values.get("state")
    whole = bool(state or arguments.state)
    if whole or "error" in values:
        try:
            # Compared with itself if nobody says what it must be: the other checks remain.
            read_consent(address, arguments.state or state)
        except CloudElementsValidationError as error:
            raise CommandError(str(error)) from None
    _print(
        {
            "kind": "answer",
            "holds": "an authorization code, which works once",
            "state": state,
            "state_compared": arguments.state is not None,
            "next": _NEXT_WHOLE if whole else _NEXT_CODE,
        },
        arguments,
    )


def _print(found: dict[str, Any], arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(found)
    else:
        print_fields(found)


def _is_of_sandbox(address: str) -> bool:
    """Return whether an address is a consent link of a sandbox, which listens on this machine alone."""
    from urllib.parse import urlsplit

    from airflow_provider_cloudelements.connections import is_loopback

    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme == "http" and _SANDBOX_PAGE in parts.path and is_loopback(host)


COMMANDS = (
    Command(
        "consent",
        "Say what an address of a consent is, and what to do with it; consent at the sandbox",
        consent,
        (
            Argument(
                "url",
                metavar="URL",
                help="A consent link, or the address that a vendor sent you to; - reads standard input",
            ),
            Argument("--state", help="The state of the link, to compare the one of a vendor's answer with"),
            Argument("--deny", action="store_true", help="At the sandbox: refuse instead of allowing"),
            JSON,
        ),
        description="Say what an address of a consent is, and what to do with it. A link of a running "
        "sandbox: consent there as a person would in a browser, and print the address with the code, to "
        "paste where a task asks for it. A vendor's link: show what it asks for. The address that a vendor "
        "sent you to: say whether it holds a code, and with --state whether it belongs to your link. That "
        "shows no code, and ends with 1 if the address cannot be used.",
    ),
)
