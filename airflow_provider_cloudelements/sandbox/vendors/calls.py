"""The vendor's login page: a person or a script allows or denies, and returns with a code (fact F127)."""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response

from airflow_provider_cloudelements.sandbox.core.pages import html_page
from airflow_provider_cloudelements.sandbox.elements.catalogue import Element, find
from airflow_provider_cloudelements.sandbox.settings import PLATFORM_CLIENT_ID
from airflow_provider_cloudelements.sandbox.state import Call

_PARAMETERS = ("client_id", "response_type", "redirect_uri", "scope", "state")


def authorize(call: Call) -> Response:
    """GET, POST /sandbox/authorize/{element}: shows the login page; ``decision`` is ``allow`` or ``deny``."""
    fields = dict(call.query)
    if call.method == "POST":
        fields.update(call.form())
    element = find(call.params["element"])
    if element is None or element.authentication != "oauth2":
        return html_page("This vendor is not known", "<p>The link names no element with OAuth2.</p>", 404)
    problem = _problem(fields)
    if problem is not None:
        return html_page("This link does not work", f"<p>{escape(problem)}</p>", 400)
    decision = fields.get("decision")
    if decision == "allow":
        return _allow(call, element, fields)
    if decision == "deny":
        refused = {
            "error": "access_denied",
            "error_description": "The user denied the request",
            "state": fields.get("state", ""),
        }
        return _redirect(fields["redirect_uri"], refused)
    if decision is not None or call.method == "POST":
        return html_page(
            "This link does not work", "<p>The parameter decision must be allow or deny.</p>", 400
        )
    return html_page(f"Sign in to {element.name}", _form(element, fields))


def _problem(fields: dict[str, str]) -> str | None:
    """Return the error in a link, or None."""
    for name in ("client_id", "redirect_uri"):
        if not fields.get(name):
            return f"The parameter {name} is missing."
    if fields.get("response_type") != "code":
        return "The parameter response_type must be code."
    try:
        target = urlsplit(fields["redirect_uri"])
        host = target.hostname
    except ValueError:
        host = None
    if not host or target.scheme not in ("http", "https"):
        return "The parameter redirect_uri must be an http or https address."
    return None


def _form(element: Element, fields: dict[str, str]) -> str:
    """Return the page's content: the application, what it asks for, and the two buttons."""
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{escape(fields[name])}">'
        for name in _PARAMETERS
        if name in fields
    )
    scopes = escape(fields.get("scope") or "nothing in particular")
    return (
        f"<p>An application wants to use your account at {escape(element.name)}.</p>"
        f"<dl><dt>Application</dt><dd>{escape(fields['client_id'])}</dd>"
        f"<dt>Asks for</dt><dd>{scopes}</dd>"
        f"<dt>Sends you back to</dt><dd>{escape(fields['redirect_uri'])}</dd></dl>"
        f'<form method="post">{inputs}'
        '<button type="submit" name="decision" value="allow">Allow</button>'
        '<button type="submit" name="decision" value="deny">Deny</button></form>'
    )


def _allow(call: Call, element: Element, fields: dict[str, str]) -> Response:
    """Give out a code that is bound to this client and callback.

    A code for the platform's own app is bound to neither (unknown U123, choice C128).
    """
    own = fields["client_id"] == PLATFORM_CLIENT_ID
    value, _code = call.state.vendor.mint(
        element,
        None if own else fields["client_id"],
        None if own else fields["redirect_uri"],
        fields.get("scope"),
    )
    return _redirect(fields["redirect_uri"], {"code": value, "state": fields.get("state", "")})


def _redirect(target: str, answer: dict[str, str]) -> Response:
    """Redirect the browser to the callback and keep the query and fragment of its address."""
    address, mark, fragment = target.partition("#")
    joint = "&" if "?" in address else "?"
    query = urlencode({name: value for name, value in answer.items() if value}, errors="replace")
    # 303 turns the form's POST into the GET that a vendor's redirect is.
    return RedirectResponse(f"{address}{joint}{query}{mark}{fragment}", 303, {"Cache-Control": "no-store"})
