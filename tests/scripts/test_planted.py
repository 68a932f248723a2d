"""Planting faults: each in one place, and found only where tests failed for it."""

from __future__ import annotations

import pytest

from scripts import planted
from scripts.planted import Outcome, PlantedError, find_place, find_test, found_by, plant, without_faults
from scripts.planted_faults import FAULTS, Edit, Fault
from scripts.scratch import ROOT

PACKAGE = "airflow_provider_cloudelements"


@pytest.fixture
def tree(tmp_path):
    for name in (f"{PACKAGE}/client/one.py", "example_dags/other.py", "tests/client/test_one.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / f"{PACKAGE}/client/one.py").write_text("once = 1\ntwice = 2\n")
    (tmp_path / "example_dags/other.py").write_text("twice = 2\n")
    (tmp_path / "tests/client/test_one.py").write_text(
        "def test_it():\n    pass\n\nasync def test_it_too():\n"
    )
    return tmp_path


def test_a_text_that_stands_once_is_replaced(tree):
    path = plant(tree, Edit("once = 1", "once = 3"))
    assert path == tree / PACKAGE / "client" / "one.py"
    assert path.read_text() == "once = 3\ntwice = 2\n"


@pytest.mark.parametrize("text", ["never = 0", "twice = 2"])
def test_a_text_that_stands_not_once_is_refused(tree, text):
    before = {path: path.read_text() for path in tree.rglob("*.py")}
    with pytest.raises(PlantedError, match="must stand in one place"):
        plant(tree, Edit(text, "x"))
    assert {path: path.read_text() for path in tree.rglob("*.py")} == before


def test_a_test_is_found_by_its_name(tree):
    assert find_test(tree, "test_it") == "tests/client/test_one.py::test_it"
    assert find_test(tree, "test_it_too") == "tests/client/test_one.py::test_it_too"
    with pytest.raises(PlantedError):
        find_test(tree, "test_i")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_can_be_planted_and_its_tests_exist(fault):
    """Whoever changes the text gives ``scripts/planted_faults.py`` the new one."""
    assert fault.edits
    assert fault.tests
    for edit in fault.edits:
        assert find_place(ROOT, edit)
        assert edit.old != edit.new
    for test in fault.tests:
        assert find_test(ROOT, test)


def test_there_are_twelve():
    assert len(FAULTS) == len({fault.name for fault in FAULTS}) == 12


FAULT = Fault("a fault", (Edit("once = 1", "once = 2"),), ("test_it", "test_it_too"))
BOTH_FAIL = "FAILED tests/a.py::test_it[a - b] - AssertionError\nFAILED tests/a.py::test_it_too - x\n"


@pytest.fixture
def answers(monkeypatch, tree):
    """Give the outcome of the tests, which do not run here."""
    given = []
    monkeypatch.setattr(planted, "copy_project", lambda folder: tree)
    monkeypatch.setattr(planted, "run", lambda *_: Outcome(given[0]))
    return given


def test_what_failed_has_found_it(answers):
    answers.append(f"PASSED tests/a.py::test_it[1]\n{BOTH_FAIL}2 failed, 1 passed in 1.00s")
    assert found_by(FAULT) == ["tests/a.py::test_it (1 of 2)", "tests/a.py::test_it_too (1 of 1)"]


@pytest.mark.parametrize(
    "text",
    [
        "PASSED tests/a.py::test_it\nPASSED tests/a.py::test_it_too\n",
        "FAILED tests/a.py::test_it - x\nPASSED tests/a.py::test_it_too\n",  # each of them must find it
        "FAILED tests/a.py::test_it - x\n",  # the other is not of the gate
        "FAILED tests/a.py::test_it - x\nSKIPPED tests/a.py::test_it_too - y\n",
        BOTH_FAIL + "ERROR tests/a.py::test_it[2] - SyntaxError\n",  # a fault that breaks everything
    ],
)
def test_whatever_else_has_not(answers, text):
    answers.append(text)
    with pytest.raises(PlantedError, match="test_it"):
        found_by(FAULT)


@pytest.mark.parametrize(
    "line", ["SKIPPED tests/a.py::test_it_too - x", "FAILED tests/a.py::test_it_too - x", ""]
)
def test_with_nothing_planted_all_must_pass(answers, line):
    answers.append(f"PASSED tests/a.py::test_it\n{line}\nin 1.00s")
    (trouble,) = without_faults([FAULT])
    assert "test_it_too had" in trouble
    answers[0] = "PASSED tests/a.py::test_it\nPASSED tests/a.py::test_it_too[x]\n"
    assert without_faults([FAULT]) == []
