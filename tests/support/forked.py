"""
Programs in an interpreter that has imported nothing but ``airflow.sdk``.

A test of what a module loads needs such an interpreter, and the import costs two seconds. So one process
imports it once, and forks for each program. What the program finds in ``sys.modules`` is what it finds behind
``import airflow.sdk`` in an interpreter of its own, besides this module and what of the standard library it
needs.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
#: Seconds that a program gets.
PATIENCE = 60.0


class ForkedInterpreter:
    """
    The process that forks, from ``with ForkedInterpreter()`` to the end of the block.

    :param patience: seconds that a program gets
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # or a line that was read ahead would hide from select
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # at its own end Airflow would take a second to tidy up
        self._process.communicate()

    def run(self, program: str) -> str:
        """
        Return what a program prints on stdout; fail when it fails.

        :param program: its source, as for ``python -c``
        """
        with tempfile.NamedTemporaryFile("r") as printed, tempfile.NamedTemporaryFile("r") as complained:
            self._tell({"program": program, "files": [printed.name, complained.name]})
            pid = self._hear()
            in_time = self._ends()
            if not in_time:
                os.kill(pid, signal.SIGKILL)
            status = self._hear()
            output, errors = printed.read(), complained.read()
        assert in_time, f"the program took more than {self.patience} seconds\n{output}{errors}"
        assert status == 0, f"exit code {status}\n{output}{errors}"
        return output

    def _tell(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    def _ends(self) -> bool:
        """Wait for the running program, and say whether it ended in time."""
        return bool(select.select([self._process.stdout], [], [], self.patience)[0])

    def _hear(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that forks has ended"
        return int(line)


def serve() -> None:
    """Import ``airflow.sdk``, then fork for each program that stdin names; tell its pid and its exit code."""
    import airflow.sdk  # noqa: F401

    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(asked["program"], asked["files"])
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _become(program: str, files: list[str]) -> None:
    """Run a program as ``python -c`` would, and end with its exit code."""
    for standard, name, flags in zip(
        (0, 1, 2), ("/dev/null", *files), (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True
    ):
        opened = os.open(name, flags)
        os.dup2(opened, standard)
        os.close(opened)
    code = 0
    try:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
