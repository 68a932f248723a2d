"""Give a tick of the poll hub one connection's client, for use from several threads."""

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

#: Most calls at once for one connection and kind of wait, besides the tick's own call.
CONCURRENCY = 8

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


def _always() -> bool:
    return True


class NobodyWaits(CloudElementsTransportError):
    """A call was not sent, because nobody waits for its answer. This is no fault, and nobody hears of it."""


class Account:
    """Give a tick the client of one connection, and threads for many calls.

    :param client: The client.
    :param callers: The threads of :meth:`each`.
    """

    def __init__(self, client: CloudElementsClient, callers: ThreadPoolExecutor) -> None:
        self.settings = client.settings
        self._client = client
        self._callers = callers
        self._closed = threading.Event()

    def session(self, wanted: Callable[[], bool] = _always) -> Session:
        """Return a session that sends calls, for :class:`InstancesApi` and similar classes.

        All sessions of an account share the same pooled connections.

        :param wanted: Says before each call whether anybody still waits for it. Default: somebody does, until
            the account is closed.
        """
        return Session(self._client.http, lambda: wanted() and not self._closed.is_set())

    def each(
        self, work: Callable[[_Item], _Found], items: Iterable[_Item]
    ) -> Generator[tuple[_Item, _Found | Exception]]:
        """Call a function for each item, :data:`CONCURRENCY` at once. For the tick's thread only.

        :param work: The function.
        :param items: Its arguments.
        :return: Each item with its result or error, in the order in which the calls end.
        """
        return as_done(self._callers, work, items)

    def close(self) -> None:
        """Send nothing more, and close the connections."""
        self._closed.set()
        self._client.close()


class Session(HttpSession):
    """Send calls through another session, count them, and send nothing for which nobody waits.

    :param http: The session that sends.
    :param wanted: Says before each call whether anybody still waits for it.
    """

    def __init__(self, http: HttpSession, wanted: Callable[[], bool]) -> None:
        # Do not call the parent's __init__: this session has no connections of its own.
        self.settings = http.settings
        self.platform_clock = http.platform_clock
        #: Number of calls sent.
        self.sent = 0
        self._http = http
        self._wanted = wanted

    def send(self, method: str, path: str, **options: Any) -> Reply:
        """Send one call through the other session."""
        if not self._wanted():
            raise NobodyWaits("No waiter is left for this call.", sent=False)
        self.sent += 1
        return self._http.send(method, path, **options)
