"""Name one instance, by its id, its instance key or a tag, and find it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.parsing import instance_id_of
from airflow_provider_cloudelements.client.tags import full_key, marker_tag
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
    :param of_key: Whether the tag is a marker. If several instances have the marker, the target is the
        oldest, as for the create. Several instances with a person's tag are an error.
    :param element: Key of the element that the instance must have.
    """

    name: str
    instance_id: int | None = None
    tag: str | None = None
    of_key: bool = False
    element: str | None = None

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments that make the target again, as JSON."""
        return asdict(self)

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

        :param settings: The connection, whose namespace goes before the key.
        :param instance_id: An integer, its digits, or what the create operator returned.
        :param instance_key: As given to the create operator.
        :param tag: A tag of the instance.
        :param element: Key of its element.
        :param ways: Which of the three the operator takes, for the error.
        :raises CloudElementsValidationError: Not exactly one of the three is given, or it is malformed.
        """
        given = {"instance_id": instance_id, "instance_key": instance_key, "tag": tag}
        way = way_of(given, ways)
        if element is not None and not isinstance(element, str):
            raise CloudElementsValidationError("element must be an element's key, or None.")
        element = element or None  # as for the others, an empty text is none: a template may render to it
        value = checked_name(way, given[way])
        if way == "instance_id":
            return cls(f"instance {value}", instance_id=value, element=element)
        if way == "instance_key":
            marker = marker_tag(full_key(settings, value))
            return cls(f"instance key {value!r}", tag=marker, of_key=True, element=element)
        return cls(f"tag {value!r}", tag=value, element=element)

    def matches(self, instance: Instance) -> bool:
        """Say whether an instance fits the target."""
        if self.element is not None and instance.element_key != self.element:
            return False
        return instance.id == self.instance_id if self.tag is None else self.tag in instance.tags

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
            return self.choose(instances.list(tags=[self.tag], element=self.element, with_tokens=with_token))
        if self.instance_id is None:
            raise AssertionError("a target has an id or a tag")  # pragma: no cover
        instance = (instances.peek if with_token else instances.get)(self.instance_id)
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
            raise CloudElementsNotFoundError(f"There is no instance with {self.name}.")
        # A list may hold less of an instance than a read of it (unknown U167).
        if self.tag is None or instance.complete:
            return instance
        return (instances.peek if with_token else instances.get)(instance.id)


def way_of(given: Mapping[str, Any], ways: Sequence[str] = ()) -> str:
    """Return the name of the one given argument.

    ``None`` and an empty text count as not given.

    :param given: Arguments of which exactly one names something.
    :param ways: Which of them the error lists. Default: all.
    :raises CloudElementsValidationError: None is given, or several are.
    """
    named = [way for way, value in given.items() if value not in (None, "")]
    if len(named) != 1:
        *others, last = ways or given
        told = f"{', '.join(others)} and {last}" if others else last
        raise CloudElementsValidationError(
            f"Exactly one of {told} must be given; given are: {', '.join(named) or 'none'}."
        )
    return named[0]


def checked_name(way: str, value: Any) -> Any:
    """Check and return the name of an instance: an id as a number, a key or a tag as it is.

    :param way: ``instance_id``, ``instance_key`` or ``tag``.
    :param value: The value of this argument.
    :raises CloudElementsValidationError: The value is malformed.
    """
    if way == "instance_id":
        return instance_id_of(value)
    if not isinstance(value, str) or not value.strip():
        raise CloudElementsValidationError(f"{way} must be a text that is not empty.")
    return value


def oldest_first(instances: Iterable[Instance]) -> list[Instance]:
    """Sort instances by date, the oldest first.

    If one has no date, sort them all by id, since later ones have larger ids.
    """
    by_id = sorted(instances, key=lambda each: each.id)
    dates = {each.id: each.created_date for each in by_id}
    if None in dates.values():
        return by_id
    return sorted(by_id, key=lambda each: dates[each.id])  # type: ignore[arg-type,return-value]
