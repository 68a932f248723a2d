"""``apply``: show a plan, ask, carry it out, and report. Ctrl-C ends it with a report."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.cli.account import account
from airflow_provider_cloudelements.cli.frame import CONN_ID, JSON, YES, Argument, Command
from airflow_provider_cloudelements.cli.output import (
    cell,
    confirm,
    counted,
    print_json,
    print_rows,
    print_text,
)
from airflow_provider_cloudelements.cli.planning import (
    FILES_HELP,
    WHAT,
    element_settings,
    planned,
    problems_in_lines,
)
from airflow_provider_cloudelements.cli.running import FAILED, INTERRUPTED, CommandError, UsageError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_cloudelements.client import CloudElementsClient
    from airflow_provider_cloudelements.fleet import Plan, Progress, Report


def apply_plan(arguments: argparse.Namespace) -> None:
    """Carry out a plan, after a question, and print the report."""
    _check(arguments)
    saved = None if arguments.plan is None else _saved(arguments.plan)
    interrupted = threading.Event()
    with account(arguments.conn_id) as client:
        made = saved or planned(client, arguments)
        report = _applied(client, made, arguments, interrupted)
    if arguments.json:
        print_json(report.to_json())
    else:
        _print_report(report)
    if not report.ok:
        raise CommandError(
            f"{len(report.failed)} of {len(report.results)} changes were not made.",
            INTERRUPTED if interrupted.is_set() else FAILED,
        )


def _check(arguments: argparse.Namespace) -> None:
    if (arguments.plan is None) == (not arguments.files):
        raise UsageError("Either FILE or --plan must be given, and not both.")
    if arguments.plan is None:
        return
    if not arguments.checksum:
        raise UsageError("--plan needs --checksum, the checksum of the plan that was approved.")
    names = ("prune", "adopt", "max_updates", "max_update_percent", "max_delete_percent", "limits_from")
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value is not False:
            raise UsageError(f"--{name.replace('_', '-')} goes with FILE only: a saved plan is made already.")


def _saved(path: str) -> Plan:
    from airflow_provider_cloudelements.fleet import Plan

    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    return Plan.from_json(text)


def _applied(
    client: CloudElementsClient, made: Plan, arguments: argparse.Namespace, interrupted: threading.Event
) -> Report:
    """Show a plan, ask, and carry it out."""
    from airflow_provider_cloudelements.fleet import apply
    from airflow_provider_cloudelements.fleet.safety import refuse_unsafe

    sys.stderr.write(f"{made.table()}\n")
    with problems_in_lines():
        refuse_unsafe(made.violations, arguments.force)
        if made.changes:
            confirm(f"Make {counted(len(made.changes), 'change')}?", yes=arguments.yes)
        with _caught(interrupted), _progress(len(made.changes)) as tell:
            return apply(
                client,
                made,
                arguments.checksum or made.checksum,
                element_settings,
                concurrency=arguments.concurrency,
                force=arguments.force,
                max_changes=arguments.max_changes,
                max_deletes=arguments.max_deletes,
                fail_fast=arguments.fail_fast,
                on_progress=tell,
                stop=interrupted.is_set,
            )


@contextmanager
def _caught(interrupted: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C only set an event, so that there is a report; a second one ends the command."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Ctrl-C goes to another thread
        return
    before = signal.getsignal(signal.SIGINT)

    def caught(*_: Any) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)
        sys.stderr.write("Ending after the changes that have begun. Ctrl-C again ends at once.\n")

    signal.signal(signal.SIGINT, caught)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Progress], object]]:
    """Give a function that tells progress on stderr: a bar on a terminal, else a line every ten seconds."""
    from airflow_provider_cloudelements.fleet.report import Pace

    if not sys.stderr.isatty():
        yield Pace(lambda progress: sys.stderr.write(f"{progress}.\n"))
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=Console(file=sys.stderr), redirect_stdout=False) as bar:
        task = bar.add_task("begins", total=total)

        def tell(progress: Progress) -> None:
            ended = progress.done + progress.failed
            bar.update(task, completed=ended, description=str(progress))

        yield tell


def _print_report(report: Report) -> None:
    """Print counts, and each change that was not made."""
    kinds = [{"change": kind, **counts} for kind, counts in report.by_kind.items()]
    columns = ("change", *(name for name in report.counts if name != "total"))
    print_rows(kinds, columns, none="Nothing had to change.")
    if report.failed:
        print_text("\n")
        failed = [
            {"change": each.kind, "key": each.key, "status": each.status, "why": each.message}
            for each in report.failed
        ]
        print_rows(failed, ("change", "key", "status", "why"), none="")
    for instance_id in report.twins_deleted:
        sys.stderr.write(f"Instance {instance_id} was made twice at the same time, and is deleted again.\n")
    if report.note:
        sys.stderr.write(f"{cell(report.note)}\n")


APPLY = Command(
    "apply",
    "Change the account so that it is as a manifest says, or carry out a saved plan",
    apply_plan,
    (
        Argument("files", metavar="FILE", nargs="*", help=FILES_HELP),
        Argument("--plan", metavar="FILE", help="Carry out this plan, which plan --json printed"),
        Argument("--checksum", help="Checksum of the plan that was approved; another plan is refused"),
        *WHAT,
        Argument(
            "--force",
            metavar="NAME",
            action="append",
            default=[],
            help="Allow what is not safe: updates, deletes, or the key of a grave change; you can repeat it",
        ),
        Argument("--max-changes", type=int, metavar="N", help="Most changes; with more it changes nothing"),
        Argument(
            "--max-deletes",
            type=int,
            metavar="N",
            help="Most deletes and replacements; with more it changes nothing",
        ),
        Argument(
            "--concurrency",
            type=int,
            default=8,
            metavar="N",
            help="Most changes at once (default: %(default)s)",
        ),
        Argument("--fail-fast", action="store_true", help="Begin no further change after a failure"),
        YES,
        CONN_ID,
        JSON,
    ),
    description="Change the account so that it is as a manifest says, or carry out a saved plan. The command "
    "shows the plan and asks first. One failure does not stop the rest. It can be ended and run again at any "
    "moment: nothing is made twice.",
)
