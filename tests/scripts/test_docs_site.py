"""The documentation site: it builds without a fault, it is whole, and a fault in it fails the build."""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sphinx", reason="the site is built with the newest line's environment")

from scripts.docs_html import faults
from scripts.docs_site import ROOT
from scripts.public_names import homes
from tests.support.browsing import open_browser

# The whole site is built once: what needs it runs in one process.
pytestmark = [pytest.mark.slow, pytest.mark.lane("docs")]

PLANTED = '''"""A module."""


def good() -> None:
    """See :meth:`str.title`, :func:`good` and :class:`AirflowSkipException`."""


def bad() -> None:
    """See :func:`gone`."""


def silent() -> None:
    pass
'''
INDEX = "# A site\n\n## Start\n\n- [One](one.md): first\n- [Two](two.md#below): second\n"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *args: object) -> None: ...


def make(root: Path, target: Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "scripts.docs_site", "--root", root, "--target", target]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> Path:
    """The finished pages of the whole site."""
    target = tmp_path_factory.mktemp("site")
    made = make(ROOT, target)
    assert made.returncode == 0, made.stderr
    return target / "html"


@pytest.fixture
def small(tmp_path):
    """A project with three pages."""
    shutil.copytree(ROOT / "docs" / "_ext", tmp_path / "docs" / "_ext")
    shutil.copytree(ROOT / "docs" / "_static", tmp_path / "docs" / "_static")
    shutil.copy(ROOT / "docs" / "conf.py", tmp_path / "docs")
    (tmp_path / "docs" / "index.md").write_text(INDEX)
    (tmp_path / "docs" / "one.md").write_text(
        "# One\n\nSee [two](two.md#below) and [below](#more).\n\n## More\n"
    )
    (tmp_path / "docs" / "two.md").write_text("# Two\n\n## Below\n\n[Back](one.md)\n")
    return tmp_path


def test_each_public_name_has_its_place(html):
    text = {page.name: page.read_text() for page in (html / "api").glob("*.html")}
    assert len(homes()) >= 70
    for name, module in homes().items():
        page = text[module.partition(".")[2] + ".html"]
        assert f'id="{module}.{name}"' in page


def test_each_page_has_the_search_the_switch_and_the_version(html):
    from airflow_provider_cloudelements import __version__

    pages = list(html.rglob("*.html"))
    assert len(pages) >= 60
    for page in pages:
        text = page.read_text()
        assert re.search(rf"<title>.*{re.escape(__version__)}.*</title>", text), page.name
        assert 'class="theme-toggle' in text, page.name
        assert 'role="search"' in text, page.name


def test_the_search_finds_an_operator_and_a_page(html):
    index = (html / "searchindex.js").read_text()
    found = json.loads(index[index.index("(") + 1 : index.rindex(")")])
    assert "operators" in found["docnames"]
    assert {"idempot", "fingerprint"} <= set(found["terms"])
    assert "cloudelementscreateinstanceoper" in found["titleterms"]


def test_the_finished_pages_have_no_fault_and_one_is_found(html, tmp_path):
    assert faults(html, homes()) == []
    copy = shutil.copytree(html, tmp_path / "html")
    page = copy / "identity.html"
    page.write_text(page.read_text().replace('id="credentials"', 'id="other"'))
    (copy / "searchindex.js").unlink()
    (copy / "lonely.html").write_text('<a href="https://localhost:1">x</a><a href="https://no host/">y</a>')
    found = faults(copy, {**homes(), "CloudElementsPlanted": "airflow_provider_cloudelements.client"})
    assert "identity.html: the link #credentials leads to no heading" in found
    assert "lonely.html: no other page links to it" in found
    assert "lonely.html: no switch to dark mode" in found
    assert "lonely.html: the link https://no host/ names no host" in found
    assert "airflow_provider_cloudelements.client.CloudElementsPlanted: not in the API reference" in found
    assert "there is no index for the search" in found


@pytest.fixture
def address(html):
    """Where a web server gives the finished pages: under file:// one page may not fetch another."""
    handler = functools.partial(Quiet, directory=html)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.browser
def test_a_person_searches_switches_to_dark_and_reads_on_a_phone(html, address, tmp_path):
    from playwright.sync_api import expect

    with open_browser(tmp_path) as browser:
        broken: list[str] = []

        def open_page(path: str) -> Any:
            page = browser.new_page()
            page.set_viewport_size({"width": 1280, "height": 900})
            page.emulate_media(color_scheme="light")
            page.on("pageerror", lambda error: broken.append(str(error)))
            page.goto(f"{address}/{path}")
            return page

        # The search keeps its tab: each result fetches a line of its page, and who leaves breaks that off.
        search = open_page("index.html")
        search.get_by_role("search").get_by_placeholder("Search").fill("re-authenticate")
        search.keyboard.press("Enter")
        expect(search.locator("#search-results")).to_contain_text(
            "CloudElementsReauthenticateInstanceOperator"
        )
        page = open_page("operators.html")
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.locator("button.theme-toggle:visible").first.click()
        assert page.evaluate("document.body.dataset.theme") == "dark"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            for each in sorted(html.glob("*.html")):
                page.goto(f"{address}/{each.name}")
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (each.name, width)
    assert broken == []


def test_each_fault_of_a_page_fails_the_build_until_it_is_mended(small, tmp_path):
    docs, built = small / "docs", tmp_path / "built"
    good = (docs / "two.md").read_text()
    (docs / "two.md").write_text(f"{good}\n[broken](three.md)\n")
    made = make(small, built)
    assert (made.returncode, made.stderr.splitlines()[0]) == (
        1,
        "docs/two.md: the site has no page for the link to three.md",
    )
    (docs / "two.md").write_text(
        f"{good}\n[a](one.md#gone), [b](#lost), [c](https://nowhere/)\n\n```{{no-such}}\n```\n"
    )
    (docs / "three.md").write_text("# Three\n")
    made = make(small, built)
    assert made.returncode == 1
    assert "gone" in made.stderr
    assert "lost" in made.stderr
    assert "two.html: the link https://nowhere/ names no host" in made.stderr
    assert "Unknown directive type: 'no-such'" in made.stderr
    assert "three.md: WARNING: document isn't included in any toctree" in made.stderr
    assert "three.html: no other page links to it" in made.stderr
    (docs / "two.md").write_text(good)
    (docs / "three.md").unlink()
    made = make(small, built)
    assert made.returncode == 0, made.stderr
    assert not (built / "html" / "three.html").exists()


def test_the_reference_names_what_exists_and_is_described(small, tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text(PLANTED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (small / "docs" / "two.md").open("a") as file:
        file.write("\n```{eval-rst}\n.. automodule:: planted\n   :members:\n   :undoc-members:\n```\n")
    made = make(small, tmp_path / "built")
    assert "py:func reference target not found: gone" in made.stderr
    assert "planted.silent is public and has no docstring" in made.stderr
    assert made.stderr.count("WARNING") == 2, made.stderr
    assert made.returncode == 1
