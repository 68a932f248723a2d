"""
A newcomer's machine: an empty home, a shell, and nothing beyond the loopback interface.

The shell lives in a network namespace of its own if the system allows that: so the blocks of a page use their
own ports, as they are, beside everything else that runs here, and reach nothing outside. A process namespace
ends all that a page leaves running.

No package comes from an index. An environment that the shell makes borrows what this one has, and only the
package of this repository is missing in it: the shell installs that, and pip checks everything else.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from importlib.metadata import version
from pathlib import Path
from typing import Self

from scripts.installed_wheel import site_packages
from scripts.local_airflow import PATIENCE, without_airflow
from scripts.make_env import constraints_for
from scripts.processes import running_processes, signal_processes

ROOT = Path(__file__).resolve().parents[2]
OWN = "airflow_provider_cloudelements"
#: Seconds that one block may take.
BLOCK_SECONDS = 240.0 * PATIENCE
_UNSHARE = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
#: Brings the loopback interface of a new network namespace up.
_LOOPBACK_UP = """
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 0x41))
"""
_DONE = "=== done "


class Newcomer:
    """
    The machine, from ``with Newcomer(folder)`` to the end of the block.

    :param folder: an empty folder
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.tools = folder / "tools"
        self.borrowed = folder / "borrowed"
        self.log = folder / "shell.log"
        self.printed = ""

    def __enter__(self) -> Self:
        for each in (self.home, self.tools, self.borrowed):
            each.mkdir()
        self._lend()
        self._write_tools()
        isolated = [*_UNSHARE, "--"] if _can_isolate() else []
        start = f"{shlex.quote(sys.executable)} -c {shlex.quote(_LOOPBACK_UP)} && " if isolated else ""
        self._output = self.log.open("wb")
        self._shell = subprocess.Popen(
            [*isolated, "bash", "-c", f"{start}exec bash --norc --noprofile"],
            cwd=self.home,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            start_new_session=True,
        )
        self._send("exec 3>&1 1>&2; set -em")
        return self

    def __exit__(self, *_: object) -> None:
        if _can_isolate():
            self._shell.kill()
        else:
            # By session: with job control a background job has a group of its own, and would hold the pipe.
            session = self._shell.pid
            signal_processes([one for one, of in running_processes() if of == session], signal.SIGKILL)
        self._shell.communicate(timeout=30 * PATIENCE)
        self._output.close()

    def clone(self) -> Path:
        """Copy the repository, without what was made in it, and go there."""
        target = self.home / "airflow-provider-cloudelements"
        left_out = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "reports")
        shutil.copytree(ROOT, target, ignore=left_out)
        for path in target.rglob("*"):
            os.utime(path, (0, 0))  # older than the environment below
        # `make wheel` installs its tools from the index: here they are there already.
        (target / ".venvs").mkdir()
        (target / ".venvs" / "build").symlink_to(sys.prefix)
        self.run(f"cd {shlex.quote(str(target))}")
        return target

    def install(self, wheel: Path) -> None:
        """
        Make an environment that has the package, and activate it.

        :param wheel: the package
        """
        self.run(
            f"python3 -m venv {self.home}/env\n. {self.home}/env/bin/activate\npip install --quiet {wheel}"
        )

    def run(self, text: str) -> str:
        """
        Run a block as if it had been pasted, and return what it printed; fail when a command of it fails.

        :param text: the block
        """
        begin = self.log.stat().st_size
        script = self.tools / "block.sh"
        script.write_text(_for_this_line(text))
        self._send(f". {shlex.quote(str(script))}; echo {shlex.quote(_DONE)}>&3")
        done = self._hear()
        self._output.flush()
        with self.log.open("rb") as log:
            log.seek(begin)
            self.printed = log.read().decode(errors="replace")
        assert done, f"this failed:\n{text}\n{self.printed[-8000:]}"
        return self.printed

    def save(self, name: str, text: str) -> None:
        """
        Write a file where the shell is.

        :param name: its path, from there
        :param text: what it holds
        """
        source = self.tools / "saved"
        source.write_text(text)
        target = shlex.quote(name)
        self.run(f'mkdir -p "$(dirname {target})" && cp {shlex.quote(str(source))} {target}')

    def _send(self, line: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{line}\n".encode())
        self._shell.stdin.flush()

    def _hear(self) -> bool:
        """Return whether the shell says in time that the block is done."""
        assert self._shell.stdout is not None
        deadline = time.monotonic() + BLOCK_SECONDS
        heard = b""
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._shell.stdout], [], [], left)[0]:
                piece = os.read(self._shell.stdout.fileno(), 4096)
                heard += piece
                if _DONE.encode() in heard:
                    return True
                if not piece:
                    return False
        return False

    def _environment(self) -> dict[str, str]:
        """Return a new login's variables, and what keeps pip from the network."""
        inherited = without_airflow(os.environ)
        kept = {name: inherited[name] for name in ("LANG", "LC_ALL", "TMPDIR", "TZ") if name in inherited}
        system = [path for path in os.defpath.split(os.pathsep) if path]
        return kept | {
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(self.tools), "/usr/local/bin", *system, "/usr/sbin", "/sbin"]),
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def _lend(self) -> None:
        """Link what this environment has, but for the package of this repository."""
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            own = path.name.removeprefix("_editable_impl_").removeprefix("__editable__.")
            if not own.startswith(OWN) and path.suffix != ".pth":
                (self.borrowed / path.name).symlink_to(path)

    def _write_tools(self) -> None:
        """Write ``python3`` of this machine, which furnishes each environment that it makes."""
        python = shlex.quote(str(Path(sys.base_prefix) / "bin" / "python3"))
        tool = self.tools / "python3"
        program = (
            "import pathlib, sys; from tests.support.newcomer import furnish; "
            "furnish(*map(pathlib.Path, sys.argv[1:]))"
        )
        furnished = shlex.join([sys.executable, "-c", program])
        tool.write_text(
            "#!/bin/sh\n"
            f'{python} "$@" || exit\n'
            '[ "$1 $2" = "-m venv" ] || exit 0\n'
            'environment=$(realpath "$3")\n'
            f"cd {shlex.quote(str(ROOT))}\n"
            f'exec {furnished} "$environment" {shlex.quote(str(self.borrowed))}\n'
        )
        tool.chmod(0o755)


def furnish(environment: Path, borrowed: Path) -> None:
    """
    Give a new environment the packages that it would get from an index.

    :param environment: the environment
    :param borrowed: the folder with links to the packages
    """
    (site_packages(environment) / "borrowed.pth").write_text(f"{borrowed}\n")
    _, _, program = (Path(sys.prefix) / "bin" / "airflow").read_text().partition("\n")
    airflow = environment / "bin" / "airflow"
    airflow.write_text(f"#!{environment}/bin/python\n{program}")
    airflow.chmod(0o755)


def _can_isolate() -> bool:
    """Return whether this process may make namespaces."""
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*_UNSHARE, "true"], check=False, capture_output=True).returncode == 0


def _for_this_line(text: str) -> str:
    """Return a block as the pages say it for the line of Airflow that this environment has."""
    newest = constraints_for("3.3", sys.version_info[:2])
    own = constraints_for(".".join(version("apache-airflow").split(".")[:2]), sys.version_info[:2])
    if version("apache-airflow").startswith("3.1."):
        text = text.replace("airflow cloudelements ", "python -m airflow_provider_cloudelements ")
    return text.replace(newest.name, own.name) if newest and own else text
