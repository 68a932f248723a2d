"""Everything that the sandbox stores about instances, in memory.

There is no lock: handlers run to their end one after the other on the event loop (see :class:`web.Call`).
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_cloudelements.sandbox.elements.catalogue import EVENTS_ENABLED, Element
from airflow_provider_cloudelements.sandbox.vendors.resources import Tables
from airflow_provider_cloudelements.sandbox.vendors.store import Credential, credential_of, new_secret

_FIRST_INSTANCE_ID = 410_001
_FIRST_ROW_ID = 9_200_001


@dataclass(slots=True, eq=False)
class Instance:
    """One element instance.

    :param id: integer; the process never uses it twice.
    :param name: display name, without HTML; not unique.
    :param element: its element.
    :param token: the value of the word Element in the Authorization header.
    :param tags: strings.
    :param configuration: strings or None by key, secrets in clear.
    :param external: none or initial.
    :param provider_data: what the API echoes, if the settings say so.
    :param created: ISO-8601, seconds, Z.
    :param valid: whether the vendor accepts its credential; :mod:`sessions` keeps this up to date.
    :param disabled: whether a person or the platform has disabled it.
    :param ended: credentials that the vendor once accepted and now refuses, each with the reason.
    :param refreshed: when the vendor gave it its token, on the monotonic clock.
    :param refresh_due: when to refresh the token, or None for never.
    :param failed_refreshes: how many refreshes failed in a row.
    :param failed_at: when the last refresh failed.
    :param trace_until: when trace logging ends, on the monotonic clock.
    :param row_ids: numeric id of each configuration row, given at the first use of the row.
    :param tables: the vendor's data, made at the first use of a resource.
    :param changes: for a polled instance with events: when the API created and updated a record, by resource
        and record, in seconds since 1970.
    :param polled: when the last poll was.
    :param poll_due: when the next poll is due, on the monotonic clock, or None.
    """

    id: int
    name: str
    element: Element
    token: str = field(repr=False)
    tags: list[str]
    configuration: dict[str, str | None] = field(repr=False)
    external: str = "none"
    provider_data: dict[str, Any] | None = field(default=None, repr=False)
    created: str = ""
    valid: bool = True
    disabled: bool = False
    ended: dict[Credential, str] = field(default_factory=dict, repr=False)
    refreshed: float = 0.0
    refresh_due: float | None = None
    failed_refreshes: int = 0
    failed_at: float = 0.0
    trace_until: float = 0.0
    row_ids: dict[str, int] = field(default_factory=dict)
    tables: Tables = field(default_factory=Tables, repr=False)
    changes: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict, repr=False)
    polled: float = 0.0
    poll_due: float | None = None

    @property
    def credential(self) -> Credential:
        """A person's login at the vendor."""
        return credential_of(self.element, self.configuration)

    @property
    def events_enabled(self) -> bool:
        """Whether its events are enabled (fact F201)."""
        return (self.configuration.get(EVENTS_ENABLED) or "").lower() == "true"

    @property
    def trace_logging(self) -> bool:
        """Whether trace logging is on."""
        return time.monotonic() < self.trace_until


def now_text() -> str:
    """Return the current time as the API writes it: 2017-11-30T21:53:35Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest(token: str) -> bytes:
    """Return the key of a token in the store, so that a look-up does not compare the token itself."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _id(instance: Instance) -> int:
    return instance.id


class _Group:
    """Instances in ascending order of id, so that a page of many costs as much as its own rows."""

    def __init__(self) -> None:
        self.rows: list[Instance] = []

    def add(self, instance: Instance) -> None:
        """Put an instance in its place; nothing changes if it is there.

        :param instance: the instance.
        """
        place = bisect_left(self.rows, instance.id, key=_id)
        if self.rows[place : place + 1] != [instance]:
            self.rows.insert(place, instance)

    def remove(self, instance: Instance) -> None:
        """Take an instance out; nothing changes if it is not there.

        :param instance: the instance.
        """
        place = bisect_left(self.rows, instance.id, key=_id)
        if self.rows[place : place + 1] == [instance]:
            del self.rows[place]


