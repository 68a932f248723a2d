"""A list's pages, and the meaning of an empty page or a 404.

A 404 is an empty page (fact F53, unknown U44). An empty page ends the list, because a next-page token may
come even with the last page of an element's resource (fact F52). The client also yields an empty page that
comes after others. In the platform's own lists a token means that there is more (fact F51), so such a list
broke off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from airflow_provider_cloudelements.client.wire.answer import Reply
from airflow_provider_cloudelements.exceptions import CloudElementsNotFoundError, CloudElementsServerError


def pages(send: Callable[[str | None], Reply], path: str) -> Iterator[list[Any]]:
    """Yield a list's pages, and read each only when needed.

    :param send: Function that reads the page of a next-page token; ``None``: the first page.
    :param path: Path of the list, for errors.
    """
    next_page: str | None = None
    seen: set[str] = set()
    while True:
        try:
            reply = send(next_page)
        except CloudElementsNotFoundError:
            if seen:
                yield []
            return
        if not isinstance(reply.body, list):
            raise CloudElementsServerError(
                f"GET {path}: the answer is not a JSON array, as a list is.",
                status=reply.status,
                method="GET",
                path=path,
            )
        page, next_page = reply.body, reply.headers.get("Elements-Next-Page-Token")
        del reply
        if page or seen:
            yield page
        if not next_page or not page:
            return
        del page
        if next_page in seen:
            raise CloudElementsServerError(
                f"GET {path}: the same next-page token came twice; the list would never end.",
                method="GET",
                path=path,
            )
        seen.add(next_page)
