"""A file in object storage that is read to be sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.use.bulk import Stop
from airflow_provider_cloudelements.use.uploads import LARGEST, Source, reading

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

#: Bytes that a store is asked for at a time. s3fs' own size, 50 MiB, would fill that memory.
_BLOCK = 4 * 1024 * 1024
#: What the stores name of a file that is another one by now.
_MARKS = (
    "size",
    "ETag",
    "etag",
    "mtime",
    "LastModified",
    "last_modified",
    "generation",
    "updated",
    "modified",
)


@contextmanager
def opened_source(path: ObjectStoragePath, file_format: str, stop: Stop) -> Iterator[Source]:
    """Open a file that is to be uploaded.

    :param path: The address of the file, as :func:`~.whole_file.storage_path` returns it.
    :param file_format: ``csv`` or ``jsonl``.
    :param stop: Says whether the task is to end.
    :raises CloudElementsValidationError: There are no bytes in it, too many, or nobody can say how many.
    :raises CloudElementsError: It is not there, or cannot be read.
    """
    with reading():
        marks = _marks(path)
    size = marks["size"]
    if not isinstance(size, int):
        raise CloudElementsValidationError(
            "path: the storage does not say how long the file is, and an upload tells its length beforehand. "
            "Copy the file into another storage first."
        )
    if size == 0:
        raise CloudElementsValidationError(
            "path: the file is empty. If there is nothing to upload, skip this task."
        )
    if size > LARGEST:
        raise CloudElementsValidationError(
            f"path: the file has {size} bytes, and the platform takes {LARGEST} at most. Upload it in parts."
        )
    with reading():
        file = path.fs.open(path.path, "rb", block_size=_BLOCK)
    with file:
        yield Source(file, path.name, size, file_format, lambda: _marks(path) != marks, stop)


def _marks(path: ObjectStoragePath) -> dict[str, Any]:
    """Return the file's size, and what else its store names by which it can be told from another one.

    :raises CloudElementsValidationError: It is a folder.
    """
    path.fs.invalidate_cache()
    found = path.fs.info(path.path)
    if found.get("type") == "directory":
        raise CloudElementsValidationError("path is a folder; it must be the address of a file.")
    return {"size": None, **{name: found[name] for name in _MARKS if name in found}}
