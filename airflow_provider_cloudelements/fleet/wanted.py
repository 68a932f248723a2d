"""Rows with their connections: what each instance shall be, checked before anything is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from airflow_provider_cloudelements.client.frozen import lazy
from airflow_provider_cloudelements.client.tags import Identity, namespace_tag, own_tags
from airflow_provider_cloudelements.compat import AirflowNotFoundException
from airflow_provider_cloudelements.connections import ConnectionSettings, ElementSettings
from airflow_provider_cloudelements.exceptions import CloudElementsError, CloudElementsValidationError
from airflow_provider_cloudelements.fleet.fields import ABSENT
from airflow_provider_cloudelements.fleet.manifest import Manifest, Row
from airflow_provider_cloudelements.fleet.problems import Problem, manifest_error
from airflow_provider_cloudelements.provisioning.arguments import (
    NOT_GIVEN,
    chosen_element,
    default_key,
    named,
)
from airflow_provider_cloudelements.provisioning.expectation import Expectation
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec

#: Function that reads an element connection by its id.
Credentials = Callable[[str], ElementSettings]


@dataclass(eq=False)
class Wanted:
    """What a row asks for. Nobody changes one; a frozen one would take twice as long to make.

    :param row: The row.
    :param identity: Namespace and key.
    :param of_connection: Fingerprints of the connection.
    :param element: Key of the element.
    :param name: Name of the instance.
    :param tags: Tags that it must have, the ownership tag among them.
    :param expectation: What an instance shows that has the configuration, one for all rows that share it;
        ``None`` if the instance shall not exist.
    :param build: Function that builds the specification of the row.
    :param moved_from: The former identity.
    :param adopt: Whether a plan may take over an instance that the ownership tag does not cover.
    :param space: Tag of the namespace that the instance is managed from; ``None`` without an ownership tag.
    """

    row: Row
    identity: Identity
    of_connection: Fingerprints = field(repr=False)
    element: str = ""
    name: str = ""
    tags: tuple[str, ...] | None = None
    expectation: Expectation | None = field(default=None, repr=False)
    build: Callable[[Row], InstanceSpec] | None = field(default=None, repr=False)
    moved_from: Identity | None = None
    adopt: bool = False
    space: str | None = None

    @lazy
    def spec(self) -> InstanceSpec | None:
        """The instance, with the ownership tag; ``None`` if it shall not exist.

        Most instances of a fleet are as they shall be, so that nothing needs it.
        """
        return None if self.build is None else self.build(self.row)

    @lazy
    def fingerprints(self) -> Fingerprints:
        """Fingerprints of the identity's instance."""
        return self.of_connection.bound_to(self.identity.marker, self.identity.former_markers)

    @property
    def key(self) -> str:
        """The key, for messages."""
        return self.identity.key

    @property
    def digest(self) -> str | None:
        """Keyed digest of all that the instance shall have, its secrets included."""
        spec = self.spec
        if spec is None:
            return None
        whole = [
            spec.element,
            spec.name,
            spec.identity.tags,
            dict(spec.configuration),
            spec.external_authentication,
        ]
        return self.fingerprints.digest([*whole, spec.tags, self.row.state])

    @property
    def to_create(self) -> InstanceSpec:
        """The specification for a create: it has the tag that the platform makes of the name (fact F172)."""
        if self.spec is None:
            raise AssertionError("an absent instance is never created")  # pragma: no cover
        if self.row.given.get("tags") is not None or self.spec.tags is None:
            return self.spec
        return replace(self.spec, tags=(self.spec.name, *self.spec.tags))

    @property
    def tags_to_create(self) -> list[str]:
        """All tags of the instance when it is created."""
        tags = self.to_create.tags_to_create(self.fingerprints)
        return tags if self.space is None else [*tags, self.space]


def wanted_of(
    manifest: Manifest, settings: ConnectionSettings, credentials: Credentials, *, adopt: bool = False
) -> list[Wanted]:
    """Return what the rows of a manifest ask for.

    :param manifest: The manifest.
    :param settings: The connection.
    :param credentials: Function that reads an element connection by its id.
    :param adopt: Whether a plan may adopt instances.
    :raises CloudElementsManifestError: The manifest has problems, by itself or with the connections. The
        error lists all of them.
    """
    reader = _Reader(settings, credentials, manifest.ownership_tag, adopt)
    problems = list(manifest.problems)
    faulty = {(each.place.source, each.place.row) for each in problems}
    found = []
    for row in manifest.rows:
        # A row that is wrong by itself would be wrong in the same way once more.
        if (row.place.source, row.place.row) not in faulty and (wanted := reader.wanted(row)) is not None:
            found.append(wanted)
    problems += reader.problems
    problems += _clashes(found)
    if problems:
        raise manifest_error(problems)
    return found


class _Shared(NamedTuple):
    """A configuration that rows share, what it expects, and the values that it was made of."""

    configuration: dict[str, Any]
    expectation: Expectation
    made_of: tuple[Any, ...]


