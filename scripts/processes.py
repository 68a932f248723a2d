"""
Processes and ports of this machine: free ports, sessions of processes, and a guard that ends them.

This module imports only the standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

LOOPBACK = "127.0.0.1"

# A separate process. As soon as we are gone, by whatever cause, it ends every session named on its standard
# input: neither atexit nor a context manager outlives a SIGKILL.
_GUARD = """
import os, signal, sys, time
sessions = {int(line) for line in sys.stdin}
for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(process)) in sessions:
                os.kill(int(process), number)
        except OSError:
            pass
    time.sleep(2)
"""


def free_port() -> int:
    """Return a TCP port of the loopback interface that no process listens on."""
    return free_ports(1)[0]


def port_is_free(port: int) -> bool:
    """
    Return whether a server could listen on a port of the loopback interface.

    :param port: the port
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """
    Return different free ports.

    :param count: how many
    """
    # Hold all of them until the last is found, or the system might hand out one of them twice.
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]


def start_guard() -> subprocess.Popen[bytes]:
    """Start the process that ends our sessions if we die."""
    return subprocess.Popen(
        [sys.executable, "-S", "-c", _GUARD],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def tell(guard: subprocess.Popen[bytes], session: int) -> None:
    """
    Report a session to the guard, which ends it if we die.

    :param guard: the guard
    :param session: the session
    """
    pipe: IO[bytes] | None = guard.stdin
    if pipe is not None:
        pipe.write(f"{session}\n".encode())
        pipe.flush()


def signal_processes(processes: Sequence[int], number: signal.Signals) -> None:
    """
    Send a signal to processes, and ignore those that have ended.

    :param processes: their ids
    :param number: the signal
    """
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def running_processes() -> Iterator[tuple[int, int]]:
    """Yield id and session of every process of this machine that has not ended."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        # The name stands in parentheses and may hold anything, so count the fields from its end.
        fields = read_proc(f"/proc/{entry.name}/stat").rpartition(b")")[2].split()
        if len(fields) > 3 and fields[0] not in (b"Z", b"X"):
            yield int(entry.name), int(fields[3])


def runs(process: int) -> bool:
    """
    Return whether a process has not ended. One that was killed may run for another moment.

    :param process: its id
    """
    return any(process == one for one, _ in running_processes())


def command_line(process: int) -> str:
    """
    Return the command line of a process.

    :param process: its id
    """
    return read_proc(f"/proc/{process}/cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def read_proc(path: str) -> bytes:
    """
    Return a file of /proc, or nothing if its process has ended or belongs to another user.

    :param path: the file
    """
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
