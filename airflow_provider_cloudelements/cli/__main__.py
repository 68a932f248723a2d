"""Run ``python -m airflow_provider_cloudelements.cli``, the command for Airflow 3.1."""

from __future__ import annotations

from airflow_provider_cloudelements.cli import main

main()
