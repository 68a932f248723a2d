"""Pages of the platform: pageSize, nextPage and the Elements-Next-Page-Token header (fact F50)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from airflow_provider_cloudelements.sandbox.core.errors import bad_request
from airflow_provider_cloudelements.sandbox.core.web import Call
from airflow_provider_cloudelements.sandbox.settings import Behaviour

T = TypeVar("T")

NEXT_PAGE_HEADER = "Elements-Next-Page-Token"
RETURNED_HEADER = "Elements-Returned-Count"
TOTAL_HEADER = "Elements-Total-Count"


def page_size(call: Call[Any, Any], behaviour: Behaviour) -> int:
    """Return how many rows the caller gets.

    :param call: the request.
    :param behaviour: default and maximum, both unknown for GET /instances (U42).
    """
    text = call.value("pageSize")
    if text is None or text == "":
        return behaviour.page_size
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise bad_request("Query parameter pageSize must be a positive integer")
    return min(int(text), behaviour.max_page_size)


def encode_token(position: int) -> str:
    """Return an opaque page token: base64 of JSON (fact F50).

    :param position: the position after which the next page begins.
    """
    return base64.urlsafe_b64encode(json.dumps({"after": position}).encode("ascii")).decode("ascii")


def decode_token(token: str) -> int:
    """Return the position in a page token.

    :param token: the value of nextPage.
    """
    try:
        content = json.loads(base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True))
        position = content["after"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise bad_request("Query parameter nextPage is not a page token") from None
    if isinstance(position, bool) or not isinstance(position, int):
        raise bad_request("Query parameter nextPage is not a page token")
    return position


def cut_page(
    call: Call[Any, Any],
    behaviour: Behaviour,
    rows: Sequence[T],
    position: Callable[[T], int],
    *,
    descending: bool = False,
) -> tuple[list[T], dict[str, str]]:
    """Return one page of ``rows`` and its headers.

    The token names the last row seen, not an offset. So if rows disappear while a client pages, the client
    misses no other row. The answer has a token only while rows remain (fact F51).

    :param call: the request.
    :param behaviour: page sizes.
    :param rows: all rows, in the order of listing.
    :param position: the number of a row that the order follows.
    :param descending: whether the order is descending.
    """
    size = page_size(call, behaviour)
    token = call.value("nextPage")
    rest: Sequence[T] = rows
    if token:
        after = decode_token(token)
        rest = [row for row in rows if (position(row) < after if descending else position(row) > after)]
    page = list(rest[:size])
    headers = {RETURNED_HEADER: str(len(page)), TOTAL_HEADER: str(len(rows))}
    if len(rest) > size:
        headers[NEXT_PAGE_HEADER] = encode_token(position(page[-1]))
    return page, headers
