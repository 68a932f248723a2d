"""A headless chromium for tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.programs import needs

CHROMIUM = Path("/usr/bin/chromium")
#: Chromium looks up its maker's hosts at every start unless told not to; nothing here leaves this machine.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def open_browser(folder: Path) -> Iterator[Any]:
    """Run a browser with a profile of its own; gives the context whose ``new_page`` opens a tab.

    :param folder: an empty folder for the profile
    """
    from playwright.sync_api import sync_playwright

    needs("chromium", [CHROMIUM])
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=CHROMIUM, args=ARGUMENTS, viewport={"width": 1100, "height": 1500}
        )
        yield context
        context.close()


def picture(shown_part: Any, name: str) -> None:
    """Keep a picture if ``PICTURES`` names a folder. The pictures of the docs were made so.

    :param shown_part: a page, or a part of one
    :param name: name of the file, without its ending
    """
    if folder := os.environ.get("PICTURES"):
        shown_part.screenshot(path=f"{folder}/{name}.png")
