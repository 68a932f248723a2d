"""The package as the tests of its sources read it."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_cloudelements"
#: What costs every DAG file a tenth of airflow.sdk or more: imported inside functions, or for type checkers.
HEAVY = ("requests", "urllib3", "httpx", "fastapi", "uvicorn", "airflow.triggers", f"{PACKAGE}.triggers")


@cache
def modules() -> dict[str, ModuleType]:
    """Return all modules of the package but those that run as a program."""
    package = importlib.import_module(PACKAGE)
    names = [each.name for each in pkgutil.walk_packages(package.__path__, f"{PACKAGE}.")]
    return {name: importlib.import_module(name) for name in names if not name.endswith("__main__")}
