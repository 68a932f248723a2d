"""Write the pages of the API reference: one for each public module, with what its ``__all__`` names."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from sphinx.pycode import ModuleAnalyzer

from scripts.public_names import PACKAGE, homes, modules, public_modules

#: Bases whose children Airflow calls: their methods are no business of an author.
_CALLED_BY_AIRFLOW = ("BaseOperator", "BaseTrigger")
#: Methods of hooks that only Airflow calls.
_FORM = ("get_connection_form_widgets", "get_ui_field_behaviour")


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
        things = sorted(own, key=lambda each: not callable(getattr(module, each)))
        parts += [_directive(name, each, getattr(module, each)) for each in things]
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
            if not name.startswith("_") and name not in _FORM and _is_described(value):
                found[name] = None
    return list(found)


def _directive(module: str, name: str, thing: Any) -> str:
    """Return the directive that describes a public name."""
    path = f"{module}.{name}"
    if not callable(thing):
        text = _comment_elsewhere(module, name)
        told = f".. py:data:: {name}\n   :module: {module}\n   :value: {thing!r}\n\n   {text}"
        return told if text else f".. autodata:: {path}"
    if not inspect.isclass(thing):
        return f".. autofunction:: {path}"
    options = [f"   :members: {', '.join(shown)}"] if (shown := members(thing)) else []
    if issubclass(thing, Exception):
        options.append("   :show-inheritance:")
    return "\n".join([f".. autoclass:: {path}", *options])


def _comment_elsewhere(module: str, name: str) -> str:
    """Return the comment of a constant that a package imports from the module in it that defines it."""
    for node in ast.parse(inspect.getsource(modules()[module])).body:
        if isinstance(node, ast.ImportFrom) and node.module and name in (each.name for each in node.names):
            documented = ModuleAnalyzer.for_module(node.module).find_attr_docs()
            return " ".join(documented.get(("", name), ()))
    return ""


def _is_public(thing: type) -> bool:
    """Return whether a class is public, so that its members are described there."""
    return thing.__name__ in homes()


def _is_described(value: Any) -> bool:
    """Return whether a member is a method or a property; attributes are parameters of their class."""
    return inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod)
