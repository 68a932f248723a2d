"""End a call at its time-out, whatever comes byte by byte: headers, body or trailer.

A time-out of requests bounds only the wait for the next bytes, so a server that sends one byte a second
holds its caller for ever. Here each read and each write of a socket gets only the time that is left of the
call. A new connection is made in a thread of its own, because the operating system offers no time-out for the
look-up of a host's name.
"""

from __future__ import annotations

import http.client
import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter

#: Most bytes of one write. TLS sends records of this size, and its time-out counts for each record.
_PIECE = 16 * 1024

_calls = threading.local()


class Deadline:
    """The moment at which a call must have ended.

    :param seconds: Seconds from now.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Give the call all of its seconds again, from now on."""
        self._at = time.monotonic() + self._seconds

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._at

    def left(self) -> float:
        """Return the seconds that are left.

        :raises TimeoutError: None are left.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's time is over")
        return left


@contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """Bound what this thread sends and receives inside the block, through a :func:`deadline_adapter`.

    :param seconds: Seconds for all of it together.
    """
    before = getattr(_calls, "deadline", None)
    _calls.deadline = made = Deadline(seconds)
    try:
        yield made
    finally:
        _calls.deadline = before


def renew_deadline() -> None:
    """Give this thread's call, if it has a deadline, its whole time again: a long body has come further."""
    current: Deadline | None = getattr(_calls, "deadline", None)
    if current is not None:
        current.renew()


def _limit(sock: Any) -> None:
    """Give a socket the time that is left of this thread's call, if the call has a deadline."""
    current: Deadline | None = getattr(_calls, "deadline", None)
    if current is not None and sock is not None:
        sock.settimeout(current.left())


class _Stream(io.RawIOBase):
    """Read from a socket, with a new time-out before each read.

    :param raw: The socket's own stream.
    :param sock: The socket.
    """

    def __init__(self, raw: Any, sock: Any) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        _limit(self._sock)
        count: int | None = self._raw.readinto(buffer)
        return count

    def fileno(self) -> int:
        number: int = self._raw.fileno()
        return number

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer whose headers, body and trailer come through a :class:`_Stream`."""

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp: Any = io.BufferedReader(_Stream(self.fp.detach(), sock))


class _Connection:
    """What a connection class of urllib3 needs before it. See :func:`_with_deadline`."""

    response_class = _Response
    auto_open: int
    sock: Any

    def _new_conn(self) -> Any:
        """Return a new socket. The look-up of the name, and all its addresses, get the time that is left."""
        connect: Callable[[], Any] = super()._new_conn  # type: ignore[misc]
        current: Deadline | None = getattr(_calls, "deadline", None)
        if current is None:
            return connect()
        made: Future[Any] = Future()
        # Nothing waits for this thread, not even the end of the process.
        threading.Thread(
            target=_connect, args=(connect, made), name="cloudelements-connect", daemon=True
        ).start()
        try:
            if wait((made,), current.left()).done:
                return made.result()
            from urllib3.exceptions import ConnectTimeoutError

            raise ConnectTimeoutError(self, "the call's time is over, and there is no connection")
        except BaseException:  # an interrupt too
            made.add_done_callback(_close_late)
            raise
        finally:
            del made  # a traceback holds this frame, and must not hold itself by it

    def send(self, data: Any) -> None:
        """Send bytes, a piece at a time: a server that reads slowly must not make the call last either."""
        if not isinstance(data, bytes):
            super().send(data)  # type: ignore[misc]
            return
        if self.sock is None and self.auto_open:
            self.connect()  # type: ignore[attr-defined]
        view = memoryview(data)
        for start in range(0, max(len(data), 1), _PIECE):
            _limit(self.sock)
            super().send(view[start : start + _PIECE])  # type: ignore[misc]


def _connect(connect: Callable[[], Any], made: Future[Any]) -> None:
    try:
        made.set_result(connect())
    except BaseException as error:  # whatever it is, the caller's thread raises it
        made.set_exception(error)
    finally:
        del made  # as above


def _close_late(made: Future[Any]) -> None:
    """Close a socket that nobody waits for any more."""
    if made.exception() is None:
        made.result().close()


@cache
def _with_deadline(pool: Any) -> Any:
    """Return a class of connection pools like the given one, whose connections heed the deadline."""
    base = pool.ConnectionCls
    connection = type(base.__name__, (_Connection, base), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


def _heed(manager: Any) -> None:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _with_deadline(pool) for scheme, pool in pools.items()}


@cache
def _adapter_class() -> type[HTTPAdapter]:
    """Return the class of :func:`deadline_adapter`, made when the first session needs it."""
    from requests.adapters import HTTPAdapter

    class DeadlineAdapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options)
            _heed(self.poolmanager)

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            known = proxy in self.proxy_manager
            manager = super().proxy_manager_for(proxy, **options)
            if not known:
                _heed(manager)
            return manager

    return DeadlineAdapter


def deadline_adapter() -> HTTPAdapter:
    """Return an adapter for a session of ``requests``.

    Its connections, direct or through a proxy of any kind, heed the :func:`deadline` of the thread.
    """
    return _adapter_class()()
