"""A headless chromium for tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts import browser
from scripts.local_airflow import PATIENCE
from tests.support.programs import needs

#: Most seconds that a page may take to load, and an element to appear.
SECONDS = 30


@contextlib.contextmanager
def open_browser(folder: Path) -> Iterator[Any]:
    """Run a browser with a profile of its own; gives the context whose ``new_page`` opens a tab.

    :param folder: an empty folder for the profile
    """
    needs("chromium", [browser.CHROMIUM])
    with browser.open_browser(folder) as context:
        context.set_default_timeout(SECONDS * PATIENCE * 1000)
        yield context


def picture(shown_part: Any, name: str) -> None:
    """Keep a picture if ``PICTURES`` names a folder. The pictures of the docs were made so.

    :param shown_part: a page, or a part of one
    :param name: name of the file, without its ending
    """
    if folder := os.environ.get("PICTURES"):
        shown_part.screenshot(path=f"{folder}/{name}.png")
