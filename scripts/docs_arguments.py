"""Make the table of a public thing's arguments, from its signature, its docstring and its template fields."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from scripts.public_names import PACKAGE, homes, modules

_FIELD = re.compile(r"^:(\w+)(?: (\w+))?:((?:.|\n(?!:))*)", re.MULTILINE)
_ROLE = re.compile(r":(?:py:)?\w+:`(~?)([^`]+)`")
_CITED = re.compile(r"\s\((?:(?:fact|choice|unknown)s? )?[FCU]\d[^()]*\)")
_TEMPLATED = re.compile(r"\s*Templated\.$")
#: The sentence of a docstring that gives the default, and the value in it that the signature has as well.
_DEFAULT = re.compile(r"(?:^|(?<=[.:;]) )Default: (.+?)(?:\.(?= |$)|$)")
_VALUE = re.compile(r"`([^`]+)`(?=$|[,;] )|(-?[\d,]*\d(?:\.\d+)?)(?=$|[,;] )")


class ArgumentsError(Exception):
    """Signature, docstring and template fields do not agree."""


def documented(thing: Any) -> dict[str, str]:
    """Return what the docstring says of each argument, as Markdown.

    :param thing: A class or a function.
    """
    text = inspect.getdoc(thing) or ""
    return {name: _markdown(body) for kind, name, body in _FIELD.findall(text) if kind == "param"}


def parameters(thing: Any) -> dict[str, inspect.Parameter]:
    """Return what a class or a function of this package takes, what it hands on to its bases among it.

    :param thing: A class or a function.
    """
    calls: list[Callable[..., Any]] = [thing]
    if inspect.isclass(thing):
        own = [each for each in thing.__mro__ if each.__module__.startswith(PACKAGE)]
        calls = [vars(each)["__init__"] for each in own if "__init__" in vars(each)]
    found: dict[str, inspect.Parameter] = {}
    for call in calls:
        for name, parameter in inspect.signature(call).parameters.items():
            if name != "self":
                found.setdefault(name, parameter)
    return found


def rows(thing: Any) -> Iterator[tuple[str, str, str, bool, str]]:
    """Yield name, type, default, whether Airflow renders it, and the meaning of each argument.

    :param thing: A class or a function.
    """
    name = thing.__name__
    taken, told = parameters(thing), documented(thing)
    fields = set(getattr(thing, "template_fields", ()))
    if lost := [each for each in taken if each not in told and each != "kwargs"]:
        raise ArgumentsError(f"{name}: no :param: for {', '.join(lost)}")
    if unknown := [each for each in told if each not in taken]:
        raise ArgumentsError(f"{name}: :param: for what it does not take: {', '.join(unknown)}")
    for argument, meaning in told.items():
        templated = bool(_TEMPLATED.search(meaning))
        if templated != (argument in fields):
            says = "a template field" if argument in fields else "no template field"
            raise ArgumentsError(f"{name}: {argument} is {says}, and its :param: says otherwise")
        parameter = taken[argument]
        meaning = _TEMPLATED.sub("", meaning)
        said = _DEFAULT.search(meaning)
        if said and _contradicts(said[1], parameter.default):
            raise ArgumentsError(f"{name}: the default of {argument} is {parameter.default!r}, not {said[1]}")
        shown = f"**{argument}" if parameter.kind is parameter.VAR_KEYWORD else argument
        default = said[1] if said else _default(parameter)
        yield shown, _type(parameter), default, templated, _DEFAULT.sub("", meaning).strip()


def table_of(name: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and rows of the table of a public name's arguments.

    :param name: The public name.
    """
    if name not in homes():
        raise ArgumentsError(f"nothing public is called {name}")
    thing = getattr(modules()[homes()[name]], name)
    renders = bool(getattr(thing, "template_fields", ()))
    head = ("argument", "meaning", "type", "default", *(["templated"] if renders else []))
    return head, [
        (
            f"`{argument}`",
            meaning,
            f"`{kind}`" if kind else "",
            default,
            *(["yes" if templated else ""] if renders else []),
        )
        for argument, kind, default, templated, meaning in rows(thing)
    ]


def _markdown(text: str) -> str:
    """Return a docstring's text as one line of Markdown, without the facts that it cites."""
    text = _CITED.sub("", re.sub(r"\s+", " ", text)).strip()
    return _ROLE.sub(_code, text).replace("``", "`")


def _code(role: re.Match[str]) -> str:
    """Return the name in a role as code: the last part of it if the role says so."""
    return f"`{role[2].rpartition('.')[2] if role[1] else role[2]}`"


def _type(parameter: inspect.Parameter) -> str:
    """Return the type in the signature, without the ``None`` that only says that nothing is given."""
    kind = parameter.annotation
    if kind is parameter.empty or parameter.kind is parameter.VAR_KEYWORD:
        return ""
    text = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
    return text.removesuffix(" | None") if parameter.default is None else text


def _default(parameter: inspect.Parameter) -> str:
    """Return the default as code; nothing for ``None``, which says that nothing is given."""
    if parameter.default is parameter.empty:
        return "" if parameter.kind is parameter.VAR_KEYWORD else "required"
    if parameter.default is None:
        return ""
    return f"`{parameter.default!r}`".replace("'", '"')


def _contradicts(said: str, default: object) -> bool:
    """Return whether a docstring gives another value than the signature."""
    value = _VALUE.match(said)
    if value is None or not isinstance(default, str | int | float):
        return False
    same = {str(default), f"{default:g}"} if isinstance(default, float) else {str(default)}
    return (value[1] or value[2].replace(",", "")) not in same
