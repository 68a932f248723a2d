"""The gate runs every test that is selected, says what failed, and runs alone what must be alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from scripts import gate
from scripts.gate import Lane, Outcome, Selected, lanes_of

ROOT = Path(__file__).resolve().parents[1]


def a_test(name, *markers, lane=None, seconds=1.0, line="3.3"):
    return Selected(name, line, frozenset(markers), lane, seconds)


def names(lanes):
    return {lane.name: sorted(test.id for test in lane.tests) for lane in lanes}


def test_what_starts_an_airflow_shares_a_lane_with_its_file():
    tests = [
        a_test("a.py::one", "processes"),
        a_test("a.py::two", "processes"),
        a_test("b.py::one", "browser"),
    ]
    assert names(lanes_of(tests)) == {"a": ["a.py::one", "a.py::two"], "b": ["b.py::one"]}


def test_a_marker_makes_one_lane_of_several_files():
    tests = [
        a_test("a.py::one", "processes", lane="shared"),
        a_test("b.py::one", "processes", lane="shared"),
        a_test("b.py::two", "processes"),
    ]
    assert names(lanes_of(tests)) == {"shared": ["a.py::one", "b.py::one"], "b": ["b.py::two"]}


def test_what_starts_none_fills_two_lanes_file_by_file_the_longest_first():
    tests = [
        a_test(f"{file}.py::{number}", "airflow", seconds=seconds)
        for file, number, seconds in (
            ("a", 1, 5.0),
            ("a", 2, 5.0),
            ("b", 1, 6.0),
            ("c", 1, 3.0),
            ("d", 1, 2.0),
        )
    ]
    assert names(lanes_of(tests)) == {
        "in-process 1": ["a.py::1", "a.py::2"],
        "in-process 2": ["b.py::1", "c.py::1", "d.py::1"],
    }


def test_every_test_goes_into_one_lane():
    kinds = ([], ["airflow"], ["slow"], ["processes"], ["browser", "processes"], ["alone", "slow"])
    tests = [a_test(f"{number % 7}.py::{number}", *kinds[number % 6]) for number in range(60)]
    found = [test for lane in lanes_of(tests) for test in lane.tests]
    assert sorted(found, key=lambda test: test.id) == sorted(tests, key=lambda test: test.id)
    assert lanes_of([]) == []


def stub(folder, monkeypatch):
    """Have lanes run a program of ours in place of pytest: a test's id says what becomes of it."""
    program = folder / "stub.py"
    program.write_text(
        "import json, os, sys, time\n"
        "begun = time.time()\n"
        "ids = sys.argv[1:]\n"
        "time.sleep(0.5)\n"
        "if 'dies' in ids: os._exit(3)\n"
        "found = {id: {'outcome': 'failed' if 'bad' in id else 'passed', 'seconds': 1} for id in ids}\n"
        "found.pop('forgotten', None)\n"
        "open(os.environ['GATE_REPORT'], 'w').write(json.dumps(found))\n"
        f"open(os.path.join({str(folder)!r}, 'times-' + ids[0]), 'w').write(f'{{begun}} {{time.time()}}')\n"
        "sys.exit(any('bad' in id for id in ids))\n"
    )

    def command(line, file, *arguments):
        ids = [each for each in arguments if not each.startswith("-")]
        return [sys.executable, "-S", str(program), *ids], {"GATE_REPORT": str(file)}

    monkeypatch.setattr(gate, "_pytest", command)


def run(lanes, folder, at_once=3):
    return gate._Runner(lanes, at_once, [], folder).run()


def lane(name, *tests, line="3.3"):
    return Lane(line, name, list(tests))


