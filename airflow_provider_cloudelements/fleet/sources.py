"""Get the documents of a manifest: from a file, a folder, object storage, or rows of an upstream task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_cloudelements.client.wire.secrecy import shown_text
from airflow_provider_cloudelements.compat import object_storage_path
from airflow_provider_cloudelements.fleet.problems import Place, Problem
from airflow_provider_cloudelements.fleet.texts import read_text

#: Names of files that a folder's manifest is made of.
_SUFFIXES = (".yaml", ".yml", ".json")


def documents(source: Any, number: int | None = None) -> Iterator[tuple[str, Any, list[Problem]]]:
    """Yield each document of a source: its name, what it holds, and what is wrong with it.

    :param source: Path of a file or folder, as text or as an object with the methods of ``pathlib.Path``
        (such as Airflow's ``ObjectStoragePath``); an address such as ``s3://connection@bucket/key``; a
        mapping, which is a whole manifest; or rows.
    :param number: Which of several sources it is, for the names of those that have none.
    """
    which = "" if number is None else f" {number}"
    manifest = f"the manifest{which}"
    if isinstance(source, Mapping):
        yield manifest, source, []
    elif isinstance(source, str) and not source.strip():
        yield manifest, None, [_wrong(manifest, "its path is empty.")]
    elif isinstance(source, str) or hasattr(source, "read_text"):
        yield from _files(source)
    elif isinstance(source, bytes) or not isinstance(source, Iterable):
        message = f"it must be a path, a mapping or a list of rows, not of type {type(source).__name__}."
        yield manifest, None, [_wrong(manifest, message)]
    else:
        # What an upstream task returned: a list, or a lazy sequence of a mapped task's results.
        rows = list(source)
        if rows and all(isinstance(each, list | tuple) for each in rows):
            rows = [row for each in rows for row in each]  # each mapped task returned a list
        yield f"rows{which}", {"instances": rows}, []


def _path(source: Any) -> Any:
    if not isinstance(source, str):
        return source
    return object_storage_path(source) if "://" in source else Path(source)


def _files(source: Any) -> Iterator[tuple[str, Any, list[Problem]]]:
    try:
        path = _path(source)
        found = sorted(_below(path), key=str) if path.is_dir() else [path]
    except Exception as error:  # storage without its library, an unknown scheme, a missing connection
        yield _unread(source, error)
        return
    if not found:
        name = _name(path)
        yield name, None, [_wrong(name, f"the folder holds no file {', '.join(_SUFFIXES)}.")]
    for each in found:
        name = _name(each)
        try:
            # The mark that some editors write before the text is no part of it.
            text = each.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            yield name, None, [_wrong(name, "the file is not UTF-8.")]
        except Exception as error:  # each storage has errors of its own
            yield _unread(each, error)
        else:
            yield (name, *read_text(text, name))


def _below(folder: Any, above: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Yield the files of a folder, at any depth.

    :param folder: The folder.
    :param above: The folders that it lies in: a link to one of them leads nowhere new.
    """
    here = folder.resolve() if isinstance(folder, Path) else folder
    if here in above:
        return
    for each in folder.iterdir():
        if each.name.startswith("."):
            continue
        if each.is_dir():
            yield from _below(each, (*above, here))
        # A pipe or a socket has no end. A link that leads nowhere is reported when it is read.
        elif each.name.lower().endswith(_SUFFIXES) and (each.is_file() or not each.exists()):
            yield each


def _name(path: Any) -> str:
    """Return what problems call a file: an address may hold a login."""
    name = str(path)
    return shown_text(name) if "://" in name else name


def _wrong(name: str, message: str) -> Problem:
    return Problem(Place(name), message)


def _unread(path: Any, error: Exception) -> tuple[str, None, list[Problem]]:
    # The text of an error of object storage may hold anything.
    what = (
        "there is no such file"
        if isinstance(error, FileNotFoundError)
        else f"it cannot be read ({type(error).__name__})"
    )
    return _name(path), None, [_wrong(_name(path), f"{what}.")]
