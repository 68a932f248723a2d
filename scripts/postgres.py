"""A PostgreSQL of our own: Debian's programs, a private folder, a free port of the loopback interface."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.processes import LOOPBACK, free_port

#: Debian keeps each version's programs in a folder of its own, off the PATH.
PROGRAMS = Path("/usr/lib/postgresql")


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Run a server and yield SQLAlchemy's address of an empty database in it."""
    programs = newest()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=_place()))
    port = free_port()
    try:
        _own(folder)
        _run(programs / "initdb", "-D", folder / "data", "-U", "airflow", "-A", "trust", "-E", "UTF8")
        options = f"-p {port} -c listen_addresses={LOOPBACK} -c unix_socket_directories={folder}"
        control = (programs / "pg_ctl", "-D", folder / "data", "-w")
        _run(*control, "-l", folder / "log", "-o", options, "start")
        try:
            _run(programs / "createdb", "-h", LOOPBACK, "-p", str(port), "-U", "airflow", "airflow")
            yield f"postgresql+psycopg2://airflow@{LOOPBACK}:{port}/airflow"
        finally:
            _run(*control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def newest() -> Path | None:
    """Return the folder of the newest server's programs; ``None`` if there is none.

    A version of which only the client is installed has such a folder, too.
    """
    servers = [each.parent for each in PROGRAMS.glob("*/bin/initdb")]
    return max(
        servers, key=lambda each: [int(part) for part in re.findall(r"\d+", each.parent.name)], default=None
    )


def _place() -> Path:
    """Return a folder for temporary ones that the server's user reaches. TMPDIR may be root's alone."""
    place = Path(tempfile.gettempdir()).resolve()
    if os.geteuid() == 0 and not all(each.stat().st_mode & stat.S_IXOTH for each in (place, *place.parents)):
        return Path(pwd.getpwnam("postgres").pw_dir)
    return place


def _own(folder: Path) -> None:
    """Give the folder to the user that the server runs as: it refuses to run as root."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)


def _run(program: Path, *arguments: object) -> None:
    subprocess.run(
        [str(program), *map(str, arguments)],
        check=True,
        stdout=subprocess.DEVNULL,
        user="postgres" if os.geteuid() == 0 else None,
        cwd="/",
        timeout=60,
    )
