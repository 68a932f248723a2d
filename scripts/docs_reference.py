"""Write the pages of the API reference: one for each public module, with what its ``__all__`` names."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from scripts.public_names import PACKAGE, homes, public_modules

#: Bases whose children Airflow calls: their methods are no business of an author.
_CALLED_BY_AIRFLOW = ("BaseOperator", "BaseTrigger")


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name of each page and its text, in reStructuredText, which autodoc reads."""
    home = homes()
    for name, module in public_modules().items():
        own = [each for each in module.__all__ if home[each] == name]
        others = [each for each in module.__all__ if home[each] != name]
        short = name.removeprefix(f"{PACKAGE}.")
        parts = [f"{short}\n{'=' * len(short)}", f".. automodule:: {name}"]
        if others:
            links = ", ".join(f":py:obj:`~{home[each]}.{each}`" for each in others)
            parts.append(f"Also here: {links}.")
        parts += [_directive(name, each, getattr(module, each)) for each in own]
        yield short, "\n\n".join(parts) + "\n"


def members(thing: type) -> list[str]:
    """Return the public methods and properties of a class, and those that it has from a private base.

    :param thing: The class.
    """
    if any(each.__name__ in _CALLED_BY_AIRFLOW for each in thing.__mro__):
        return []
    found: dict[str, None] = {}
    for base in thing.__mro__:
        if not base.__module__.startswith(PACKAGE) or (base is not thing and _is_public(base)):
            continue
        for name, value in vars(base).items():
            if not name.startswith("_") and _is_described(value):
                found[name] = None
    return list(found)


def _directive(module: str, name: str, thing: Any) -> str:
    """Return the directive that describes a public name."""
    path = f"{module}.{name}"
    if not inspect.isclass(thing):
        return f".. {'autofunction' if callable(thing) else 'autodata'}:: {path}"
    options = [f"   :members: {', '.join(shown)}"] if (shown := members(thing)) else []
    if issubclass(thing, Exception):
        options.append("   :show-inheritance:")
    return "\n".join([f".. autoclass:: {path}", *options])


def _is_public(thing: type) -> bool:
    return homes().get(thing.__name__) is not None


def _is_described(value: Any) -> bool:
    """Return whether a member is a method or a property; attributes are parameters of their class."""
    return inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod)
