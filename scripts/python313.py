"""
Run the demo and the tests on Python 3.13, in a Debian of their own.

Debian 13 has Python 3.13. ``mmdebstrap`` makes a Debian in a temporary folder. The Debian gets a copy of the
working tree and a read-only view of the settings of this machine's package clients. The program needs root.
All processes and mounts live in namespaces of their own. When this program ends, even by SIGKILL, they end
too, and a guard removes the folder.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from scripts.commands import Done, figures, run
from scripts.scratch import ROOT, copy_project

SUITE = "trixie"
PACKAGES = ("python3", "python3-venv", "make", "git", "ca-certificates", "curl")
#: The commands that run there, and the most seconds that each may take. The first makes the environment.
STEPS = {
    "demo": ("make demo", 1200),
    "unit": ("make unit", 3600),
    # Without a browser and PostgreSQL, which this Debian does not have.
    "lanes": ("make setup && .venv/bin/python -m scripts.gate --no-unit", 7200),
    **{
        f"airflow-{line}": (
            f"make .venvs/airflow-{line}/.made-from && .venvs/airflow-{line}/bin/python -m pytest "
            '-m "airflow and not (processes or browser or newest or soak or nightly)"',
            3600,
        )
        for line in ("3.1", "3.2")
    },
}
#: Files with the settings and certificates of pip and uv, and for the resolution of names.
SETTINGS = (
    "/etc/pip.conf",
    "/etc/xdg/pip",
    "/etc/uv",
    "~/.config/pip",
    "~/.config/uv",
    "~/.pip",
    "/etc/ssl/certs",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/hosts",
    "/etc/resolv.conf",
)
#: Variables of these clients.
VARIABLES = re.compile(
    r"(?i)(PIP|UV)_\w+|(https?|all|no)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
)
#: An absolute path, by itself or in a ``file://`` address, but not the path of any other address.
_PATH = re.compile(r"(?:file://|(?<![\w/.:~-]))(/[\w.+/-]+)")
#: Settings of apt that say how it reaches its archive.
_APT = re.compile(r'^Acquire::(?:https?::|Retries|Check-)\S* ".+";$', re.MULTILINE)


def main() -> int:
    """Make the Debian, run the steps and return the process's exit code."""
    steps = _arguments().steps or list(STEPS)
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        raise SystemExit("This needs root and mmdebstrap: apt-get install mmdebstrap")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    told = []
    with temporary_root() as root:
        made = run(debian(root, apt_options()), cwd=ROOT, patience=1200, show=True)
        if made.code != 0:
            raise SystemExit("mmdebstrap could not make the Debian; its output is above.")
        copy_project(root / "project")
        version = inside(root, "python3 --version", 60).text.strip()
        failed = False
        for step in steps:
            command, patience = STEPS[step]
            print(f"{version}: {command}", flush=True)
            done = inside(root, command, patience, show=True)
            failed |= done.code != 0
            told.append(f"{step} {outcome(done)}")
    print(f"{version}: {'; '.join(told)}")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="*", choices=[[], *STEPS], help="default: all")
    return parser.parse_args()


def outcome(done: Done) -> str:
    """
    Return the outcome of a step in a few words.

    :param done: The step.
    """
    counts = figures(done.text)
    told = ", ".join(f"{counts[word]} {word}" for word in ("passed", "failed", "skipped") if counts[word])
    ended = {0: "ended well", None: "took too long"}.get(done.code, f"ended with exit code {done.code}")
    return f"{ended} after {done.seconds:.0f} s{f' ({told})' if told else ''}"


