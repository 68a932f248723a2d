"""What a plan is made of: changes, what they write, and what is left alone. All is data without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a change does."""

    CREATE = "create"
    UPDATE = "update"
    #: Writes new credentials for the vendor's login.
    REAUTHENTICATE = "reauthenticate"
    ENABLE = "enable"
    DISABLE = "disable"
    #: Deletes the instance and creates another one, because its element cannot change in place.
    REPLACE = "replace"
    #: Takes over an instance that exists: writes key and ownership tag, and what differs.
    ADOPT = "adopt"
    #: Gives an instance its new key, and writes what differs.
    MOVE = "move"
    DELETE = "delete"


#: Kinds that take away an instance.
DELETING = (Kind.DELETE, Kind.REPLACE)


def require_types(kind: Any, *values: Any) -> None:
    """Check values that came as JSON.

    :param kind: What they must be. True and false are no numbers.
    :raises TypeError: One of them is something else. The error does not hold it.
    """
    if not all(isinstance(each, kind) and not isinstance(each, bool) for each in values):
        raise TypeError("a value is of another type")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What a change writes of one field.

    :param name: The field: ``name``, ``tags``, ``disabled``, ``key``, ``element`` or a configuration key.
    :param before: Its value now, with asterisks for what may not be shown.
    :param after: Its value afterwards, with asterisks as well.
    """

    name: str
    before: Any = field(default=None, repr=False)
    after: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One change to one instance.

    :param kind: What it does.
    :param key: The instance key; for an instance without a row, what names it.
    :param name: The instance's name.
    :param element: Key of its element.
    :param instance_id: Id of the instance that exists; ``None`` for a create.
    :param fields: What it writes.
    :param why: Why, if the fields do not say it.
    :param grave: Why it is grave; ``None`` if it is not.
    :param row: The row's fields, from which apply makes the instance. Not shown by tables.
    :param digest: Keyed digest of all that the instance shall have, its secrets included.
    """

    kind: Kind
    key: str
    name: str
    element: str
    instance_id: int | None = None
    fields: tuple[FieldChange, ...] = ()
    why: str | None = None
    grave: str | None = None
    row: Mapping[str, Any] | None = field(default=None, repr=False)
    digest: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON, without what is empty."""
        made: dict[str, Any] = {
            "kind": str(self.kind),
            "key": self.key,
            "name": self.name,
            "element": self.element,
        }
        if self.fields:
            made["fields"] = [
                {"name": each.name, "before": each.before, "after": each.after} for each in self.fields
            ]
        for name in ("instance_id", "why", "grave", "row", "digest"):
            if (value := getattr(self, name)) is not None:
                made[name] = value
        return made

    @classmethod
    def from_json(cls, made: Mapping[str, Any]) -> Change:
        """Make a change of what :meth:`as_json` returned.

        :raises KeyError: Something is missing.
        :raises ValueError: The kind is unknown.
        :raises TypeError: Something is of another type.
        """
        fields = tuple(
            FieldChange(each["name"], each["before"], each["after"]) for each in made.get("fields", ())
        )
        return cls(
            Kind(made["kind"]),
            made["key"],
            made["name"],
            made["element"],
            made.get("instance_id"),
            fields,
            made.get("why"),
            made.get("grave"),
            made.get("row"),
            made.get("digest"),
        ).checked()

    def checked(self) -> Change:
        """Return the change itself.

        :raises TypeError: Something in it is of another type: it was not made by a plan.
        """
        require_types(str, self.key, self.name, self.element, *(each.name for each in self.fields))
        require_types(str | None, self.why, self.grave, self.digest)
        require_types(int | None, self.instance_id)
        require_types(Mapping | None, self.row)
        return self


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a plan cannot compare, or leaves alone on purpose.

    :param key: What names the instance.
    :param text: What, and what to do.
    :param instance_id: Its id, if it exists.
    """

    key: str
    text: str
    instance_id: int | None = None
