"""The effect of faults on the TCP connection itself.

An ASGI application cannot close its connection. So the server's protocol stores the transport of every
connection under the client's address, where the faults find it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any, cast

from starlette.types import Receive, Scope
from uvicorn.protocols.http.auto import AutoHTTPProtocol

Address = tuple[str, int]


class SandboxProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Uvicorn's HTTP protocol, which also stores its transport."""

    #: Open connections by the client's address, for all servers of the process.
    transports: dict[tuple[Address, Address], asyncio.Transport] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._addresses = _addresses(transport)
        self.transports[self._addresses] = cast("asyncio.Transport", transport)
        super().connection_made(transport)
        # Uvicorn looks for its logger's handlers at each connection. A logging set-up after the server's
        # start (Airflow's) adds some, and uvicorn would then log addresses with their queries.
        self.access_log = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the transport."""
        self.transports.pop(self._addresses, None)
        super().connection_lost(exc)


def _addresses(transport: asyncio.BaseTransport) -> tuple[Address, Address]:
    """Return the two ends of a connection."""
    return _end(transport.get_extra_info("sockname")), _end(transport.get_extra_info("peername"))


def _end(address: Any) -> Address:
    """Return host and port. IPv6 addresses have more parts, and a closed socket has none."""
    return (str(address[0]), int(address[1])) if address else ("", 0)


def _transport(scope: Scope) -> asyncio.Transport | None:
    """Return the transport of a request."""
    return SandboxProtocol.transports.get((_end(scope["server"]), _end(scope["client"])))


async def drop_connection(scope: Scope, receive: Receive) -> None:
    """Close the connection at once, without an answer.

    :param scope: the request's scope.
    :param receive: the request's receive channel, to wait for the end.
    """
    transport = _transport(scope)
    if transport is not None:
        # A process that was forked meanwhile holds a copy of the socket, which would keep the connection
        # open. The shutdown ends the connection itself, however many copies there are.
        with contextlib.suppress(OSError):
            copy = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
            with copy:
                copy.shutdown(socket.SHUT_RDWR)
        transport.abort()
    await _until_gone(receive)


async def cut_connection(scope: Scope, receive: Receive) -> None:
    """Close the connection after the bytes sent so far.

    :param scope: the request's scope.
    :param receive: the request's receive channel, to wait for the end.
    """
    transport = _transport(scope)
    if transport is not None:
        if transport.can_write_eof():
            transport.write_eof()
        transport.close()
    await _until_gone(receive)


async def _until_gone(receive: Receive) -> None:
    """Wait until the server knows that the connection is closed. Otherwise it would send a 500 by itself."""
    while (await receive())["type"] != "http.disconnect":
        pass
