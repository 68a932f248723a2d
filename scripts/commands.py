"""Run long commands: show their output as it comes, keep it, and end a command that takes too long."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Seconds that a command gets to clean up after the signal to end.
CLEANING_UP = 60.0
#: The last line of pytest's output, of scripts that write a similar one, and of the gate.
_SUMMARY = re.compile(
    r"^=* ?(?:no tests ran|\d+ [a-z]+(?:, \d+ [a-z]+)*) in \d+\.\d+s\b.*$"
    r"|^\d+ passed, \d+ failed, \d+ skipped$",
    re.MULTILINE,
)
_COUNT = re.compile(r"\b(\d+) (passed|failed|skipped|error)s?\b")


@dataclass(frozen=True)
class Done:
    """
    The result of a command.

    :param code: Its exit code; ``None`` if we ended it because it took too long.
    :param text: Its output, of both streams.
    :param seconds: How long it took.
    """

    code: int | None
    text: str
    seconds: float


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    patience: float,
    environment: Mapping[str, str] | None = None,
    show: bool = False,
) -> Done:
    """
    Run a command in a session of its own, with nothing on its standard input.

    :param command: The command.
    :param cwd: Its working folder.
    :param patience: Seconds that it may take before we end it.
    :param environment: Its environment; default: ours.
    :param show: Whether to print its output as it comes.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=_hear_ctrl_c,
    )
    lines: list[str] = []
    reader = threading.Thread(target=_read, args=(process, lines, show), daemon=True)
    reader.start()
    code: int | None = None
    try:
        code = process.wait(patience)
    except subprocess.TimeoutExpired:
        pass  # ended below
    finally:
        if code is None:
            _end(process)
    reader.join(5.0)  # a process that it left behind may hold the pipe open
    return Done(code, "".join(lines), time.monotonic() - began)


def _hear_ctrl_c() -> None:
    """
    Make a new process and its children react to Ctrl-C.

    A shell that runs us in its background makes us ignore Ctrl-C, and our children inherit that. Then we
    could not end a command that takes too long, and a test that presses Ctrl-C would have no effect.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _read(process: subprocess.Popen[str], lines: list[str], show: bool) -> None:
    if process.stdout is None:
        return
    with process.stdout as written:
        for line in written:
            lines.append(line)
            if show:
                print(line, end="", flush=True)


def _end(process: subprocess.Popen[str]) -> None:
    """End a command and its children, first as Ctrl-C does, so that it cleans up."""
    for number, patience in ((signal.SIGINT, CLEANING_UP), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return


def figures(text: str) -> Counter[str]:
    """
    Return how many tests passed, failed and were skipped, over all summaries in an output.

    :param text: The output.
    """
    found: Counter[str] = Counter()
    for summary in _SUMMARY.findall(text):
        for count, word in _COUNT.findall(summary):
            found["failed" if word == "error" else word] += int(count)
    return found
