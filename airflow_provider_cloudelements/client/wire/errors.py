"""Turn a failed call into one of our errors, and redact all texts of the server."""

from __future__ import annotations

import enum
import json
import re
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_cloudelements.client.wire.listing import is_own_error
from airflow_provider_cloudelements.client.wire.secrecy import one_line, redact, secret_values
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAuthError,
    CloudElementsConflictError,
    CloudElementsConnectionError,
    CloudElementsError,
    CloudElementsForbiddenError,
    CloudElementsNotFoundError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsTimeoutError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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

_HINTS = {
    401: "The platform does not accept the User secret, the Organization secret or the element token; it "
    "does not say which.",
    429: "Too many requests at once, or a body over 8 MB.",
}


class Request(Protocol):
    """The parts of a failed call that its error needs."""

    @property
    def method(self) -> str: ...  # noqa: D102
    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def params(self) -> Mapping[str, Any] | None: ...  # noqa: D102
    @property
    def body(self) -> Any: ...  # noqa: D102
    @property
    def token(self) -> str | None: ...  # noqa: D102


def failure_of_answer(
    answer: requests.Response, content: bytes, request: Request, settings: ConnectionSettings
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
        message = _clean(body.get("message"), secrets)
        provider_message = _clean(body.get("providerMessage"), secrets)
        request_id = _request_id(secrets, answer.headers.get("Elements-Request-Id"), body.get("requestId"))

    parts = [f"{request.method} {request.path} answered {status}."]
    if 300 <= status < 400:
        parts.append(f"The API does not redirect; is {settings.base_url} its host?")
    # Only the platform itself knows that something does not exist. A gateway's page is a passing fault.
    foreign = status == 404 and not is_own_error(body)
    if foreign:
        parts.append(
            "This 404 is not the platform's own: its body is no JSON object with message or requestId. It "
            "may come from a gateway or a proxy, and does not show what exists. If it comes each time, is "
            f"{settings.base_url} the API's host?"
        )
    if message:
        parts.append(f"The platform says: {_sentence(message)}")
    if provider_message:
        parts.append(f"The vendor says: {_sentence(provider_message)}")
    if status in _HINTS and not provider_message:  # if the vendor refused, the hint would be wrong
        parts.append(_HINTS[status])
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
    error = _kind_of(status, foreign=foreign)(" ".join(parts), **details)
    error.final = status in _FINAL
    return error


def _kind_of(status: int, *, foreign: bool) -> type[CloudElementsError]:
    if foreign:
        return CloudElementsServerError
    return _KINDS.get(status, CloudElementsError if 400 <= status < 500 else CloudElementsServerError)


class Fault(enum.Enum):
    """Why a call got no complete answer."""

    NO_CERTIFICATES = enum.auto()
    NO_TLS = enum.auto()
    PROXY = enum.auto()
    LATE = enum.auto()
    UNWRITABLE = enum.auto()
    BROKEN = enum.auto()


#: Error class of a fault that is not merely a missing answer.
_FAULTS: dict[Fault, type[CloudElementsError]] = {
    Fault.NO_CERTIFICATES: CloudElementsConnectionError,
    Fault.LATE: CloudElementsTimeoutError,
    Fault.UNWRITABLE: CloudElementsValidationError,
}


def _fault_of(error: Exception, *, written: bool, late: bool) -> Fault:
    """Return why a call got no complete answer, from the error of ``requests``, or of urllib3 for a body.

    The function does not use the error's text, because it holds the URL with the query.
    """
    if not written:
        return Fault.UNWRITABLE
    if late:
        return Fault.LATE
    from requests import exceptions
    from urllib3.exceptions import ReadTimeoutError

    if isinstance(error, OSError) and not isinstance(error, exceptions.RequestException):
        # requests wraps the errors of sockets. This one comes from the search for the certificates.
        return Fault.NO_CERTIFICATES
    if isinstance(error, exceptions.SSLError):
        return Fault.NO_TLS
    if isinstance(error, exceptions.ProxyError):
        return Fault.PROXY
    if isinstance(error, exceptions.Timeout | ReadTimeoutError):
        return Fault.LATE
    unwritable = (
        exceptions.InvalidURL,
        exceptions.InvalidHeader,
        exceptions.InvalidSchema,  # a SOCKS proxy without the package for it
        UnicodeError,
    )
    return Fault.UNWRITABLE if isinstance(error, unwritable) else Fault.BROKEN


def failure_of_fault(
    error: Exception,
    say: Callable[[Fault, bool], str],
    *,
    written: bool = True,
    late: bool = False,
    **details: Any,
) -> CloudElementsError:
    """Return the error for a call that got no complete answer.

    :param error: The error of ``requests``.
    :param say: Function of the fault and of whether the server may have got the request; returns the message.
    :param written: Whether the request could be written at all.
    :param late: Whether the error came when the call's time was over.
    :param details: Further attributes of the error.
    """
    sent = not never_left(error)
    fault = _fault_of(error, written=written, late=late and sent)
    kind = _FAULTS.get(fault, CloudElementsTransportError)
    if issubclass(kind, CloudElementsTransportError):
        details["sent"] = sent
    return kind(say(fault, sent), **details)


def failure_of_transport(
    error: Exception, request: Request, settings: ConnectionSettings, *, written: bool, late: bool
) -> CloudElementsError:
    """Return the error for a call to the platform that got no complete answer.

    :param error: The error of ``requests``.
    :param request: The call.
    :param settings: The settings that name the host.
    :param written: Whether the request could be written at all.
    :param late: Whether the error came when the call's time was over.
    """
    host = settings.base_url

    def say(fault: Fault, sent: bool) -> str:
        match fault:
            case Fault.NO_CERTIFICATES:
                where = "field 'ca_bundle'" if settings.ca_bundle else "the environment's REQUESTS_CA_BUNDLE"
                what = f"connection {settings.conn_id!r}, {where}: there is no such file on this machine."
            case Fault.NO_TLS:
                what = (
                    f"no TLS connection to {host}: its certificate is not trusted, or it speaks no TLS. A "
                    "private authority's certificate goes into the connection's field ca_bundle."
                )
            case Fault.PROXY:
                what = f"the proxy did not connect to {host}."
            case Fault.LATE:
                what = f"{'no answer in time from' if sent else 'could not connect in time to'} {host}."
            case Fault.UNWRITABLE:
                what = f"the request cannot be written ({type(error).__name__})."
            case Fault.BROKEN:
                broke = "the connection broke before a whole answer came from"
                what = f"{broke if sent else 'could not connect to'} {host}."
        return f"{request.method} {request.path}: {what}"

    return failure_of_fault(error, say, written=written, late=late, method=request.method, path=request.path)


def never_left(error: BaseException) -> bool:
    """Say whether the request provably never reached the server, because no connection came about."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError, SSLError

    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, NewConnectionError | ConnectTimeoutError):
            return True
        if isinstance(each, ProxyError | SSLError) and "certificate" in str(each).lower():
            return True
        # http.client's words for a proxy that refuses to connect. It has no class for this error.
        if isinstance(each, OSError) and str(each).startswith("Tunnel connection failed"):
            return True
        waiting += [arg for arg in each.args if isinstance(arg, BaseException)]
        reason = getattr(each, "reason", None)
        if isinstance(reason, BaseException):
            waiting.append(reason)
    return False


def _secrets_of(request: Request, settings: ConnectionSettings) -> list[str] | None:
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


def _clean(text: Any, secrets: list[str]) -> str | None:
    """Make a text of the server fit to show: without secrets, on one line, of bounded length."""
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
