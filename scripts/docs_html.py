"""Check the finished pages of the documentation site: links, anchors, public names, search, dark mode."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: The page of the search, to which only the form of the search leads.
_MADE = ("search.html",)
_HOST = re.compile(r"[a-z0-9.-]+\.[a-z]{2,}|localhost|127\.0\.0\.1", re.IGNORECASE)


class _Page(HTMLParser):
    """The links, pictures and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if anchor := given.get("id"):
            self.anchors.add(anchor)
        for name in ("href", "src"):
            # The theme's own files are not ours; the rest of the head is no link of a page.
            if tag in ("a", "img") and (link := given.get(name)):
                self.links.add(link)


def faults(html: Path, public: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the site.

    :param html: The folder of the finished pages.
    :param public: The public names that must have an anchor, and the module of each.
    """
    pages = {path.relative_to(html).as_posix(): path for path in sorted(html.rglob("*.html"))}
    read = {name: _Page(path.read_text(encoding="utf-8")) for name, path in pages.items()}
    return [
        *(f"{name}: {fault}" for name, page in read.items() for fault in _broken(name, page, read, html)),
        *(f"{name}: no other page links to it" for name in _orphans(read)),
        *(f"{name}: not in the API reference" for name in _unmentioned(read, public)),
        *([] if (html / "searchindex.js").is_file() else ["there is no index for the search"]),
        *(f"{name}: no switch to dark mode" for name, path in pages.items() if not _has_switch(path)),
    ]


def _broken(name: str, page: _Page, read: dict[str, _Page], html: Path) -> Iterator[str]:
    """Yield the links of a page that lead nowhere."""
    for link in sorted(page.links):
        parts = urlsplit(link)
        if parts.scheme in ("http", "https"):
            if not _HOST.fullmatch(parts.hostname or ""):
                yield f"the link {link} names no host"
            continue
        if parts.scheme:
            if parts.scheme not in ("mailto", "data"):
                yield f"the link {link} is of an unknown kind"
            continue
        there = _place(name, parts.path)
        if not (html / there).is_file():
            yield f"the link {link} leads nowhere"
        elif parts.fragment and there in read and unquote(parts.fragment) not in read[there].anchors:
            yield f"the link {link} leads to no heading"


def _place(name: str, path: str) -> str:
    """Return the file that a link of a page leads to, from the site's folder."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(path))) if path else name


def _orphans(read: dict[str, _Page]) -> list[str]:
    """Return the pages to which the content of no other page leads."""
    linked = {
        _place(name, parts.path)
        for name, page in read.items()
        for parts in map(urlsplit, page.links)
        if parts.path and not parts.scheme
    }
    return [name for name in read if name not in linked and name not in _MADE]


def _unmentioned(read: dict[str, _Page], public: Mapping[str, str]) -> list[str]:
    """Return the public names that have no anchor."""
    anchors = set().union(*(page.anchors for page in read.values()))
    return [f"{module}.{name}" for name, module in public.items() if f"{module}.{name}" not in anchors]


def _has_switch(path: Path) -> bool:
    """Return whether a page has the theme's switch between light and dark."""
    return "theme-toggle" in path.read_text(encoding="utf-8")
