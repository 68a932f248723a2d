"""Find the instances that have a tag."""

from __future__ import annotations

from typing import Any

from airflow_provider_cloudelements.client.models import parse_tags
from airflow_provider_cloudelements.client.notifications import Event
from airflow_provider_cloudelements.client.parsing import parse_id, parse_object
from airflow_provider_cloudelements.client.wire.http import HttpSession
from airflow_provider_cloudelements.client.wire.listing import readable

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
        self._found: dict[str, set[int]] | None = None

    def of(self, tag: str, event: Event) -> set[int]:
        """Return the instances with a tag: those that have it now, and those that had it at the event.

        :param tag: The tag.
        :param event: The event.
        :raises CloudElementsError: The list of instances could not be read whole. Without it the event must
            not count as read, because it may concern an instance that the list did not show.
        """
        if self._found is None:
            self._found = self._load()
        had = {each.instance_id for each in event.notifications if tag in each.instance_tags}
        return self._found[tag] | {each for each in had if each is not None}

    def _load(self) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {tag: set() for tag in self._tags}
        one_by_one = len(self._tags) <= _FEW_TAGS
        queries: list[dict[str, Any]] = [{"tags[]": [tag]} for tag in sorted(self._tags)]
        for query in queries if one_by_one else [{}]:
            rows = self._http.list_items("/instances", params=query)
            for number, tags in readable(rows, _member, "instances"):
                for tag in self._tags.intersection(tags):
                    found[tag].add(number)
        return found


def _member(row: Any) -> tuple[int, tuple[str, ...]]:
    """Return an instance's id and tags, the only parts of it that matter here."""
    data = parse_object(row, "instance")
    return parse_id(data.get("id"), "instance"), parse_tags(data.get("tags"))
