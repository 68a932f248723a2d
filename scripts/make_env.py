"""
Make a virtual environment with this project in it, for the Makefile.

It uses only the standard library, because it runs before anything is installed. It does nothing when the
environment already matches pyproject.toml and the constraints list.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
#: Tables of pyproject.toml that determine the installed packages. A new lint rule does not change them.
INSTALLING_TABLES = ("build-system", "project", "dependency-groups")


def main() -> None:
    """Make or renew one environment."""
    if sys.version_info < OLDEST_PYTHON:
        raise SystemExit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    arguments = _arguments()
    target: Path = arguments.target
    marker = target / ".made-from"
    listed = arguments.line and not arguments.unlisted
    constraints = constraints_for(arguments.line, sys.version_info[:2]) if listed else None
    wanted = _fingerprint(arguments, constraints)
    if marker.exists() and marker.read_text() == wanted and _runs(_python(target)):
        marker.touch()
        return
    marker.unlink(missing_ok=True)
    if not _runs(_python(target)) or _version(_python(target)) != sys.version_info[:2]:
        _create(target)
    _install(target, arguments, constraints)
    marker.write_text(wanted)


def _arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, help="folder of the environment")
    parser.add_argument("--line", help="line of Airflow, for example 3.3; default: the group alone")
    parser.add_argument("--group", default="dev", help="dependency group of pyproject.toml to install")
    parser.add_argument("--unlisted", action="store_true", help="resolve freely, without a list of versions")
    return parser.parse_args()


def constraints_for(line: str, python: tuple[int, int]) -> Path | None:
    """
    Return the constraints list to use: that of the line's newest release for this Python.

    A list made for 3.11 serves 3.12 and 3.13 too. For any other Python there is no list, and the installer
    resolves freely.

    :param line: line of Airflow
    :param python: major and minor version of Python
    """
    for tag in (f"py{python[0]}{python[1]}", *(["py311"] if python <= (3, 13) else [])):
        lists = (ROOT / "constraints").glob(f"airflow-{line}.*-{tag}.txt")
        if newest := max(lists, key=_release, default=None):
            return newest
    return None


def _release(path: Path) -> tuple[int, ...]:
    """
    Return the release of Airflow that a list is for, in a form that sorts.

    :param path: the list
    """
    return tuple(int(part) for part in path.name.split("-")[1].split("."))


def _fingerprint(arguments: argparse.Namespace, constraints: Path | None) -> str:
    """
    Return a hash of everything that determines the content of the environment.

    :param arguments: the command line
    :param constraints: list of versions
    """
    project = _project()
    parts = [
        str(ROOT),
        sys.version,
        arguments.group,
        arguments.line or "",
        constraints.read_text() if constraints else "",
        json.dumps([project[table] for table in INSTALLING_TABLES], sort_keys=True),
        # An editable install maps names to folders when the installer makes it.
        json.dumps(project["tool"]["hatch"], sort_keys=True),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _project() -> dict[str, Any]:
    """Return what pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def group_requirements(groups: Mapping[str, Sequence[str | Mapping[str, str]]], name: str) -> list[str]:
    """
    Return the requirements of a dependency group, those of the groups that it includes among them.

    :param groups: the groups of pyproject.toml (PEP 735)
    :param name: name of the group
    """
    found: list[str] = []
    for each in groups[name]:
        found += [each] if isinstance(each, str) else group_requirements(groups, each["include-group"])
    return found


def without_pinned(constraints: str, requirements: Sequence[str]) -> str:
    """
    Return a list of versions without those that a group pins itself: an installer refuses two versions.

    :param constraints: the list
    :param requirements: the group's requirements
    """
    pinned = {each.split("==")[0].split("[")[0] for each in requirements if "==" in each}
    lines = constraints.splitlines(keepends=True)
    return "".join(line for line in lines if line.split("==")[0] not in pinned)


def _python(target: Path) -> Path:
    """
    Return the interpreter of an environment.

    :param target: folder of the environment
    """
    return target / "bin" / "python"


def _runs(python: Path) -> bool:
    """
    Return whether an interpreter exists and starts.

    :param python: path of the interpreter
    """
    return python.exists() and subprocess.run([python, "-c", ""], check=False).returncode == 0


def _version(python: Path) -> tuple[int, int]:
    """
    Return major and minor version of an interpreter.

    :param python: path of the interpreter
    """
    text = subprocess.check_output([python, "-c", "import sys; print(*sys.version_info[:2])"], text=True)
    major, minor = text.split()
    return int(major), int(minor)


def _create(target: Path) -> None:
    """
    Make an empty environment, with pip only if there is no uv.

    :param target: folder of the environment
    """
    if target.exists():
        shutil.rmtree(target)
    print(f"making {target} for Python {sys.version.split()[0]}", flush=True)
    venv.create(target, with_pip=shutil.which("uv") is None, symlinks=True)


def _install(target: Path, arguments: argparse.Namespace, constraints: Path | None) -> None:
    """
    Install a dependency group, and this project, editable, with its extra and Airflow.

    :param target: folder of the environment
    :param arguments: the command line
    :param constraints: list of versions
    """
    requirements = group_requirements(_project()["dependency-groups"], arguments.group)
    if arguments.line:
        requirements += ["--editable", f"{ROOT}[webhooks]", f"apache-airflow=={arguments.line}.*"]
    if constraints:
        print(f"installing with the versions of {constraints.relative_to(ROOT)}", flush=True)
        kept = target / "constraints.txt"
        kept.write_text(without_pinned(constraints.read_text(), requirements))
        requirements += ["--constraint", str(kept)]
    elif arguments.line:
        why = "as asked" if arguments.unlisted else "there is none for this Python"
        print(f"installing without a list of versions: {why}", flush=True)
    subprocess.run([*installer(_python(target)), *requirements], check=True, cwd=ROOT)


def installer(python: Path) -> list[str]:
    """
    Return the install command for an environment: uv if there is one, else its own pip, else ours.

    :param python: interpreter of the environment
    """
    uv = shutil.which("uv")
    if uv:
        # uv writes no bytecode by default. If PYTHONDONTWRITEBYTECODE is set, each Airflow process would
        # then compile everything at every start.
        return [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
    options = ["--quiet", "--disable-pip-version-check"]
    if subprocess.run([python, "-c", "import pip"], check=False, stderr=subprocess.DEVNULL).returncode == 0:
        return [str(python), "-m", "pip", "install", *options]
    return [sys.executable, "-m", "pip", "--python", str(python), "install", *options]


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
