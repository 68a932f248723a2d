"""The log of calls, for tests that count calls. It holds no secret, whatever arrives.

The log keeps nothing of a request as it came. It keeps a part of the path if the route spells it out, or if
it is a number of at most nine digits (an id) or the name of an element or resource. It keeps names of query
parameters and words of Authorization if they are known. Everything else becomes an asterisk.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

#: The number of the latest calls that the log keeps; the counters include all calls.
KEPT_ENTRIES = 10_000

UNKNOWN = "*"
VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
WORDS = ("User", "Organization", "Element", "Bearer")
QUERY_NAMES = frozenset(
    {
        "abridged",
        "accountIds[]",
        "apiKey",
        "apiSecret",
        "callbackUrl",
        "expand",
        "fields",
        "from",
        "hydrate",
        "instanceId",
        "interval",
        "isOauthProxy",
        "nextPage",
        "orderBy",
        "page",
        "pageSize",
        "reAuthenticate",
        "scope",
        "searchText",
        "siteAddress",
        "state",
        "tags[]",
        "to",
        "topics[]",
        "version",
        "where",
    }
)


@dataclass(slots=True)
class Entry:
    """One call.

    :param number: 1, 2, 3 ... in the order of arrival.
    :param time: when it arrived.
    :param method: the verb.
    :param path: without prefix, unknown parts as asterisks.
    :param query: names of the query parameters.
    :param words: which words of Authorization the call had.
    :param status: the answer's status; None while the call runs, and for a dropped connection.
    :param fault: the fault that the call got, or None.
    :param done: whether the call has ended.
    """

    number: int
    time: str
    method: str
    path: str
    query: list[str]
    words: list[str]
    status: int | None = None
    fault: str | None = None
    done: bool = False


class Journal:
    """The log of API calls and its counters.

    :param is_name: returns whether a part of a path is the name of an element or resource, so no secret.
    """

    def __init__(self, is_name: Callable[[str], bool] = lambda _: False) -> None:
        self._is_name = is_name
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._number = 0
        self._calls: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._running = 0

    def open(
        self, method: str, segments: list[str], literal: list[bool], names: list[str], words: list[str]
    ) -> Entry:
        """Log the arrival of a call.

        :param method: the verb as it came.
        :param segments: the path's parts.
        :param literal: for each part whether the route spells it out; parts beyond the list are not.
        :param names: names of the query parameters as they came.
        :param words: words of Authorization as they came.
        """
        self._number += 1
        path = "".join(
            f"/{part if number < len(literal) and literal[number] else self._safe(part)}"
            for number, part in enumerate(segments)
        )
        entry = Entry(
            self._number,
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            method if method in VERBS else UNKNOWN,
            path or "/",
            [name if name in QUERY_NAMES else UNKNOWN for name in names],
            [word for word in WORDS if word in words],
        )
        self._entries.append(entry)
        self._running += 1
        return entry

    def _safe(self, part: str) -> str:
        """Return a part of a path if it cannot be a secret, else an asterisk."""
        short_number = part.isascii() and part.isdigit() and len(part) <= 9
        return part if short_number or self._is_name(part) else UNKNOWN

    def close(self, entry: Entry, call: str, status: int | None) -> None:
        """Log the end of a call.

        :param entry: what :meth:`open` returned.
        :param call: verb and route, for the counters.
        :param status: the answer's status, or None.
        """
        entry.status, entry.done = status, True
        self._running -= 1
        self._calls[call] += 1
        self._statuses[UNKNOWN if status is None else str(status)] += 1

    def entries(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the kept calls after a number, oldest first.

        :param since: the number.
        """
        return [asdict(entry) for entry in self._entries if entry.number > since]

    def counters(self) -> dict[str, Any]:
        """Return how many calls came, by verb and route and by status (``*``: no answer)."""
        return {
            "total": self._number,
            "running": self._running,
            "by_call": dict(sorted(self._calls.items())),
            "by_status": dict(sorted(self._statuses.items())),
        }
