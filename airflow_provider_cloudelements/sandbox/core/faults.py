"""Faults on demand: their rules, and which call gets one (:mod:`server.app` carries them out)."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

from airflow_provider_cloudelements.sandbox.core.errors import bad_request

ACTIONS = ("delay", "status", "drop", "cut", "html", "forget_range")
BODIES = ("error", "html", "text", "empty")
_MOST_SECONDS = 3600


@dataclass(slots=True)
class Fault:
    """A rule: the next matching calls get this fault.

    :param action: ``delay`` only waits; ``status`` answers ``status``; ``drop`` closes the connection without
        an answer; ``cut`` answers with half of the body and closes; ``html`` answers a web page;
        ``forget_range`` answers as if the call had asked for the whole and not for a part.
    :param when: ``before``: the call has no effect; ``after``: the call has taken effect. With ``delay``,
        ``cut`` and ``forget_range`` the call always takes effect: after waiting (``before``) or at once
        (``after``).
    :param method: only calls with this verb; None for all.
    :param path: only calls whose path, without the prefix, matches this pattern (``*``, ``?``); None for all.
    :param count: how many calls get it; None for all from now on.
    :param skip: how many matching calls pass first.
    :param chance: probability that a matching call gets it.
    :param seed: seed of the random numbers for ``chance``.
    :param seconds: how long to wait first; with any action.
    :param bytes: for ``cut``: how many bytes of the body still come; None for half of it.
    :param status: for ``status`` and ``html``.
    :param retry_after: value of a Retry-After header, or None.
    :param body: kind of body for ``status``: error, html, text or empty.
    :param abandon: whether a call has no effect if its client leaves while it waits; otherwise the server
        completes the call, as the real one may.
    """

    action: str
    when: str = "before"
    method: str | None = None
    path: str | None = None
    count: int | None = 1
    skip: int = 0
    chance: float = 1.0
    seed: int = 0
    seconds: float = 0.0
    bytes: int | None = None
    status: int = 503
    retry_after: str | None = None
    body: str = "error"
    abandon: bool = False
    id: int = field(default=0, init=False)
    seen: int = field(default=0, init=False)
    applied: int = field(default=0, init=False)
    _random: random.Random = field(default_factory=random.Random, init=False, repr=False)

    def __post_init__(self) -> None:
        """Seed the random numbers."""
        self._random.seed(self.seed)

    @property
    def spent(self) -> bool:
        """Whether no further call gets it."""
        return self.count is not None and self.applied >= self.count

    def takes(self, method: str, path: str) -> bool:
        """Return whether a call gets this fault, and count the call.

        :param method: the verb.
        :param path: the path without the prefix.
        """
        if self.spent or (self.method is not None and self.method != method):
            return False
        if self.path is not None and not fnmatchcase(path, self.path):
            return False
        self.seen += 1
        if self.seen <= self.skip or self._random.random() >= self.chance:
            return False
        self.applied += 1
        return True

    def view(self) -> dict[str, Any]:
        """Return the rule for the control calls."""
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}


_SETTABLE = {entry.name: entry for entry in fields(Fault) if entry.init}


def read_fault(body: dict[str, Any]) -> Fault:
    """Return the rule in a control call's body.

    :param body: fields of :class:`Fault`.
    :raises ApiError: 400; it names the field that does not fit.
    """
    for name in body:
        if name not in _SETTABLE:
            raise bad_request(f"Unknown field; a fault has {', '.join(_SETTABLE)}")
    _require(body.get("action") in ACTIONS, f"action must be one of {', '.join(ACTIONS)}")
    _require(body.get("when", "before") in ("before", "after"), "when must be before or after")
    _require(body.get("body", "error") in BODIES, f"body must be one of {', '.join(BODIES)}")
    _require(isinstance(body.get("abandon", False), bool), "abandon must be true or false")
    for name in ("method", "path"):
        _require(isinstance(body.get(name, ""), (str, type(None))), f"{name} must be a string")
    retry_after = body.get("retry_after")
    if isinstance(retry_after, int) and not isinstance(retry_after, bool):
        body = {**body, "retry_after": str(retry_after)}
    elif retry_after is not None:
        fits = isinstance(retry_after, str) and retry_after.isascii() and retry_after.isprintable()
        _require(fits, "retry_after must be a number of seconds or an HTTP date")
    ranges: dict[str, tuple[type, float, float]] = {
        "count": (int, 1, 10**9),
        "skip": (int, 0, 10**9),
        "bytes": (int, 0, 10**15),
        "seed": (int, -(10**18), 10**18),
        "chance": (float, 0, 1),
        "seconds": (float, 0, _MOST_SECONDS),
        "status": (int, 200, 599),
    }
    for name, (kind, low, high) in ranges.items():
        value = body.get(name)
        if name not in body or (name in ("count", "bytes") and value is None):
            continue
        number = not isinstance(value, bool) and isinstance(value, int if kind is int else (int, float))
        _require(number and low <= value <= high, f"{name} must be a number from {low} to {high}")  # type: ignore[operator]
    method = body.get("method")
    return Fault(**{**body, "method": method.upper() if method else None})


def _require(fits: bool, message: str) -> None:
    """Raise 400 unless a condition holds."""
    if not fits:
        raise bad_request(message)


class Faults:
    """The rules, oldest first. A call gets at most one fault: the first that matches."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._number = 0

    def add(self, fault: Fault) -> Fault:
        """Keep a rule and return it with its id.

        :param fault: the rule.
        """
        self._number += 1
        fault.id = self._number
        self._rules.append(fault)
        return fault

    def pick(self, method: str, path: str) -> Fault | None:
        """Return the fault that a call gets, or None.

        :param method: the verb.
        :param path: the path without the prefix.
        """
        for rule in self._rules:
            if rule.takes(method, path):
                return rule
        return None

    def view(self) -> list[dict[str, Any]]:
        """Return all rules, the spent ones too."""
        return [rule.view() for rule in self._rules]

    def clear(self) -> None:
        """Forget all rules."""
        self._rules.clear()
