"""docs/api-facts.md: numbers are in order, what cites them finds them, and what is relied on is cited."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.contract import GAPS_HEADING, PAGE, fact_of, gaps

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "airflow_provider_cloudelements"
#: All that may cite a number.
READERS = ("airflow_provider_cloudelements", "benchmarks", "docs", "example_dags", "scripts", "tests")
FACTS, _, GAPS = PAGE.read_text().partition(GAPS_HEADING)
CONFIDENCE = {"observed", "stated", "clients", "inferred"}

_ROW = re.compile(r"^\| ([FCU]\d+) \| (.*) \|$", re.MULTILINE)
#: A number in prose: "fact F12", "(C7)". Not in %C3, in a ruff code after noqa, or in the middle of a word.
_CITED = re.compile(r"(?<![\w%/+=.-])[FCU][1-9]\d{0,2}(?![\w/+=-])")
_NOQA = re.compile(r"noqa:[^#\n]*")


def areas() -> list[tuple[int, int, str]]:
    """Return each area's first number, last number and text."""
    parts = re.split(r"^Numbers (\d+) to (\d+)\.$", FACTS, flags=re.MULTILINE)[1:]
    return [(int(parts[i]), int(parts[i + 1]), parts[i + 2]) for i in range(0, len(parts), 3)]


def cited_in(text: str) -> set[str]:
    return set(_CITED.findall(_NOQA.sub("", text)))


ROWS = dict(_ROW.findall(FACTS))
UNUSED = {number for number, row in ROWS.items() if row.endswith(", unused")}


def test_numbers_are_unique_in_order_and_in_their_area():
    assert len(_ROW.findall(FACTS)) == len(ROWS)
    assert all(before[1] + 1 == after[0] for before, after in pairwise(areas()))
    found = []
    for first, last, text in areas():
        for kind in "FCU":
            numbers = [int(number[1:]) for number, _ in _ROW.findall(text) if number[0] == kind]
            assert numbers == sorted(numbers), f"{kind} in {first} to {last}"
            assert all(first <= number <= last for number in numbers), f"{kind} in {first} to {last}"
            found += [f"{kind}{number}" for number in numbers]
    assert set(found) == ROWS.keys()


def test_each_fact_has_a_source_and_a_known_confidence():
    for number, row in ROWS.items():
        cells = re.split(r"(?<!\\) \| ", row)
        assert len(cells) == (3 if number[0] == "F" else 2), number
        assert all(cells), number
        if number[0] == "F":
            assert cells[2].removesuffix(", unused") in CONFIDENCE, number


@pytest.mark.parametrize("folder", READERS)
def test_every_cited_number_exists(folder):
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in (".py", ".md") and path != Path(__file__):
            unknown = cited_in(path.read_text()) - ROWS.keys()
            assert not unknown, f"{path.relative_to(ROOT)} cites {sorted(unknown)}"


def test_what_is_relied_on_is_cited_in_the_package_and_nothing_else():
    cited = set().union(*(cited_in(path.read_text()) for path in PACKAGE.rglob("*.py")))
    assert ROWS.keys() - UNUSED - cited == set(), "relied on, says the page"
    assert UNUSED & cited == set(), "unused, says the page"


def test_every_known_fault_of_the_sandbox_has_a_contract_test():
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "contract").glob("test_*.py"))
    asserted = [fact_of(name) for name in re.findall(r"^def (test_f\d+_\w+)\(platform", tests, re.MULTILINE)]
    assert len(asserted) == len(set(asserted))
    assert set(asserted) <= ROWS.keys()
    assert gaps() <= set(asserted)
    assert len(set(asserted) - gaps()) >= 30


def test_sources_are_cited_on_the_page_alone():
    # Where the facts were collected first is no place that a reader can look into.
    gone = re.compile(r"dos" + r"sier|\b0a no\.", re.IGNORECASE)
    for folder in READERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md") and path != Path(__file__):
                assert not gone.search(path.read_text()), path.relative_to(ROOT)
