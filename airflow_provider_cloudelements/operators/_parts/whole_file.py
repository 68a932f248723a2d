"""A file in object storage that is whole under the name that was asked for, or not there."""

from __future__ import annotations

import logging
import os
import re
import uuid
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsServerError,
    CloudElementsValidationError,
)

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: Protocols whose stores show an object once its upload is complete, and not before.
_UPLOADED_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
_LOCAL = frozenset({"", "file", "local"})
#: Bytes of one part of an upload. S3 takes 10,000 parts and the platform's largest file has 6 GB; s3fs' own
#: size, 50 MiB, would fill three times as much memory.
_BLOCK = 16 * 1024 * 1024
#: What no name may hold: a pattern of libraries that find and read files; control characters, which some of
#: them drop; halves of surrogate pairs, which cannot be written.
_PATTERN = re.compile(r"[*?\[]")
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
#: A home folder, which is another one on each worker, and which not every library expands.
_HOME = re.compile(r"(?:(?:file|local)://)?~")
#: Most bytes of a file's name in a local folder.
_LONGEST_NAME = 255


def storage_path(path: Any, name: str) -> ObjectStoragePath:
    """Read the address of a file in object storage.

    :param path: A text or an ``ObjectStoragePath``.
    :param name: The argument's name, for errors.
    :raises CloudElementsValidationError: It is neither, is not the address of a file, or no installed library
        reaches it.
    """
    from airflow.sdk import ObjectStoragePath

    if not isinstance(path, str | ObjectStoragePath) or not str(path).strip() or str(path).endswith("/"):
        raise CloudElementsValidationError(
            f"{name} must be the address of a file, such as s3://bucket/events.jsonl."
        )
    if problem := _problem(str(path)):
        raise CloudElementsValidationError(f"{name} {problem}")
    try:
        target = path if isinstance(path, ObjectStoragePath) else ObjectStoragePath(path.strip())
        filesystem = target.fs
    except (ImportError, ValueError) as error:
        raise CloudElementsValidationError(f"No installed library reaches {name}: {error}") from error
    # In a store without folders, a name may well be the beginning of other names.
    if _has_folders(filesystem) and filesystem.isdir(target.path):
        raise CloudElementsValidationError(f"{name} is a folder; it must be the address of a file.")
    if _is_local(filesystem) and len(os.fsencode(target.name)) > _LONGEST_NAME:
        raise CloudElementsValidationError(f"{name}: the file's name has more than {_LONGEST_NAME} bytes.")
    return target


def _problem(path: str) -> str | None:
    if _PATTERN.search(path):
        return "must hold none of the characters *, ? and [."
    if _UNFIT.search(path):
        return "must hold no line break and no other control character, and no half of a surrogate pair."
    if _HOME.match(path):
        return "must not begin with ~: write the folder in full, since it is another one on each worker."
    if path.strip() == "None":
        return "is 'None', which Jinja writes for a missing value. Check the values of its template."
    return None


class WholeFile:
    """Writes a file, and replaces an existing one when all is written.

    Neither a failure nor a kill leaves an incomplete file under the name, and two tries never mix. It does
    not use fsspec's ``with open``, which completes a file even if a write to it failed; nor transactions,
    which adlfs commits; nor, in a store without folders, ``mv``: to a name that is also the beginning of
    other names it moves the file *into* it, and on Azure it removes the source while the copy may still fail.

    - S3, Google Cloud Storage and Azure show an object once its upload is complete. There it writes under the
      name itself, and completes the upload at the end.
    - Elsewhere it writes to a part file beside it, ``NAME.XXXXXXXX.part``, with a new name each time, and
      renames that (or copies it, if the store cannot rename).

    It makes missing local folders; object stores have none. It writes the file to which a local link leads.

    :param path: The address of the file, as :func:`storage_path` returns it.
    """

    def __init__(self, path: ObjectStoragePath) -> None:
        way = _Upload if _protocols(path.fs) & _UPLOADED_WHOLE else _Part
        self._way: _Way = way(path.fs, path.path)
        #: Bytes written so far.
        self.size = 0
        self._abandoned = False

    def abandon(self) -> None:
        """Let the next write fail, and the file not become whole. A signal's handler may call it.

        A local part file is gone at once: the task may be killed while it waits for its next row.
        """
        self._abandoned = True
        self._way.abandon()

    def _require_wanted(self) -> None:
        if self._abandoned:
            raise CloudElementsError("The file was given up, because the task was told to end.")

    def write(self, data: bytes) -> int:
        """Write bytes, and return how many.

        :raises CloudElementsError: The file was given up.
        """
        self._require_wanted()
        self._way.write(data)
        self.size += len(data)
        return len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._require_wanted()
            self._way.complete(self.size)
        except BaseException:
            self._discard()
            raise

    def _discard(self) -> None:
        """Remove what was written, if possible, and raise nothing: the first error says what failed."""
        try:
            self._way.discard()
        except Exception:
            log.warning("%s could not be removed.", self._way)


