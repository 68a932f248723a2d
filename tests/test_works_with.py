"""Each row of docs/works-with.md names a version that we pin, and a test or a nightly part that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from scripts.nightly import all_parts

ROOT = Path(__file__).resolve().parents[1]
HEAD = ["tool", "version", "what was run", "what to know", "proof"]


def rows(text: str) -> list[dict[str, str]]:
    """Return the rows of the page's tables."""
    lines = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    assert lines.count(HEAD) == len(re.findall(r"^## ", text, flags=re.MULTILINE))
    told = [line for line in lines if line != HEAD and not set("".join(line)) <= {"-"}]
    return [dict(zip(HEAD, line, strict=True)) for line in told]


def unproved(row: dict[str, str]) -> str | None:
    """Return what is wrong with a row's proof; nothing, if each test and part that it names exists."""
    tests = re.findall(r"`(tests/[^`]+)`", row["proof"])
    parts = re.findall(r"part `([^`]+)`", row["proof"])
    if not tests and not parts:
        return "it names no test and no part of the nightly run"
    if missing := set(parts) - {part.name for part in all_parts()}:
        return f"no part {missing}"
    for test in tests:
        file, _, name = test.partition("::")
        if not (ROOT / file).is_file():
            return f"no file {file}"
        tree = ast.parse((ROOT / file).read_text())
        found = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
        if not name.startswith("test_") or name not in found:
            return f"no test {name} in {file}"
        if row["proof"].endswith("in the gate") and "nightly" in marks(tree, found[name]):
            return f"{name} runs nightly only"
    return None


def marks(tree: ast.Module, test: ast.FunctionDef) -> str:
    """Return the source of the markers of a test."""
    own = [ast.unparse(each) for each in test.decorator_list]
    shared = [
        ast.unparse(each.value)
        for each in tree.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "pytestmark"
    ]
    return " ".join(own + shared)


def pins() -> dict[str, set[str]]:
    """Return the versions that the project pins, by package: its lists and its groups."""
    found: dict[str, set[str]] = {}
    for path in (*(ROOT / "constraints").glob("*.txt"), ROOT / "pyproject.toml"):
        for name, version in re.findall(r"([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)", path.read_text()):
            found.setdefault(name, set()).add(version)
    return found


def stale(row: dict[str, str]) -> list[str]:
    """Return the versions of a row that nothing of ours installs."""
    told = re.findall(r"`([\w.-]+)` (\d[\w.]*(?:, \d[\w.]*)*)", row["version"])
    assert told, row["tool"]
    pinned = pins()
    return [
        f"{name} {version}"
        for name, versions in told
        for version in versions.split(", ")
        if version not in pinned.get(name, set())
    ]


PAGE = (ROOT / "docs" / "works-with.md").read_text()


def test_the_page_has_rows():
    assert len(rows(PAGE)) >= 25


@pytest.mark.parametrize("row", rows(PAGE), ids=lambda row: row["tool"])
def test_a_row_names_what_proves_it_and_the_version_that_ran(row):
    assert all(row.values())
    assert unproved(row) is None
    assert stale(row) == []


def test_a_row_that_nothing_proves_is_found():
    row = {"tool": "x", "version": "`hvac` 0.1, 2.4.0", "proof": "we tried it"}
    assert "names no test" in str(unproved(row))
    assert "no part" in str(unproved(row | {"proof": "part `planted-part`"}))
    assert "no file" in str(unproved(row | {"proof": "`tests/test_planted.py::test_x`"}))
    assert "no test" in str(unproved(row | {"proof": "`tests/test_works_with.py::test_planted`"}))
    vault = "`tests/works_with/test_secrets_backends.py::test_a_vault`"
    assert "nightly only" in str(unproved(row | {"proof": f"{vault}, in the gate"}))
    assert unproved(row | {"proof": f"{vault}, nightly"}) is None
    assert stale(row) == ["hvac 0.1"]
