"""Test a callback URL: send one notification from here in the form that the platform would send.

The test shows whether the receiver answers and accepts the signature key. It does not show whether the
platform itself reaches the receiver.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import pendulum

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.wire.deadline import deadline
from airflow_provider_cloudelements.client.wire.errors import retry_after_of
from airflow_provider_cloudelements.client.wire.faults import Fault, certificates_problem, failure_of_fault
from airflow_provider_cloudelements.client.wire.http import CONNECT_TIMEOUT, new_session
from airflow_provider_cloudelements.client.wire.request import is_number
from airflow_provider_cloudelements.connections import is_web_url
from airflow_provider_cloudelements.events.signature import SIGNATURE_HEADER, WEBHOOK_ID_HEADER, sign
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsRateLimitError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.keys import EVENT_SIGNATURE_KEY

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

#: How the ``eventId`` of a test begins. A receiver or a reader of its logs recognises the test by it.
TEST_EVENT_PREFIX = "airflow-test-"
#: The ``objectType`` of a test's only event.
TEST_OBJECT_TYPE = "airflow-test"

#: Length of an ``eventId`` (fact F249).
_EVENT_ID_LENGTH = 20


def notify_test(
    url: str,
    *,
    instance: Instance,
    signature_key: str | None,
    timeout: float,
    proxy: str | None = None,
) -> None:
    """Send one test notification to a callback URL; return when the receiver answers with 2xx.

    The body has the shape of F247 to F250. Fields that only the platform knows (account, user, hub) are zero
    or empty. The test sends nothing twice and follows no redirect. It sends no login: neither one of
    ``.netrc`` nor user and password of the URL. It verifies certificates, with ``REQUESTS_CA_BUNDLE`` if that
    is set.

    :param url: The callback URL, absolute, http or https. Logs and errors show only its scheme, host and
        port, because any other part may hold a receiver's token.
    :param instance: The instance that the notification names.
    :param signature_key: Key that signs the body, as the instance has it; ``None``: not signed.
    :param timeout: Seconds for the whole test, name look-up included; more than zero. The platform's own
        limit is not known (unknown U241).
    :param proxy: Address of a proxy. Default: the proxy of the environment.
    :raises CloudElementsValidationError: An argument is malformed, or a repetition cannot change the
        receiver's answer: 3xx, 4xx other than 429.
    :raises CloudElementsRateLimitError: The receiver answered 429.
    :raises CloudElementsServerError: The receiver answered 5xx.
    :raises CloudElementsTimeoutError: The receiver did not answer in time.
    :raises CloudElementsTransportError: The receiver could not be reached, or the connection broke.
    :raises CloudElementsConnectionError: The file that ``REQUESTS_CA_BUNDLE`` names does not exist.
    """
    if not isinstance(url, str) or not is_web_url(url):
        raise CloudElementsValidationError(
            "The callback URL must be an absolute address that begins with https:// or http://."
        )
    if not is_number(timeout) or timeout == 0:
        raise CloudElementsValidationError("timeout must be a number of seconds, more than zero.")
    event_id = (TEST_EVENT_PREFIX + secrets.token_urlsafe(_EVENT_ID_LENGTH))[:_EVENT_ID_LENGTH]
    body = json.dumps(_envelope(instance, event_id)).encode()
    headers = {"Content-Type": "application/json", WEBHOOK_ID_HEADER: event_id}
    if signature_key is not None:
        headers[SIGNATURE_HEADER] = sign(body, signature_key)
    parts = urlsplit(url)
    netloc = parts.netloc.rpartition("@")[2]
    delivery = _Delivery(
        url=urlunsplit((parts.scheme, netloc, parts.path, parts.query, "")),
        origin=f"{parts.scheme}://{netloc}",
        body=body,
        headers=headers,
        timeout=float(timeout),
        proxy=proxy,
    )
    log.info("Sending test notification %s to %s.", event_id, delivery.origin)
    if failure := delivery.send():
        raise failure


def _envelope(instance: Instance, event_id: str) -> dict[str, Any]:
    """Return a notification (fact F247) whose only event says that it is a test."""
    now = pendulum.now("UTC")
    return {
        "id": "0",
        "topic": f"instance-{instance.id}-{instance.element_key}-events",
        "severity": "medium",
        "action": "create",
        "createdDate": now.format("ddd MMM DD HH:mm:ss [UTC] YYYY", locale="en"),
        "user": "airflow-provider-cloudelements",
        "message": {
            "elementKey": instance.element_key,
            "accountId": 0,
            "companyId": 0,
            "userId": 0,
            "eventId": event_id,
            "instanceId": instance.id,
            "instance_id": instance.id,
            "instanceName": instance.name,
            "instanceTags": list(instance.tags),
            "raw": {"objectType": TEST_OBJECT_TYPE},
            "events": [
                {
                    "date": now.format("YYYY-MM-DD[T]HH:mm:ss[Z]"),
                    "elementKey": instance.element_key,
                    "eventType": "UNKNOWN",
                    "hubKey": "",
                    "objectId": event_id,
                    "objectType": TEST_OBJECT_TYPE,
                }
            ],
        },
    }


@dataclass(frozen=True, slots=True)
class _Delivery:
    """Describe one POST. ``repr`` shows no part of the URL but its origin, as tracebacks may show it."""

    origin: str
    timeout: float
    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    proxy: str | None = field(repr=False)

    def send(self) -> CloudElementsError | None:
        """Send the POST, and return the error, if there was one."""
        try:
            # Read nothing of the answer's body: it may have no end.
            with (
                _silence(),
                deadline(self.timeout),
                new_session(self.url, self.proxy) as session,
                session.post(
                    self.url,
                    data=self.body,
                    headers=self.headers,
                    timeout=(min(CONNECT_TIMEOUT, self.timeout), self.timeout),
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                return self._judge(answer)
        except Exception as error:
            # Return the error and raise it elsewhere: a chained error would show the URL in libraries' texts.
            return self._failure(error)

    def _judge(self, answer: requests.Response) -> CloudElementsError | None:
        """Return the error for an answer other than 2xx; its class says whether a retry can help."""
        status = answer.status_code
        if 200 <= status < 300:
            return None
        told = f"The receiver at {self.origin} answered the test notification with {status} instead of 2xx."
        details: dict[str, Any] = {"status": status, "method": "POST"}
        if status == 429:
            return CloudElementsRateLimitError(told, retry_after=retry_after_of(answer), **details)
        if status >= 500:
            return CloudElementsServerError(told, retry_after=retry_after_of(answer), **details)
        return CloudElementsValidationError(f"{told} {self._hint(status)}", **details)

    def _hint(self, status: int) -> str:
        if 300 <= status < 400:
            return (
                "That is a redirect, which is not followed: whether the platform follows one is not known. "
                "Give the address that it leads to."
            )
        if status not in (401, 403):
            return "Is it the receiver's whole address, and does it take POST with JSON there?"
        if SIGNATURE_HEADER not in self.headers:
            return (
                "The test was not signed; a receiver that asks for signatures needs the same "
                f"{EVENT_SIGNATURE_KEY} here. User and password of a URL are not sent."
            )
        return (
            f"Does the receiver know the signature key ({EVENT_SIGNATURE_KEY}), and is it the same? User and "
            "password of a URL are not sent."
        )

    def _failure(self, error: Exception) -> CloudElementsError:
        """Return the error for a test that got no answer."""

        def say(fault: Fault, sent: bool) -> str:
            match fault:
                case Fault.NO_CERTIFICATES:
                    return f"The receiver's certificate cannot be checked; {certificates_problem(None)}"
                case Fault.NO_TLS:
                    return (
                        f"No TLS connection to the receiver at {self.origin}: its certificate is not trusted "
                        "here, or it speaks no TLS. REQUESTS_CA_BUNDLE names a private authority's "
                        "certificate here; the platform has to trust it too."
                    )
                case Fault.NO_PROXY:
                    return f"The proxy on the way to the receiver at {self.origin} does not answer."
                case Fault.PROXY_LOGIN:
                    return (
                        f"The proxy on the way to the receiver at {self.origin} answered 407: it wants a "
                        "user and a password, or other ones. Write them into its address, URL-quoted."
                    )
                case Fault.PROXY:
                    return f"The proxy did not connect to the receiver at {self.origin}."
                case Fault.LATE:
                    return self._late
                case Fault.UNWRITABLE:
                    return (
                        f"The test notification to {self.origin} cannot be written "
                        f"({type(error).__name__}): look at the callback URL and the proxy."
                    )
                case Fault.UNKNOWN_NAME:
                    return (
                        f"Could not connect to the receiver at {self.origin}: no host of this name is known "
                        "on this machine."
                    )
                case Fault.BROKEN:
                    what = (
                        "The connection broke before an answer came from" if sent else "Could not connect to"
                    )
                    hint = "" if sent else " Is the callback URL right, and does this machine reach it?"
                    return f"{what} the receiver at {self.origin}.{hint}"

        return failure_of_fault(error, say, method="POST")

    @property
    def _late(self) -> str:
        return f"No answer within {self.timeout:g} s from the receiver at {self.origin}."


_silent = threading.local()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep urllib3's log lines of this thread out of the logs: they hold path and query."""
    for name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_may_speak)  # the same one again adds nothing
    _silent.now = True
    try:
        yield
    finally:
        _silent.now = False


def _may_speak(_record: logging.LogRecord) -> bool:
    return not getattr(_silent, "now", False)
