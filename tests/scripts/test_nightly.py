"""The nightly run: one part after another whatever happens, and one line of figures."""

from __future__ import annotations

import sys

import pytest

from scripts import nightly
from scripts.commands import Done
from scripts.nightly import PARTS, Outcome, Part, all_parts, summary


def program(text: str, code: int = 0) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})")


@pytest.fixture
def parts(monkeypatch, tmp_path):
    def set_parts(*given: Part) -> None:
        monkeypatch.setattr(nightly, "all_parts", lambda: given)

    monkeypatch.setattr(nightly, "REPORTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["nightly"])
    return set_parts


def test_a_part_that_fails_does_not_stop_the_others(parts, tmp_path, capsys):
    parts(
        Part("first", "it fails", program("= 1 failed, 2 passed in 1.00s =", 1)),
        Part("second", "it hangs", (sys.executable, "-c", "import time; time.sleep(60)"), hours=1 / 3600),
        Part("third/x", "it passes", program("3 passed, 4 skipped in 1.00s")),
    )
    assert nightly.main() == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert "first FAILED 2/1/0 in" in last
    assert "second TOOK TOO LONG 0/0/0 in" in last
    assert "third/x 3/0/4 in" in last
    assert "in all 5/1/4" in last
    assert last.endswith("FAILED: first, second")
    assert (tmp_path / "third" / "x.log").read_text() == "3 passed, 4 skipped in 1.00s\n"


def test_all_well(parts, monkeypatch, capsys):
    parts(Part("one", "it passes", program("1 passed in 1.00s")), Part("other", "it fails", program("", 1)))
    monkeypatch.setattr(sys, "argv", ["nightly", "one"])
    assert nightly.main() == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(": all well")


def test_a_quick_look_adds_to_the_command(parts, monkeypatch, tmp_path, capsys):
    echo = (sys.executable, "-c", "import sys; print(sys.argv[1:])")
    parts(Part("one", "it tells", echo, quick=("--collect-only",)))
    monkeypatch.setattr(sys, "argv", ["nightly", "--quick"])
    assert nightly.main() == 0
    assert (tmp_path / "one.log").read_text() == "['--collect-only']\n"
    assert capsys.readouterr().out.endswith("all well (a quick look only)\n")


def test_the_line_of_figures():
    outcomes = [
        Outcome(Part("a", "", ()), Done(0, "12 passed in 1.00s", 61.4)),
        Outcome(Part("b", "", ()), Done(0, "", 5.0)),
    ]
    assert summary(outcomes, 70.2) == (
        "nightly (passed/failed/skipped): a 12/0/0 in 61 s | b 0/0/0 in 5 s | in all 12/0/0 in 70 s: all well"
    )


def test_each_script_that_shows_a_finding_is_a_part(tmp_path):
    for name in ("b.sh", "a.sh", "notes.md"):
        (tmp_path / name).touch()
    assert all_parts(tmp_path)[len(PARTS) :] == tuple(
        Part(
            f"findings/{name}",
            "a tool of others still behaves as we recorded",
            ("bash", str(tmp_path / f"{name}.sh")),
        )
        for name in ("a", "b")
    )
    assert all_parts(tmp_path / "none") == PARTS


def test_what_leaves_the_gate_runs_on_every_line():
    selections = {part.command[0]: part.command[-1] for part in PARTS if "-m" in part.command[-2:]}
    assert selections[".venv/bin/python"] == "soak or nightly"
    for line in ("3.1", "3.2"):
        assert "nightly" in selections[f".venvs/airflow-{line}/bin/python"]
