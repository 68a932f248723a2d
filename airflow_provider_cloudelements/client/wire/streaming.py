"""A body of any size, read part by part, that says where it begins and whether it came whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_provider_cloudelements.client.wire.answer import read_body
from airflow_provider_cloudelements.client.wire.deadline import deadline
from airflow_provider_cloudelements.client.wire.faults import failure_of_transport
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsServerError,
    CloudElementsTransportError,
)

if TYPE_CHECKING:
    import requests

    from airflow_provider_cloudelements.client.wire.request import Request
    from airflow_provider_cloudelements.connections import ConnectionSettings

#: Most bytes of one part.
_PART = 256 * 1024
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_NUMBER = re.compile(r"\d{1,18}")


def read_refusal(answer: requests.Response) -> bytes:
    """Return the body of an answer that is no success, and nothing of one that is.

    :param answer: Answer to a call with ``stream=True``.
    """
    return b"" if 200 <= answer.status_code < 300 else read_body(answer)


class Streamed:
    """The body of one answer, from its first byte to its last.

    :param answer: A successful answer, of whose body nothing is read yet.
    :param request: The call.
    :param settings: The settings that name the host.
    :param timeout: Most seconds to wait for the next part.
    :raises CloudElementsServerError: The body is packed, although the call refuses that, or its range cannot
        be read.
    """

    def __init__(
        self, answer: requests.Response, request: Request, settings: ConnectionSettings, timeout: float
    ) -> None:
        self._answer, self._request, self._settings, self._timeout = answer, request, settings, timeout
        #: The place of the first byte in the whole, which is 0 unless a part was asked for and came.
        self.begin = 0
        #: Bytes of the body, as the answer says beforehand; ``None`` if it does not.
        self.size: int | None = None
        #: Bytes of the whole, of which the body may be a part; ``None`` if the answer does not say.
        self.total: int | None = None
        #: Whether an early end of the whole shows: the answer says its length, or marks its end (chunks).
        self.end_shows = False
        #: By which a later call can ask for the rest of the same bytes; ``None`` without a strong ``ETag``.
        self.tag: str | None = None
        try:
            self._read_headers()
        except BaseException:
            self.close()
            raise

    def _read_headers(self) -> None:
        headers = self._answer.headers
        if headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise self._failure("the body is compressed, although the call asked for it as it is")
        length = headers.get("Content-Length", "")
        if _NUMBER.fullmatch(length) and "Transfer-Encoding" not in headers:
            self.size = self.total = int(length)
        chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        self.end_shows = chunked or self.size is not None
        tag = headers.get("ETag", "").strip()
        if tag.startswith('"') and len(tag) > 2:
            self.tag = tag
        if self._answer.status_code == 206:
            part = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
            if part is None:
                raise self._failure("the answer (206) does not say which part of the body it is")
            self.begin = int(part[1])
            self.size = int(part[2]) - self.begin + 1
            self.total = None if part[3] == "*" else int(part[3])
            # The end of a part that may not be the last one says nothing of the end of the whole.
            self.end_shows = self.total is not None

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in parts.

        :raises CloudElementsTransportError: The connection broke, or ended before the body did.
        """
        raw = self._answer.raw
        # Before urllib3 2 there is only ``read``, which waits until it has all the bytes requested.
        read = getattr(raw, "read1", raw.read)
        received = 0
        while part := self._part(read):
            received += len(part)
            yield part
        if self.size is not None and received < self.size:
            raise CloudElementsTransportError(
                f"{self._request.method} {self._request.path}: the connection ended after {received} of "
                f"{self.size} bytes.",
                method=self._request.method,
                path=self._request.path,
            )

    def _part(self, read: object) -> bytes:
        failure: CloudElementsError | None = None
        with deadline(self._timeout) as time_limit:
            try:
                part: bytes = read(_PART, decode_content=False)  # type: ignore[operator]
                return part
            except Exception as error:
                failure = failure_of_transport(
                    error, self._request, self._settings, written=True, late=time_limit.over
                )
        # Outside the handler: the library's error holds the URL.
        raise failure

    def close(self) -> None:
        """Close the connection, or give it back to the pool if the body was read to its end."""
        self._answer.close()

    def _failure(self, what: str) -> CloudElementsServerError:
        return CloudElementsServerError(
            f"{self._request.method} {self._request.path}: {what}.",
            status=self._answer.status_code,
            method=self._request.method,
            path=self._request.path,
        )
