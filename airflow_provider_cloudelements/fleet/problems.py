"""What is wrong with a manifest: where, and what. No problem holds a value of the manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_cloudelements.client.wire.secrecy import one_line
from airflow_provider_cloudelements.exceptions import CloudElementsManifestError


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in a manifest.

    :param source: File, or what else the manifest came from.
    :param line: Line of the file, from 1 on; ``None`` if the source has no lines.
    :param row: Number of the row, from 1 on; ``None`` if it is not about one.
    """

    source: str
    line: int | None = None
    row: int | None = None

    def __str__(self) -> str:
        """Return source and line, as editors and compilers write them; without lines, the row's number."""
        if self.line is not None:
            return f"{self.source}:{self.line}"
        return self.source if self.row is None else f"{self.source}, row {self.row}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a manifest.

    :param place: Where it stands.
    :param message: What is wrong, without the value.
    :param instance: The instance's key or name, or its number in the file; ``None`` if it is not about one.
    :param field: The field; ``None`` if it is not about one.
    """

    place: Place
    message: str
    instance: str | None = None
    field: str | None = None

    def __str__(self) -> str:
        """Return the whole problem in one line."""
        about = ", ".join(one_line(each) for each in (self.instance, self.field) if each)
        return f"{self.place}: {about}: {self.message}" if about else f"{self.place}: {self.message}"


def manifest_error(problems: Iterable[Problem]) -> CloudElementsManifestError:
    """Return the error that lists all problems.

    :param problems: At least one.
    """
    found = tuple(dict.fromkeys(problems))
    lines = "\n".join(f"  {each}" for each in found)
    count = "one problem" if len(found) == 1 else f"{len(found)} problems"
    return CloudElementsManifestError(
        f"The manifest has {count}. Nothing was called.\n{lines}", problems=found
    )
