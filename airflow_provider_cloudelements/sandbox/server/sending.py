"""How an answer goes out: whole, cut off, or made while it is sent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import MutableMapping
from email.utils import formatdate
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Send

from airflow_provider_cloudelements.sandbox.core.web import StreamReply
from airflow_provider_cloudelements.sandbox.state import Call

#: The headers that every answer exposes (fact F48).
EXPOSED_HEADERS = (
    "Elements-Returned-Count, Elements-Total-Count, Elements-Request-Id, Elements-Next-Page-Token,"
    " Elements-Trace-Id, Elements-Error, Content-Disposition"
)
_EXPOSED = EXPOSED_HEADERS.encode()


async def send_answer(
    send: Send, receive: Receive, response: Response, call: Call, cut_after: int | None = None
) -> None:
    """Send an answer, or its beginning, with the headers of every answer (fact F48).

    :param send: the request's send channel.
    :param receive: the request's receive channel, on which a client that leaves is noticed.
    :param response: the answer.
    :param call: the request.
    :param cut_after: how many bytes of the body to send; None for all.
    """
    headers: list[tuple[bytes, bytes]] = [
        *response.raw_headers,
        (b"date", formatdate(time.time(), usegmt=True).encode()),  # uvicorn's own is up to a second old
        (b"elements-request-id", call.request_id.encode()),
        (b"elements-trace-id", call.trace_id.encode()),
        (b"access-control-expose-headers", _EXPOSED),
    ]
    start: MutableMapping[str, Any] = {
        "type": "http.response.start",
        "status": response.status_code,
        "headers": headers,
    }
    await send(start)
    if isinstance(response, StreamReply):
        await _send_stream(send, receive, response, cut_after)
    elif cut_after is not None:
        await send(
            {"type": "http.response.body", "body": bytes(response.body)[:cut_after], "more_body": True}
        )
    else:
        await send({"type": "http.response.body", "body": bytes(response.body)})


async def _send_stream(send: Send, receive: Receive, response: StreamReply, cut_after: int | None) -> None:
    """Send a body as it is made, as fast as the client takes it, until the client leaves."""
    left = response.size if cut_after is None else cut_after
    gone = asyncio.ensure_future(receive())
    try:
        for chunk in response.chunks:
            part = chunk[:left]
            await send({"type": "http.response.body", "body": part, "more_body": True})
            left -= len(part)
            await asyncio.sleep(0)  # other calls have their turn
            if left <= 0 or gone.done():
                break
        if cut_after is None and not gone.done():
            await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone


def half_of(response: Response) -> int:
    """Return half the size of an answer's body.

    :param response: the answer.
    """
    return (response.size if isinstance(response, StreamReply) else len(response.body)) // 2
