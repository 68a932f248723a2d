"""Pages of the platform: pageSize, nextPage and the Elements-Next-Page-Token header (fact F50)."""

from __future__ import annotations

import base64
import json
from bisect import bisect_left, bisect_right
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
    misses no other row. The answer has a token only while rows remain (fact F51). A page costs as much as its
    own rows, however many there are in all.

    :param call: the request.
    :param behaviour: page sizes.
    :param rows: all rows, in ascending order of their positions.
    :param position: the number of a row that the order follows.
    :param descending: whether to list them from the last to the first.
    """
    size = page_size(call, behaviour)
    token = call.value("nextPage")
    if descending:
        end = bisect_left(rows, decode_token(token), key=position) if token else len(rows)
        page = list(rows[max(end - size, 0) : end])[::-1]
        more = end > size
    else:
        begin = bisect_right(rows, decode_token(token), key=position) if token else 0
        page = list(rows[begin : begin + size])
        more = begin + size < len(rows)
    headers = {RETURNED_HEADER: str(len(page)), TOTAL_HEADER: str(len(rows))}
    if more:
        headers[NEXT_PAGE_HEADER] = encode_token(position(page[-1]))
    return page, headers
