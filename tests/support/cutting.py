"""A proxy of plain sockets that cuts what a client sends, at a byte, and leaves everything else alone."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit


class Cutter:
    """Hands bytes on between a client and a server, and cuts a connection that sends a body of many bytes.

    :param url: Address of the server.
    """

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self._target = (target.hostname or "", target.port or 0)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        #: After so many bytes of one connection's requests the connection ends; ``None``: never.
        self.cut_after: int | None = None
        #: How many connections were cut.
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            server = socket.create_connection(self._target, timeout=20)
            client.settimeout(20)
            for work in (self._to_server, self._to_client):
                threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.cut_after is not None and passed + len(data) >= self.cut_after:
                    server.sendall(data[: self.cut_after - passed])
                    self.cut_after = None
                    self.cuts += 1
                    break
                server.sendall(data)
                passed += len(data)
        _end(client, server)

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        _end(client, server)


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextlib.contextmanager
def cutting(url: str) -> Iterator[Cutter]:
    """Give a proxy before a server.

    :param url: Address of the server.
    """
    cutter = Cutter(url)
    try:
        yield cutter
    finally:
        cutter.close()
