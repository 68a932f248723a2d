"""An answer, and its body read: whole, but neither for ever nor without end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

#: Most bytes of a body, unpacked. A page of 200 events has some hundred thousand; no limit of the platform's
#: is documented, and what is larger would only fill the worker's memory.
LARGEST_ANSWER = 256 * 1024 * 1024
#: Seconds for a body at least: a large page over a slow line comes steadily, and does not come at once.
SHORTEST_TIME = 60.0
#: Most bytes that are taken at once.
_PART = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer.

    :param status: HTTP status, 2xx.
    :param headers: Its headers, looked up without regard to case.
    :param body: The parsed JSON; ``None`` for an empty body.
    """

    status: int
    headers: Mapping[str, str]
    body: Any


class TooLargeError(Exception):
    """A body is larger than :data:`LARGEST_ANSWER`."""


def read_body(answer: requests.Response, seconds: float) -> bytes:
    """Return an answer's body. Its connection goes back to the pool, or is closed.

    :param answer: Of a call with ``stream=True``, so that nothing of the body is read yet.
    :param seconds: Longest time until all of it is here, though :data:`SHORTEST_TIME` at least. A time-out of
        requests bounds the wait for the next byte only, so that a body which comes byte by byte would last
        for ever. (One whose headers or trailers do, still does.)
    :raises TooLargeError: It is larger than :data:`LARGEST_ANSWER`.
    :raises requests.exceptions.ReadTimeout: It did not come in time.
    :raises Exception: The connection broke, or said nothing for too long; of urllib3's kinds.
    """
    from requests.exceptions import ReadTimeout

    deadline = time.monotonic() + max(seconds, SHORTEST_TIME)
    # Before urllib3 2 there is only the one that waits until it has as much as it was asked for.
    read = getattr(answer.raw, "read1", answer.raw.read)
    body = bytearray()
    try:
        while part := read(_PART, decode_content=True):
            body += part
            if len(body) > LARGEST_ANSWER:
                raise TooLargeError
            if time.monotonic() > deadline:
                raise ReadTimeout
    except BaseException:
        answer.close()
        raise
    return bytes(body)
