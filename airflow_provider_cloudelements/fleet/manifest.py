"""Read a manifest: what shall exist, in a file or in rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from airflow_provider_cloudelements.client.arguments import text as checked_text
from airflow_provider_cloudelements.client.plain import plain_text
from airflow_provider_cloudelements.client.tags import named_text, own_tags
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.fleet.fields import (
    ABSENT,
    DEFAULTS,
    DISABLED,
    MANIFEST,
    PRESENT,
    ROW,
    read_fields,
    unknown_field,
)
from airflow_provider_cloudelements.fleet.located import Located, is_null
from airflow_provider_cloudelements.fleet.problems import Place, Problem, manifest_error
from airflow_provider_cloudelements.fleet.sources import documents
from airflow_provider_cloudelements.fleet.texts import read_text
from airflow_provider_cloudelements.provisioning.arguments import InstanceArguments
from airflow_provider_cloudelements.provisioning.difference import comparable_text

#: Fields whose values a row and the defaults share key by key.
_JOINED = ("configuration", "event_configuration")
#: What messages call a row without anything that names it.
NAMELESS = "an instance"


@dataclass(frozen=True, slots=True)
class Row:
    """One instance of a manifest.

    :param given: Its fields by their long names, with the defaults: JSON without secrets.
    :param place: Where it stands.
    """

    given: Mapping[str, Any] = field(repr=False)
    place: Place

    @property
    def label(self) -> str:
        """What names it in messages."""
        given = self.given
        return str(
            given.get("instance_key") or given.get("instance_name") or given.get("instance_id") or NAMELESS
        )

    @property
    def state(self) -> str:
        """``present``, ``absent`` or ``disabled``."""
        return str(self.given.get("state", PRESENT))

    @property
    def protect(self) -> bool:
        """Whether no plan may delete, replace or disable the instance."""
        return bool(self.given.get("protect", False))

    @property
    def element_conn_id(self) -> str | None:
        """The element connection."""
        return self.given.get("element_conn_id")

    @property
    def instance_id(self) -> int | None:
        """The id of the instance that the row is about, if the row names it."""
        return self.given.get("instance_id")

    @property
    def moved_from(self) -> str | None:
        """The former key."""
        return self.given.get("moved_from")

    @property
    def arguments(self) -> InstanceArguments:
        """The create operator's arguments."""
        return InstanceArguments.from_row(self.given)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What shall exist.

    :param rows: The instances.
    :param ownership_tag: Tag of all instances that the manifest manages.
    :param problems: What is wrong with it. :func:`~.planning.plan` raises them together with those that it
        finds with the connections.
    """

    rows: tuple[Row, ...]
    ownership_tag: str | None = None
    problems: tuple[Problem, ...] = ()

    def check(self) -> Manifest:
        """Return the manifest itself.

        :raises CloudElementsManifestError: It has problems. The error lists all of them.
        """
        if self.problems:
            raise manifest_error(self.problems)
        return self


def read_manifest(source: Any, *more: Any, ownership_tag: str | None = None) -> Manifest:
    """Read a manifest. This function raises nothing for what is wrong with it: the result holds the problems.

    :param source: Path of a YAML or JSON file, or of a folder with such files at any depth; an
        ``ObjectStoragePath`` or its address (``s3://...``); a whole manifest as a dictionary; or rows (a list
        of dictionaries).
    :param more: Further sources of the same manifest.
    :param ownership_tag: The ownership tag, for rows; it must not differ from a source's own.
    :return: The manifest.
    """
    if not more:
        return _read(documents(source), ownership_tag)
    each = (documents(one, number) for number, one in enumerate((source, *more), 1))
    return _read(chain.from_iterable(each), ownership_tag)


def read_manifest_text(
    text: str, name: str = "manifest.yaml", *, ownership_tag: str | None = None
) -> Manifest:
    """Read a manifest from the text of a file, as :func:`read_manifest` does.

    :param text: YAML or JSON.
    :param name: The file's name, for problems.
    :param ownership_tag: As for :func:`read_manifest`.
    :raises CloudElementsValidationError: ``text`` or ``name`` is no text.
    """
    source = checked_text("name", name)
    return _read(iter([(source, *read_text(checked_text("text", text), source))]), ownership_tag)


def _read(found: Iterator[tuple[str, Any, list[Problem]]], ownership_tag: str | None) -> Manifest:
    reader = _Reader(ownership_tag)
    for source, document, problems in found:
        reader.problems += problems
        if document is not None or not problems:
            reader.document(source, document)
    return Manifest(tuple(reader.rows), reader.tag, tuple(reader.problems))


class _Reader:
    """Reads the documents of one manifest."""

    def __init__(self, tag: str | None) -> None:
        self.rows: list[Row] = []
        self.problems: list[Problem] = []
        self.tag: str | None = None
        if tag is not None:
            self._own(tag, Place("ownership_tag"))

    def document(self, source: str, document: Any) -> None:
        """Read one document."""
        top = Place(source, 1 if isinstance(document, Located) else None)
        if not isinstance(document, dict):
            self._wrong(top, _no_mapping(document))
            return
        known = {each.name for each in MANIFEST}
        for name in document:
            if name not in known:
                self._wrong(
                    _place(source, document, name),
                    f"{unknown_field(str(name), known)} A manifest has {', '.join(sorted(known))}.",
                    field=str(name),
                )
        if not is_null(document.get("ownership_tag")):
            self._own(document["ownership_tag"], _place(source, document, "ownership_tag"))
        defaults = self._defaults(source, document)
        rows = document.get("instances")
        if not isinstance(rows, list | tuple):
            if "instances" not in document:
                self._wrong(top, "it is missing. It is a list of mappings.", field="instances")
            elif not is_null(rows):
                self._wrong(
                    _place(source, document, "instances"),
                    "it must be a list of mappings: in YAML, each begins with '- '.",
                    field="instances",
                )
            return
        for number, raw in enumerate(rows, 1):
            self._row(source, number, raw, defaults)

    def _own(self, tag: Any, place: Place) -> None:
        if (problem := _unfit(tag)) is not None:
            self._wrong(place, problem, field="ownership_tag")
        elif self.tag is not None and self.tag != str(tag):
            self._wrong(
                place, "it differs from that of another file: a manifest has one.", field="ownership_tag"
            )
        else:
            self.tag = str(tag)

    def _defaults(self, source: str, document: dict[str, Any]) -> dict[str, Any]:
        raw = document.get("defaults")
        if is_null(raw):
            return {}
        if not isinstance(raw, dict):
            self._wrong(_place(source, document, "defaults"), "it must be a mapping.", field="defaults")
            return {}

        def wrong(name: str, message: str) -> None:
            self._wrong(_place(source, raw, name), message, field=f"defaults.{name}")

        return read_fields(raw, DEFAULTS, wrong)

    def _row(self, source: str, number: int, raw: Any, defaults: dict[str, Any]) -> None:
        if not isinstance(raw, dict):
            self._wrong(Place(source, None, number), "it must be a mapping.")
            return
        line = raw.line if isinstance(raw, Located) else None
        place = Place(source, line, number)
        problems: list[tuple[str, str]] = []
        own = read_fields(raw, ROW, lambda name, message: problems.append((name, message)))
        given = {**defaults, **own}
        for name in _JOINED:
            if name in defaults and name in own:
                given[name] = {**defaults[name], **own[name]}
        row = Row(given, place)
        label: str | None = row.label
        if label == NAMELESS:
            label = None if line is None else f"instance number {number}"
        for name, message in (*problems, *_contradictions(row)):
            self._wrong(_place(source, raw, name, number), message, instance=label, field=name)
        self.rows.append(row)

    def _wrong(
        self, place: Place, message: str, *, instance: str | None = None, field: str | None = None
    ) -> None:
        self.problems.append(Problem(place, message, instance, field))


def _no_mapping(document: Any) -> str:
    fields = ", ".join(each.name for each in MANIFEST)
    if isinstance(document, list | tuple):
        return f"it is a list. Write the list as the field instances of a mapping with {fields}."
    found = "it is empty. It" if is_null(document) else "it"
    return f"{found} must be a mapping with {fields}."


def checked_row(given: Mapping[str, Any], number: int) -> tuple[Row, list[Problem]]:
    """Return the row of a planned change, and what is wrong with it.

    :param given: Its fields by their long names.
    :param number: Place of the change in the plan.
    """
    row = Row(given, Place("the plan", None, number + 1))
    problems: list[Problem] = []

    def wrong(name: str, message: str) -> None:
        problems.append(Problem(row.place, message, field=name))

    read_fields(dict(given), ROW, wrong)
    return row, problems


def _unfit(tag: Any) -> str | None:
    """Return why something is no ownership tag; ``None`` if it is one."""
    try:
        named_text("ownership_tag", tag)
    except CloudElementsValidationError as error:
        return str(error)
    if own_tags([tag]):
        return "it must be a tag of your own."
    if comparable_text(tag) != " ".join(tag.split()) or plain_text(tag) != tag:
        # An instance would never show it, and so never be managed.
        return (
            "the platform does not keep it as it stands: it holds markup, an entity, NUL or half a character."
        )
    return None


def _contradictions(row: Row) -> Iterator[tuple[str, str]]:
    if row.protect and row.state != PRESENT:
        what = "disabled" if row.state == DISABLED else "deleted"
        yield "protect", f"a protected instance cannot be {what}: state says {row.state}."
    if row.moved_from is not None and row.instance_id is not None:
        yield "moved_from", "the row names its instance by instance_id already."
    if row.moved_from is not None and row.state == ABSENT:
        yield "moved_from", "an instance that shall not exist does not move. Name its present key as key."


def _place(source: str, mapping: dict[str, Any], name: str, row: int | None = None) -> Place:
    if not isinstance(mapping, Located):
        return Place(source, None, row)
    return Place(source, mapping.lines.get(name.partition("[")[0], mapping.line), row)
