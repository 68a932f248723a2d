"""An answer, and the reading of its whole body, with a limit on its size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

#: Most bytes of a body, unpacked. A page of 200 events has some hundred thousand. The platform documents no
#: limit, and a larger body would only fill the worker's memory.
LARGEST_ANSWER = 256 * 1024 * 1024
#: Most bytes of one read.
_PART = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer. Only the status is in ``repr``: the body may hold tokens and configuration.

    :param status: HTTP status, 2xx; 404 for a ``DELETE`` whose earlier answer was lost.
    :param headers: Its headers. Look-ups ignore the case.
    :param body: The parsed JSON; ``None`` for an empty body.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)


class TooLargeError(Exception):
    """A body is larger than :data:`LARGEST_ANSWER`."""


def read_body(answer: requests.Response) -> bytes:
    """Return an answer's body, and give the connection back to the pool or close it.

    :param answer: Answer to a call with ``stream=True``, so that nothing of its body is read yet. The call's
        :func:`~.deadline.deadline` bounds the time for the body as well.
    :raises TooLargeError: The body is larger than :data:`LARGEST_ANSWER`.
    :raises Exception: The connection broke, or the body did not come in time. The error is one of urllib3's.
    """
    # Before urllib3 2 there is only ``read``, which waits until it has all the bytes requested.
    read = getattr(answer.raw, "read1", answer.raw.read)
    body = bytearray()
    try:
        while part := read(_PART, decode_content=True):
            body += part
            if len(body) > LARGEST_ANSWER:
                raise TooLargeError
    except BaseException:
        answer.close()
        raise
    return bytes(body)