class Store:
    """The instances, found by id, token, tag and element."""

    def __init__(self) -> None:
        self._ids = itertools.count(_FIRST_INSTANCE_ID)
        self._row_ids = itertools.count(_FIRST_ROW_ID)
        self._instances: dict[int, Instance] = {}
        self._by_token: dict[bytes, Instance] = {}
        self._all = _Group()
        self._by_tag: dict[str, _Group] = {}
        self._by_element: dict[str, _Group] = {}
        self._bearers: set[bytes] = set()

    def clear(self) -> None:
        """Forget every instance and token. Ids continue, so an old id never names a new instance (C45)."""
        self._instances.clear()
        self._by_token.clear()
        self._all = _Group()
        self._by_tag.clear()
        self._by_element.clear()
        self._bearers.clear()

    def add(
        self,
        element: Element,
        name: str,
        tags: list[str],
        configuration: dict[str, str | None],
        external: str,
        provider_data: dict[str, Any] | None,
    ) -> Instance:
        """Keep a new instance and return it.

        :param element: its element.
        :param name: display name.
        :param tags: strings.
        :param configuration: complete, secrets in clear.
        :param external: none or initial.
        :param provider_data: what the API echoes, or None.
        """
        instance = Instance(
            next(self._ids),
            name,
            element,
            new_secret(),
            [],
            configuration,
            external,
            provider_data,
            now_text(),
        )
        self._instances[instance.id] = instance
        self._by_token[_digest(instance.token)] = instance
        self._all.add(instance)
        self.set_element(instance, element)
        self.set_tags(instance, tags)
        return instance

    def remove(self, instance: Instance) -> None:
        """Forget an instance. Its token is invalid from now on (fact F186).

        :param instance: the instance.
        """
        self.set_tags(instance, [])
        _drop(self._by_element, instance.element.key, instance)
        self._all.remove(instance)
        del self._instances[instance.id]
        del self._by_token[_digest(instance.token)]

    def set_tags(self, instance: Instance, tags: list[str]) -> None:
        """Replace the tags of an instance.

        :param instance: the instance.
        :param tags: all of its tags from now on.
        """
        for tag in set(instance.tags):
            _drop(self._by_tag, tag, instance)
        instance.tags = tags
        for tag in set(tags):
            self._by_tag.setdefault(tag, _Group()).add(instance)

    def set_element(self, instance: Instance, element: Element) -> None:
        """Make an instance one of this element.

        :param instance: the instance.
        :param element: its element from now on.
        """
        _drop(self._by_element, instance.element.key, instance)
        instance.element = element
        self._by_element.setdefault(element.key, _Group()).add(instance)

    def get(self, instance_id: int | None) -> Instance | None:
        """Return the instance with this id.

        :param instance_id: the id, or None for a text that is no id.
        """
        return None if instance_id is None else self._instances.get(instance_id)

    def by_token(self, token: str) -> Instance | None:
        """Return the instance with this Element token.

        :param token: the word's value.
        """
        return self._by_token.get(_digest(token))

    def all(self) -> Sequence[Instance]:
        """Return all instances in ascending order of id; callers must not change the sequence."""
        return self._all.rows

    def of_element(self, element: Element) -> Sequence[Instance]:
        """Return the instances of an element, in ascending order of id; not to be changed.

        :param element: the element.
        """
        group = self._by_element.get(element.key)
        return () if group is None else group.rows

    def elements(self) -> dict[str, int]:
        """Return how many instances each element has, by the element's key."""
        return {key: len(self._by_element[key].rows) for key in sorted(self._by_element)}

    def tagged(self, tags: Sequence[str], match_all: bool) -> Sequence[Instance]:
        """Return the instances with these tags, in ascending order of id; not to be changed.

        Its cost grows with the smaller groups, not with the largest, unless the groups differ.

        :param tags: the tags to look for, at least one.
        :param match_all: whether an instance needs all of them.
        """
        groups = sorted((self._by_tag[tag].rows if tag in self._by_tag else [] for tag in set(tags)), key=len)
        if len(groups) == 1:
            return groups[0]
        if match_all:
            return [instance for instance in groups[0] if set(tags) <= set(instance.tags)]
        largest = groups.pop()
        held = {instance.id: instance for group in groups for instance in group}
        place = {number: bisect_left(largest, number, key=_id) for number in held}
        others = [held[number] for number in sorted(held) if largest[place[number] :][:1] != [held[number]]]
        return list(heapq.merge(largest, others, key=_id)) if others else largest

    def row_id(self, instance: Instance, key: str) -> int:
        """Return the numeric id of a configuration row.

        :param instance: the instance.
        :param key: the row's key.
        """
        if key not in instance.row_ids:
            instance.row_ids[key] = next(self._row_ids)
        return instance.row_ids[key]

    def new_bearer(self) -> str:
        """Return a fresh bearer token (fact F11)."""
        token = new_secret()
        self._bearers.add(_digest(token))
        return token

    def has_bearer(self, token: str) -> bool:
        """Return whether the sandbox has given out this bearer token (choice C2).

        :param token: the word's value.
        """
        return _digest(token) in self._bearers


def _drop(groups: dict[str, _Group], name: str, instance: Instance) -> None:
    """Take an instance out of a group, and forget a group that is empty."""
    group = groups.get(name)
    if group is not None:
        group.remove(instance)
        if not group.rows:
            del groups[name]
