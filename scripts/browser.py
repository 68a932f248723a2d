"""A headless chromium, for pictures and for tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
def open_browser(folder: Path, width: int = 1100, height: int = 1500) -> Iterator[Any]:
    """
    Run a browser with a profile of its own; gives the context whose ``new_page`` opens a tab.

    :param folder: an empty folder for the profile
    :param width: width of the window in pixels
    :param height: its height in pixels
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder,
            executable_path=CHROMIUM,
            args=ARGUMENTS,
            viewport={"width": width, "height": height},
        )
        yield context
        context.close()
