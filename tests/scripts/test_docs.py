"""The parts of README and docs that the code fills: each is as the code says, and a change is noticed."""

from __future__ import annotations

import re
import shutil

import pytest

from airflow_provider_cloudelements import exceptions
from airflow_provider_cloudelements.connection_form import FormField
from airflow_provider_cloudelements.sandbox.core.auth import Access
from airflow_provider_cloudelements.sandbox.core.router import Router
from airflow_provider_cloudelements.sandbox.routes import api_router, control_router
from scripts import docs

EXAMPLE = """
# [start: one]
import a
# [end: one]

with a:
    # [start: one]
    # [start: inner]
    b(
        c,
    )
    # [end: inner]
    # [end: one]
    # [start: open]
    # [end: other]
"""


def page(*parts: str) -> str:
    return "".join(f"{docs.START}{part} -->\n{docs.END}\n" for part in parts)


@pytest.fixture
def copy(tmp_path):
    """A copy of all that is filled and of the examples."""
    for name in ("docs", "example_dags"):
        shutil.copytree(docs.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(docs.ROOT / "README.md", tmp_path)
    return tmp_path


@pytest.fixture
def with_example(tmp_path):
    (tmp_path / "example_dags").mkdir()
    (tmp_path / "example_dags" / "example_x.py").write_text(EXAMPLE)
    return tmp_path


@pytest.mark.parametrize("path", docs.pages(), ids=lambda path: path.name)
def test_a_page_is_filled(path):
    assert docs.filled(path.read_text()) == path.read_text()


def test_every_table_and_every_marked_part_is_in_a_page():
    text = "".join(path.read_text() for path in docs.pages())
    names = {re.escape(docs.START) + re.escape(name) for name in docs.TABLES}
    for example in (docs.ROOT / "example_dags").glob("*.py"):
        parts = re.findall(r"# \[start: (.*)\]", example.read_text())
        names |= {re.escape(f"{docs.START}{example.stem}.{part}") for part in parts}
    assert len(names) >= 9
    assert [name for name in sorted(names) if not re.search(f"{name} -->", text)] == []


def test_no_page_shows_a_comment_that_marks_a_part():
    for path in docs.pages():
        assert not re.search(r"# \[(start|end): ", path.read_text()), path.name


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("b", "b(\n    c,\n)"),
        ("c", None),
        ("open", None),
        ("X", "x = X.partial(\n    y=1,\n).expand(z=[2])"),
        ("Y", "with Y() as y:\n    X()"),
    ],
)
def test_a_name_means_the_first_statement_that_calls_it(with_example, name, found):
    with (with_example / "example_dags" / "example_x.py").open("a") as file:
        file.write("    if a:\n        x = X.partial(\n            y=1,\n        ).expand(z=[2])\n")
        file.write("    with Y() as y:\n        X()\n")
    if found is None:
        with pytest.raises(docs.DocsError, match=rf"example_x.py does not call {name}"):
            docs.code("example_x", name, with_example)
    else:
        assert docs.code("example_x", name, with_example) == f"```python\n{found}\n```"


def test_a_change_by_hand_is_noticed_named_and_undone(copy, capsys):
    assert docs.main(["--check"], copy) == 0
    changed = copy / "docs" / "operators.md"
    right = changed.read_text()
    changed.write_text(right.replace("| 409 | cannot help |", "| 409 | helps |"))
    assert docs.main(["--check"], copy) == 1
    assert capsys.readouterr().out == "docs/operators.md is not as the code says: make docs-fill\n"
    assert changed.read_text() != right
    assert docs.main([], copy) == 0
    assert changed.read_text() == right
    assert docs.main(["--check"], copy) == 0


def test_a_change_of_an_example_is_noticed(copy, capsys):
    example = copy / "example_dags" / "example_ten_lines.py"
    example.write_text(example.read_text().replace('"My calendar"', '"Another"'))
    assert docs.main(["--check"], copy) == 1
    assert capsys.readouterr().out.startswith("README.md is not")


def test_a_change_of_the_code_is_noticed(copy, monkeypatch, capsys):
    monkeypatch.setattr(exceptions, "__doc__", exceptions.__doc__.replace("409", "410"))
    assert docs.main(["--check"], copy) == 1
    assert capsys.readouterr().out.startswith("docs/operators.md is not")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (page("error"), "line 1: no part is called 'error'; there are errors, lines,"),
        (page("errors", "example_y.one"), "line 3: there is no example_y.py in example_dags"),
        (page("example_x.two"), "line 1: example_x.py does not call two"),
        (page("example_x.open"), "line 1: example_x.py does not call open"),
        (page("example_x.other"), "line 1: example_x.py does not call other"),
        (page("../example_x.one"), "line 1: no part is called '../example_x.one'"),
        (f"{docs.START}errors -->\n", "the last part has no <!-- end -->"),
        (f"{docs.START}errors -->\n" + page("errors"), "without the end before it"),
        (f"x\n{docs.END}\n", "line 2: <!-- end --> without the start before it"),
    ],
)
def test_a_wrong_mark_is_refused(with_example, capsys, text, reason):
    (with_example / "README.md").write_text(text)
    assert docs.main([], with_example) == 2
    told = capsys.readouterr().err
    assert told.startswith("README.md: ")
    assert reason in told
    assert (with_example / "README.md").read_text() == text


