"""Find the instances that have a tag."""

from __future__ import annotations

from typing import Any

from airflow_provider_cloudelements.client.models import parse_tags
from airflow_provider_cloudelements.client.notifications import Event
from airflow_provider_cloudelements.client.parsing import parse_id, parse_object
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.client.wire.listing import readable
from airflow_provider_cloudelements.exceptions import CloudElementsError

#: Most tags that are looked up one by one. For more tags, one call lists all instances.
_FEW_TAGS = 3


class Members:
    """Find which instances have which tags. It asks the platform at the first new event.

    :param http: Sends the calls.
    :param tags: The tags that matter.
    """

    def __init__(self, http: HttpSession, tags: set[str]) -> None:
        self._http = http
        self._tags = tags
        self._one_by_one = len(tags) <= _FEW_TAGS
        self._found: dict[str, set[int]] = {}
        #: Failures of the calls, by tag; under ``None`` that of the one call for all tags.
        self._failed: dict[str | None, CloudElementsError] = {}

    def of(self, tag: str, event: Event) -> set[int]:
        """Return the instances with a tag: those that have it now, and those that had it at the event.

        :param tag: One of the tags.
        :param event: The event.
        :raises CloudElementsError: The list of instances could not be read whole for this tag. Without it
            the event must not count as read, because it may concern an instance that the list did not show.
            The call is not sent again: each further event of the tag raises the same error.
        """
        had = {each.instance_id for each in event.notifications if tag in each.instance_tags}
        return self._with(tag) | {each for each in had if each is not None}

    def _with(self, tag: str) -> set[int]:
        asked = tag if self._one_by_one else None
        if asked in self._failed:
            raise self._failed[asked]
        if tag not in self._found:
            try:
                self._found.update(self._load({tag} if self._one_by_one else self._tags))
            except CloudElementsError as error:
                self._failed[asked] = error
                raise
        return self._found[tag]

    def _load(self, tags: set[str]) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {tag: set() for tag in tags}
        query: dict[str, Any] = {"tags[]": sorted(tags)} if self._one_by_one else {}
        rows = self._http.list_items("/instances", params=query)
        for number, its_tags in readable(rows, _member, "instances"):
            for tag in tags.intersection(its_tags):
                found[tag].add(number)
        return found


def _member(row: Any) -> tuple[int, tuple[str, ...]]:
    """Return an instance's id and tags, the only parts of it that matter here."""
    data = parse_object(row, "instance")
    return parse_id(data.get("id"), "instance"), parse_tags(data.get("tags"))
