"""The connections that the example DAGs need, for the sandbox. Every secret here is made up."""

from __future__ import annotations

from typing import Any

#: No port, in the form for which every release of Airflow presses its test button (docs/connections.md).
NO_PORT = 0


def connections(sandbox_url: str, user_secret: str, organization_secret: str) -> dict[str, dict[str, Any]]:
    """
    Return connections by their id, in the form that ``AIRFLOW_CONN_<ID>`` accepts as JSON.

    :param sandbox_url: Where the sandbox listens.
    :param user_secret: Its User secret.
    :param organization_secret: Its Organization secret.
    """
    events = {"event_callback_url": "https://hooks.example.com/cloudelements"}
    logins = {
        f"freshdesk_{tenant}": _element("freshdesk", "basic", f"admin@{tenant}", f"{tenant}-pass/w+rd=")
        for tenant in ("acme", "globex", "initech")
    }
    return {
        "cloudelements_default": {
            "conn_type": "cloudelements",
            "host": sandbox_url,
            "port": NO_PORT,
            "password": user_secret,
            "extra": {
                "organization_secret": organization_secret,
                # The sandbox has a page for each instance, and links of tasks lead there.
                "console_url": f"{sandbox_url}/sandbox/instances/{{id}}",
            },
        },
        "microsoft_graph_app": _element(
            "microsoftgraph",
            "oauth2",
            "demo-client-id-4711",
            "demo-client-secret/with+all=",
            oauth_scope="Calendars.Read Calendars.ReadWrite offline_access",
            oauth_callback_url="https://mycoolapp.example.com",
            event_signature_secret="demo-signature-key/for+events=",  # noqa: S106  made up
            **events,
        ),
        "closeio_login": _element("closeio", "basic", "sales@example.com", "demo-closeio/w+rd=", **events),
        "jira_login": _element(
            "jira",
            "basic",
            "ops@example.com",
            "demo-jira/w+rd=",
            event_signature_secret="demo-jira-signature/key+1=",  # noqa: S106  made up
            **events,
        ),
        "hubspot_app": _element(
            "hubspotcrm",
            "oauth2",
            "demo-hubspot-client",
            "demo-hubspot-secret/1+2=",
            oauth_callback_url="https://mycoolapp.example.com",
            oauth_user_refresh_token="demo-refresh-token/a+b=",  # noqa: S106  made up
        ),
        "pipedrive_login": _element(
            "pipedrive", "custom", None, None, configuration={"api.token": "demo-pipedrive-token/x+y="}
        ),
        **logins,
    }


def _element(
    element: str, authentication: str, login: str | None, password: str | None, **extra: Any
) -> dict[str, Any]:
    return {
        "conn_type": "cloudelements_element",
        "login": login,
        "password": password,
        "port": NO_PORT,
        "extra": {"element": element, "authentication": authentication, **extra},
    }
