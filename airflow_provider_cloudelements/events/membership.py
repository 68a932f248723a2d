"""Find the instances that have a tag."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from airflow_provider_cloudelements.client.listed import AnyEvent
from airflow_provider_cloudelements.client.models import parse_tags
from airflow_provider_cloudelements.client.parsing import parse_id, parse_object
from airflow_provider_cloudelements.client.target import Target
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.client.wire.listing import readable
from airflow_provider_cloudelements.exceptions import CloudElementsError

#: Most tags that are looked up one by one. For more tags, one call lists all instances.
_FEW_TAGS = 3


class Members:
    """Find which instances have which tag or key. It asks the platform at the first new event.

    :param http: Sends the calls.
    :param targets: The tags and keys that matter.
    """

    def __init__(self, http: HttpSession, targets: Iterable[Target]) -> None:
        self._http = http
        self._targets = set(targets)
        self._one_by_one = len(self._targets) <= _FEW_TAGS
        self._found: dict[Target, set[int]] = {}
        #: Failures of the calls, by tag or key; under ``None`` that of the one call for all of them.
        self._failed: dict[Target | None, CloudElementsError] = {}

    def of(self, target: Target, event: AnyEvent) -> set[int]:
        """Return the instances of a tag or key: those that have it now, and those that had it at the event.

        :param target: One of the tags and keys.
        :param event: The event.
        :raises CloudElementsError: The list of instances could not be read whole for this tag. Without it
            the event must not count as read, because it may concern an instance that the list did not show.
            The call is not sent again: each further event of the tag raises the same error.
        """
        had = {each.instance_id for each in event.notifications if target.has_tag(each.instance_tags)}
        return self._with(target) | {each for each in had if each is not None}

    def _with(self, target: Target) -> set[int]:
        if not self._one_by_one:
            self._one_by_one = not self._found_all()
        if target in self._failed:
            raise self._failed[target]
        if target not in self._found:
            try:
                self._found.update(self._load({target}, singly=True))
            except CloudElementsError as error:
                self._failed[target] = error
                raise
        return self._found[target]

    def _found_all(self) -> bool:
        """Look all tags up in one call; return whether that was accepted.

        If it was refused, each tag is looked up by itself, because nobody asked for all instances.
        """
        if None in self._failed:
            raise self._failed[None]
        if not self._found:
            try:
                self._found = self._load(self._targets, singly=False)
            except CloudElementsError as error:
                if error.concerns_account or error.retryable:
                    self._failed[None] = error
                    raise
                return False
        return True

    def _load(self, targets: set[Target], *, singly: bool) -> dict[Target, set[int]]:
        found: dict[Target, set[int]] = {target: set() for target in targets}
        naming: dict[str, list[Target]] = defaultdict(list)
        for target in targets:
            for tag in target.searched_tags:
                naming[tag].append(target)
        queries: list[dict[str, Any]] = [{"tags[]": [tag]} for tag in sorted(naming)]
        for query in queries if singly else [{}]:
            rows = self._http.list_items("/instances", params=query)
            for number, tags in readable(rows, _member, "instances"):
                for target in (each for tag in tags for each in naming.get(tag, ())):
                    if target.has_tag(tags):
                        found[target].add(number)
        return found


def _member(row: Any) -> tuple[int, tuple[str, ...]]:
    """Return an instance's id and tags, the only parts of it that matter here."""
    data = parse_object(row, "instance")
    return parse_id(data.get("id"), "instance"), parse_tags(data.get("tags"))
