"""Turn a call that got no complete answer into one of our errors, in our own words.

The libraries' texts hold the URL with its query.
"""

from __future__ import annotations

import enum
import os
import re
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_cloudelements.exceptions import (
    CloudElementsConnectionError,
    CloudElementsError,
    CloudElementsTimeoutError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_cloudelements.connections import ConnectionSettings

#: What http.client says when a proxy refuses to connect. It has no class for this error.
_REFUSED_BY_PROXY = re.compile(r"Tunnel connection failed: (\d{3})\b")


class FailedRequest(Protocol):
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


class Fault(enum.Enum):
    """Why a call got no complete answer."""

    NO_CERTIFICATES = enum.auto()
    NO_TLS = enum.auto()
    NO_PROXY = enum.auto()
    PROXY_LOGIN = enum.auto()
    PROXY = enum.auto()
    UNKNOWN_NAME = enum.auto()
    LATE = enum.auto()
    UNWRITABLE = enum.auto()
    BROKEN = enum.auto()


#: Error class of a fault that is not merely a missing answer.
_FAULTS: dict[Fault, type[CloudElementsError]] = {
    Fault.NO_CERTIFICATES: CloudElementsConnectionError,
    Fault.PROXY_LOGIN: CloudElementsConnectionError,
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
    from urllib3.exceptions import InvalidHeader, NameResolutionError, ReadTimeoutError

    if isinstance(error, OSError) and not isinstance(error, exceptions.RequestException):
        # requests wraps the errors of sockets. This one comes from the search for the certificates.
        return Fault.NO_CERTIFICATES
    if isinstance(error, exceptions.SSLError):
        return Fault.NO_TLS
    if isinstance(error, exceptions.ProxyError):
        status = _proxy_status(error)
        if status is None:
            return Fault.NO_PROXY
        return Fault.PROXY_LOGIN if status == 407 else Fault.PROXY
    if isinstance(error, exceptions.Timeout | ReadTimeoutError):
        return Fault.LATE
    unwritable = (
        exceptions.InvalidURL,
        exceptions.InvalidHeader,
        exceptions.InvalidSchema,  # a SOCKS proxy without the package for it
        UnicodeError,
    )
    # urllib3's own error of that name is about the answer, such as two lengths that contradict each other.
    of_answer = any(isinstance(each, InvalidHeader) for each in _causes(error))
    if isinstance(error, unwritable) and not of_answer:
        return Fault.UNWRITABLE
    unknown = any(isinstance(each, NameResolutionError) for each in _causes(error))
    return Fault.UNKNOWN_NAME if unknown else Fault.BROKEN


def _proxy_status(error: BaseException) -> int | None:
    """Return the status with which a proxy refused to connect; ``None`` if the proxy did not answer."""
    for each in _causes(error):
        if isinstance(each, OSError) and (refused := _REFUSED_BY_PROXY.match(str(each))):
            return int(refused[1])
    return None


def failure_of_fault(
    error: Exception,
    say: Callable[[Fault, bool], str],
    *,
    written: bool = True,
    late: bool = False,
    ca_bundle: str | None = None,
    **details: Any,
) -> CloudElementsError:
    """Return the error for a call that got no complete answer.

    :param error: The error of ``requests``.
    :param say: Function of the fault and of whether the server may have got the request; returns the message.
    :param written: Whether the request could be written at all.
    :param late: Whether the error came when the call's time was over.
    :param ca_bundle: The connection's file of certificates; ``None``: the environment's.
    :param details: Further attributes of the error.
    """
    sent = not never_left(error)
    fault = _fault_of(error, written=written, late=late and sent)
    # A file that holds no certificate fails as a certificate that is not trusted.
    if fault is Fault.NO_TLS and certificates_problem(ca_bundle):
        fault = Fault.NO_CERTIFICATES
    kind = _FAULTS.get(fault, CloudElementsTransportError)
    if issubclass(kind, CloudElementsTransportError):
        details["sent"] = sent
    return kind(say(fault, sent), **details)


def failure_of_transport(
    error: Exception, request: FailedRequest, settings: ConnectionSettings, *, written: bool, late: bool
) -> CloudElementsError:
    """Return the error for a call to the platform that got no complete answer.

    :param error: The error of ``requests``.
    :param request: The call.
    :param settings: The settings that name the host.
    :param written: Whether the request could be written at all.
    :param late: Whether the error came when the call's time was over.
    """
    host, name = settings.base_url, f"connection {settings.conn_id!r}"
    ours = f"{host} ({name}, field 'host')"

    def say(fault: Fault, sent: bool) -> str:
        match fault:
            case Fault.NO_CERTIFICATES:
                what = f"{name}, {certificates_problem(settings.ca_bundle)}"
            case Fault.NO_TLS:
                what = (
                    f"no TLS connection to {ours}: its certificate is not trusted, or it speaks no TLS. A "
                    "private authority's certificate goes into the connection's field 'ca_bundle'."
                )
            case Fault.NO_PROXY:
                what = (
                    f"the proxy does not answer ({_proxy_of(settings)}). Is it up, and is its address right?"
                )
            case Fault.PROXY_LOGIN:
                what = f"the proxy answered 407: {proxy_login(settings)}"
            case Fault.PROXY:
                what = (
                    f"the proxy ({_proxy_of(settings)}) is up, and answered {_proxy_status(error)} instead "
                    f"of connecting to {host}."
                )
            case Fault.LATE:
                what = (
                    f"no answer in time from {ours}. Its fields 'request_timeout' and 'create_timeout' set "
                    "the time."
                    if sent
                    else f"could not connect in time to {ours}."
                )
            case Fault.UNWRITABLE:
                what = f"the request cannot be written ({type(error).__name__})."
            case Fault.UNKNOWN_NAME:
                what = f"could not connect to {ours}: no host of this name is known on this machine."
            case Fault.BROKEN:
                what = (
                    f"the connection broke before a whole answer came from {ours}."
                    if sent
                    else f"could not connect to {ours}. Does anything listen at this address and port?"
                )
        return f"{request.method} {request.path}: {what}"

    return failure_of_fault(
        error,
        say,
        written=written,
        late=late,
        ca_bundle=settings.ca_bundle,
        method=request.method,
        path=request.path,
    )


def _proxy_of(settings: ConnectionSettings) -> str:
    """Return where the address of the proxy stands. It may hold a password, so the text does not show it."""
    if settings.proxy:
        return f"connection {settings.conn_id!r}, field 'proxy'"
    return "the environment's HTTPS_PROXY or HTTP_PROXY"


def proxy_login(settings: ConnectionSettings) -> str:
    """Return what to do if a proxy answers 407.

    :param settings: The connection, which may name the proxy.
    """
    return (
        f"it wants a user and a password, or other ones. Write them into its address "
        f"({_proxy_of(settings)}), as http://user:password@host:port, each URL-quoted."
    )


def certificates_problem(ca_bundle: str | None) -> str:
    """Return where the file of certificates is named, and what is wrong with it; empty if it can be read.

    :param ca_bundle: The connection's file; ``None``: the one that the environment names.
    """
    where = "field 'ca_bundle'" if ca_bundle else "the environment's REQUESTS_CA_BUNDLE"
    path = ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if path is None or os.path.isdir(path):  # a folder of hashed certificates is allowed
        return ""
    if not os.path.exists(path):
        return f"{where}: there is no such file on this machine."
    import ssl

    try:
        ssl.create_default_context(cafile=path)
    except PermissionError:
        return f"{where}: this user may not read the file."
    except (OSError, ValueError):
        return (
            f"{where}: the file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----). Convert it "
            "with: openssl x509 -inform der -in FILE -out FILE.pem"
        )
    return ""


def never_left(error: BaseException) -> bool:
    """Say whether the request provably never reached the server, because no connection came about."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError, SSLError

    for each in _causes(error):
        if isinstance(each, NewConnectionError | ConnectTimeoutError):
            return True
        if isinstance(each, ProxyError | SSLError) and "certificate" in str(each).lower():
            return True
        if isinstance(each, OSError) and str(each).startswith("Tunnel connection failed"):
            return True
    return False


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it wraps: the libraries put one into the arguments of another."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [arg for arg in each.args if isinstance(arg, BaseException)]
        reason = getattr(each, "reason", None)
        if isinstance(reason, BaseException):
            waiting.append(reason)