def test_what_was_selected_and_did_not_run_has_failed(tmp_path, monkeypatch, capsys):
    stub(tmp_path, monkeypatch)
    lanes = [
        lane("good", a_test("x")),
        lane("bad", a_test("bad"), a_test("y")),
        lane("gap", a_test("z"), a_test("forgotten")),
        lane("dead", a_test("dies"), a_test("w")),
    ]
    outcomes = run(lanes, tmp_path)
    assert {name: dict(each.figures) for name, each in outcomes.items()} == {
        "3.3 good": {"passed": 1},
        "3.3 bad": {"passed": 1, "failed": 1},
        "3.3 gap": {"passed": 1, "failed": 1},
        "3.3 dead": {"failed": 2},
    }
    assert gate.report(list(outcomes.values()), ["3.3"], 90) == 1
    *_, time_of_all, figures = capsys.readouterr().out.splitlines()
    assert time_of_all.startswith("All of it took 1:30, and ")
    assert figures == "3 passed, 4 failed, 0 skipped"


def test_nothing_runs_beside_what_measures_time(tmp_path, monkeypatch):
    stub(tmp_path, monkeypatch)
    lanes = [lane("alone", a_test("alone", "alone", "slow", seconds=99))]
    lanes += [lane(f"lane {number}", a_test(f"t{number}")) for number in range(3)]
    assert gate.report(list(run(lanes, tmp_path).values()), ["3.3"], 1) == 0
    times = {path.name: tuple(map(float, path.read_text().split())) for path in tmp_path.glob("times-*")}
    begun, _ = times.pop("times-alone")
    assert max(end for _, end in times.values()) <= begun
    assert max(start for start, _ in times.values()) < min(end for _, end in times.values()), (
        "one after the other"
    )


def test_a_run_of_no_test_is_no_success():
    assert gate.report([], ["3.3"], 1) == 1
    assert gate.report([Outcome("unit", 1, 0, {})], ["3.3"], 1) == 1


def test_a_tier_that_fails_without_a_failed_test_has_failed():
    """As when the coverage is under its floor."""
    passed = {"a": {"outcome": "passed", "seconds": 1}}
    assert Outcome("unit", 1, 2, passed).figures == Counter(passed=1, failed=1)


def test_durations_are_kept_by_line_without_the_short_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "DURATIONS", tmp_path / "durations.json")
    tests = {"a": {"outcome": "passed", "seconds": 1.26}, "b": {"outcome": "passed", "seconds": 0.2}}
    gate.write_durations(
        {"3.1 lane": Outcome("3.1 lane", 1, 0, tests), "3.3 other": Outcome("", 1, 0, tests)}
    )
    assert json.loads((tmp_path / "durations.json").read_text()) == {"3.1": {"a": 1.3}, "3.3": {"a": 1.3}}


REPORTED = """
import pytest

@pytest.fixture
def broken():
    yield
    raise RuntimeError("torn down badly")

def test_passes(): pass
def test_fails(): assert False
def test_skips(): pytest.skip("not here")
def test_tears_down_badly(broken): pass
@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.lane("two"))])
def test_many(n): pass
"""


def test_pytest_reports_what_was_selected_and_what_became_of_it(tmp_path):
    (tmp_path / "test_it.py").write_text(REPORTED)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = lane(name): a lane\n")
    report = tmp_path / "report.json"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "scripts.gate_plugin",
        "-p",
        "no:cacheprovider",
        "-q",
        "-n",
        "2",
    ]
    begun = time.monotonic()
    done = subprocess.run(
        [*command, str(tmp_path)],
        env={"GATE_REPORT": str(report), "PYTHONPATH": str(ROOT), "PATH": ""},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert {name.partition("::")[2]: each["outcome"] for name, each in found.items()} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_skips": "skipped",
        "test_tears_down_badly": "failed",
        "test_many[1]": "passed",
        "test_many[2]": "passed",
    }
    assert all(0 <= each["seconds"] < time.monotonic() - begun for each in found.values())


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3601, "60:01")])
def test_times_are_shown_in_minutes(seconds, shown):
    assert gate.clock(seconds) == shown
