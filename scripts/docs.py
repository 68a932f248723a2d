"""Fill the parts of the documentation that come from the code: ``python -m scripts.docs``.

A part stands between two comments of a page. It is one of :data:`TABLES`, the gallery of the examples, the
arguments of a public name, or a marked part of an example:

.. code-block:: text

    <!-- filled by scripts/docs.py: errors -->
    <!-- filled by scripts/docs.py: arguments of pull_token -->
    <!-- filled by scripts/docs.py: example_wait_for_event.sensor -->
    <!-- end -->

An example marks a part with ``# [start: sensor]`` and ``# [end: sensor]``. Parts with the same name go into
one block. Without marks, the name of an operator or a function means the first statement that calls it.

``--check`` writes nothing, names each page that would change, and exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from airflow_provider_cloudelements import exceptions
from airflow_provider_cloudelements.connection_form import (
    CONNECTION_FIELDS,
    CONNECTION_STANDARD_FIELDS,
    ELEMENT_FIELDS,
    ELEMENT_STANDARD_FIELDS,
    FormField,
)
from airflow_provider_cloudelements.sandbox.core.router import REST, VERBS, Handler, Router
from airflow_provider_cloudelements.sandbox.routes import AREAS, api_router, control_router
from scripts import docs_arguments, docs_commands, public_names
from scripts.examples import TOPICS, examples

ROOT = Path(__file__).resolve().parents[1]
START = "<!-- filled by scripts/docs.py: "
END = "<!-- end -->"
#: What the name of the table of a public name's arguments begins with.
ARGUMENTS = "arguments of "

#: A row of the tree in the docstring of the errors: name, status, whether a retry helps.
_ERROR = re.compile(r"[ ─](CloudElements\w+)  +(?:(\S.*?)  +)?((?:helps|cannot help).*)$", re.MULTILINE)
#: The call that a handler answers, up to the colon. The table takes the call from the route instead.
_CALL = re.compile(rf"^(?:{'|'.join(VERBS)})\b.*?(?P<given>\?\S+| \{{[^/]*\}})?: ")
_CITED = re.compile(r" \((?:(?:fact|choice|unknown)s? )?[FCU]\d[^()]*\)")


class DocsError(Exception):
    """A page or an example has wrong marks."""


def errors() -> str:
    """Return the table of errors, from the tree in the module's docstring and the classes' docstrings."""
    return _table(
        ("error", "when", "status", "a retry"),
        (
            (f"`{name}`", _plain(_summary(getattr(exceptions, name))), status, retry)
            for name, status, retry in _ERROR.findall(exceptions.__doc__ or "")
        ),
    )


def fields(*groups: tuple[FormField, ...]) -> str:
    """Return the table of a connection's fields.

    :param groups: The fields, as the form lists them.
    """
    return _table(
        ("field", "in the form", "type", "default", "what it is"),
        (
            (f"`{each.name}`", each.form_label, _type_of(each), _default_of(each), each.description)
            for group in groups
            for each in group
        ),
    )


def routes(router: Router, prefix: str) -> str:
    """Return a table for each area of the sandbox: the calls, and what each does by its handler's docstring.

    :param router: The routes.
    :param prefix: The prefix of their paths.
    """
    areas: dict[str, dict[str, list[str]]] = {title: {} for title in AREAS.values()}
    for verb, template, handler in calls(router):
        module = sys.modules[handler.__module__]
        if module not in AREAS:
            raise DocsError(f"{module.__name__}: no title in AREAS of the sandbox's routes")
        call = f"`{verb} {prefix}{template.replace(REST, '...')}`".replace("` ", "`")
        areas[AREAS[module]].setdefault(what(handler), []).append(call)
    tables = (
        f"**{title}**\n\n"
        + _table(("call", "what it does"), ((", ".join(of), does) for does, of in rows.items()))
        for title, rows in areas.items()
        if rows
    )
    return "\n\n".join(tables)


def calls(router: Router) -> Iterator[tuple[str, str, Handler]]:
    """Yield verb, path and handler of each call; the verb is empty if all verbs have the same handler.

    :param router: The routes.
    """
    for route in router.routes:
        handlers = list(route.handlers.items())
        if len(handlers) == len(VERBS) and len({handler for _, handler in handlers}) == 1:
            handlers = [("", handlers[0][1])]
        for verb, handler in handlers:
            yield verb, route.template, handler


def what(handler: Handler) -> str:
    """Return the summary of a handler's docstring, without its call and the facts that it cites.

    :param handler: A handler of the sandbox's routes.
    """
    summary = _summary(handler)
    named = _CALL.match(summary)
    given = (named["given"] or "").strip() if named else ""
    does = _plain(summary[named.end() :] if named else summary).rstrip(".")
    return f"`{given}`: {does}" if given else does


def lines() -> str:
    """Return the table of the lines of Airflow that have a list in ``constraints``: what the tests run on."""
    found = [
        re.fullmatch(r"airflow-((\d+\.\d+)\..+)-py3(\d+)\.txt", path.name)
        for path in sorted((ROOT / "constraints").glob("airflow-*.txt"))
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pythons = [each.rpartition(" ")[2] for each in project["classifiers"] if re.search(r":: 3\.\d+$", each)]
    return _table(
        ("line of Airflow", "tested release", "Python"),
        ((each[2], each[1], f"{pythons[0]} to {pythons[-1]}") for each in reversed(found) if each),
    )


def names() -> str:
    """Return the table of the public modules, with the public names that have their home there."""
    home = public_names.homes()
    return _table(
        ("module", "what it is for", "public names"),
        (
            (
                f"`{name.removeprefix(public_names.PACKAGE + '.')}`",
                _plain(_summary(module)),
                ", ".join(f"`{own}`" for own in module.__all__ if home[own] == name),
            )
            for name, module in public_names.public_modules().items()
        ),
    )


def arguments(name: str) -> str:
    """Return the table of a public name's arguments, under a line that says whose they are.

    :param name: The public name.
    """
    try:
        head, rows = docs_arguments.table_of(name)
    except docs_arguments.ArgumentsError as error:
        raise DocsError(str(error)) from None
    return f"**Arguments of `{name}`**\n\n{_table(head, rows)}"


def command_line() -> str:
    """Return a section for each command of the command line."""
    sections = (
        f"### `{words}`\n\n{text}" + (f"\n\n{_table(rows[0], rows[1:])}" if rows else "")
        for words, text, rows in docs_commands.described()
    )
    return "\n\n".join(sections)


def _rows(rows: docs_commands.Rows) -> str:
    return _table(rows[0], rows[1:])


TABLES: dict[str, Callable[[], str]] = {
    "errors": errors,
    "lines": lines,
    "public names": names,
    "fields of cloudelements": lambda: fields(CONNECTION_STANDARD_FIELDS, CONNECTION_FIELDS),
    "fields of cloudelements_element": lambda: fields(ELEMENT_STANDARD_FIELDS, ELEMENT_FIELDS),
    "commands": lambda: _rows(docs_commands.overview()),
    "exit codes": lambda: _rows(docs_commands.exit_codes()),
    "command line": command_line,
    "routes": lambda: routes(api_router(), ""),
    "control routes": lambda: routes(control_router(), "/sandbox"),
}


def code(example: str, name: str, root: Path = ROOT) -> str:
    """Return a part of an example as a block of code.

    :param example: The module's name.
    :param name: The part's name: of marks, or of what the first statement of the part calls.
    :param root: Where ``example_dags`` is.
    """
    path = root / "example_dags" / f"{example}.py"
    if not path.is_file():
        raise DocsError(f"there is no {path.name} in example_dags")
    text = path.read_text()
    start, end = (rf"^ *# \[{word}: {re.escape(name)}\]\n" for word in ("start", "end"))
    parts = re.findall(rf"{start}(.*?){end}", text, re.MULTILINE | re.DOTALL)
    marks = [len(re.findall(each, text, re.MULTILINE)) for each in (start, end)]
    if not any(marks) and (statement := _statement(text, name)):
        return f"```python\n{statement}\n```"
    if not parts or marks != [len(parts)] * 2:
        raise DocsError(f"{path.name} does not call {name}, nor mark it with pairs of start and end")
    block = "\n".join(
        textwrap.dedent(re.sub(r"^ *# \[(?:start|end): .*\]\n", "", each, flags=re.M)) for each in parts
    )
    return f"```python\n{block.strip()}\n```"


def _statement(text: str, name: str) -> str:
    """Return the first of the smallest statements that call a name; nothing if there is none."""
    found = ""
    for node in ast.walk(ast.parse(text)):  # from the outside to the inside
        if isinstance(node, ast.stmt) and any(_calls(each, name) for each in ast.walk(node)):
            lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
            if not found or "\n".join(lines) in found:
                found = "\n".join(lines)
    return _formatted(textwrap.dedent(found)) if found else ""


@cache
def _formatted(code: str) -> str:
    """Return code as the formatter writes it in a page: less deep in a module, it may fit on fewer lines."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(ROOT / "block.py"), "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, check=True).stdout.strip()


