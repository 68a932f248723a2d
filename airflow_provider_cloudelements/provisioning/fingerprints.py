"""Keep fingerprints of an instance's last credentials in a tag that reveals nothing of them.

The platform shows secrets as asterisks, so no client can compare them. A keyed fingerprint beside the
marker shows whether a credential is the one that the instance last received.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_cloudelements.client.models import Instance
from airflow_provider_cloudelements.client.tags import FINGERPRINT_PREFIX, MARKER_PREFIX, Identity, own_tags
from airflow_provider_cloudelements.connections import ConnectionSettings

if TYPE_CHECKING:
    from airflow_provider_cloudelements.client.instances import InstancesApi

#: Hexadecimal digits of the key's id, and in each part of the credential's name and of its value. Names of
#: 48 bits do not collide. Two names with one digest would overwrite each other at each run.
_ID, _NAME, _VALUE = 8, 12, 10
#: The same in the first form of these tags. It did not show which marker a fingerprint belongs to.
_FIRST_ID, _FIRST_NAME = 6, 4


class Known(StrEnum):
    """Result of comparing a credential with an instance's fingerprint."""

    SAME = "same"
    CHANGED = "changed"
    UNKNOWN = "unknown"


class _Kept(NamedTuple):
    """A fingerprint tag that can be read: what it is bound to, and the values' digests by the names'."""

    binding: str
    parts: dict[str, str]


