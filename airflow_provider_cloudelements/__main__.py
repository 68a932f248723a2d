"""Run ``python -m airflow_provider_cloudelements``: the command line without Airflow's, for any Airflow."""

from __future__ import annotations

from airflow_provider_cloudelements.cli import parser
from airflow_provider_cloudelements.cli.running import quieten, run_process

if __name__ == "__main__":
    quieten()  # to check values, the parser imports what loads Airflow
    arguments = parser(run_process).parse_args()
    arguments.func(arguments)
