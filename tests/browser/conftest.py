"""A browser for each module, and the pages of this provider with an Airflow that the module plays."""

from __future__ import annotations

import pytest

from tests.support.browsing import open_browser
from tests.support.pages import serving_pages


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def site():
    """The address of the pages, at its root and below a path."""
    with serving_pages("", "/some/path") as (address, _):
        yield address


@pytest.fixture
def complaints():
    """What the browser says of a page: lines of its console, errors, and dialogs."""
    return []


@pytest.fixture
def page(browser, airflow, complaints):
    """A tab whose calls of Airflow's REST API go to the module's ``airflow``."""
    opened = browser.new_page()
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append(dialog.message))
    opened.route("**/api/v2/**", airflow)
    yield opened
    opened.close()
    # The browser writes a line for each answer with an error.
    assert [each for each in complaints if "Failed to load resource" not in each] == []
