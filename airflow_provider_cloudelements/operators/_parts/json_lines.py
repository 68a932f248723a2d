"""A file of JSON lines in object storage that is whole, or not there."""

from __future__ import annotations

import json
import logging
import uuid
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)


def storage_path(path: Any) -> ObjectStoragePath:
    """Read the address of a file in object storage.

    :param path: A text or an ``ObjectStoragePath``.
    :raises CloudElementsValidationError: It is neither, is no file's, or nothing here can write there.
    """
    from airflow.sdk import ObjectStoragePath

    if not isinstance(path, str | ObjectStoragePath) or not str(path).strip() or str(path).endswith("/"):
        raise CloudElementsValidationError(
            "path must be the address of a file, such as s3://bucket/events.jsonl."
        )
    if set("*?[") & set(str(path)):
        # Where a file is moved, fsspec takes these for a pattern.
        raise CloudElementsValidationError("path must hold none of the characters *, ? and [.")
    try:
        target = path if isinstance(path, ObjectStoragePath) else ObjectStoragePath(path.strip())
        filesystem = target.fs
    except (ImportError, ValueError) as error:
        raise CloudElementsValidationError(f"Nothing here can write to path: {error}") from error
    if _is_local(target) and filesystem.isdir(target.path):
        raise CloudElementsValidationError("path is a folder; it must be the address of a file.")
    return target


class JsonLines(AbstractContextManager["JsonLines"]):
    """Writes a file of JSON lines, in place of one that is there.

    The lines go to a file beside it, of another name each time, which is moved when all are written. So
    neither a failure nor a kill leaves a part of it under its name, nor mixes what two tries write. The plain
    way does not do: fsspec finishes a file also where writing to it failed, and a local one is in sight from
    its first line on. A kill may leave the other file, ``NAME.XXXXXXXX.part``.

    Local folders are made where they are missing; object stores have none.

    :param path: Where.
    """

    def __init__(self, path: ObjectStoragePath) -> None:
        self._fs = path.fs
        self._path = path.path
        self._part = f"{path.path}.{uuid.uuid4().hex[:8]}.part"
        if _is_local(path):
            self._fs.makedirs(self._fs._parent(self._path), exist_ok=True)
        self._file = self._fs.open(self._part, "wb")

    def write(self, value: Any) -> None:
        """Write a line."""
        # In ASCII: vendors' texts may hold halves of characters, which are no UTF-8.
        self._file.write(json.dumps(value).encode("ascii") + b"\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                self._file.close()
                self._fs.mv(self._part, self._path)
            except BaseException:
                self._discard()
                raise
        else:
            self._discard()

    def _discard(self) -> None:
        """Leave nothing, if that can be helped; what failed is told by its own error."""
        with suppress(Exception):
            self._file.close()
        try:
            self._fs.rm_file(self._part)
        except Exception:
            log.warning("A file that is not whole is left: %s", self._part)


def _is_local(path: ObjectStoragePath) -> bool:
    return path.protocol in ("", "file", "local")
