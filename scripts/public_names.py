"""Say what is public: the rooms that the top of CHANGELOG.md lists, and what ``__all__`` names in them."""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "airflow_provider_cloudelements"


@cache
def modules() -> dict[str, ModuleType]:
    """Return all modules of the package but those that run as a program."""
    package = importlib.import_module(PACKAGE)
    names = [each.name for each in pkgutil.walk_packages(package.__path__, f"{PACKAGE}.")]
    return {name: importlib.import_module(name) for name in names if not name.endswith("__main__")}


@cache
def rooms() -> frozenset[str]:
    """Return the modules of the public interface, as the top of CHANGELOG.md lists them."""
    text = (ROOT / "CHANGELOG.md").read_text()
    listed = re.search(r"public interface is: the modules (.+?),\s+the command", text, flags=re.DOTALL)
    if listed is None:
        raise ValueError("the top of CHANGELOG.md does not list the modules of the public interface")
    return frozenset(re.findall(r"`([a-z_.]+)`", listed[1]))


def public_modules() -> dict[str, ModuleType]:
    """Return the modules in the rooms that have an ``__all__``, by their whole name."""
    return {
        name: module
        for name, module in modules().items()
        if hasattr(module, "__all__") and any(f"{name}.".startswith(f"{PACKAGE}.{room}.") for room in rooms())
    }


def homes() -> dict[str, str]:
    """Return the public module of each public name.

    A package may name again what a module in it names. The longest module is then the name's home.
    """
    found: dict[str, str] = {}
    for module in sorted(public_modules(), key=lambda each: each.count(".")):
        for name in modules()[module].__all__:
            found[name] = module
    return found
