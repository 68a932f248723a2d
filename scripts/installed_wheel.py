"""
The package as its users get it: the built wheel, installed in an environment of its own.

An editable install is not enough when Airflow looks for the examples: only the wheel has them inside the
package. The environment borrows all other packages from the environment that runs this, which costs nothing.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from scripts.make_env import installer

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "airflow_provider_cloudelements"


def build(kind: str, folder: Path, source: Path = ROOT) -> Path:
    """
    Build the distribution and return the file. This needs no network.

    :param kind: wheel or sdist
    :param folder: where to put it
    :param source: the project
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)],
        cwd=source,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the {kind} cannot be built:\n{done.stdout}")
    (built,) = set(folder.iterdir()) - before
    return built


def install(wheel: Path, folder: Path) -> Path:
    """
    Make an environment with the wheel and return its interpreter.

    :param wheel: the wheel
    :param folder: where the environment goes
    """
    venv.create(folder, symlinks=True, clear=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [*installer(python), "--no-deps", "--no-index", str(wheel)], check=True, stdout=subprocess.DEVNULL
    )
    # Write this after the install. Before it, the installer would take the borrowed editable install for its
    # own and remove it. Python ignores .pth files in a folder that a .pth file names, so the editable install
    # stays out.
    (site_packages(folder) / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return python


def site_packages(folder: Path) -> Path:
    """
    Return where an environment keeps its packages.

    :param folder: the environment
    """
    return Path(sysconfig.get_path("purelib", scheme="venv", vars={"base": str(folder)}))


def examples(folder: Path) -> Path:
    """
    Return the folder of the installed example DAGs.

    :param folder: the environment
    """
    return site_packages(folder) / PACKAGE / "example_dags"
