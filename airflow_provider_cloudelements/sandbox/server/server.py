"""Uvicorn, set up for the sandbox: with a socket of its own, no access log and a clean end."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from airflow_provider_cloudelements.sandbox.server.app import SandboxApp
from airflow_provider_cloudelements.sandbox.server.connection import SandboxProtocol
from airflow_provider_cloudelements.sandbox.settings import Settings

#: Seconds for which the server keeps an idle connection: longer than any client, so that no call uses a
#: connection that the server has just closed (choice C44).
_KEEP_ALIVE_SECONDS = 75
#: Seconds that calls still get to finish when the server ends.
_GRACE_SECONDS = 1


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    :param host: a loopback address.
    :param port: 0 picks a free one.
    :raises OSError: if the port is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Name the protocol: without it asyncio does not see that it is TCP and leaves Nagle's delays on.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        # Listen at once, so that a client that learns the port can connect before the server answers calls.
        sock.listen(2048)
    except BaseException:
        sock.close()
        raise
    return sock


def origin_of(sock: socket.socket) -> str:
    """Return the origin of a listening socket.

    :param sock: the socket.
    """
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class SandboxServer(uvicorn.Server):
    """A server for one sandbox.

    :param settings: the sandbox's settings.
    :param sock: the listening socket.
    :param on_ready: called once, when the server answers calls.
    """

    def __init__(self, settings: Settings, sock: socket.socket, on_ready: Callable[[], None]) -> None:
        app = SandboxApp(settings)
        app.state.origin = origin_of(sock)
        super().__init__(
            uvicorn.Config(
                app,
                http=SandboxProtocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._socket = sock
        self._on_ready = on_ready

    def serve_forever(self) -> None:
        """Serve until :meth:`stop`, or until SIGINT or SIGTERM in the main thread."""
        try:
            self.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Make the server end. This is safe from any thread."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End at a signal, but do not raise it again at the end, as uvicorn does."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, lambda *_: self.stop())
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, also for forked processes, which hold copies of the socket, and then end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        await super().shutdown(sockets=sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then call ``on_ready``."""
        await super().startup(sockets=sockets)
        self._on_ready()
