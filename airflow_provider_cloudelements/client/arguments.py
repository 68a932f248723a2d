"""Check what callers give to the client. Each error names the argument, and never shows its value."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from airflow_provider_cloudelements.exceptions import CloudElementsValidationError

#: Largest integer that names anything: that of 64 bits.
_LARGEST = 2**63 - 1


def path_segment(name: str, value: Any) -> str:
    """Return a value as one quoted part of a path.

    :param name: The argument's name, for the error.
    :param value: A text, or an integer above 0. Ends of a text are stripped.
    :raises CloudElementsValidationError: It is something else, or the path would be that of something else.
    """
    text = value.strip() if isinstance(value, str) else ""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST:
        text = str(value)
    if text in ("", ".", ".."):
        # With such a part, the path would be that of a list.
        raise CloudElementsValidationError(f"{name} must be a text that is not empty.")
    return quote(text, safe="", errors="surrogatepass")


def text(name: str, value: Any) -> str:
    """Return a value that must be a text.

    :param name: The argument's name, for the error.
    :param value: The value.
    :raises CloudElementsValidationError: It is something else.
    """
    if not isinstance(value, str):
        raise CloudElementsValidationError(f"{name} must be a text, not of type {type(value).__name__}.")
    return value


def texts(name: str, value: Any) -> tuple[str, ...]:
    """Return a value that must be several texts, in a list or the like.

    :param name: The argument's name, for the error.
    :param value: The value.
    :raises CloudElementsValidationError: It is something else, or a single text, which would be its letters.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise CloudElementsValidationError(f"{name} must be a list of texts.")
    found = tuple(value)
    if not all(isinstance(each, str) for each in found):
        raise CloudElementsValidationError(f"{name} must be a list of texts; it holds something else.")
    return found


def dictionary(name: str, value: Any, *, of_texts: bool = False) -> dict[str, Any]:
    """Return a value that must be a dictionary with texts as keys.

    :param name: The argument's name, for the error.
    :param value: The value; ``None`` is an empty one.
    :param of_texts: Whether its values must be texts too.
    :raises CloudElementsValidationError: It is something else.
    """
    given = {} if value is None else value
    if not isinstance(given, Mapping) or not _all_texts(given):
        raise CloudElementsValidationError(f"{name} must be a dictionary whose keys are texts.")
    if of_texts and not _all_texts(given.values()):
        raise CloudElementsValidationError(f"{name} must be a dictionary of texts.")
    return dict(given)


def _all_texts(values: Collection[Any]) -> bool:
    return all(isinstance(each, str) for each in values)
