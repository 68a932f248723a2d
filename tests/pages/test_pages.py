"""The pages that Airflow's API server shows: one answer, which says what a browser may do with it."""

from __future__ import annotations

import base64
import hashlib
import re
import time

import pytest
import requests

from airflow_provider_cloudelements.pages import PAGES, load
from airflow_provider_cloudelements.plugin import pages
from tests.support.pages import serving_pages

BACK = "?code=the-spent-code&state=the-state"


@pytest.fixture(scope="module")
def site():
    """Serve the pages with an access log; gives the address and the log's lines."""
    with serving_pages("", "/some/path") as served:
        yield served


def get(site, path, method="GET"):
    return requests.request(method, site[0] + path, timeout=10, allow_redirects=False)


def policy_of(answer):
    pairs = (part.strip().partition(" ") for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("path", ["/cloudelements/consent", "/cloudelements/consent/"])
@pytest.mark.parametrize("below", ["", "/some/path"])
def test_the_page_is_there_with_all_that_it_needs(site, below, path):
    answer = get(site, below + path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<!-- " not in answer.text
    # No other request, so that nothing depends on the path, and no third party learns of the visit.
    assert re.findall(r"(?:src|href|action)=\"(.*?)\"", answer.text) == ["data:,"]
    assert "@import" not in answer.text


def test_the_browser_runs_this_script_alone_and_tells_nobody_the_address(site):
    answer = get(site, f"/cloudelements/consent{BACK}")
    policy = policy_of(answer)
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert policy[kind] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in str(policy)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def script_of(page):
    return load(page).body.decode().partition("<script>")[2]


@pytest.mark.parametrize("page", PAGES)
def test_no_markup_is_made_from_texts(page):
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert way not in script_of(page)
    assert ".textContent = " in script_of(page)


def test_the_history_loses_the_code_before_the_page_asks_for_anything():
    definition, _, own = script_of("consent").partition("(() => {")
    assert definition.count("fetch(") == 1
    assert "fetch(" not in own
    assert own.index("history.replaceState(") < own.index("askAirflow(")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_the_access_log_has_no_code(site, method):
    _, lines = site
    before = len(lines)
    get(site, f"/cloudelements/consent{BACK}", method)
    get(site, f"/cloudelements/other{BACK}", method)
    deadline = time.monotonic() + 10
    while len(lines) < before + 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(lines) == before + 2
    assert all("/cloudelements/" in line for line in lines[before:])
    assert not [line for line in lines if "code" in line or "state" in line]


def test_there_is_nothing_else(site):
    for path in ("/cloudelements", "/cloudelements/", "/cloudelements/consent.js", "/cloudelements/x"):
        assert get(site, path).status_code in (404, 307)
    assert get(site, "/cloudelements/x").headers["Content-Security-Policy"] == "default-src 'none'"
    refused = get(site, "/cloudelements/consent", "POST")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
    head = get(site, "/cloudelements/consent", "HEAD")
    assert head.content == b""
    assert int(head.headers["Content-Length"]) == len(load("consent").body)
    assert PAGES == ("consent", "instances")


async def test_a_websocket_is_closed():
    sent = []

    async def send(message):
        sent.append(message)

    await pages({"type": "websocket", "path": "/cloudelements/consent"}, None, send)
    assert sent == [{"type": "websocket.close"}]