class _Reader:
    def __init__(
        self, settings: ConnectionSettings, credentials: Credentials, tag: str | None, adopt: bool
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._known: dict[str, ElementSettings | str] = {}
        self._tags = () if tag is None else (tag,)
        self._space = None if tag is None else namespace_tag(settings.namespace)
        self._adopt = adopt
        self._fingerprints = Fingerprints(settings, "")
        self._shared: dict[tuple[Any, ...], _Shared] = {}
        #: Tags of rows, each with the ownership tag.
        self._with_own: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.problems: list[Problem] = []

    def wanted(self, row: Row) -> Wanted | None:
        """Return what a row asks for; ``None`` if it has problems."""
        connection: ElementSettings | None = None
        if (conn_id := row.element_conn_id) is not None:
            read = self._connection(conn_id)
            if isinstance(read, str):
                self._wrong(row, read, "element_conn_id")
                return None
            connection = read
        try:
            return self._of(row, connection)
        except CloudElementsValidationError as error:
            faults = list(row.arguments.faults(connection))
            for name, fault in faults:
                self._wrong(row, str(fault), name)
            if not faults:
                self._wrong(row, str(error), None)
        return None

    def _of(self, row: Row, connection: ElementSettings | None) -> Wanted:
        given = row.given
        former = given.get("moved_from")
        moved_from = None if former is None else Identity.of(self._settings, former, "moved_from")
        if given.get("state") == ABSENT:
            identity = self._absent(row, connection)
            return Wanted(row, identity, self._fingerprints, moved_from=moved_from)
        element, name, identity, tags = named(
            self._settings,
            connection,
            given.get("element"),
            given.get("instance_name"),
            given.get("instance_key"),
            given.get("tags"),
        )
        return Wanted(
            row,
            identity,
            self._fingerprints,
            element,
            name,
            self._all_tags(row, tags),
            self._configuration(row, connection).expectation,
            self._spec,
            moved_from,
            self._adopt,
            self._space,
        )

    def _all_tags(self, row: Row, tags: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Return the tags that a row's instance must have. Most rows of a fleet have the same ones."""
        if tags is None:
            return self._tags or None
        found = self._with_own.get(tags)
        if found is None:
            if own_tags(tags):
                self._spec(row)  # it raises
            found = self._with_own[tags] = tuple(dict.fromkeys([*tags, *self._tags]))
        return found

    def _spec(self, row: Row) -> InstanceSpec:
        """Build the specification of a row that has been checked."""
        connection = None if row.element_conn_id is None else self._known[row.element_conn_id]
        if isinstance(connection, str):
            raise AssertionError("a row of a faulty connection is never built")  # pragma: no cover
        whole = self._configuration(row, connection).configuration
        return row.arguments.spec(self._settings, connection, more_tags=self._tags, configuration=whole)

    def _absent(self, row: Row, connection: ElementSettings | None) -> Identity:
        arguments = row.arguments
        key: Any = arguments.instance_key
        if key is None and row.instance_id is not None:
            key = f"instance {row.instance_id}"
        if key is None:
            element = chosen_element(arguments.element, connection)
            if arguments.instance_name is None:
                raise CloudElementsValidationError(
                    "key is missing: it names the instance that shall not exist."
                )
            key = default_key(element, arguments.instance_name)
        return Identity.of(self._settings, key)

    def _configuration(self, row: Row, connection: ElementSettings | None) -> _Shared:
        """Return the whole configuration of a row. Rows that take all of it from the defaults share one."""
        given = row.given
        values = given.get("configuration"), given.get("event_configuration")
        key = (
            row.element_conn_id,
            *map(id, values),
            given.get("events_enabled"),
            given.get("event_callback_url", NOT_GIVEN),
        )
        shared = self._shared.get(key)
        if shared is None:
            whole = row.arguments.whole_configuration(connection)
            # It keeps the values, so that no other object gets one of their ids.
            shared = self._shared[key] = _Shared(whole, Expectation(whole), values)
        return shared

    def _connection(self, conn_id: str) -> ElementSettings | str:
        """Return an element connection, or what is wrong with it."""
        if conn_id not in self._known:
            try:
                self._known[conn_id] = self._credentials(conn_id)
            except CloudElementsError as error:
                self._known[conn_id] = str(error)
            except AirflowNotFoundException:
                self._known[conn_id] = (
                    f"there is no connection {conn_id!r}. Correct the name, or add a connection of type "
                    "'cloudelements_element' under Admin, Connections."
                )
            except Exception as error:  # such as Airflow's, whose text may hold a connection's URI
                self._known[conn_id] = f"connection {conn_id!r} cannot be read ({type(error).__name__})."
        return self._known[conn_id]

    def _wrong(self, row: Row, message: str, name: str | None) -> None:
        self.problems.append(Problem(row.place, message, row.label, name))


def _clashes(found: Iterable[Wanted]) -> Iterable[Problem]:
    """Yield what is wrong with rows that name one instance."""
    by_key: dict[str, Row] = {}
    by_id: dict[int, Row] = {}
    former: dict[str, Row] = {}
    found = list(found)
    for each in found:
        row = each.row
        if (other := by_key.setdefault(each.identity.key_tag, row)) is not row:
            yield Problem(row.place, f"another row has the same key ({other.place}).", row.label, "key")
        if row.instance_id is not None and (other := by_id.setdefault(row.instance_id, row)) is not row:
            what = f"another row has the same id ({other.place})."
            yield Problem(row.place, what, row.label, "instance_id")
    for each in found:
        row = each.row
        if each.moved_from is None:
            continue
        tag = each.moved_from.key_tag
        if (other := former.setdefault(tag, row)) is not row:
            what = f"another row has the same former key ({other.place})."
            yield Problem(row.place, what, row.label, "moved_from")
        if tag in by_key:
            other = by_key[tag]
            what = "the row's own key" if other is row else f"still the key of another row ({other.place})"
            yield Problem(row.place, f"it is {what}.", row.label, "moved_from")
