"""Name one instance, by its id, its instance key or a tag, and find it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.parsing import instance_id_of
from airflow_provider_cloudelements.client.tags import (
    Identity,
    belongs,
    element_key,
    named_text,
    without_ends,
)
from airflow_provider_cloudelements.connections import ConnectionSettings
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConflictError,
    CloudElementsNotFoundError,
    CloudElementsValidationError,
)

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """One instance, named in one way.

    :param name: Its name in messages, such as ``instance key 'microsoftgraph/My calendar'``.
    :param instance_id: Its id, if the id names it.
    :param tag: Its tag, if a tag names it: a person's, or the marker tag of an instance key.
    :param of_key: Whether the tag is a marker. If several instances are of the key, the target is the oldest,
        as for the create. Several instances with a person's tag are an error.
    :param key_tag: Tag that says which of the instances with the marker are of the key. Default: all are.
    :param former_markers: Markers that an older instance of the key may have instead. Default: none.
    :param element: Key of the element that the instance must have.
    :raises CloudElementsValidationError: Tag or element is no text, or blank, or ``None``.
    """

    name: str
    instance_id: int | None = None
    tag: str | None = None
    of_key: bool = False
    key_tag: str | None = None
    former_markers: tuple[str, ...] = ()
    element: str | None = None

    def __post_init__(self) -> None:
        """Refuse a tag and an element that are no texts, also if a stored trigger brings them."""
        if self.tag is not None:
            named_text("tag", self.tag)
        if self.element is not None:
            object.__setattr__(self, "element", without_ends(named_text("element", self.element)))

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments that make the target again, as JSON."""
        return {**asdict(self), "former_markers": list(self.former_markers)}

    @classmethod
    def of_identity(cls, identity: Identity, element: str | None = None) -> Target:
        """Make the target that an identity names.

        :param identity: Namespace and key.
        :param element: Key of the element that the instance must have.
        """
        return cls(
            f"instance key {identity.key!r}",
            tag=identity.marker,
            of_key=True,
            key_tag=identity.key_tag,
            former_markers=identity.former_markers,
            element=element,
        )

    @classmethod
    def of(
        cls,
        settings: ConnectionSettings,
        *,
        instance_id: int | str | Mapping[str, Any] | None = None,
        instance_key: str | None = None,
        tag: str | None = None,
        element: str | None = None,
        ways: tuple[str, ...] = ("instance_id", "instance_key", "tag"),
    ) -> Target:
        """Make a target from an operator's rendered arguments.

        :param settings: The connection, whose namespace is part of the identity.
        :param instance_id: An integer, its digits, or what the create operator returned.
        :param instance_key: As given to the create operator.
        :param tag: A tag of the instance, letter by letter.
        :param element: Key of its element.
        :param ways: Which of the three the operator takes, for the error.
        :raises CloudElementsValidationError: Not exactly one of the three is given, or it is malformed.
        """
        given = {"instance_id": instance_id, "instance_key": instance_key, "tag": tag}
        way = way_of(given, ways)
        # As for the others, an empty text is none: a template may render to it.
        element = element_key(element)
        value = checked_name(way, given[way])
        if way == "instance_id":
            return cls(f"instance {value}", instance_id=value, element=element)
        if way == "instance_key":
            return cls.of_identity(Identity.of(settings, value), element)
        return cls(f"tag {value!r}", tag=value, element=element)

    @property
    def searched_tags(self) -> tuple[str, ...]:
        """The tags to ask the platform for, one by one; empty if the target is named by its id."""
        return () if self.tag is None else (self.tag, *self.former_markers)

    def has_tag(self, tags: Collection[str]) -> bool:
        """Say whether tags are those of an instance that the target's tag or key names."""
        return belongs(tags, self.searched_tags, self.key_tag)

    def matches(self, instance: Instance) -> bool:
        """Say whether an instance fits the target."""
        if self.element is not None and instance.element_key != self.element:
            return False
        return instance.id == self.instance_id if self.tag is None else self.has_tag(instance.tags)

    def listed(
        self,
        instances: InstancesApi,
        *,
        with_tokens: bool = False,
        left_out: Callable[[Any], object] | None = None,
    ) -> list[Instance]:
        """List the instances that have one of the searched tags, the oldest first.

        Among them are those of other keys that share the marker. They do not match the target.

        :param instances: The account's instances.
        :param with_tokens: Whether to keep their tokens. Default: ``False``.
        :param left_out: Function that gets each row that may be one of them and cannot be read.
        """
        found: dict[int, Instance] = {}
        for tag in self.searched_tags:
            listed = instances.list(
                tags=[tag], element=self.element, with_tokens=with_tokens, left_out=left_out
            )
            found |= {each.id: each for each in listed}
        return oldest_first(found.values())

    def find(self, instances: InstancesApi, *, with_tokens: bool = False) -> list[Instance]:
        """List the instances that the target's tag or key names, twins included, the oldest first.

        :param instances: The account's instances.
        :param with_tokens: Whether to keep their tokens. Default: ``False``.
        """
        return [each for each in self.listed(instances, with_tokens=with_tokens) if self.matches(each)]

    def choose(self, found: Iterable[Instance]) -> Instance | None:
        """Return the target out of all matching instances; ``None`` if there are none.

        :raises CloudElementsConflictError: Several instances have the tag.
        """
        matching = oldest_first(found)
        if len(matching) > 1 and not self.of_key:
            ids = ", ".join(str(each.id) for each in matching[:10])
            raise CloudElementsConflictError(
                f"{len(matching)} instances have {self.name}, among them {ids}. Name one of them by its id, "
                "by an instance key, or by a tag that no other instance has."
            )
        return matching[0] if matching else None

    def look_up(self, instances: InstancesApi, *, with_token: bool = False) -> Instance | None:
        """Look up the instance on the platform.

        :param with_token: Whether to keep its token, as :meth:`InstancesApi.peek` does.
        :return: The instance; ``None`` if no instance has the key or tag.
        :raises CloudElementsNotFoundError: No instance has the id. Such an id never comes back.
        :raises CloudElementsConflictError: Several have the tag, or the id's instance has another element.
        """
        if self.tag is not None:
            return self.choose(self.find(instances, with_tokens=with_token))
        if self.instance_id is None:
            raise AssertionError("a target has an id or a tag")  # pragma: no cover
        try:
            instance = (instances.peek if with_token else instances.get)(self.instance_id)
        except CloudElementsNotFoundError as error:
            error.advise(
                "It was deleted, or belongs to another account; the platform does not use ids again."
            )
            raise
        if not self.matches(instance):
            raise CloudElementsConflictError(
                f"Instance {instance.id} is of element {instance.element_key!r}, not {self.element!r}."
            )
        return instance

    def get(self, instances: InstancesApi, *, with_token: bool = False) -> Instance:
        """Return the instance as it is now, with its configuration.

        :param with_token: Whether to keep its token, as :meth:`InstancesApi.peek` does.
        :raises CloudElementsNotFoundError: There is no such instance.
        :raises CloudElementsConflictError: Several have the tag, or the id's instance has another element.
        """
        instance = self.look_up(instances, with_token=with_token)
        if instance is None:
            raise CloudElementsNotFoundError(
                f"There is no instance with {self.name}."
                + (
                    " A key is that of its create (by default element/name), and the connection's namespace "
                    "belongs to it."
                    if self.of_key
                    else ""
                )
            )
        # A list may hold less of an instance than a read of it (unknown U167).
        if self.tag is None or instance.complete:
            return instance
        return (instances.peek if with_token else instances.get)(instance.id)


