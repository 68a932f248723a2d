"""Describe the command line for a page of the documentation, from the tables of its commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_provider_cloudelements.cli import commands
from airflow_provider_cloudelements.cli.frame import Argument, Command, Group, PassedOn
from airflow_provider_cloudelements.cli.running import EXIT_CODES

#: Rows of a table, its head first.
Rows = list[tuple[str, ...]]


def exit_codes() -> Rows:
    """Return the table of exit codes."""
    return [("exit code", "what it says"), *((f"`{code}`", meaning) for code, meaning in EXIT_CODES.items())]


def overview() -> Rows:
    """Return the table of all commands."""
    rows = ((f"`{words}`", command.help) for words, command in leaves(commands()))
    return [("command", "what it does"), *rows]


def described() -> Iterator[tuple[str, str, Rows]]:
    """Yield the name of each command, its description, and the table of its arguments."""
    for words, command in leaves(commands()):
        rows = [_row(each) for each in command.arguments if not isinstance(each, PassedOn)]
        text = command.description or f"{command.help}."
        yield words, text, [("argument", "what it is"), *rows] if rows else []


def leaves(each: Iterable[Command | Group], before: str = "") -> Iterator[tuple[str, Command]]:
    """Yield all commands, each after the words that name it.

    :param each: Commands and groups.
    :param before: The words before them.
    """
    for one in each:
        words = f"{before} {one.name}".strip()
        if isinstance(one, Group):
            yield from leaves(one.commands, words)
        else:
            yield words, one


def _row(argument: Argument) -> tuple[str, str]:
    options = argument.options
    value = "" if options.get("action") else options.get("metavar") or ",".join(options.get("choices", ()))
    if not argument.flags[0].startswith("-"):
        name = f"{value} ..." if options.get("nargs") == "*" else value
    else:
        value = value or (
            "" if options.get("action") == "store_true" else argument.flags[0].strip("-").upper()
        )
        name = f"{', '.join(argument.flags)} {value}".strip()
    return f"`{name}`", options["help"] % {"default": options.get("default")}