class Fingerprints:
    """Keyed fingerprints of credentials, each bound to its instance.

    The tag is ``airflow-auth:`` and parts joined by dots: first an id of the key and the binding that made
    it, then for each credential a digest of its name and one of its value. The HMAC's key comes from the
    connection's own secrets, so a reader of the tags can neither look a password up nor compare two.

    A fingerprint is bound to a marker of its instance. If the instance had none, it is bound to its id. So a
    tag that a person copies to another instance does not fit there. A tag with another binding, or of other
    secrets, cannot be read: what it says of a credential is *unknown*, never *changed*.

    :param settings: The settings whose secrets make the key.
    :param marker: The marker tag of the instance's key, or what stands for it.
    :param former_markers: Markers that the instance may have had before.
    """

    def __init__(self, settings: ConnectionSettings, marker: str, former_markers: Iterable[str] = ()) -> None:
        material = "\n".join(
            (settings.user_secret or "", settings.organization_secret or "", settings.authorization or "")
        )
        purpose = b"airflow-provider-cloudelements: fingerprints of credentials, version 1"
        key = hmac.digest(material.encode(), purpose, "sha256")
        #: A copy of it takes a quarter less than a new one.
        self._keyed = hmac.new(key, digestmod="sha256")
        #: Digests of the credentials' names: a fleet has a few names, and thousands of each.
        self._names: dict[str, str] = {}
        self._marker = marker
        self._former_markers = tuple(former_markers)

    def bound_to(self, marker: str, former_markers: Iterable[str] = ()) -> Fingerprints:
        """Return fingerprints of the same key for another instance, without deriving the key again.

        :param marker: The marker tag of the instance's key.
        :param former_markers: Markers that the instance may have had before.
        """
        other = object.__new__(Fingerprints)  # copy.copy takes ten times as long
        other._keyed, other._names = self._keyed, self._names
        other._marker, other._former_markers = marker, tuple(former_markers)
        return other

    def digest(self, value: Any) -> str:
        """Return a keyed digest of a value, fit to be stored anywhere.

        :param value: The value, as JSON has it.
        """
        return self._hmac("value", _text(value))[: _NAME + _VALUE]

    def code(self, login: Any) -> str:
        """Return the fingerprint of a login that works once, fit to be stored anywhere.

        It does not depend on the instance: a code is spent, whichever instance it went to.

        :param login: The code, or what stands for it.
        """
        return self._hmac("code", _text(login))[: _NAME + _VALUE]

    def tag(
        self, credentials: Mapping[str, Any], before: Iterable[str] = (), instance_id: int | None = None
    ) -> str | None:
        """Return the tag for an instance that has just received these credentials.

        :param credentials: Values by name.
        :param before: The instance's tags; the new tag keeps their fingerprints of other credentials.
        :param instance_id: The instance's id, if it has one.
        :return: ``None`` when there is no fingerprint.
        """
        kept = self._read(tuple(before), instance_id)
        binding, parts = kept or _Kept(self._marker, {})
        parts = parts | dict(self._part(binding, name, value) for name, value in credentials.items())
        if not parts:
            return None
        return FINGERPRINT_PREFIX + ".".join([self._id(binding), *(a + b for a, b in sorted(parts.items()))])

    def prepared(self, credentials: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return what :meth:`shown_by` needs of credentials that thousands of instances share.

        :param credentials: Values by name.
        """
        return sorted((self._short(name), _items(name, _text(value))) for name, value in credentials.items())

    def shown_by(self, tags: Iterable[str], marker: str, prepared: Iterable[tuple[str, str]]) -> bool:
        """Return whether tags hold the fingerprint of these credentials and of no others.

        :param tags: The instance's tags.
        :param marker: The marker tag of the instance's key.
        :param prepared: What :meth:`prepared` returned.
        """
        bound = _items(marker)
        parts = [short + self._digest(f"[{bound}, {items}]")[:_VALUE] for short, items in prepared]
        # Each digest is bound to key and marker already, so the tag's id says nothing more.
        end = "." + ".".join(parts)
        length = len(FINGERPRINT_PREFIX) + _ID + len(end)
        for tag in tags:
            if len(tag) == length and tag.startswith(FINGERPRINT_PREFIX) and tag.endswith(end):
                return True
        return False

    def compare(self, tags: Iterable[str], name: str, value: Any, instance_id: int | None = None) -> Known:
        """Return whether an instance last received this value of a credential.

        :param tags: The instance's tags.
        :param name: The credential's name.
        :param value: The value to compare.
        :param instance_id: The instance's id.
        """
        tags = tuple(tags)
        kept = self._read(tags, instance_id)
        if kept is None:
            return Known.SAME if self._first_form_fits(tags, name, value, instance_id) else Known.UNKNOWN
        short, digest = self._part(kept.binding, name, value)
        if short not in kept.parts:
            return Known.UNKNOWN
        return Known.SAME if hmac.compare_digest(kept.parts[short], digest) else Known.CHANGED

    def _read(self, tags: tuple[str, ...], instance_id: int | None) -> _Kept | None:
        """Return the fingerprint tag that can be read; ``None`` when there is none."""
        found = dict(_fingerprint_tags(tags))
        if not found:
            return None
        for binding in self._bindings(tags, instance_id):
            if (parts := found.get(self._id(binding))) is not None:
                return _Kept(binding, {part[:_NAME]: part[_NAME:] for part in parts})
        return None

    def _bindings(self, tags: tuple[str, ...], instance_id: int | None) -> Iterator[str]:
        """Yield all that a fingerprint on this instance may be bound to, the usual one first."""
        yield self._marker
        yield from self._former_markers
        yield from (tag for tag in own_tags(tags) if tag.startswith(MARKER_PREFIX))
        if instance_id is not None:
            yield _binding_of(instance_id)

    def _first_form_fits(self, tags: tuple[str, ...], name: str, value: Any, instance_id: int | None) -> bool:
        """Return whether a tag of the first form shows this value. It cannot show that a value changed."""
        of_name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_FIRST_NAME]
        key_id = self._hmac("which key")[:_FIRST_ID]
        found = {part for each, parts in _fingerprint_tags(tags) if each == key_id for part in parts}
        return bool(found) and any(
            of_name + self._hmac(binding, name, _text(value))[:_VALUE] in found
            for binding in self._bindings(tags, instance_id)
        )

    def _id(self, binding: str) -> str:
        return self._hmac("which key and binding", binding)[:_ID]

    def _part(self, binding: str, name: str, value: Any) -> tuple[str, str]:
        return self._short(name), self._hmac(binding, name, _text(value))[:_VALUE]

    def _short(self, name: str) -> str:
        short = self._names.get(name)
        if short is None:
            short = self._names[name] = self._hmac("name", name)[:_NAME]
        return short

    def _hmac(self, *parts: str) -> str:
        return self._digest(f"[{_items(*parts)}]")

    def _digest(self, message: str) -> str:
        digest = self._keyed.copy()
        digest.update(message.encode())
        return digest.hexdigest()


def _items(*texts: str) -> str:
    """Return texts as json.dumps writes the items of a list, in a fifth of the time."""
    return ", ".join(map(encode_basestring_ascii, texts))


def fingerprints_of(
    instances: InstancesApi, instance: Instance, identity: Identity | None = None
) -> Fingerprints:
    """Return the fingerprints of an instance's credentials.

    They are bound to its marker, so that the create finds them. If a person made the instance, they are
    bound to its id.

    :param instances: The account's instances.
    :param instance: The instance.
    :param identity: The instance's, if its key named it.
    """
    if identity is not None:
        return Fingerprints(instances.http.settings, identity.marker, identity.former_markers)
    markers = [tag for tag in own_tags(instance.tags) if tag.startswith(MARKER_PREFIX)]
    return Fingerprints(instances.http.settings, min(markers, default=_binding_of(instance.id)))


def fingerprinted(
    tags: tuple[str, ...], fingerprints: Fingerprints, written: Mapping[str, Any], instance_id: int
) -> tuple[str, ...]:
    """Return tags with the fingerprints of credentials that are about to be written.

    :param tags: The tags before; the result keeps their fingerprints of other credentials.
    :param fingerprints: Made with the instance's marker.
    :param written: The credentials, by name.
    :param instance_id: The instance's id.
    """
    fingerprint = fingerprints.tag(written, tags, instance_id) if written else None
    if fingerprint is None:
        return tags
    # People may write tags that begin like ours. Replace only tags that have the whole shape of ours.
    old = set(fingerprint_tags(tags))
    return (*(tag for tag in tags if tag not in old), fingerprint)


def fingerprint_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags that are fingerprints of this provider, of whatever secrets and binding."""
    return own_tags(tag for tag in tags if tag.startswith(FINGERPRINT_PREFIX))


def _fingerprint_tags(tags: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield key id and parts of each fingerprint tag."""
    for tag in fingerprint_tags(tags):
        key_id, *parts = tag.removeprefix(FINGERPRINT_PREFIX).split(".")
        yield key_id, parts


def _binding_of(instance_id: int) -> str:
    return f"instance {instance_id}"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring_ascii(value)  # as json.dumps writes a text
    return json.dumps(value, sort_keys=True, default=str)
