"""The organization and the account that the secrets belong to. Their fields are the sandbox's own."""

from __future__ import annotations

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.errors import not_emulated, unauthorized
from airflow_provider_cloudelements.sandbox.paging import RETURNED_HEADER, TOTAL_HEADER
from airflow_provider_cloudelements.sandbox.router import Handler
from airflow_provider_cloudelements.sandbox.web import Call, json_reply

ACCOUNT = {"id": 31, "name": "Sandbox account", "externalId": "sandbox-account", "defaultAccount": True}
ORGANIZATION = {"id": 11, "name": "Sandbox organization", "active": True}

#: For the bearer flow (0a no. 5): public, like everything about the sandbox's person.
USERNAME = "sandbox@example.com"
PASSWORD = "sandbox"  # noqa: S105 - a fake, public on purpose


def organization_me(_call: Call) -> Response:
    """GET /organizations/me: the best connection test, needs User and Organization only (0a no. 15)."""
    return json_reply(ORGANIZATION)


def list_accounts(_call: Call) -> Response:
    """GET /accounts: the platform's accounts."""
    return json_reply([ACCOUNT], {RETURNED_HEADER: "1", TOTAL_HEADER: "1"})


def no_account_call(_call: Call) -> Response:
    """Answer any other call to an account: not emulated."""
    raise not_emulated("calls to accounts")


def or_resource(platform: Handler, resource: Handler) -> Handler:
    """Return a handler for /accounts, which is the element's resource with an Element token (0a no. 4).

    :param platform: answers without an Element token.
    :param resource: answers with one.
    """

    def choose(call: Call) -> Response:
        if call.instance is None:
            return platform(call)
        call.params["object"] = "accounts"
        return resource(call)

    return choose


def authenticate(call: Call) -> Response:
    """POST /authentication {username, password}: {token} for ``Authorization: Bearer`` (0a no. 5)."""
    body = call.json_object()
    if body.get("username") != USERNAME or body.get("password") != PASSWORD:
        raise unauthorized()
    return json_reply({"token": call.state.store.new_bearer()})


def secrets(call: Call) -> Response:
    """GET /authentication/secrets with a bearer token: the two secrets (0a no. 5)."""
    settings = call.state.settings
    return json_reply(
        {"userSecret": settings.user_secret, "organizationSecret": settings.organization_secret}
    )
