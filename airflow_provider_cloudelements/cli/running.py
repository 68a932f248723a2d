"""Run one command: its result on stdout, one sentence about a failure on stderr, and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import argparse

    from airflow_provider_cloudelements.cli.frame import Command

DONE, FAILED, USAGE, UNHEALTHY, INTERRUPTED = 0, 1, 2, 3, 130
#: How ``plan`` ends if the account is not as the manifest says, as other tools that plan do: the code of
#: wrong usage, which prints nothing to stdout.
CHANGES = USAGE
#: Exit codes, and what each says. A parser ends with ``USAGE`` by itself.
EXIT_CODES = {
    DONE: "done",
    FAILED: "failed: a sentence on stderr says why",
    USAGE: "wrong usage: nothing was changed; of plan, with a result on stdout: the account is not as the "
    "manifest says",
    UNHEALTHY: "checked, and an instance is not healthy or does not exist",
    INTERRUPTED: "interrupted",
}


class CommandError(Exception):
    """A command cannot do what was asked.

    :param message: What went wrong and what to do, without a secret.
    :param code: The exit code.
    """

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class UsageError(CommandError):
    """The command line is wrong in a way that its parser does not see. Nothing was called."""

    def __init__(self, message: str) -> None:
        super().__init__(message, USAGE)


class _Result:
    """Where the running command writes its result."""

    stream: TextIO | None = None


_RESULT = _Result()


def result() -> TextIO:
    """Return where the running command writes its result. Everything else that is printed goes to stderr."""
    return _RESULT.stream or sys.stdout


def run_process(command: Command, arguments: argparse.Namespace) -> None:
    """Run a command as the work of this process.

    :raises SystemExit: Always, with the exit code.
    """
    # As Airflow's own commands do: else the task SDK does not look for connections in Airflow's database.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    quieten()
    with _own_stdout():
        code = run(command, arguments)
    sys.exit(code)


def run(command: Command, arguments: argparse.Namespace) -> int:
    """Run a command and return its exit code.

    :param command: The command.
    :param arguments: What a parser read for it.
    """
    with _result_alone_on_stdout():
        return _run(command, arguments)


def _run(command: Command, arguments: argparse.Namespace) -> int:
    try:
        code = command.run(arguments)
        result().flush()
        return code or DONE
    except CommandError as error:
        return _tell(str(error), error.code)
    except BrokenPipeError:
        # Who read the result has enough of it, as in "... | head". Python must not try to write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), result().fileno())
        return FAILED
    except KeyboardInterrupt:
        return _tell("interrupted", INTERRUPTED)
    except Exception as error:
        # Not before: it needs Airflow, whose import takes two seconds.
        from airflow_provider_cloudelements.compat import AirflowNotFoundException
        from airflow_provider_cloudelements.exceptions import CloudElementsError

        if isinstance(error, CloudElementsError | AirflowNotFoundException):
            return _tell(str(error), FAILED)
        if sys.flags.dev_mode:
            raise
        # The text of an unforeseen error may hold anything, a secret too.
        return _tell(
            f"{type(error).__name__}, which is a fault of this command. "
            "To see where, run it again with PYTHONDEVMODE=1.",
            FAILED,
        )


def _tell(message: str, code: int) -> int:
    sys.stderr.write(f"cloudelements: {' '.join(message.split())}\n")
    return code


@contextmanager
def _result_alone_on_stdout() -> Iterator[None]:
    """Let whatever else prints print to stderr: Airflow warns on stdout until it has set up its loggers."""
    _RESULT.stream = sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _RESULT.stream = None


@contextmanager
def _own_stdout() -> Iterator[None]:
    """Let what holds the stdout of this process write to stderr, as loggers and other programs do."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace") as stdout:
        os.dup2(2, 1)
        with redirect_stdout(stdout):
            yield


def quieten() -> None:
    """Log failures alone, but of this package also warnings: a repeated call, a row that cannot be read."""
    import logging

    # Survives that Airflow configures its loggers later on.
    logging.disable(logging.INFO)
    logging.getLogger().setLevel(logging.ERROR)
    for name in ("airflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    own = logging.getLogger("airflow_provider_cloudelements")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("cloudelements: %(message)s"))
    own.setLevel(logging.WARNING)
    own.handlers, own.propagate = [handler], False