_LOOK_AT_THE_DAG = " If the DAG gives one, it is None or empty: look at what it comes from."


def way_of(given: Mapping[str, Any], ways: Sequence[str] = (), *, in_a_dag: bool = True) -> str:
    """Return the name of the one given argument.

    ``None`` and an empty text count as not given.

    :param given: Arguments of which exactly one names something.
    :param ways: Which of them the error lists. Default: all.
    :param in_a_dag: Whether the error advises the author of a DAG.
    :raises CloudElementsValidationError: None is given, or several are.
    """
    named = [way for way, value in given.items() if value not in (None, "")]
    if len(named) != 1:
        *others, last = ways or given
        told = f"{', '.join(others)} and {last}" if others else last
        raise CloudElementsValidationError(
            f"Exactly one of {told} must be given; given are: {', '.join(named) or 'none'}."
            + (_LOOK_AT_THE_DAG if in_a_dag and not named else "")
        )
    return named[0]


def checked_name(way: str, value: Any) -> Any:
    """Check and return the name of an instance: an id as a number, a key or a tag as it is.

    :param way: ``instance_id``, ``instance_key`` or ``tag``.
    :param value: The value of this argument.
    :raises CloudElementsValidationError: The value is malformed.
    """
    return instance_id_of(value) if way == "instance_id" else named_text(way, value)


def oldest_first(instances: Iterable[Instance]) -> list[Instance]:
    """Sort instances by date, the oldest first.

    If one has no date, sort them all by id, since later ones have larger ids.
    """
    by_id = sorted(instances, key=lambda each: each.id)
    dates = {each.id: each.created_date for each in by_id}
    if None in dates.values():
        return by_id
    return sorted(by_id, key=lambda each: dates[each.id])  # type: ignore[arg-type,return-value]
