"""A copy of the working tree: what is known and what is new, and nothing that git ignores."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from scripts.scratch import copy_project


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_the_copy_holds_the_working_tree_as_it_is(tmp_path):
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    for name in ("changed.py", "deleted.py", "folder/ä b.py", "ignored.log"):
        (source / name).write_text("committed")
    (source / ".gitignore").write_text("*.log\n")
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@example.com")
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "x")):
        subprocess.run([*git, *command], cwd=source, check=True)
    (source / "changed.py").write_text("not committed")
    (source / "deleted.py").unlink()
    (source / "new.py").write_text("new")
    copy = copy_project(tmp_path / "copy", source)
    found = {path.relative_to(copy).as_posix(): path.read_text() for path in copy.rglob("*.py")}
    assert found == {"changed.py": "not committed", "folder/ä b.py": "committed", "new.py": "new"}
    assert {path.name for path in copy.iterdir()} == {".gitignore", "changed.py", "folder", "new.py"}
