"""An answer, and the reading of its whole body, with a limit on time and size."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

#: Most bytes of a body, unpacked. A page of 200 events has some hundred thousand. The platform documents no
#: limit, and a larger body would only fill the worker's memory.
LARGEST_ANSWER = 256 * 1024 * 1024
#: Shortest limit for a body, in seconds: over a slow line a large page comes steadily, but not at once.
SHORTEST_TIME = 60.0
#: Most bytes of one read.
_PART = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer.

    :param status: HTTP status, 2xx.
    :param headers: Its headers. Look-ups ignore the case.
    :param body: The parsed JSON; ``None`` for an empty body.
    """

    status: int
    headers: Mapping[str, str]
    body: Any


class TooLargeError(Exception):
    """A body is larger than :data:`LARGEST_ANSWER`."""


def read_body(answer: requests.Response, seconds: float) -> bytes:
    """Return an answer's body, and give the connection back to the pool or close it.

    :param answer: Answer to a call with ``stream=True``, so that nothing of its body is read yet.
    :param seconds: Longest time for the whole body, but at least :data:`SHORTEST_TIME`. A time-out of
        requests bounds only the wait for the next byte. With it alone, a body that comes byte by byte would
        last for ever. (An answer whose headers or trailers come byte by byte still does.)
    :raises TooLargeError: The body is larger than :data:`LARGEST_ANSWER`.
    :raises requests.exceptions.ReadTimeout: The body did not come in time.
    :raises Exception: The connection broke, or was silent for too long. The error is one of urllib3's.
    """
    from requests.exceptions import ReadTimeout

    deadline = time.monotonic() + max(seconds, SHORTEST_TIME)
    # Before urllib3 2 there is only ``read``, which waits until it has all the bytes requested.
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