def _calls(node: ast.AST, name: str) -> bool:
    """Return whether a node is a call of a name, or of the method of a name, such as ``X.partial(...)``."""
    called = node.func if isinstance(node, ast.Call) else None
    inner = called.value if isinstance(called, ast.Attribute) else called
    return isinstance(inner, ast.Name) and inner.id == name


def gallery(root: Path = ROOT) -> str:
    """Return a section for each example, by topic: its docstring, its picture and a link to its code.

    :param root: Where ``example_dags`` and ``docs`` are.
    """
    found = examples(root)
    lines: list[str] = []
    for topic, title in TOPICS.items():
        lines += [f"## {title}", ""]
        for each in (one for one in found if one.topic == topic):
            lines += [f"### {each.dag_id}", "", _plain(each.doc), ""]
            picture = f"images/{each.dag_id}.png"
            if (root / "docs" / picture).is_file():
                lines += [f"![Graph of {each.dag_id} after a run]({picture})", ""]
            path = each.path.relative_to(root).as_posix()
            lines += [f"Its code: [{path}](../{path})", ""]
    return "\n".join(lines).rstrip()


def filled(text: str, root: Path = ROOT) -> str:
    """Return a page with its parts filled.

    :param text: The page.
    :param root: Where ``example_dags`` is.
    """
    done: list[str] = []
    indent: str | None = None  # of the part that the line is in
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        is_start, is_end = stripped.startswith(START), stripped == END
        if (is_start and indent is not None) or (is_end and indent is None):
            raise DocsError(
                f"line {number}: {stripped} without the {'end' if is_start else 'start'} before it"
            )
        if is_start:
            indent = line[: len(line) - len(line.lstrip())]
            name = stripped.removeprefix(START).removesuffix("-->").strip()
            try:
                part = _part(name, root)
            except DocsError as error:
                raise DocsError(f"line {number}: {error}") from None
            done += [line, "", *textwrap.indent(part, indent).splitlines(), ""]
        elif is_end or indent is None:
            done.append(line)
            indent = None
    if indent is not None:
        raise DocsError(f"the last part has no {END}")
    return "\n".join(done) + "\n"


