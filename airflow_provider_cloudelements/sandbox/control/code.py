"""Consent without a browser: ``python -m airflow_provider_cloudelements.sandbox code``."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence

from airflow_provider_cloudelements.sandbox.control.caller import Caller, CallerError, fail
from airflow_provider_cloudelements.sandbox.settings import DEFAULT_PORT

#: Exit codes: no sandbox answered, or it refused; a wrong option (the same as argparse's).
FAILED, USAGE_ERROR = 1, 2


def _parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_cloudelements.sandbox code",
        description="Have a running sandbox make an authorization code, as if a person had consented, and"
        " print it. It works once.",
    )
    parser.add_argument("--url", default=f"http://127.0.0.1:{DEFAULT_PORT}", help="(default: %(default)s)")
    parser.add_argument(
        "--element", default="microsoftgraph", help="key of an element with OAuth2 (default: %(default)s)"
    )
    parser.add_argument("--client-id", help="bind it to the app with this id, the value of oauth.api.key")
    parser.add_argument("--oauth-callback-url", help="bind it to this value of oauth.callback.url")
    parser.add_argument("--scope", help="what the person allowed (default: anything)")
    parser.add_argument("--lifetime", type=float, help="seconds until it expires (default: the sandbox's)")
    parser.add_argument(
        "--json", action="store_true", help="print JSON, with what /sandbox/codes lists it by"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Print a new code and return the exit code.

    :param arguments: the command line after ``code``.
    """
    options = _parser().parse_args(arguments)
    names = ("element", "client_id", "oauth_callback_url", "scope", "lifetime")
    body = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    try:
        with contextlib.closing(Caller(options.url)) as sandbox:
            made = sandbox.post("/codes", body)
    except CallerError as error:
        return fail(str(error), FAILED)
    except ValueError as error:
        return fail(str(error), USAGE_ERROR)
    sys.stdout.write(f"{json.dumps(made) if options.json else made['code']}\n")
    return 0
