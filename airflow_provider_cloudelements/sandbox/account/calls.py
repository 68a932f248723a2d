"""Handlers of /organizations, /accounts and /authentication (facts F11, F12, F258)."""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.account.store import (
    ACCOUNT,
    ORGANIZATION,
    POLICIES,
    POLICY,
    check_account,
)
from airflow_provider_cloudelements.sandbox.core.errors import (
    bad_request,
    not_emulated,
    unauthorized,
)
from airflow_provider_cloudelements.sandbox.core.paging import RETURNED_HEADER, TOTAL_HEADER
from airflow_provider_cloudelements.sandbox.core.router import Handler
from airflow_provider_cloudelements.sandbox.core.web import json_reply
from airflow_provider_cloudelements.sandbox.state import Call

_MOST_SETTINGS = 200


#: The login of the bearer flow (fact F11): public, like everything about the sandbox's user.
USERNAME = "sandbox@example.com"
PASSWORD = "sandbox"  # noqa: S105 - a fake, public on purpose


def organization_me(_call: Call) -> Response:
    """GET /organizations/me: returns the organization, by User and Organization alone (fact F12)."""
    return json_reply(ORGANIZATION)


def list_accounts(_call: Call) -> Response:
    """GET /accounts: returns the platform's accounts."""
    return json_reply([ACCOUNT], {RETURNED_HEADER: "1", TOTAL_HEADER: "1"})


def get_account(call: Call) -> Response:
    """GET /accounts/{id}: returns one account (fact F15)."""
    check_account(call.number("record"))
    return json_reply(ACCOUNT)


def no_account_call(_call: Call) -> Response:
    """Answer any other call to an account: not emulated."""
    raise not_emulated("calls to accounts")


def get_settings(call: Call) -> Response:
    """GET /accounts/settings: returns all settings, with ``notification.webhook.failure.policy`` (F258)."""
    return json_reply(call.state.account_settings)


def change_settings(call: Call) -> Response:
    """PATCH /accounts/settings, POST and PATCH /accounts/{id}/settings: changes some, returns all (F258).

    The sandbox keeps settings that it does not know as they come (choice C251).
    """
    if "id" in call.params:
        check_account(call.number("id"))
    body = call.json_object()
    if not body:
        raise bad_request("A setting is required")
    if POLICY in body and body[POLICY] not in POLICIES:
        raise bad_request(f"Setting {POLICY} must be one of {', '.join(POLICIES)}")
    if len({**call.state.account_settings, **body}) > _MOST_SETTINGS:
        raise bad_request(f"There are at most {_MOST_SETTINGS} settings")
    call.state.account_settings.update(body)
    return json_reply(call.state.account_settings)


def or_resource(platform: Handler, resource: Handler) -> Handler:
    """Return a handler for /accounts, which is the element's resource with an Element token (fact F9).

    :param platform: the handler without an Element token.
    :param resource: the handler with one.
    """

    def choose(call: Call) -> Response:
        """Answer GET as the platform; with an Element token, all as the vendor's resource ``accounts``."""
        if call.instance is None:
            return platform(call)
        call.params["object"] = "accounts"
        return resource(call)

    return choose


def authenticate(call: Call) -> Response:
    """POST /authentication {username, password}: returns a token for ``Authorization: Bearer`` (fact F11)."""
    body = call.json_object()
    if body.get("username") != USERNAME or body.get("password") != PASSWORD:
        raise unauthorized()
    return json_reply({"token": call.state.store.new_bearer()})


def secrets(call: Call) -> Response:
    """GET /authentication/secrets with a bearer token: returns the two secrets (fact F11)."""
    settings = call.state.settings
    return json_reply(
        {"userSecret": settings.user_secret, "organizationSecret": settings.organization_secret}
    )
