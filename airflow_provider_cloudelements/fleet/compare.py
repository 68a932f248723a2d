"""Compare one instance with what its row asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.plain import plain_json, plain_text
from airflow_provider_cloudelements.client.tags import MARKER_PREFIX, Identity, own_tags, user_tags
from airflow_provider_cloudelements.client.wire.secrecy import ASTERISKS, shown
from airflow_provider_cloudelements.fleet.changes import Change, FieldChange, Kind, Note
from airflow_provider_cloudelements.fleet.fields import ABSENT, DISABLED, PRESENT
from airflow_provider_cloudelements.fleet.wanted import Wanted
from airflow_provider_cloudelements.keys import EVENT_CALLBACK_URL, EVENTS_ENABLED
from airflow_provider_cloudelements.provisioning.difference import (
    Difference,
    comparable_text,
    hidden,
)
from airflow_provider_cloudelements.provisioning.fingerprints import Known, fingerprint_tags
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec

#: What a plan calls the tags by which the provider recognises an instance.
OWN_TAGS = "own tags"
#: How a row found its instance.
BY_KEY, BY_ID, BY_FORMER_KEY, BY_NAME = "key", "id", "former key", "name"


@dataclass(frozen=True, slots=True)
class Compared:
    """The result of a comparison.

    :param change: What to change; ``None`` if nothing is to change.
    :param difference: What the change writes.
    :param notes: What could not be compared, or was left alone.
    :param left: Whether the instance is not as its row says, and is left so on purpose.
    """

    change: Change | None = None
    difference: Difference | None = None
    notes: tuple[Note, ...] = ()
    left: bool = False


def is_plainly_same(wanted: Wanted, instance: Instance, tag: str | None) -> bool:
    """Return whether an instance found by its key is as its row says, so that a plan says nothing of it.

    Most instances of a fleet are. :func:`compare` says the same, and takes many times as long.

    :param wanted: What the row asks for.
    :param instance: As listed.
    :param tag: The ownership tag.
    """
    expectation, identity, tags = wanted.expectation, wanted.identity, instance.tags
    return (
        expectation is not None
        and not instance.disabled
        and instance.valid
        and wanted.row.state == PRESENT
        and instance.element_key == wanted.element
        and instance.name == wanted.name
        and (tag is None or (tag in tags and wanted.space in tags))
        and identity.marker in tags
        and identity.key_tag in tags
        and (wanted.tags is None or _has_all(tags, wanted.tags))
        and expectation.is_shown_by(instance, wanted.of_connection, identity.marker)
    )


def _has_all(tags: tuple[str, ...], asked: tuple[str, ...]) -> bool:
    for each in asked:  # all() over a generator takes four times as long, thousands of times
        if each not in tags:
            return False
    return True


def compare(wanted: Wanted, instance: Instance, way: str, tag: str | None, in_use: str | None) -> Compared:
    """Compare an instance with what its row asks for.

    :param wanted: What the row asks for.
    :param instance: As it is, with all that the comparison needs.
    :param way: How the row found it.
    :param tag: The ownership tag; ``None``: the keys alone say what is managed.
    :param in_use: Why a delete of the instance would be grave; ``None`` if it would not be.
    """
    covered = tag is None or tag in instance.tags
    spec = wanted.spec
    if spec is None or wanted.row.state == ABSENT:
        return _absent(wanted, instance, covered, in_use)
    if not covered and not (wanted.adopt or way == BY_ID):
        return _note(
            wanted,
            instance,
            f"it exists without the ownership tag {tag!r}, so it is left as it is. Plan with adopt to take "
            "it over.",
        )
    if not instance.element_key:
        return _note(wanted, instance, "the platform names no element of it, so it is left as it is.")
    if instance.element_key != spec.element:
        return _replaced(wanted, instance, spec, covered, in_use)
    return _changed(wanted, instance, way, covered, spec)


def _absent(wanted: Wanted, instance: Instance, covered: bool, in_use: str | None) -> Compared:
    if not covered:
        return _note(
            wanted, instance, "it shall be absent, but it lacks the ownership tag, so it is not deleted."
        )
    return Compared(deletion(instance, wanted.key, "its row says absent", in_use))


def deletion(instance: Instance, key: str, why: str, in_use: str | None) -> Change:
    """Return the change that deletes an instance.

    :param instance: The instance.
    :param key: What names it.
    :param why: Why it goes.
    :param in_use: Why that is grave, if it is.
    """
    return Change(
        Kind.DELETE,
        plain_text(key),
        plain_text(instance.name),
        plain_text(instance.element_key),
        instance.id,
        why=why,
        grave=in_use,
    )


def _replaced(
    wanted: Wanted, instance: Instance, spec: InstanceSpec, covered: bool, in_use: str | None
) -> Compared:
    text = (
        f"its element is {instance.element_key!r} and shall be {spec.element!r}, which cannot change in place"
    )
    if wanted.row.protect:
        return _note(wanted, instance, f"{text}. The row protects it, so it is left as it is.")
    if not covered:
        return _note(wanted, instance, f"{text}. It lacks the ownership tag, so it is left as it is.")
    grave = "another element" if in_use is None else f"another element, and {in_use}"
    field = FieldChange("element", plain_text(instance.element_key), spec.element)
    return Compared(
        _change(
            wanted,
            Kind.REPLACE,
            spec,
            instance,
            (field,),
            why="an element cannot change in place",
            grave=grave,
        )
    )


def _changed(wanted: Wanted, instance: Instance, way: str, covered: bool, spec: InstanceSpec) -> Compared:
    off = wanted.row.state == DISABLED
    asked = spec.without_credentials() if off else spec
    identity = wanted.moved_from if way == BY_FORMER_KEY else None
    difference = _difference(wanted, instance, asked, way, identity)
    fields = list(_fields(instance, difference, spec))
    if identity is not None:
        fields.insert(0, FieldChange("key", identity.key, wanted.key))
    if instance.disabled != off:
        fields.append(FieldChange("disabled", instance.disabled, off))
    notes = _unknown(wanted, instance, difference)
    if not off and not instance.valid and not difference.mends:
        broken = _note(
            wanted,
            instance,
            "the login that it has stored no longer works, and the row brings no new one. Change the "
            "element connection, or re-authenticate it by hand. It is left as it is.",
        )
        return replace(broken, notes=(*notes, *broken.notes))
    if not fields:
        return Compared(notes=notes)
    kind = _kind(instance, difference, way, covered, off)
    return Compared(_change(wanted, kind, spec, instance, tuple(fields)), difference, notes)


def _kind(instance: Instance, difference: Difference, way: str, covered: bool, off: bool) -> Kind:
    if way == BY_FORMER_KEY:
        return Kind.MOVE
    if way == BY_NAME or not covered:
        return Kind.ADOPT
    if off and not instance.disabled:
        return Kind.DISABLE
    if difference.mends:
        return Kind.REAUTHENTICATE
    return Kind.ENABLE if instance.disabled and not off else Kind.UPDATE


def _difference(
    wanted: Wanted, instance: Instance, asked: InstanceSpec, way: str, former: Identity | None
) -> Difference:
    """Return what must be written, with the name and the tags of the identity."""
    if former is not None:
        found = _moved(wanted, instance, asked, former)
    elif way == BY_ID and own_tags(instance.tags):
        # The instance has a key that the file does not name. It keeps it, and gets no second one.
        found = _without_identity(wanted, instance, asked)
    else:
        found = Difference.between(asked, instance, wanted.fingerprints)
        if (
            way == BY_ID
            and not found.configuration
            and set(user_tags(found.tags or ())) <= set(instance.tags)
        ):
            # Nothing but the key would be written. The row names the instance by its id, so that can wait.
            found = replace(found, tags=None)
    if instance.name != asked.name and comparable_text(instance.name) != comparable_text(asked.name):
        found = replace(found, name=asked.name)
        if not (way == BY_ID and own_tags(instance.tags)):
            found = found.with_identity(instance, wanted.identity)
    return _in_space(wanted, instance, found, way)


def _in_space(wanted: Wanted, instance: Instance, found: Difference, way: str) -> Difference:
    """Return the difference that also writes from which namespace the instance is managed."""
    tags = instance.tags if found.tags is None else found.tags
    # The row that names an instance by its id needs no proof. So that can wait until something is written.
    if wanted.space is None or wanted.space in tags or (way == BY_ID and not found.names):
        return found
    return replace(found, tags=(*tags, wanted.space))


def _without_identity(wanted: Wanted, instance: Instance, asked: InstanceSpec) -> Difference:
    markers = [tag for tag in own_tags(instance.tags) if tag.startswith(MARKER_PREFIX)]
    prints = wanted.fingerprints.bound_to(min(markers, default=f"instance {instance.id}"))
    found = Difference.between(asked, instance, prints)
    if found.tags is None:
        return found
    tags = tuple(tag for tag in found.tags if tag not in wanted.identity.tags or tag in instance.tags)
    return replace(found, tags=None if tags == instance.tags else tags)


def _moved(wanted: Wanted, instance: Instance, asked: InstanceSpec, former: Identity) -> Difference:
    """Return the difference that gives an instance its new key, and its fingerprints the new binding."""
    before = wanted.fingerprints.bound_to(former.marker, former.former_markers)
    found = Difference.between(asked, instance, before)
    known = {
        key: value
        for key, value in asked.credentials.items()
        if key in found.configuration or before.compare(instance.tags, key, value, instance.id) is Known.SAME
    }
    gone = {*former.tags, *former.former_markers}
    tags = instance.tags if found.tags is None else found.tags
    prints = set(fingerprint_tags(tags))
    kept = [tag for tag in tags if tag not in gone and tag not in prints]
    mark = wanted.fingerprints.tag(known)
    return replace(
        found, tags=tuple(dict.fromkeys([*kept, *wanted.identity.tags, *([mark] if mark else [])]))
    )


def _fields(instance: Instance, difference: Difference, spec: InstanceSpec) -> Iterator[FieldChange]:
    if difference.name is not None:
        yield FieldChange("name", plain_text(instance.name), plain_text(difference.name))
    for key, value in difference.configuration.items():
        if hidden(key, instance):
            yield FieldChange(key, ASTERISKS, ASTERISKS)
        else:
            yield FieldChange(key, _visible(key, _current(key, instance)), _visible(key, value))
    if difference.tags is not None:
        before, after = user_tags(instance.tags), user_tags(difference.tags)
        if set(before) != set(after):
            yield FieldChange(
                "tags", [plain_text(each) for each in before], [plain_text(each) for each in after]
            )
        elif not difference.configuration and difference.name is None:
            yield FieldChange(OWN_TAGS, None, "as its key says")


def _current(key: str, instance: Instance) -> Any:
    if key == EVENTS_ENABLED:
        return instance.events_enabled
    return instance.event_callback_url if key == EVENT_CALLBACK_URL else instance.configuration.get(key)


def _visible(key: str, value: Any) -> Any:
    try:
        return plain_json(shown({key: value})[key])
    except ValueError:
        return ASTERISKS


def _change(
    wanted: Wanted,
    kind: Kind,
    spec: InstanceSpec,
    instance: Instance | None,
    fields: tuple[FieldChange, ...],
    why: str | None = None,
    grave: str | None = None,
) -> Change:
    return Change(
        kind,
        plain_text(wanted.key),
        plain_text(spec.name),
        spec.element,
        None if instance is None else instance.id,
        fields,
        why,
        grave,
        wanted.row.given,
        wanted.digest,
    )


def creation(wanted: Wanted) -> Compared:
    """Return the change that creates what a row asks for.

    :param wanted: What the row asks for. It shall exist.
    """
    if wanted.spec is None:
        raise AssertionError("an absent instance is never created")  # pragma: no cover
    return Compared(_change(wanted, Kind.CREATE, wanted.spec, None, ()))


def _unknown(wanted: Wanted, instance: Instance, difference: Difference) -> tuple[Note, ...]:
    if not difference.unknown:
        return ()
    text = (
        f"nobody can tell whether it has the present {' and '.join(difference.unknown)}: the platform shows "
        "asterisks, and the instance has no fingerprint of it that this connection can read. It is not "
        "written."
    )
    return (Note(plain_text(wanted.key), text, instance.id),)


def _note(wanted: Wanted, instance: Instance, text: str) -> Compared:
    return Compared(notes=(Note(plain_text(wanted.key), text, instance.id),), left=True)
