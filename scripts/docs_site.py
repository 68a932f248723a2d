"""Build the documentation site: ``make docs``, into build/docs.

Sphinx takes every warning for an error: a link that leads nowhere, a page that no list names, a public name
without a docstring. Then :mod:`scripts.docs_html` reads the finished pages.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import time
from pathlib import Path

from scripts.docs_html import faults
from scripts.docs_pages import PagesError, lay_out
from scripts.public_names import homes

ROOT = Path(__file__).resolve().parents[1]


def build(root: Path, target: Path) -> list[str]:
    """Build the site and return what is wrong with it, one text for each fault.

    :param root: The project.
    :param target: The folder to build in: the pages are in ``html`` of it.
    """
    from sphinx.application import Sphinx
    from sphinx.util.console import strip_colors
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    source, doctrees, html = (target / name for name in ("source", "doctrees", "html"))
    # Sphinx can build only what has changed; but then it does not repeat its warnings, and sidebars stay old.
    for folder in (source, doctrees, html):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        lay_out(root, source)
    except PagesError as error:
        return [str(error)]
    warnings = io.StringIO()
    with patch_docutils(), docutils_namespace():
        app = Sphinx(source, source, html, doctrees, "html", status=None, warning=warnings)
        app.build()
    public = homes() if (root / "docs" / "api.md").is_file() else {}
    return [*strip_colors(warnings.getvalue()).splitlines(), *faults(html, public)]


def main(arguments: list[str] | None = None) -> int:
    """Build the site and return the exit code: 1 if something is wrong with it.

    :param arguments: The command line's arguments.
    """
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of the project")
    parser.add_argument("--target", type=Path, default=ROOT / "build" / "docs", help="folder to build in")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    found = build(options.root, options.target)
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        print(f"{len(found)} faults in the documentation", file=sys.stderr)
        return 1
    print(f"{options.target / 'html' / 'index.html'} built in {time.monotonic() - begun:.0f} seconds")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
