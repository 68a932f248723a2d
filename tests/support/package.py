"""The package as the tests of its sources read it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "airflow_provider_cloudelements"
#: What costs every DAG file a tenth of airflow.sdk or more: imported inside functions, or for type checkers.
HEAVY = ("requests", "urllib3", "httpx", "fastapi", "uvicorn", "airflow.triggers", f"{PACKAGE}.triggers")
