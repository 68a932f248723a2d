"""What a list or a 404 proves: the one place that decides it.

A 404 means "none" or "gone" only if it is the platform's own answer (fact F41). A gateway or a proxy answers
404 as well, for instance while the platform restarts. Such a page proves nothing.

An empty first page and the platform's own 404 are an empty list (fact F53, unknown U44). In the platform's
own lists, a page token means that there is more (fact F51). If such a token leads to nothing, the list broke
off, and nobody may conclude from it what exists.

In a list of an element's resource, a token may come even with the last page, and the page after it is empty
(fact F52). So an empty page ends that list. A 404 does not: no source says that one may, and it is what a
vendor answers as well if something goes away while the client reads (unknown U45). On the first page, a 404
is an empty list only if its message says so (fact F54). Else the path may be mistyped.

A row that cannot be read is left out and logged. It does not end the list.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from typing import Any, TypeVar

from airflow_provider_cloudelements.client.wire.answer import Reply
from airflow_provider_cloudelements.exceptions import CloudElementsNotFoundError, CloudElementsServerError

log = logging.getLogger(__name__)

_Item = TypeVar("_Item")
#: What names a page: a token, or its number.
_Mark = TypeVar("_Mark")
#: Status of an answer that holds a part of what there is (RFC 9110, 15.3.7).
_PART = 206
_NONE_FOUND = re.compile(r"\bno\b.*\bfound\b", re.IGNORECASE | re.DOTALL)


def is_own_error(body: Mapping[str, Any]) -> bool:
    """Return whether an error's body is one that the platform writes (fact F41).

    :param body: The body's JSON object; empty if the body is something else.
    """
    return any(isinstance(body.get(name), str) and body[name] for name in ("message", "requestId"))


def says_none(message: Any) -> bool:
    """Return whether the message of the platform's own 404 has the form "No ... found" (fact F54).

    :param message: Field ``message`` of the error's body.
    """
    return isinstance(message, str) and _NONE_FOUND.search(message) is not None


def pages(send: Callable[[str | None], Reply], path: str, *, of_element: bool = False) -> Iterator[list[Any]]:
    """Yield a list's pages that hold rows, and read each only when needed.

    :param send: Function that reads the page of a next-page token; ``None``: the first page.
    :param path: Path of the list, for errors.
    :param of_element: Whether the list is one of an element's resources. Default: one of the platform's own.
    :raises CloudElementsServerError: A page is no list, a token came twice, or the list broke off. The last
        two concern the whole list: what came before proves nothing about what does not exist.
    :raises CloudElementsNotFoundError: The first page of an element's list is a 404 that does not say "none".
    """
    next_page: str | None = None
    seen: set[str] = set()
    while True:
        page, following = _page(send, next_page, path, len(seen), of_element=of_element)
        empty = not page
        if page:
            yield page
        del page  # the page is free before the client reads the next one
        if empty and (seen or following) and not of_element:
            raise _broken(path, len(seen), "The platform announced more rows, and none came.")
        if empty or not following:
            return
        if following in seen:
            raise CloudElementsServerError(
                f"GET {path}: the same next-page token came twice; the list would never end.",
                method="GET",
                path=path,
            )
        seen.add(following)
        next_page = following


def numbered_pages(send: Callable[[int], Reply], path: str, first: int) -> Iterator[list[Any]]:
    """Yield the pages of a list of an element's resource by their numbers, until one is empty.

    :param send: Function that reads the page of a number.
    :param path: Path of the list, for errors.
    :param first: Number of the first page.
    :raises CloudElementsServerError: A page is no list, or the list broke off, or a page is the same as the
        one before it: the vendor does not heed the number, and the list would never end.
    :raises CloudElementsNotFoundError: The first page is a 404 that does not say "none".
    """
    before: list[Any] = []
    for number in count(first):
        page, _ = _page(send, number, path, number - first, of_element=True)
        if not page:
            return
        if page == before:
            raise CloudElementsServerError(
                f"GET {path}: two pages in a row are the same; this list does not go by the page's number.",
                method="GET",
                path=path,
            )
        before = page
        yield page


def _page(
    send: Callable[[_Mark], Reply], mark: _Mark, path: str, before: int, *, of_element: bool
) -> tuple[list[Any], str | None]:
    """Return a page and the token of the next one. A 404 that means "none" is an empty page.

    :param before: How many pages came before.
    """
    try:
        reply = send(mark)
    except CloudElementsNotFoundError as error:
        if not of_element or (not before and error.says_none):
            return [], None
        if not before:
            error.advise(
                "Is this the path of a list? An empty list answers with no rows, or says that none is found."
            )
            raise
        missing = str(error)
    else:
        return _rows(reply, path)
    # Outside the handler: a 404 that no retry helps must not be the cause of an error that may pass.
    raise _broken(path, before, f"The page after them is missing: {missing}")


def _broken(path: str, pages_read: int, why: str) -> CloudElementsServerError:
    return CloudElementsServerError(
        f"GET {path}: the list broke off after {pages_read} pages. {why} Such a list does not show what "
        "exists; a later try reads it again.",
        method="GET",
        path=path,
    )


def _rows(reply: Reply, path: str) -> tuple[list[Any], str | None]:
    wrong = None
    if not isinstance(reply.body, list):
        wrong = "is not a JSON array, as a list is"
    elif reply.status == _PART:
        wrong = f"is only a part ({_PART}), and nobody asked for one"
    if wrong:
        raise CloudElementsServerError(
            f"GET {path}: the answer {wrong}.", status=reply.status, method="GET", path=path
        )
    return reply.body, reply.headers.get("Elements-Next-Page-Token")


def readable(
    rows: Iterable[Any],
    parse: Callable[[Any], _Item],
    what: str,
    left_out: Callable[[Any], object] | None = None,
) -> Iterator[_Item]:
    """Yield the parsed rows. Leave out the rows that cannot be read, and log how many there were.

    :param rows: The rows of a list.
    :param parse: Function that reads one row. It raises :class:`CloudElementsServerError` for a row that it
        cannot read.
    :param what: What the rows are, in the plural, for the log.
    :param left_out: Function that gets each row that cannot be read.
    """
    unreadable = 0
    try:
        for row in rows:
            try:
                item = parse(row)
            except CloudElementsServerError:
                unreadable += 1
                if left_out is not None:
                    left_out(row)
                continue
            yield item
    finally:
        if unreadable:
            log.warning("%d rows of a list of %s cannot be read and are left out.", unreadable, what)
