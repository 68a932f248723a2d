"""A server of plain sockets that gives any answer that a test sets, and a client of it."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from airflow_provider_cloudelements.client import CloudElementsClient
from airflow_provider_cloudelements.connections import ConnectionSettings

# In the shapes of the real ones: base64 of 32 bytes, 32 hex digits (fact F5).
USER = "Us3r/Secret+With/Slashes+AndPlusses0123456w="
ORGANIZATION = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
TOKEN = "T0ken/Of+One/Instance+AndPlusses012345678xy="
SECRETS = (USER, ORGANIZATION, TOKEN)


@dataclass
class Call:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) < 2, f"{name} was sent twice"
        return found[0] if found else None


@dataclass
class Answer:
    """Bytes to send, and what becomes of the connection: close, keep, reset, stall or drip.

    One that stalls says nothing more; one that drips sends its drips one after another, 0.05 s apart.
    """

    content: bytes
    then: str = "close"
    drips: Iterable[bytes] = ()


def answer(
    body: Any = None, status: int | str = 200, headers: dict[str, str] | None = None, then: str = "close"
) -> Answer:
    """Return an orderly answer; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    all_headers = {"Content-Length": str(len(content)), **(headers or {})}
    if then == "close":
        all_headers.setdefault("Connection", "close")
    head = f"HTTP/1.1 {status} Some reason\r\n" + "".join(f"{k}: {v}\r\n" for k, v in all_headers.items())
    return Answer(head.encode("latin-1") + b"\r\n" + content, then)


class Wire:
    """The server, from ``with Wire(...)`` to the end of the block.

    :param script: what to answer: one answer for all calls, a list (its last one repeats), or a function.
    :param tls: a context to speak TLS with.
    """

    def __init__(
        self,
        script: Answer | list[Answer] | Callable[[Call], Answer],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.script = script
        self.tls = tls
        self.calls: list[Call] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        _shut(self._socket)
        self._accepting.join(5)
        with self._lock:
            for connection in self._open:
                _shut(connection)
        for thread in self._threads:
            thread.join(5)
        self._socket.close()

    def targets(self) -> list[str]:
        return [f"{call.method} {call.target}" for call in self.calls]

    def _accept(self) -> None:
        number = 0
        while not self._stop.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # shut by __exit__
            number += 1
            connection.settimeout(10)
            with self._lock:
                self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while (call := _read(stream, number)) is not None:
                    with self._lock:
                        self.calls.append(call)
                        given = self._answer(call)
                    connection.sendall(given.content)
                    if given.then == "keep":
                        continue
                    for drip in given.drips:
                        connection.sendall(drip)
                        if self._stop.wait(0.05):
                            break
                    if given.then == "stall":
                        self._stop.wait(10)
                    if given.then == "reset":
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    else:
                        _shut(connection)
                    return
        except (OSError, ValueError):
            pass  # the client left, or refused the certificate

    def _answer(self, call: Call) -> Answer:
        if callable(self.script):
            return self.script(call)
        if isinstance(self.script, list):
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return self.script


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # closed already


def _read(stream: Any, number: int) -> Call | None:
    line = stream.readline(65536).decode("latin-1").strip()
    if not line:
        return None
    method, target, _ = line.split(" ", 2)
    headers = []
    while (text := stream.readline(65536).decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = text.partition(":")
        headers.append((name, value.strip()))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    return Call(method, target, headers, stream.read(length), number)


@dataclass
class Account:
    """A client of a server, and the pauses that it made."""

    client: CloudElementsClient
    pauses: list[float] = field(default_factory=list)


def account(url: str, **settings: Any) -> Account:
    """Return a client that notes its pauses instead of making them."""
    values: dict[str, Any] = {
        "base_url": url,
        "user_secret": USER,
        "organization_secret": ORGANIZATION,
        "request_timeout": 5.0,
        "create_timeout": 5.0,
        "max_retries": 0,
        **settings,
    }
    made = Account(CloudElementsClient(ConnectionSettings(**values)))
    made.client.http._sleep = made.pauses.append
    return made


def page(items: Any, following: str | None = None, status: int = 200) -> Answer:
    """Return a page of a list; ``following`` is the next page's token."""
    headers = {} if following is None else {"Elements-Next-Page-Token": following}
    return answer(items, status, headers, then="keep")
