"""What a command is made of. Airflow's parser and our own are both built from it.

A group of commands is one module with a table of :class:`Command`, named ``COMMANDS``. Every ``airflow``
command loads these modules, so they import inside their functions, also what is ours. Then ``--help`` and
the sandbox need no Airflow, whose import takes two seconds. ``tests/cli`` compares defaults that are literals
here with their homes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.cli.cli_config import Arg, CLICommand


class Argument:
    """One argument of a command.

    :param flags: Its flags, or its name if it has a place instead.
    :param options: What else ``argparse`` knows of it. ``help`` holds no bracket, which Airflow takes for
        markup.
    """

    def __init__(self, *flags: str, **options: Any) -> None:
        self.flags = flags
        self.options = options

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Declare the argument in a parser."""
        parser.add_argument(*self.flags, **self.options)


class PassedOn(Argument):
    """All words that follow, options and ``--help`` too: another program reads them."""

    def __init__(self, name: str) -> None:
        super().__init__(name, nargs=argparse.REMAINDER)

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Declare the argument, in a parser to which no word looks like an option."""
        # Else argparse takes a first word such as --port for an option of its own (cpython, issue 61252).
        parser.prefix_chars = ""
        super().add_to(parser)


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    :param name: The word that a person types.
    :param help: What it does, in one line.
    :param run: Does it. Returns the exit code; ``None`` means 0.
    :param arguments: Its arguments.
    :param description: What ``--help`` says. Default: ``help``.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], int | None]
    arguments: tuple[Argument, ...] = ()
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A word with commands after it.

    :param name: The word.
    :param help: What its commands are about, in one line.
    :param commands: The commands.
    :param epilog: What ``--help`` says below them.
    """

    name: str
    help: str
    commands: tuple[Command | Group, ...]
    epilog: str | None = None


CONN_ID = Argument(
    "--conn-id",
    metavar="ID",
    default="cloudelements_default",
    help="Connection of type cloudelements (default: %(default)s)",
)
JSON = Argument("--json", action="store_true", help="Print JSON instead of a table")
YES = Argument("--yes", "-y", action="store_true", help="Do not ask; needed if nobody can answer")

#: How a command is run: by the command, and by what its parser read.
Runner = Callable[[Command, argparse.Namespace], Any]


def for_argparse(
    parser: argparse.ArgumentParser,
    commands: Iterable[Command | Group],
    runner: Runner,
    dest: str = "command",
) -> None:
    """Declare commands in a parser of the standard library, which then sets ``func``.

    :param parser: The parser.
    :param commands: What may come as the next word.
    :param runner: Runs the command that was chosen.
    :param dest: Name of the value that holds the next word.
    """
    below = parser.add_subparsers(dest=dest, metavar="COMMAND", required=True)
    for each in commands:
        text = each.help if isinstance(each, Group) else each.description or each.help
        inner = below.add_parser(each.name, help=each.help, description=text)
        if isinstance(each, Group):
            for_argparse(inner, each.commands, runner, f"{dest}_of_{each.name}")
            continue
        for argument in each.arguments:
            argument.add_to(inner)
        inner.set_defaults(func=_bound(each, runner))


def for_airflow(each: Command | Group, runner: Runner) -> CLICommand:
    """Return a command in the form of Airflow's command line.

    :param each: The command, or group.
    :param runner: Runs the command that was chosen.
    """
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    if isinstance(each, Group):
        below = tuple(for_airflow(one, runner) for one in each.commands)
        return GroupCommand(name=each.name, help=each.help, subcommands=below, epilog=each.epilog)
    return ActionCommand(
        name=each.name,
        help=each.help,
        description=each.description,
        func=_bound(each, runner),
        args=tuple(map(_airflow_argument, each.arguments)),
    )


def _airflow_argument(argument: Argument) -> Arg:
    from airflow.cli.cli_config import Arg

    made = Arg(argument.flags, **argument.options)  # type: ignore[no-untyped-call]
    if isinstance(argument, PassedOn):
        made.add_to_parser = argument.add_to  # type: ignore[method-assign]
    return made


def _bound(command: Command, runner: Runner) -> Callable[[argparse.Namespace], Any]:
    def func(arguments: argparse.Namespace) -> Any:
        return runner(command, arguments)

    return func
