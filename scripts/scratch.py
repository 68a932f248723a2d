"""A copy of the working tree for free use. The checkout itself stays unchanged."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copy_project(folder: Path, source: Path = ROOT) -> Path:
    """
    Copy the files that git tracks, with uncommitted changes, and new files that git does not ignore.

    The copy has no environment, no cache and no git repository.

    :param folder: The folder for the copy, which this function makes.
    :param source: The checkout.
    :return: The folder.
    """
    listed = subprocess.run(
        [shutil.which("git") or "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=source,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    for name in sorted(set(filter(None, listed.split(b"\0")))):
        path = Path(os.fsdecode(name))
        if (source / path).is_file():  # git still lists a file that was deleted without a commit
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / path, folder / path)
    return folder
