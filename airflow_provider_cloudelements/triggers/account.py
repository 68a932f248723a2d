"""What a tick of the poll hub asks with: one connection's client, from several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.client.wire.answer import Reply
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.client.wire.parallel import as_done
from airflow_provider_cloudelements.exceptions import CloudElementsTransportError

#: Most calls at once for one connection and kind of wait, beside the tick's own.
CONCURRENCY = 8

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


class Account:
    """What a tick asks with: the client of one connection, and threads for calls that are many.

    :param client: The client.
    :param callers: Where :meth:`each` runs.
    """

    def __init__(self, client: CloudElementsClient, callers: ThreadPoolExecutor) -> None:
        self.settings = client.settings
        self._client = client
        self._callers = callers
        self._closed = threading.Event()

    def session(self) -> Session:
        """Return something to send calls with, for :class:`InstancesApi` and its like.

        The pooled connections behind it are the same each time.
        """
        return Session(self._client.http, self._closed)

    def each(
        self, work: Callable[[_Item], _Found], items: Iterable[_Item]
    ) -> Generator[tuple[_Item, _Found | Exception]]:
        """Do the same for each item, :data:`CONCURRENCY` at once. For the tick's thread only.

        :param work: What to do.
        :param items: With what.
        :return: Each item with what came of it, be it an error, in the order in which they are done.
        """
        return as_done(self._callers, work, items)

    def close(self) -> None:
        """Send nothing more, and close the connections."""
        self._closed.set()
        self._client.close()


class Session(HttpSession):
    """Sends with another session, counts what it sent, and sends nothing once nobody waits any more.

    :param http: The session that sends.
    :param closed: Set when nothing is to be sent.
    """

    def __init__(self, http: HttpSession, closed: threading.Event) -> None:
        # Not the parent's: this one has no connections of its own.
        self.settings = http.settings
        #: Calls that were sent.
        self.sent = 0
        self._http = http
        self._closed = closed

    def send(self, method: str, path: str, **options: Any) -> Reply:
        """Send one call, as the session behind does."""
        if self._closed.is_set():
            raise CloudElementsTransportError("Nobody waits for it any more.", sent=False)
        self.sent += 1
        return self._http.send(method, path, **options)
