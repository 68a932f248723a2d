"""Uvicorn, told what the sandbox needs: a socket of its own, no access log, a clean end."""

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

#: Longer than any client keeps an idle connection, so that no call meets one that the server has just closed
#: (choice C44).
_KEEP_ALIVE_SECONDS = 75
#: Calls that still run at the end get so long.
_GRACE_SECONDS = 1


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    :param host: a loopback address.
    :param port: 0 picks a free one.
    :raises OSError: when the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, or asyncio does not see that it is TCP and leaves Nagle's delays on.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        # Listening at once: whoever learns the port may connect, even before the first call is answered.
        sock.listen(2048)
    except BaseException:
        sock.close()
        raise
    return sock


def origin_of(sock: socket.socket) -> str:
    """Return the origin under which a listening socket is reached.

    :param sock: the socket.
    """
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class SandboxServer(uvicorn.Server):
    """A server for one sandbox.

    :param settings: of the sandbox.
    :param sock: where it listens.
    :param on_ready: called once when it answers.
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
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._socket = sock
        self._on_ready = on_ready

    def serve_forever(self) -> None:
        """Serve until :meth:`stop`, or SIGINT or SIGTERM in the main thread."""
        try:
            self.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Ask the server to end; safe from any thread."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals as a wish to end, not as uvicorn does, which raises them again at the end."""
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
        """Stop listening, for processes forked meanwhile too, which hold copies of the socket; then end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        await super().shutdown(sockets=sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets=sockets)
        self._on_ready()