def pages(root: Path = ROOT) -> list[Path]:
    """Return the pages that may have parts.

    :param root: Where README.md and ``docs`` are.
    """
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Fill the pages, or check them.

    :param arguments: The command line's arguments.
    :param root: Where the pages and the examples are.
    """
    parser = argparse.ArgumentParser(description="Fill the parts of the documentation that the code knows.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a page would change"
    )
    check = parser.parse_args(arguments).check
    stale = []
    for page in pages(root):
        text = page.read_text()
        try:
            new = filled(text, root)
        except DocsError as error:
            print(f"{page.relative_to(root)}: {error}", file=sys.stderr)
            return 2
        if new != text:
            stale.append(page)
            print(
                f"{page.relative_to(root)} {'is not as the code says: make docs-fill' if check else 'filled'}"
            )
            if not check:
                page.write_text(new)
    return 1 if check and stale else 0


def _part(name: str, root: Path) -> str:
    """Return the part that a page names, or raise."""
    if name == "gallery":
        return gallery(root)
    if name in TABLES:
        return TABLES[name]()
    if name.startswith(ARGUMENTS):
        return arguments(name.removeprefix(ARGUMENTS))
    example, dot, mark = name.partition(".")
    if not dot or not re.fullmatch(r"\w+", example):
        there = ", ".join([*TABLES, "gallery", f"{ARGUMENTS}X"])
        raise DocsError(f"no part is called {name!r}; there are {there}, and example_x.part")
    return code(example, mark, root)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _summary(thing: object) -> str:
    """Return the first line of a docstring, or raise if there is none."""
    text = inspect.getdoc(thing)
    if not text:
        raise DocsError(f"{getattr(thing, '__qualname__', thing)} has no docstring")
    return text.partition("\n")[0]


def _plain(text: str) -> str:
    """Return a docstring's text as Markdown, without the facts that it cites."""
    return _CITED.sub("", text).replace("``", "`")


def _type_of(field: FormField) -> str:
    """Return a field's type, with its limits or choices."""
    kind = "secret" if field.kind == "word" else field.kind
    if field.choices:
        return ", ".join(f"`{each}`" for each in field.choices)
    if field.minimum is not None and field.maximum is not None:
        return f"{kind}, {field.minimum:g} to {field.maximum:g}"
    return kind


def _default_of(field: FormField) -> str:
    """Return a field's default as JSON, or nothing if it has none."""
    if field.default is None or field.default == "":
        return ""
    return f"`{field.default:g}`" if field.kind == "number" else f"`{str(field.default).lower()}`"


if __name__ == "__main__":
    raise SystemExit(main())
