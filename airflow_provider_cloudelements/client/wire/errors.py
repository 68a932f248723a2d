"""Turn an answer other than 2xx into one of our errors, and redact all texts of the server."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.wire.faults import FailedRequest, proxy_login
from airflow_provider_cloudelements.client.wire.listing import is_own_error, says_none
from airflow_provider_cloudelements.client.wire.secrecy import one_line, redact, secret_values
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsConflictError,
    CloudElementsError,
    CloudElementsForbiddenError,
    CloudElementsNotFoundError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsValidationError,
)

if TYPE_CHECKING:
    import requests

    from airflow_provider_cloudelements.connections import ConnectionSettings

_LONGEST_TEXT = 600
#: Most characters of a text to look through: white space and secrets take less room in what is shown.
_LONGEST_READ = 8192
#: End of the path of the call for a consent link (fact F121).
_CONSENT_LINK = "/oauth/url"
_REQUEST_ID = re.compile(r"[\w.:-]{1,80}")

#: One class for each status that means something of its own (facts F43, F45, F46).
_KINDS: dict[int, type[CloudElementsError]] = {
    400: CloudElementsValidationError,
    401: CloudElementsAuthError,
    403: CloudElementsForbiddenError,
    404: CloudElementsNotFoundError,
    409: CloudElementsConflictError,
    422: CloudElementsValidationError,
    429: CloudElementsRateLimitError,
}

#: Answers to a request that stays wrong, however often the client sends it (fact F46; the rest by their
#: meaning in HTTP): who sent it, or what stands between, must change first.
_FINAL = frozenset(
    {402, 405, 406, 407, 410, 411, 413, 414, 415, 416, 417, 421, 426, 428, 431, 451, 501, 505, 510}
)

#: Answers that may say how long to wait (429: unknown U41; 503: HTTP's own rule).
_MAY_ASK_TO_WAIT = (429, 503)


def failure_of_answer(
    answer: requests.Response, content: bytes, request: FailedRequest, settings: ConnectionSettings
) -> CloudElementsError:
    """Return the error for an answer other than 2xx.

    :param answer: The answer.
    :param content: Its body.
    :param request: The call.
    :param settings: The settings whose secrets must not show.
    """
    status = answer.status_code
    body, secrets = _error_body(content), _secrets_of(request, settings)
    message = provider_message = request_id = None
    if secrets is not None:
        message = clean(body.get("message"), secrets)
        provider_message = clean(body.get("providerMessage"), secrets)
        request_id = _request_id(secrets, answer.headers.get("Elements-Request-Id"), body.get("requestId"))

    host = f"{settings.base_url} (connection {settings.conn_id!r}, field 'host')"
    parts = [f"{request.method} {request.path} answered {status}."]
    if 300 <= status < 400:
        parts.append(f"The API does not redirect; is {host} its host?")
    # Only the platform itself knows that something does not exist. A gateway's page is a passing fault.
    foreign = status == 404 and not is_own_error(body)
    if foreign:
        parts.append(
            "This 404 is not the platform's own: its body is no JSON object with message or requestId. It "
            "may come from a gateway or a proxy, and does not show what exists. If it comes each time, is "
            f"{host} the API's host?"
        )
    if message:
        parts.append(f"The platform says: {_sentence(message)}")
    if provider_message:
        parts.append(f"The vendor says: {_sentence(provider_message)}")
    if not provider_message:  # if the vendor refused, the hint would be wrong
        parts.append(_hint(status, request, settings))
    if request_id:
        parts.append(f"(request id {request_id})")
    details: dict[str, Any] = {
        "status": status,
        "request_id": request_id,
        "provider_message": provider_message,
        "method": request.method,
        "path": request.path,
    }
    if status in _MAY_ASK_TO_WAIT:
        details["retry_after"] = retry_after_of(answer)
    error = _kind_of(status, foreign=foreign)(" ".join(filter(None, parts)), **details)
    error.final = status in _FINAL
    if isinstance(error, CloudElementsNotFoundError):
        error.says_none = says_none(body.get("message"))
    return error


def _hint(status: int, request: FailedRequest, settings: ConnectionSettings) -> str:
    """Return what to do about a status; nothing if there is nothing to add."""
    name = f"connection {settings.conn_id!r}"
    if status == 401:
        given = (
            "the header in field 'authorization'"
            if settings.authorization
            else "the User secret (field 'password') or the 'organization_secret'"
        )
        token = ", or the element token of the call" if request.token else ""
        return f"The platform does not accept {given} of {name}{token}; it does not say which."
    if status == 407:
        return f"This is the proxy's answer: {proxy_login(settings)}"
    if status == 429:
        return "Too many requests at once, or a body over 8 MB."
    return ""


def _kind_of(status: int, *, foreign: bool) -> type[CloudElementsError]:
    if foreign:
        return CloudElementsServerError
    return _KINDS.get(status, CloudElementsError if 400 <= status < 500 else CloudElementsServerError)


def _secrets_of(request: FailedRequest, settings: ConnectionSettings) -> list[str] | None:
    """Return what must not show of a call; ``None`` if its body is nested too deeply to look through."""
    # The parameters of a consent link are an element's own, as keys of a configuration are (fact F121).
    of_link = request.path.endswith(_CONSENT_LINK)
    found = [*settings.secrets]
    try:
        for part in (request.body, request.params):
            found += secret_values(part, configuration=of_link)
    except RecursionError:
        return None
    return [*found, request.token] if request.token else found


def _error_body(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def clean(text: Any, secrets: list[str]) -> str | None:
    """Make a text of the server fit to show: without secrets, on one line, of bounded length.

    :param text: The text.
    :param secrets: What must not show.
    :return: At most 600 characters; ``None`` if there is no text.
    """
    if not isinstance(text, str) or not text.strip():
        return None
    # Redact before the cut: a cut could leave a part of a secret, which no longer matches.
    printable = one_line(redact(text, secrets, _LONGEST_READ))
    return printable if len(printable) <= _LONGEST_TEXT else f"{printable[:_LONGEST_TEXT]}..."


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _request_id(secrets: list[str], *candidates: Any) -> str | None:
    for each in candidates:
        if isinstance(each, str) and _REQUEST_ID.fullmatch(each) and redact(each, secrets) == each:
            return each
    return None


def retry_after_of(answer: requests.Response) -> float | None:
    """Return the seconds of a Retry-After header, in either of its forms."""
    from urllib3.util.retry import Retry

    text = answer.headers.get("Retry-After")
    if not text:
        return None
    try:
        return float(Retry().parse_retry_after(text))
    except Exception:  # email.utils has many kinds of errors for a bad date
        return None
