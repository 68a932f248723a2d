"""A body of multipart/form-data that holds one file, and is made while it is sent.

requests' own encoder holds the file nearly twice in memory. Here a file of any size costs that of one piece.
"""

from __future__ import annotations

import io
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from airflow_provider_cloudelements.client.wire.deadline import renew_deadline
from airflow_provider_cloudelements.exceptions import CloudElementsError, CloudElementsValidationError

#: Bytes of the file in one piece.
_PIECE = 256 * 1024
#: What could end a name, its line or its part: browsers write these as a URL does. The backslash too, because
#: some readers take it, and what follows, for one character.
_UNFIT = re.compile(r'["\\\x00-\x1f\x7f]')


class ReadableFile(Protocol):
    """A file of bytes that can be read more than once: what ``open(path, "rb")`` returns."""

    def read(self, size: int, /) -> bytes:
        """Read on; at the end, nothing."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place, and return it."""


class Form:
    """The body: small fields, and behind them a file.

    Its length is known beforehand, so that a server can tell a body that broke off from a whole one.

    :param fields: The fields by name: Content-Type and value.
    :param name: Name of the file's field.
    :param file: The file. Each iteration reads it from its first byte on.
    :param file_name: The file's own name. Whatever it holds, it stays within its quotes.
    :param kind: The file's Content-Type.
    :raises CloudElementsValidationError: It is no file of bytes that can be read more than once.
    :raises CloudElementsError: In an iteration: the file has not as many bytes as it had before.
    """

    def __init__(
        self,
        fields: Mapping[str, tuple[str, bytes]],
        name: str,
        file: ReadableFile,
        file_name: str,
        kind: str,
    ) -> None:
        boundary = uuid.uuid4().hex  # nobody can have put it into the file
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [_head(boundary, each, None, its_kind) + value for each, (its_kind, value) in fields.items()]
        self._before = b"\r\n".join([*parts, _head(boundary, name, file_name, kind)])
        self._after = f"\r\n--{boundary}--\r\n".encode()
        self._file = file
        self._size = _size(file)
        #: Whether all of it was given to the connection the last time.
        self.is_sent = False

    def __len__(self) -> int:
        return len(self._before) + self._size + len(self._after)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in pieces. Each gets the whole time of the call."""
        self.is_sent = False
        for piece in self._pieces():
            renew_deadline()
            yield piece
        self.is_sent = True
        renew_deadline()  # for the answer

    def _pieces(self) -> Iterator[bytes]:
        yield self._before
        self._file.seek(0)
        left = self._size
        # One byte more than there should be, because a file that grew would else be sent without its end.
        while piece := self._read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                break
            yield piece
        if left:
            raise CloudElementsError("The file changed its size while it was sent, so it was not sent whole.")
        yield self._after

    def _read(self, size: int) -> bytes:
        """Read on. To the library that sends, an error of the file's would look like one of the connection's.

        :raises CloudElementsError: It cannot be read.
        """
        try:
            piece: Any = self._file.read(size)
        except CloudElementsError:
            raise
        except Exception as error:
            what = type(error).__name__  # its text may hold an address with a signature
        else:
            if isinstance(piece, bytes):
                return piece
            what = f"it gives {type(piece).__name__}"
        raise CloudElementsError(f"The file could not be read to its end ({what}).")


def _size(file: ReadableFile) -> int:
    """Return how many bytes a file has.

    :raises CloudElementsValidationError: It is no open file of bytes, or cannot go back to its begin.
    """
    try:
        is_of_bytes = callable(file.read) and not isinstance(file, io.TextIOBase)
        size = file.seek(0, os.SEEK_END)
    except CloudElementsError:
        raise
    except Exception:  # its text may hold an address with a signature
        is_of_bytes, size = False, None
    if is_of_bytes and isinstance(size, int):
        return size
    raise CloudElementsValidationError(
        "file must be open for reading bytes, as open(path, 'rb') opens it, and able to go back to its begin."
    )


def _head(boundary: str, name: str, file_name: str | None, kind: str) -> bytes:
    quoted = f'form-data; name="{_quoted(name)}"'
    if file_name is not None:
        quoted += f'; filename="{_quoted(file_name)}"'
    head = f"--{boundary}\r\nContent-Disposition: {quoted}\r\nContent-Type: {kind}\r\n\r\n"
    return head.encode("utf-8", "replace")


def _quoted(text: str) -> str:
    return _UNFIT.sub(lambda found: f"%{ord(found[0]):02X}", text)
