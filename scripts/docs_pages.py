"""Lay out the pages of the documentation site: the source that Sphinx builds it from.

The pages are Markdown that GitHub shows as well, with links from file to file. On the site a link leads to a
page of the site: those in ``docs/``, the changelog and the notes for contributors, a page for each example
and each finding, and those of the API reference. The lists of links in ``docs/index.md`` are the one home of
the navigation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from scripts import docs_reference

#: Pages that do not stand in ``docs/``, and their names on the site.
OUTSIDE = {
    "README.md": "overview.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "constraints/README.md": "constraints.md",
    "findings/README.md": "findings.md",
}
#: The page below which the site makes one for each script of ``findings/``.
FINDINGS = "findings.md"
#: The page below which the site makes one for each public module.
API = "api.md"
#: The page below which the site makes one for each example, or the first page as long as there is no gallery.
EXAMPLES = ("gallery.md", "index.md")
_FENCE = re.compile(r"^ *(```+|~~~+)")
#: A link or a picture, whose text may hold code and a picture; or code, which holds none.
_LINK = re.compile(
    r"(!?\[(?:[^\[\]]|!?\[[^\]]*\](?:\([^)]*\))?)*\]\()([^)\s]+)(\))|(`+)(?:(?!\4).)+?\4(?!`)", re.DOTALL
)
_LISTED = re.compile(r"^[-*] +\[([^\]]+)\]\(([^)#]+)(?:#[^)]*)?\)", re.MULTILINE)


class PagesError(Exception):
    """A page of the site has a fault."""


def lay_out(root: Path, target: Path) -> None:
    """Write the source of the site.

    :param root: The project.
    :param target: The folder to write to.
    """
    for name, content in _files(root):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file of the source."""
    docs = root / "docs"
    for path in [*docs.rglob("*.py"), *docs.rglob("_static/*"), *docs.rglob("images/*")]:
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(docs).as_posix(), path.read_bytes()
    children: dict[str, dict[str, str]] = {
        _parent(root): {f"examples/{path.stem}.md": _of_code(path, root) for path in _code(root)}
    }
    if scripts := _findings(root):
        children[FINDINGS] = {f"findings/{path.stem}.md": _of_code(path, root) for path in scripts}
    if (docs / API).is_file():
        children[API] = {f"api/{name}.rst": text for name, text in docs_reference.pages()}
    places = _places(root)
    for name in (each for each in places if each.endswith(".md")):
        place = places[name]
        text = _with_links((root / name).read_text(), name, place, places, root)
        if place == "index.md":
            text += _navigation(text)
        if place in children:
            names = [child.rpartition(".")[0] for child in children[place]]
            text += _toctree(names, "Examples" if place == "index.md" else "")
        if place == API:
            text = re.sub(r"^\| `([a-z_.]+)` \|", r"| [`\1`](api/\1.rst) |", text, flags=re.MULTILINE)
        yield place, text.encode()
    for made in children.values():
        yield from ((name, text.encode()) for name, text in made.items())


def _parent(root: Path) -> str:
    """Return the page below which the examples stand."""
    return next(each for each in EXAMPLES if (root / "docs" / each).is_file())


def _code(root: Path) -> list[Path]:
    """Return the files of Python that pages show."""
    return sorted([*root.glob("example_dags/*.py"), *root.glob("docs/recipes/*.py")])


def _findings(root: Path) -> list[Path]:
    """Return the scripts that record how tools of others behave."""
    return sorted(root.glob("findings/*.sh"))


def _places(root: Path) -> dict[str, str]:
    """Return the path on the site of each file that has a page there."""
    places = {f"docs/{path.name}": path.name for path in (root / "docs").glob("*.md")}
    places |= {name: place for name, place in OUTSIDE.items() if (root / name).is_file()}
    places |= {path.relative_to(root).as_posix(): f"examples/{path.stem}.md" for path in _code(root)}
    places |= {path.relative_to(root).as_posix(): f"findings/{path.stem}.md" for path in _findings(root)}
    return places | {"example_dags": _parent(root)}


def _of_code(path: Path, root: Path) -> str:
    """Return the page of an example or a finding."""
    language = {".py": "python", ".sh": "bash"}[path.suffix]
    return f"# {path.stem}\n\n`{path.relative_to(root)}`\n\n```{language}\n{path.read_text().strip()}\n```\n"


def _with_links(text: str, name: str, place: str, places: dict[str, str], root: Path) -> str:
    """Return a page whose links lead to pages of the site.

    :param text: The page.
    :param name: Its path in the project.
    :param place: Its path on the site.
    :param places: The path on the site of each file that has a page.
    :param root: The project.
    """

    def led(match: re.Match[str]) -> str:
        if match[2] is None:
            return match[0]
        path, mark, anchor = match[2].partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return match[0]
        file = os.path.normpath(PurePosixPath(name).parent / path)
        if file in places:
            there = places[file]
        elif file.startswith("docs/") and (root / file).is_file():
            there = file.removeprefix("docs/")
        else:
            raise PagesError(f"{name}: the site has no page for the link to {match[2]}")
        return match[1] + os.path.relpath(there, PurePosixPath(place).parent) + mark + anchor + match[3]

    return "".join(part if is_code else _LINK.sub(led, part) for part, is_code in _parts(text))


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield a page's parts: the text, and the blocks of code, which are marked as such."""
    lines: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        if found and not fence:
            yield "".join(lines), False
            lines, fence = [line], found[1]
        elif fence and line.strip() == fence:
            yield "".join([*lines, line]), True
            lines, fence = [], ""
        else:
            lines.append(line)
    yield "".join(lines), bool(fence)


def _navigation(index: str) -> str:
    """Return the hidden lists of pages for the sidebar: one for the list of links under each heading."""
    parts = re.split(r"^## (.+)$", index, flags=re.MULTILINE)
    found = [(caption, _LISTED.findall(part)) for caption, part in zip(parts[1::2], parts[2::2], strict=True)]
    return "".join(
        _toctree([f"{title} <{page.removesuffix('.md')}>" for title, page in listed], caption)
        for caption, listed in found
        if listed
    )


def _toctree(pages: list[str], caption: str = "") -> str:
    """Return a hidden list of pages."""
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(
        ["", "```{toctree}", *options, "", *(page.removesuffix(".md") for page in pages), "```", ""]
    )