@contextlib.contextmanager
def temporary_root() -> Iterator[Path]:
    """Make a folder and remove it afterwards, even if this process is killed."""
    root = Path(tempfile.mkdtemp(prefix="python313-"))
    root.chmod(0o755)
    # The guard waits for the end of its standard input, which comes when this process ends, in whatever way.
    # By then nothing is mounted in the folder, because the namespaces end as well.
    guard = subprocess.Popen(
        ["/bin/sh", "-c", 'cat; sleep 1; exec rm -rf --one-file-system -- "$1"', "sh", str(root)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield root
    finally:
        guard.communicate()


def debian(root: Path, options: Iterable[str]) -> list[str]:
    """
    Return the command that makes the Debian.

    :param root: The folder for the Debian.
    :param options: Settings for its apt.
    """
    return [
        *_namespaces(),
        *("mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"),
        *(f"--aptopt={option}" for option in options),
        *(SUITE, str(root)),
    ]


def apt_options() -> list[str]:
    """Return this machine's settings for apt's access to its archive: proxies and the like."""
    program = shutil.which("apt-config")
    if not program:
        return []
    dumped = subprocess.run([program, "dump"], check=True, capture_output=True, text=True).stdout
    return [each.removesuffix(";") for each in _APT.findall(dumped)]


def inside(root: Path, command: str, patience: float, *, show: bool = False) -> Done:
    """
    Run a command in the Debian, in the copy of the project.

    :param root: Folder of the Debian.
    :param command: The command, for the shell.
    :param patience: Seconds that it may take before we end it.
    :param show: Whether to print its output as it comes.
    """
    home = Path.home()
    program = [
        f"mount -t proc proc {shlex.quote(f'{root}/proc')}",
        f"mount --rbind /dev {shlex.quote(f'{root}/dev')}",
        *(_bound(path, root) for path in shared(os.environ, home)),
        # Do not use exec: this shell is the first process here and must reap orphans.
        f"chroot {shlex.quote(str(root))} /bin/sh -c {shlex.quote(f'cd /project && {command}')}",
        "exit $?",
    ]
    environment = {
        "HOME": str(home),
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        **client_variables(os.environ),
    }
    return run(
        [*_namespaces(), "/bin/sh", "-c", "\n".join(["set -e", *program])],
        cwd=ROOT,
        environment=environment,
        patience=patience,
        show=show,
    )


def _namespaces() -> list[str]:
    """Return the start of a command whose processes and mounts end with this process."""
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"),
    ]


def client_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return the variables that package clients read.

    :param environment: All variables.
    """
    return {name: value for name, value in environment.items() if VARIABLES.fullmatch(name)}


def shared(environment: Mapping[str, str], home: Path) -> list[Path]:
    """
    Return the paths that the Debian shares with this machine: clients' settings, and folders that they name.

    :param environment: All variables.
    :param home: The user's folder.
    :return: The existing ones of these paths, none inside another.
    """
    settings = [Path(each.replace("~", str(home), 1)) for each in SETTINGS]
    texts = list(client_variables(environment).values())
    for path in settings:
        files = [path] if path.is_file() else path.glob("*.conf") if path.is_dir() else []
        texts += [file.read_text(errors="replace") for file in files]
    found = [*settings, *(path for text in texts for path in named(text))]
    kept: list[Path] = []
    for path in sorted({each for each in found if each.exists()}):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return kept


def named(text: str) -> Iterator[Path]:
    """
    Yield the folders and files that a setting names.

    :param text: The setting.
    """
    for found in _PATH.finditer(text):
        path = Path(found[1])
        # If an index is a folder, its files may lie beside it.
        above = found[0].startswith("file://") and len(path.parts) > 3
        yield path.parent if above else path


def _bound(path: Path, root: Path) -> str:
    """Return the commands that mount a file or a folder of this machine at the same place in the Debian."""
    at = Path(f"{root}{path}")
    make = f"mkdir -p {shlex.quote(str(at if path.is_dir() else at.parent))}"
    if not path.is_dir():
        # An existing file may be a link that leads out of the Debian.
        make += f"; rm -f {shlex.quote(str(at))}; touch {shlex.quote(str(at))}"
    return f"{make}; mount --bind -o ro {shlex.quote(str(path))} {shlex.quote(str(at))}"


if __name__ == "__main__":
    sys.exit(main())
