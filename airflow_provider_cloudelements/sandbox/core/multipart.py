"""Bodies that hold a file, read as they come: the file goes to disk, so that its size costs no memory."""

from __future__ import annotations

import tempfile
from email.message import Message
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from airflow_provider_cloudelements.sandbox.core.errors import ApiError, bad_request

#: The most bytes of a file that stay in memory, and of a field that is no file.
_MOST_IN_MEMORY = 1024 * 1024
#: A larger upload is answered with 429 (fact F371).
MOST_BYTES = 6 * 1024**3


class Upload:
    """The parts of a multipart body: one file, and small fields.

    :param content_type: the request's Content-Type, which holds the boundary.
    """

    def __init__(self, content_type: str) -> None:
        self.file: IO[bytes] | None = None
        #: The file's name and type, as the caller says.
        self.filename, self.kind = "", ""
        self.fields: dict[str, bytes] = {}
        self._problem: ApiError | None = None
        self._size = 0
        self._taken = False
        self._name, self._header, self._value = "", b"", b""
        self._headers = Message()
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            self._problem = ApiError(415, "Unsupported media type: send multipart/form-data")
        self._parser = MultipartParser(
            boundary or b"-",
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_header,
                "on_header_value": self._on_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_content,
                "on_part_data": self._content,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Read on.

        :param chunk: the next bytes of the body.
        """
        self._size += len(chunk)
        if self._size > MOST_BYTES and self._problem is None:
            self._problem = ApiError(429, "The upload is larger than 6 GB")
        if self._problem is None:
            try:
                self._parser.write(chunk)
            except FormParserError:
                self._problem = bad_request("The body is not valid multipart/form-data")

    def close(self) -> None:
        """Forget the file, unless somebody took it."""
        if self.file is not None and not self._taken:
            self.file.close()

    def take(self) -> IO[bytes]:
        """Return the file, from its beginning; who takes it closes it.

        :raises ApiError: if the body is not multipart, is too large or holds no part named ``file``.
        """
        if self._problem is not None:
            raise self._problem
        if self.file is None:
            raise bad_request("A part named file is required")
        self.file.seek(0)
        self._taken = True
        return self.file

    def _begin(self) -> None:
        self._headers = Message()

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.decode("latin-1")] = self._value.decode("latin-1")
        self._header = self._value = b""

    def _begin_content(self) -> None:
        _, options = parse_options_header(self._headers.get("Content-Disposition", ""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name == "file" and self.file is None:
            self.file = tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY)
            self.filename = options.get(b"filename", b"").decode("utf-8", "replace")
            self.kind = self._headers.get("Content-Type", "")
        else:
            self.fields.setdefault(self._name, b"")

    def _content(self, data: bytes, start: int, end: int) -> None:
        if self._name == "file" and self.file is not None:
            self.file.write(data[start:end])
        elif len(self.fields[self._name]) + end - start <= _MOST_IN_MEMORY:
            self.fields[self._name] += data[start:end]
        else:
            self._problem = bad_request("A field beside the file is too long")
