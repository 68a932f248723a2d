"""A file of JSON lines in object storage that is complete, or not there."""

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
    :raises CloudElementsValidationError: It is neither, is not the address of a file, or no installed library
        can write there.
    """
    from airflow.sdk import ObjectStoragePath

    if not isinstance(path, str | ObjectStoragePath) or not str(path).strip() or str(path).endswith("/"):
        raise CloudElementsValidationError(
            "path must be the address of a file, such as s3://bucket/events.jsonl."
        )
    if set("*?[") & set(str(path)):
        # When fsspec moves a file, it takes these characters for a pattern.
        raise CloudElementsValidationError("path must hold none of the characters *, ? and [.")
    try:
        target = path if isinstance(path, ObjectStoragePath) else ObjectStoragePath(path.strip())
        filesystem = target.fs
    except (ImportError, ValueError) as error:
        raise CloudElementsValidationError(f"No installed library can write to path: {error}") from error
    if _is_local(target) and filesystem.isdir(target.path):
        raise CloudElementsValidationError("path is a folder; it must be the address of a file.")
    return target


class JsonLines(AbstractContextManager["JsonLines"]):
    """Writes a file of JSON lines, and replaces an existing one.

    It writes the lines to a part file beside it, with a new name each time, and moves that file when all
    lines are written. So neither a failure nor a kill leaves an incomplete file under the final name, and the
    lines of two tries never mix. To write directly would not be enough: fsspec completes a file even if a
    write to it failed, and a local file is visible from its first line on. A kill may leave the part file,
    ``NAME.XXXXXXXX.part``.

    It makes missing local folders; object stores have none.

    :param path: The address of the file.
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
        # In ASCII: vendors' texts may hold lone surrogates, which are not valid UTF-8.
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
        """Remove the part file if possible, and raise nothing: the first error says what failed."""
        with suppress(Exception):
            self._file.close()
        try:
            self._fs.rm_file(self._part)
        except Exception:
            log.warning("The incomplete file %s could not be removed.", self._part)


def _is_local(path: ObjectStoragePath) -> bool:
    return path.protocol in ("", "file", "local")