def test_code_of_one_name_is_joined_and_moved_to_the_margin(with_example):
    block = "   ```python\n   import a\n\n   b(\n       c,\n   )\n   ```"
    text = f"1. x\n\n   {docs.START}example_x.one -->\n   {docs.END}\n\n2. y\n"
    once = docs.filled(text, with_example)
    assert once == f"1. x\n\n   {docs.START}example_x.one -->\n\n{block}\n\n   {docs.END}\n\n2. y\n"
    assert docs.filled(once, with_example) == once


def test_fields_say_type_choices_and_default():
    rows = docs.fields(
        (
            FormField("a", "A", "x|y", kind="number", default=0.5, minimum=0, maximum=9),
            FormField("b", "B", "z", kind="boolean", default=False),
            FormField("c", "C", "z", kind="word"),
            FormField("d", "D", "z", default="e", choices=("e", "f")),
        )
    ).splitlines()[2:]
    assert rows == [
        "| `a` | A | number, 0 to 9 | `0.5` | x\\|y |",
        "| `b` | B | boolean | `false` | z |",
        "| `c` | C | secret |  | z |",
        "| `d` | D | `e`, `f` | `e` | z |",
    ]


@pytest.mark.parametrize(("name", "router"), [("routes", api_router()), ("control routes", control_router())])
def test_every_route_is_in_the_tables_and_answered_by_what_they_name(name, router):
    table = docs.TABLES[name]()
    found = list(docs.calls(router))
    assert len(found) > 15
    for verb, template, handler in found:
        path = ("/sandbox" if name == "control routes" else "") + template.replace("{rest}", "...")
        assert f"`{verb} {path}`".replace("` ", "`") in table
        route = router.match([part for part in template.replace("{rest}", "1/2/3/4/5").split("/") if part])
        assert route is not None
        assert route.template == template
        assert route.handlers[verb or "GET"] is handler
    assert not re.search(r"\b(fact|choice|unknown) ?[FCU]\d", table)


def test_a_handler_must_say_what_it_does():
    def silent(call):
        raise NotImplementedError

    router = Router()
    router.add("GET", "/x", silent, Access.PUBLIC)
    with pytest.raises(docs.DocsError, match="no title in AREAS"):
        docs.routes(router, "")
    with pytest.raises(docs.DocsError, match="silent has no docstring"):
        docs.what(silent)


def handler_that_says(text):
    def handler(call):
        raise NotImplementedError

    handler.__doc__ = text
    return handler


@pytest.mark.parametrize(
    ("docstring", "said"),
    [
        ("GET /x/{id}: one ``x`` (fact F1).", "one `x`"),
        (
            "POST and PATCH /x {a, b{c}}: makes it (facts F1, F2; choice C3), once.",
            "`{a, b{c}}`: makes it, once",
        ),
        ("PUT /x?where=...: all (as asked).", "`?where=...`: all (as asked)"),
        ("Answer: with 404.\n\nMore.", "Answer: with 404"),
    ],
)
def test_what_a_handler_does_is_told_without_its_call_and_its_facts(docstring, said):
    assert docs.what(handler_that_says(docstring)) == said


def test_the_lines_that_are_tested_are_those_of_the_makefile():
    makefile = (docs.ROOT / "Makefile").read_text()
    lines = re.search(r"^LINES := (.+)$", makefile, re.MULTILINE)
    assert lines is not None
    table = docs.lines()
    assert re.findall(r"^\| (\d\.\d+) \|", table, re.MULTILINE) == lines[1].split()[::-1]
    for line, release in re.findall(r"^\| (\d\.\d+) \| (\S+) \|", table, re.MULTILINE):
        assert release.startswith(f"{line}.")
        assert list((docs.ROOT / "constraints").glob(f"airflow-{release}-*.txt"))


def test_each_link_of_a_page_leads_to_a_page_of_the_site(tmp_path):
    pytest.importorskip("sphinx", reason="the site is built with the newest line's environment")
    from scripts import docs_pages

    docs_pages.lay_out(docs.ROOT, tmp_path)
    assert {"index.md", "findings.md", "changelog.md"} <= {each.name for each in tmp_path.iterdir()}
    names = {each.stem for each in docs.ROOT.glob("findings/*.sh")}
    assert {each.stem for each in (tmp_path / "findings").iterdir()} == names