class _Way(Protocol):
    """How a file becomes whole."""

    def write(self, data: bytes) -> None: ...

    def complete(self, size: int) -> None: ...

    def discard(self) -> None: ...

    def abandon(self) -> None: ...


class _Upload:
    """An upload under the file's own name, which the store shows when it is complete.

    :param fs: The store.
    :param path: The file's name in it.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self._path = path
        self._file = fs.open(path, "wb", block_size=_BLOCK)
        self.write = self._file.write

    def __str__(self) -> str:
        return f"The unfinished upload of {self._path}"

    def complete(self, size: int) -> None:
        self._file.close()

    def discard(self) -> None:
        try:
            self._file.discard()
        finally:
            # Else fsspec completes the upload when it forgets the object.
            self._file.closed = True

    def abandon(self) -> None:
        """Do nothing yet: to end an upload within a signal's handler could wait for the upload itself."""


class _Part:
    """A part file, which gets the file's name when all is written.

    :param fs: The store.
    :param path: The file's name in it.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self._fs = fs
        # To replace a link would leave the file to which it leads, and which others may read, as it was.
        self._path = os.path.realpath(path) if _is_local(fs) else path
        self._part = _part_of(self._path)
        if _is_local(fs):
            fs.makedirs(fs._parent(self._path), exist_ok=True)
        self._file = fs.open(self._part, "wb")
        self.write = self._file.write

    def __str__(self) -> str:
        return f"The incomplete file {self._part}"

    def complete(self, size: int) -> None:
        self._file.close()
        if _is_local(self._fs):
            os.replace(self._part, self._path)
        elif _renames(self._fs):
            self._fs.mv(self._part, self._path)
        else:
            self._copy(size)

    def _copy(self, size: int) -> None:
        self._fs.cp_file(self._part, self._path)
        self._fs.invalidate_cache()
        # Not by info(), which may report the folder, if the name is also the beginning of other names.
        with self._fs.open(self._path, "rb") as copy:
            found = copy.seek(0, os.SEEK_END)
        if found != size:
            raise CloudElementsServerError(
                f"The store's copy, {self._path}, has {found} bytes; {size} were written."
            )
        self._fs.rm_file(self._part)

    def discard(self) -> None:
        with suppress(Exception):
            self._file.close()
        if _is_local(self._fs):
            self.abandon()
        else:
            self._fs.rm_file(self._part)

    def abandon(self) -> None:
        if _is_local(self._fs):
            with suppress(FileNotFoundError):  # it has its own name by now, or was given up before
                os.unlink(self._part)


def _part_of(path: str) -> str:
    """Return a new name beside a file's. Of a long name, it has the beginning."""
    folder, slash, name = path.rpartition("/")
    ending = f".{uuid.uuid4().hex[:8]}.part"
    beginning = os.fsencode(name)[: _LONGEST_NAME - len(ending)].decode(errors="ignore")
    return f"{folder}{slash}{beginning}{ending}"


def _is_local(fs: Any) -> bool:
    return bool(_protocols(fs) & _LOCAL)


def _protocols(fs: Any) -> frozenset[str]:
    names = fs.protocol
    return frozenset([names] if isinstance(names, str) else names)


def _renames(fs: Any) -> bool:
    """Return whether a store has a rename of its own, as file systems have and object stores do not."""
    # The base class copies and removes. By its name: fsspec has no types, and is loaded only when needed.
    return str(type(fs).mv.__module__) != "fsspec.spec"


def _has_folders(fs: Any) -> bool:
    return _is_local(fs) or (not _protocols(fs) & _UPLOADED_WHOLE and _renames(fs))
