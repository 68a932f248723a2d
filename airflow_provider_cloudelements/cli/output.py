"""Print what a command found, as a table for a person or as JSON for a script; and ask a person."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from airflow_provider_cloudelements.cli.running import CommandError, UsageError, result

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: Width of a table that nobody sees on a terminal: no line is folded.
_UNBOUNDED = 10_000_000


def print_text(text: str) -> None:
    """Print a part of the result.

    :param text: The text, with its line ends.
    """
    result().write(text)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print_text(f"{json.dumps(value, indent=2)}\n")


def print_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, none: str, file: TextIO | None = None
) -> None:
    """Print rows as a table, a line each.

    :param rows: The rows.
    :param columns: Names of what to print of a row, in order.
    :param none: What to print, on stderr, if there are no rows.
    :param file: Where to. Default: stdout.
    """
    cells = [[cell(row.get(column)) for column in columns] for row in rows]
    if not cells:
        sys.stderr.write(f"{none}\n")
        return
    _print_table([column.replace("_", " ") for column in columns], cells, file or result())


def print_fields(fields: Mapping[str, Any]) -> None:
    """Print what is known of one thing, a field a line; an empty field is left out.

    :param fields: Names and values.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value not in (None, "", [], {}, ()):
            table.add_row(Text(name.replace("_", " ")), Text(cell(value)))
    _print(table, result())


def counted(number: int, what: str) -> str:
    """Return a number with its noun, such as ``1 change`` and ``2 changes``.

    :param number: The number.
    :param what: The noun in the singular.
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def confirm(question: str, explain: Callable[[], None] = lambda: None, *, yes: bool) -> None:
    """Ask a person, on stderr, whether to go on.

    :param question: The question.
    :param explain: Prints what the question is about.
    :param yes: Whether the command line has the answer already: then nothing is printed.
    :raises CommandError: The answer is not yes.
    :raises UsageError: Nobody is there to answer.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"{question} Nobody can answer here, since standard input is no terminal: add --yes."
        )
    explain()
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("The answer was not yes, so nothing was done.")


def cell(value: Any) -> str:
    """Return a value as one line of printable text.

    :param value: A value of JSON.
    """
    from airflow_provider_cloudelements.client.wire.secrecy import one_line

    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {cell(each)}" for name, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(cell, value))
    return one_line(str(value))


def _print_table(head: list[str], cells: list[list[str]], file: TextIO) -> None:
    from rich.cells import cell_len, set_cell_size
    from rich.table import Table
    from rich.text import Text

    widths = [max(map(cell_len, column)) for column in zip(head, *cells, strict=True)]
    console = _console(file)
    if sum(widths) + 2 * len(widths) <= console.width:
        # Nothing has to be folded: rich would take half a millisecond for each row.
        for number, row in enumerate([head, *cells]):
            line = "  ".join(map(set_cell_size, row, widths)).rstrip()
            file.write(f"\x1b[1m{line}\x1b[0m\n" if number == 0 and console.color_system else f"{line}\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in head:
        table.add_column(column, overflow="fold")
    for row in cells:
        # A Text is no markup: people chose the names.
        table.add_row(*map(Text, row))
    _print(table, file)


def _print(table: Table, file: TextIO) -> None:
    console = _console(file)
    with console.capture() as capture:
        console.print(table)
    # Rich fills each line up to the table's width.
    file.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def _console(file: TextIO) -> Console:
    from rich.console import Console

    console = Console(file=file)
    if not console.is_terminal:
        console.width = _UNBOUNDED
    return console
