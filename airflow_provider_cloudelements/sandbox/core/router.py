"""Find the handler of a path.

The sandbox has its own table, not Starlette's, for these reasons: a literal part must win over a variable
(reserved words after /instances); an unknown word is a vendor's resource; the sandbox checks the
Authorization header before it answers 404 or 405; the request log must know which parts of a path the route
spells out; and a look-up costs microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from airflow_provider_cloudelements.sandbox.core.auth import Access
from airflow_provider_cloudelements.sandbox.core.web import Call

Handler = Callable[[Call[Any, Any]], Response]

#: The usual verbs.
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: A last part that matches any number of parts.
REST = "{rest}"


@dataclass(slots=True)
class Route:
    """One path and the handlers of its verbs.

    :param template: the path with variables in braces.
    :param handlers: handler by verb.
    :param access: the words of Authorization it takes, by verb.
    :param names: for each part the variable's name, or None for a literal one.
    """

    template: str
    handlers: dict[str, Handler] = field(default_factory=dict)
    access: dict[str, Access] = field(default_factory=dict)
    names: list[str | None] = field(default_factory=list)

    def access_of(self, method: str) -> Access:
        """Return the access of a verb; a verb without a handler has that of another verb of the path.

        :param method: the verb.
        """
        return self.access.get(method) or next(iter(self.access.values()))


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    route: Route | None = None
    rest: Route | None = None


class Router:
    """All routes of one prefix."""

    def __init__(self) -> None:
        self._root = _Node()
        #: All routes, in the order in which they were added.
        self.routes: list[Route] = []

    def add(self, verbs: str, template: str, handler: Handler, access: Access) -> None:
        """Add a route.

        :param verbs: one or more verbs, separated by spaces; ``*`` stands for all usual ones.
        :param template: the path; ``{name}`` is a variable, a last ``{rest}`` matches everything.
        :param handler: the handler of the call.
        :param access: which words of Authorization it takes.
        """
        node = self._root
        parts = [part for part in template.split("/") if part]
        names: list[str | None] = [part[1:-1] if part.startswith("{") else None for part in parts]
        for part in parts:
            if part == REST:
                node.rest = route = node.rest or self._new(template, names)
                break
            if part.startswith("{"):
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literals.setdefault(part, _Node())
        else:
            node.route = route = node.route or self._new(template, names)
        for verb in VERBS if verbs == "*" else verbs.split():
            route.handlers[verb] = handler
            route.access[verb] = access

    def _new(self, template: str, names: list[str | None]) -> Route:
        route = Route(template, names=names)
        self.routes.append(route)
        return route

    def match(self, segments: list[str]) -> Route | None:
        """Return the route of a path: literal parts first, then variables, then ``{rest}``.

        :param segments: the path's parts.
        """
        return _match(self._root, segments, 0)


def _match(node: _Node, segments: list[str], position: int) -> Route | None:
    if position == len(segments):
        return node.route or node.rest
    part = segments[position]
    child = node.literals.get(part)
    if child is not None:
        found = _match(child, segments, position + 1)
        if found is not None:
            return found
    if node.variable is not None and part:
        found = _match(node.variable, segments, position + 1)
        if found is not None:
            return found
    return node.rest
