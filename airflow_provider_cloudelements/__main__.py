"""Run ``python -m airflow_provider_cloudelements``: the command line without Airflow's, for any Airflow."""

from __future__ import annotations

from airflow_provider_cloudelements.cli import parser
from airflow_provider_cloudelements.cli.running import run_process

if __name__ == "__main__":
    arguments = parser(run_process).parse_args()
    arguments.func(arguments)
