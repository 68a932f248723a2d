"""Match the account's instances with rows, as they come, and say what must change.

The class keeps little of an instance that is as its row says, so that memory grows with what differs, and not
with the account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_cloudelements.client.frozen import lazy
from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.tags import (
    KEY_PREFIX,
    MARKER_PREFIX,
    Identity,
    belongs,
    namespace_tags,
    own_tags,
)
from airflow_provider_cloudelements.client.target import oldest_first
from airflow_provider_cloudelements.client.wire.parallel import in_order
from airflow_provider_cloudelements.exceptions import CloudElementsNotFoundError
from airflow_provider_cloudelements.fleet.changes import Note
from airflow_provider_cloudelements.fleet.compare import (
    BY_FORMER_KEY,
    BY_ID,
    BY_KEY,
    BY_NAME,
    Compared,
    compare,
    creation,
    deletion,
    is_plainly_same,
)
from airflow_provider_cloudelements.fleet.wanted import Wanted
from airflow_provider_cloudelements.provisioning.difference import comparable_text, left_out

if TYPE_CHECKING:
    import pendulum

    from airflow_provider_cloudelements.client.instances import InstancesApi

_SAME = Compared()
#: Reads at once, of rows of the list that leave something out.
_READS = 8

#: Function that says whether somebody called through an instance lately.
CalledLately = Callable[[Instance], bool]


class Brief(NamedTuple):
    """What a plan keeps of an instance that is as its row says. The list of a fleet is long."""

    id: int
    created_date: pendulum.DateTime | None
    name: str
    element_key: str
    tags: tuple[str, ...]
    events_enabled: bool


class _Found(NamedTuple):
    """An instance of a row: all of it, or only what names it if it is plainly as the row says."""

    instance: Instance | Brief
    way: str
    same: bool
    covered: bool


class _Role(NamedTuple):
    """What a tag says of the instance that has it: of which row it is, by the present or the former key."""

    number: int
    identity: Identity
    way: str


@dataclass(frozen=True, slots=True)
class Match:
    """What a row, or an instance without a row, needs.

    :param compared: The change and its difference, and notes.
    :param wanted: The row; ``None`` for an instance without one.
    :param instance: The instance that exists, if the change needs it.
    :param kept: Id of the instance that the row has; ``None`` if there is none.
    :param twins: Further instances of the row's key, each with whether the ownership tag covers it.
    """

    compared: Compared
    wanted: Wanted | None = None
    instance: Instance | None = None
    kept: int | None = None
    twins: tuple[tuple[Instance, bool], ...] = field(default=(), repr=False)


class Matching:
    """Matches instances with rows.

    :param wanted: What the rows ask for.
    :param tag: The ownership tag.
    :param space: Tag of the connection's namespace: the ownership tag may be that of another Airflow as well.
    :param prune: Whether instances of the namespace that the tag covers and no row names shall go.
    :param called_lately: Function that says whether an instance is in use.
    :param deletes: Ids of instances without a row whose delete was approved, each with what names it.
    """

    def __init__(
        self,
        wanted: Iterable[Wanted],
        tag: str | None,
        space: str,
        *,
        prune: bool = False,
        called_lately: CalledLately | None = None,
        deletes: dict[int, str] | None = None,
    ) -> None:
        self._wanted = list(wanted)
        self._tag = tag
        self._covering = () if tag is None else (tag,)
        self._space = space
        self._prune = prune
        self._called_lately = called_lately
        self._deletes = deletes or {}
        self._found: dict[int, list[_Found]] = {}
        self._unread: list[Instance] = []
        self._left: list[Instance] = []
        self._by_name: dict[int, list[Instance]] = {}
        #: Instances seen; those among them that the ownership tag covers, of this namespace; and those that
        #: it covers, of another one.
        self.listed = 0
        self.covered = 0
        self.foreign = 0
        #: The row of each key tag, which no other key's instance has.
        self._keys: dict[str, int] = {}
        self._ids: dict[int, int] = {}
        self._names: dict[tuple[str, str], list[int]] = {}
        for number, each in enumerate(self._wanted):
            self._index(number, each)

    @lazy
    def _roles(self) -> dict[str, list[_Role]]:
        """What each marker says. Instances that have the key tag of a row do not need it."""
        roles: dict[str, list[_Role]] = {}
        for number, each in enumerate(self._wanted):
            identities = [(each.identity, BY_KEY)]
            if each.moved_from is not None:
                identities.append((each.moved_from, BY_FORMER_KEY))
            for identity, way in identities:
                for marker in (identity.marker, *identity.former_markers):
                    roles.setdefault(marker, []).append(_Role(number, identity, way))
        return roles

    def _index(self, number: int, each: Wanted) -> None:
        self._keys[each.identity.key_tag] = number
        if each.row.instance_id is not None:
            self._ids[each.row.instance_id] = number
        if each.adopt and each.spec is not None:
            name = (each.spec.element, comparable_text(each.spec.name))
            self._names.setdefault(name, []).append(number)

    # -- seeing instances -----------------------------------------------------------------------------

    def see(self, page: Iterable[Instance]) -> None:
        """Match instances of a list."""
        for instance in page:
            self.listed += 1
            if instance.complete or (instance.tags and not self._concerns(instance)):
                self._see(instance)
            else:
                self._unread.append(instance)

    def read_rest(self, instances: InstancesApi) -> None:
        """Read the instances of which the list showed too little (unknown U167).

        :param instances: The account's instances.
        """
        unread, self._unread = self._unread, []
        for read in in_order(lambda each: _read(instances, each.id), unread, _READS):
            if read is not None:
                self._see(read, read=True)

    def _concerns(self, instance: Instance) -> bool:
        if instance.id in self._ids or instance.id in self._deletes or self._tag in instance.tags:
            return True
        named = bool(self._names) and (instance.element_key, comparable_text(instance.name)) in self._names
        return named or any(tag in self._roles for tag in instance.tags)

    def _see(self, instance: Instance, *, read: bool = False) -> None:
        covered = self._tag is not None and self._tag in instance.tags
        role = None if instance.id in self._deletes else self._role(instance)
        if role is None:
            self._without_row(instance, covered)
            return
        number, way = role
        wanted = self._wanted[number]
        same = way == BY_KEY and is_plainly_same(wanted, instance, self._tag)
        if not (same or read or wanted.spec is None) and left_out(wanted.spec.configuration, instance):
            self._unread.append(instance)  # a list may leave out keys that a read shows (unknown U167)
            return
        self.covered += covered
        kept = _brief(instance, wanted, self._covering) if same else instance
        found = _Found(kept, way, same, covered or self._tag is None)
        self._found.setdefault(number, []).append(found)

    def _role(self, instance: Instance) -> tuple[int, str] | None:
        """Return the row of an instance, and how the row found it."""
        found: tuple[int, str] | None = None
        for tag in instance.tags:
            if (number := self._keys.get(tag)) is not None:
                return number, BY_KEY
        for tag in instance.tags:
            for role in self._roles.get(tag, ()):
                identity = role.identity
                if belongs(instance.tags, (identity.marker, *identity.former_markers), identity.key_tag):
                    if role.way == BY_KEY:
                        return role.number, BY_KEY
                    found = role.number, role.way
        if found is None and instance.id in self._ids:
            return self._ids[instance.id], BY_ID
        return found

    def _without_row(self, instance: Instance, covered: bool) -> None:
        spaces = namespace_tags(instance.tags) if covered else ()
        self.covered += spaces == (self._space,)
        foreign = bool(spaces) and spaces != (self._space,)
        self.foreign += foreign
        if (covered and self._prune and not foreign) or instance.id in self._deletes:
            self._left.append(instance)
        if self._names and not _has_identity(instance):
            for number in self._names.get((instance.element_key, comparable_text(instance.name)), ()):
                self._by_name.setdefault(number, []).append(instance)

    # -- what follows ---------------------------------------------------------------------------------

    def matches(self) -> Iterator[Match]:
        """Yield what each row needs, and then what each instance without a row needs.

        Rows that need nothing yield a match without a change.
        """
        left = [(each, self._is_ours(each)) for each in self._left]
        claimed: set[int] = set()
        for number, wanted in enumerate(self._wanted):
            match = self._match(number, wanted)
            yield match
            if self._prune and not wanted.row.protect:
                # Their key proves whose they are.
                left += [(twin, True) for twin, covered in match.twins if covered]
            if number not in self._found:
                # A row adopts it, or would if it were clear which one.
                claimed.update(each.id for each in self._by_name.get(number, ()))
        for instance, ours in sorted(left, key=lambda each: each[0].id):
            if instance.id not in claimed:
                yield self._without(instance, ours)

    def _is_ours(self, instance: Instance) -> bool:
        """Return whether an instance without a row is proven to be of this namespace, and of no other."""
        spaces = namespace_tags(instance.tags)
        # An approved delete may be one of a twin, which perhaps only its key told.
        return spaces == (self._space,) or (not spaces and instance.id in self._deletes)

    def _match(self, number: int, wanted: Wanted) -> Match:
        found = self._found.get(number, [])
        if len(found) == 1 and found[0].same:
            return Match(_SAME, wanted, None, found[0].instance.id)
        for way in (BY_KEY, BY_ID, BY_FORMER_KEY):
            of_way = _oldest_first([each for each in found if each.way == way])
            if of_way:
                return self._kept(wanted, of_way, [each for each in found if each.way != way])
        if wanted.spec is None:
            return Match(Compared(), wanted)
        if wanted.row.instance_id is not None:
            text = "there is no instance with its instance_id. Leave that field out to create one."
            return _left_alone(wanted, text, wanted.row.instance_id)
        candidates = self._by_name.get(number)
        return self._adopted(wanted, candidates) if candidates else Match(creation(wanted), wanted)

    def _adopted(self, wanted: Wanted, candidates: list[Instance]) -> Match:
        name = (candidates[0].element_key, comparable_text(candidates[0].name))
        if len(candidates) == len(self._names[name]) == 1:
            (instance,) = candidates
            compared = compare(wanted, instance, BY_NAME, self._tag, self._in_use(instance))
            return Match(compared, wanted, instance, instance.id)
        ids = ", ".join(str(each.id) for each in candidates[:10])
        text = (
            f"{ids}: instances with its name and element, and it is not clear which row adopts which. "
            "Nothing is created. Name the instances by instance_id, or plan without adopt."
        )
        return _left_alone(wanted, text)

    def _kept(self, wanted: Wanted, found: list[_Found], rest: list[_Found]) -> Match:
        first, *others = found
        instance = _whole(first.instance)
        compared = _SAME
        if not first.same:
            compared = compare(wanted, instance, first.way, self._tag, self._in_use(instance))
        notes = list(compared.notes)
        if others and (not self._prune or wanted.row.protect):
            ids = ", ".join(str(each.instance.id) for each in others[:10])
            notes.append(Note(wanted.key, f"it has twins, which are left as they are: {ids}.", instance.id))
        for each in rest:
            text = f"instance {each.instance.id} is found by its {each.way} as well. It is left as it is."
            notes.append(Note(wanted.key, text, instance.id))
        # Beside an instance that the tag does not cover, nothing goes: the one that is managed may be in use.
        twins = tuple((_whole(each.instance), each.covered and first.covered) for each in others)
        if len(notes) > len(compared.notes):
            compared = replace(compared, notes=tuple(notes))
        return Match(compared, wanted, instance, instance.id, twins)

    def _without(self, instance: Instance, ours: bool) -> Match:
        """Return what an instance without a row needs: to go, if it is proven to be of this namespace."""
        key = self._deletes.get(instance.id, f"instance {instance.id}")
        if self._tag is not None and self._tag not in instance.tags:
            note = Note(key, "it has lost the ownership tag, so it is not deleted.", instance.id)
            return Match(Compared(notes=(note,), left=True), None, instance, instance.id)
        if not ours:
            text = (
                "it has the ownership tag, and nothing shows that a manifest of this namespace made it or "
                "took it over, so it is not deleted. To delete it, give it a row with its instance_id and "
                "state: absent."
            )
            return Match(
                Compared(notes=(Note(key, text, instance.id),), left=True), None, instance, instance.id
            )
        change = deletion(instance, key, "no row names it", self._in_use(instance))
        return Match(Compared(change), None, instance, instance.id)

    def _in_use(self, instance: Instance) -> str | None:
        """Return why a delete of an instance would be grave."""
        if instance.events_enabled:
            return "its events are on"
        if self._called_lately is not None and self._called_lately(instance):
            return "it was called lately"
        return None


def _read(instances: InstancesApi, instance_id: int) -> Instance | None:
    try:
        return instances.get(instance_id)
    except CloudElementsNotFoundError:
        return None  # deleted since the list


def _brief(instance: Instance, wanted: Wanted, tags: tuple[str, ...]) -> Brief:
    # The row's texts instead of the equal ones of the instance, which then go with its page.
    return Brief(
        instance.id, instance.created_date, wanted.name, wanted.element, tags, instance.events_enabled
    )


def _whole(instance: Instance | Brief) -> Instance:
    return instance if isinstance(instance, Instance) else Instance(**instance._asdict())


def _left_alone(wanted: Wanted, text: str, instance_id: int | None = None) -> Match:
    return Match(Compared(notes=(Note(wanted.key, text, instance_id),), left=True), wanted)


def _has_identity(instance: Instance) -> bool:
    """Return whether an instance is one of some key."""
    return any(tag.startswith((MARKER_PREFIX, KEY_PREFIX)) for tag in own_tags(instance.tags))


def _oldest_first(found: list[_Found]) -> list[_Found]:
    if len(found) < 2:
        return found
    places = {
        each.id: place for place, each in enumerate(oldest_first(_whole(one.instance) for one in found))
    }
    return sorted(found, key=lambda each: places[each.instance.id])
