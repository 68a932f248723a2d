"""Provide the command line: ``airflow cloudelements`` and ``python -m airflow_provider_cloudelements``.

Both are built from the tables of the modules in this package, so that they have the same commands. Airflow
3.1 reads no commands of providers. There, use the second form.

Every ``airflow`` command loads this package to find its commands, so its modules import inside their
functions: :mod:`airflow_provider_cloudelements.cli.frame`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from airflow.cli.cli_config import CLICommand

    from airflow_provider_cloudelements.cli.frame import Command, Group, Runner

#: The word after ``airflow``, and what its commands are about.
NAME = "cloudelements"
HELP = "Cloud Elements / SAP Open Connectors"


def commands() -> tuple[Command | Group, ...]:
    """Return all commands, in the order of the help."""
    from airflow_provider_cloudelements.cli import (
        connections,
        consent,
        elements,
        fleet,
        instances,
        sandbox,
        webhooks,
    )

    modules = (connections, consent, instances, fleet, elements, sandbox, webhooks)
    return tuple(each for module in modules for each in module.COMMANDS)


def get_cli_commands() -> list[CLICommand]:
    """Return ``airflow cloudelements``, which Airflow 3.2 and later finds by the provider's metadata."""
    from airflow_provider_cloudelements.cli.frame import Group, for_airflow
    from airflow_provider_cloudelements.cli.running import run_process

    return [for_airflow(Group(NAME, HELP, commands(), _epilog()), run_process)]


def parser(runner: Runner, prog: str = "python -m airflow_provider_cloudelements") -> argparse.ArgumentParser:
    """Return the parser of the command line without Airflow's.

    :param runner: Runs the command that was chosen.
    :param prog: The words before the command, for the help.
    """
    import argparse

    from airflow_provider_cloudelements.cli.frame import for_argparse

    made = argparse.ArgumentParser(prog=prog, description=HELP, epilog=_epilog())
    for_argparse(made, commands(), runner)
    return made


def _epilog() -> str:
    from airflow_provider_cloudelements.cli.running import EXIT_CODES

    return "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + "."


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    :param argv: The command line. Default: this process's.
    """
    from airflow_provider_cloudelements.cli.running import run

    arguments = parser(run).parse_args(argv)
    return int(arguments.func(arguments))
