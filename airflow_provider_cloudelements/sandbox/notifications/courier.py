"""Send notifications to their receivers over real HTTP, to loopback addresses only (facts F241, F242).

The courier works on the server's event loop, with a bounded number of deliveries at a time, and ends with
the loop. It uses no thread, so it never changes the sandbox's memory while a handler runs.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import ssl
from collections import deque
from collections.abc import Callable

from airflow_provider_cloudelements.sandbox.elements.catalogue import SIGNATURE_KEY
from airflow_provider_cloudelements.sandbox.events.models import Delivery
from airflow_provider_cloudelements.sandbox.events.views import envelope
from airflow_provider_cloudelements.sandbox.instances.store import Store
from airflow_provider_cloudelements.sandbox.notifications.callbacks import Destination, destination, is_loop
from airflow_provider_cloudelements.sandbox.notifications.store import Notifications
from airflow_provider_cloudelements.sandbox.settings import Behaviour

#: Most deliveries under way at once. The others wait in line (choice C243).
MOST_AT_ONCE = 16

#: The outcome of a delivery whose callback leads elsewhere.
OUTSIDE = "the callback is no loopback address: nothing is sent"

#: The most bytes of a receiver's answer that the courier reads.
_MOST_ANSWER_BYTES = 64 * 1024


class Courier:
    """All deliveries that are under way.

    :param behaviour: returns the sandbox's current settings.
    :param notifications: take the outcome of each delivery.
    :param store: holds the instances' signature keys.
    """

    def __init__(
        self, behaviour: Callable[[], Behaviour], notifications: Notifications, store: Store
    ) -> None:
        self._behaviour = behaviour
        self._notifications = notifications
        self._store = store
        self._line: deque[tuple[Delivery, int]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def clear(self) -> None:
        """Stop every delivery that waits or is under way."""
        self._line.clear()
        for task in self._tasks:
            task.cancel()
        self._tasks = set()

    def send(self, delivery: Delivery) -> None:
        """Send a delivery as soon as there is room.

        :param delivery: the delivery; the notifications get its outcome.
        """
        notifications = self._notifications
        url = delivery.subscription.url
        if is_loop(url):
            notifications.succeeded(delivery, "the callback is the platform's own: nothing is sent")
            return
        if destination(url) is None:
            if self._behaviour().outside_callback == "fail":
                notifications.failed(delivery, OUTSIDE)
            else:
                notifications.skipped(delivery, OUTSIDE)
            return
        self._line.append((delivery, delivery.waiting))
        self._fill()

    def _fill(self) -> None:
        """Start as many deliveries as there is room for."""
        while self._line and len(self._tasks) < MOST_AT_ONCE:
            delivery, plan = self._line.popleft()
            if delivery.gone or delivery.waiting != plan:
                continue
            task = asyncio.get_running_loop().create_task(self._bring(delivery, plan))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """Make room for the next delivery, except after a cancelled task: the sandbox ends or was reset."""
        self._tasks.discard(task)
        if not task.cancelled():
            self._fill()

    async def _bring(self, delivery: Delivery, plan: int) -> None:
        """Make one attempt and note its outcome (fact F266)."""
        status, outcome = await self._try(delivery)
        if delivery.gone or delivery.waiting != plan:
            return
        if 200 <= status < 300:  # unknown U241, choice C242
            self._notifications.succeeded(delivery, outcome)
        else:
            self._notifications.failed(delivery, outcome)

    async def _try(self, delivery: Delivery) -> tuple[int, str]:
        """Return the status of the receiver's answer, 0 for none, and the outcome in words."""
        behaviour = self._behaviour()
        where = destination(delivery.subscription.url)
        if where is None:
            return 0, OUTSIDE
        body = json.dumps(envelope(delivery.notification, behaviour.notification_form)).encode("ascii")
        headers = [
            f"POST {where.target} HTTP/1.1",
            f"Host: {where.host_header}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
            f"Elements-Webhook-Id: {delivery.notification.id}-{delivery.subscription.id}",  # choice C241
        ]
        key = self._signature_key(delivery)
        if key:
            headers.append(f"Elements-Webhook-Signature: {sign(key, body)}")
        request = "\r\n".join([*headers, "", ""]).encode("ascii", "replace") + body
        try:
            async with asyncio.timeout(behaviour.delivery_timeout):
                status = await _post(where, request)
        except TimeoutError:
            return 0, "no answer in time"
        except (OSError, ValueError, EOFError, asyncio.LimitOverrunError) as error:
            return 0, f"no answer: {type(error).__name__}"
        return status, f"answered {status}"

    def _signature_key(self, delivery: Delivery) -> str | None:
        """Return the key that signs a delivery: the current one of its instance."""
        recipient = delivery.notification.recipient
        instance = None if recipient is None else self._store.get(recipient.id)
        return None if instance is None else instance.configuration.get(SIGNATURE_KEY)


def sign(key: str, body: bytes) -> str:
    """Return the value of Elements-Webhook-Signature: HMAC-SHA256 in base64 (fact F243).

    :param key: the signature key.
    :param body: the raw bytes of the body.
    """
    digest = hmac.new(key.encode("utf-8", "replace"), body, hashlib.sha256).digest()
    return f"sha256={base64.b64encode(digest).decode('ascii')}"


async def _post(where: Destination, request: bytes) -> int:
    """Send a request and return the status of the answer, without following redirects."""
    reader, writer = await asyncio.open_connection(
        where.address,
        where.port,
        limit=_MOST_ANSWER_BYTES,
        ssl=ssl.create_default_context() if where.secure else None,
        server_hostname=where.host if where.secure else None,
    )
    try:
        # A receiver may answer, and close, before it has read everything.
        with contextlib.suppress(ConnectionError):
            writer.write(request)
            await writer.drain()
        status = 100
        while 100 <= status < 200:
            head = await reader.readuntil(b"\r\n\r\n")
            version, code = head.split(None, 2)[:2]
            if not version.startswith(b"HTTP/"):
                raise ValueError("this is not HTTP")
            status = int(code)
        # Read the rest as far as it has arrived, so that the receiver sees an orderly end.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.read(_MOST_ANSWER_BYTES)
        return status
    finally:
        writer.close()
