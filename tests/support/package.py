"""The package as the tests of its sources read it."""

from __future__ import annotations

from scripts.public_names import PACKAGE, ROOT, modules, rooms

__all__ = ["HEAVY", "PACKAGE", "ROOT", "modules", "rooms"]

#: What costs every DAG file a tenth of airflow.sdk or more: imported inside functions, or for type checkers.
HEAVY = ("requests", "urllib3", "httpx", "fastapi", "uvicorn", "airflow.triggers", f"{PACKAGE}.triggers")
