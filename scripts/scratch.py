"""A copy of the working tree to do with as one likes: the checkout itself is left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copy_project(folder: Path, source: Path = ROOT) -> Path:
    """
    Copy what git knows, with changes that are not committed, and new files that git does not ignore.

    No environment, no cache and no git repository comes along.

    :param folder: Where to; it is made.
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
        if (source / path).is_file():  # one that was deleted and not committed is still listed
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / path, folder / path)
    return folder
