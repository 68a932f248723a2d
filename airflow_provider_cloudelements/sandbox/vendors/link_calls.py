"""The consent link: /elements/{keyOrId}/oauth/url and .../oauth/url/default (facts F121 to F126)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.errors import ApiError, bad_request
from airflow_provider_cloudelements.sandbox.core.web import json_reply
from airflow_provider_cloudelements.sandbox.elements.calls import element_of
from airflow_provider_cloudelements.sandbox.elements.catalogue import Element
from airflow_provider_cloudelements.sandbox.elements.details import configuration_rows
from airflow_provider_cloudelements.sandbox.settings import CONTROL_PREFIX, PLATFORM_CLIENT_ID
from airflow_provider_cloudelements.sandbox.state import Call

_REQUIRED = ("apiKey", "apiSecret", "callbackUrl")


def get_url(call: Call) -> Response:
    """GET .../url: returns the consent link; the query holds all parameters, even the client secret."""
    return _answer(call, {name: value for name, value in call.query if value})


def post_url(call: Call) -> Response:
    """POST .../url: returns the consent link; a JSON body keeps the secret out of URLs (fact F123)."""
    return _answer(call, {name: value for name, value in call.json_object().items() if value is not None})


def get_default_url(call: Call) -> Response:
    """GET .../default: returns the link of the platform's own app, without key and secret (fact F126).

    It accepts callbackUrl, scope and state and requires none of them (unknown U123, choice C128). The
    platform's landing page is outside. Without a callback the sandbox's own page stands for it.
    """
    fields = {name: value for name, value in call.query if value}
    own = {"apiKey": PLATFORM_CLIENT_ID, "apiSecret": PLATFORM_CLIENT_ID}
    rows = configuration_rows(element_of(call))["configuration"]
    given = {"callbackUrl": call.state.origin + CONTROL_PREFIX, **fields, **own}
    return _answer(call, given, {"configuration": rows})


def _answer(call: Call, fields: dict[str, Any], more: dict[str, Any] | None = None) -> Response:
    """Return {oauthUrl, element}, and what the platform's own app adds."""
    element = element_of(call)
    if element.authentication != "oauth2":
        raise bad_request(f"Element {element.key} does not use OAuth2")
    if str(fields.get("isOauthProxy", fields.get("isOAuthProxy", ""))).lower() == "true":
        raise ApiError(400, "The sandbox does not emulate OAuth proxies")
    for name in (*_REQUIRED, "scope", "state"):
        if not isinstance(fields.get(name, ""), str):
            raise bad_request(f"Field {name} must be a string")
    missing = [name for name in _REQUIRED if not fields.get(name)]
    if missing:
        raise bad_request(f"Missing required parameters: {', '.join(missing)}")
    url = authorize_url(call.state.origin, element, fields)
    return json_reply({"oauthUrl": url, "element": element.key, **(more or {})})


def authorize_url(origin: str, element: Element, fields: dict[str, str]) -> str:
    """Return the link to the vendor's login page, with the parameters of the documented example.

    The client secret is not part of it, nor are further parameters (choice C130). The state defaults to the
    element key (fact F124).

    :param origin: where the sandbox listens.
    :param element: the element.
    :param fields: apiKey, callbackUrl and, if given, scope and state.
    """
    query = {
        "scope": fields.get("scope"),
        "response_type": "code",
        "redirect_uri": fields["callbackUrl"],
        "state": fields.get("state") or element.key,
        "client_id": fields["apiKey"],
    }
    text = urlencode({name: value for name, value in query.items() if value}, errors="replace")
    return f"{origin}{CONTROL_PREFIX}/authorize/{element.key}?{text}"
