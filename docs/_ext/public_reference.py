"""Sphinx extension for the API reference: bases, docstrings, and where the names in docstrings lead.

A public name without a docstring is a warning, and so is a reference to a name that does not exist.
``make docs`` takes every warning for an error.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
import sys
import typing
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

PACKAGE = "airflow_provider_cloudelements"
log = logging.getLogger(__name__)

#: Facts, unknowns and choices that docstrings cite by number: docs/api-facts.md has their rows.
_CITED = re.compile(r"\s\((?:(?:fact|choice|unknown)s? )?[FCU]\d[^()]*\)")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the functions below to Sphinx's events."""
    app.connect("autodoc-process-bases", show_public_bases)
    app.connect("autodoc-process-docstring", need_docstring)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def show_public_bases(app: Sphinx, name: str, obj: Any, options: Any, bases: list[Any]) -> None:
    """Put in place of each private base the public classes that it is made from."""
    bases[:] = dict.fromkeys(base for each in bases for base in _public_bases(each))


def need_docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Warn of a public name without a docstring, and leave out the facts that a docstring cites."""
    text = "\n".join(lines).strip()
    # A constant without a comment shows what its type is for.
    if not text or (what == "data" and text == (inspect.getdoc(type(obj)) or "").strip()):
        log.warning("%s is public and has no docstring", name)
    lines[:] = _CITED.sub("", "\n".join(lines)).split("\n")


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node) -> nodes.Node | None:
    """Lead a name to the public thing of this name, or show it as plain text if it is no public thing.

    Docstrings write ``CloudElementsHook.instance`` in any module. What is not of this package, or is not
    public, has no page here. A name that does not exist is left to Sphinx, which warns of it.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    objects = env.domains.python_domain.objects
    found = [
        (name, entry)
        for name, entry in objects.items()
        if (name == target or name.endswith(f".{target.lstrip('.')}")) and not entry.aliased
    ]
    if found:
        # A package may name again what a module in it names: the longest is the home.
        name, entry = max(found, key=lambda each: each[0].count("."))
        return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, name)
    return content if _exists(target, node.get("py:module"), node.get("py:class")) else None


def _public_bases(base: Any) -> list[Any]:
    """Return a base, or the public bases of a private one."""
    if not isinstance(base, type) or not _is_private(base):
        return [base]
    return [each for one in base.__bases__ for each in _public_bases(one) if each is not object]


def _is_private(thing: type) -> bool:
    """Return whether a class is of this package and not public."""
    home = thing.__module__
    if home != PACKAGE and not home.startswith(f"{PACKAGE}."):
        return False
    return thing.__name__ not in getattr(importlib.import_module(home), "__all__", ())


def _exists(target: str, module: str | None, owner: str | None) -> bool:
    """Return whether Python finds a name, from where a docstring stands."""
    path = target.partition("[")[0]  # Sphinx cuts the types of a signature apart
    starts: list[Any] = [builtins, typing]
    if module:
        here = importlib.import_module(module)
        starts += [here, *([_walk(here, owner)] if owner else [])]
        names = re.findall(r"^\s+from \S+ import (.+)$|^\s+import (.+)$", _source(here), flags=re.MULTILINE)
        if path.partition(".")[0] in re.findall(r"\w+", " ".join(map(" ".join, names))):
            return True  # imported for type checkers alone
    return any(_walk(start, path) is not None for start in starts) or _is_inside(path) or _is_importable(path)


def _walk(start: Any, path: str) -> Any:
    """Return what a dotted path leads to, or ``None``."""
    for part in path.split("."):
        start = getattr(start, part, None)
    return start


def _is_inside(path: str) -> bool:
    """Return whether a module of this package, public or not, defines a name such as ``faults.Fault``."""
    room, _, name = path.rpartition(".")
    inside = [each for own, each in sys.modules.items() if own.startswith(PACKAGE)]
    return any(name in vars(each) for each in inside if each.__name__.endswith(f".{room}" if room else ""))


def _source(module: Any) -> str:
    """Return a module's source."""
    with open(module.__file__, encoding="utf-8") as file:
        return file.read()


def _is_importable(path: str) -> bool:
    """Return whether a path names something in a module; a name alone is one that Airflow offers."""
    module, _, name = path.rpartition(".")
    if not module:
        offered = ("airflow.sdk", "airflow.sdk.exceptions", "airflow.exceptions")
        return any(_is_importable(f"{each}.{name}") for each in offered)
    try:
        return hasattr(importlib.import_module(module), name)
    except ImportError:
        return _is_importable(module)
