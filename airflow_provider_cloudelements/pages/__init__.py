"""The static pages that Airflow's API server shows. The browser gets all data from Airflow's REST API.

A page is a file of HTML, with its style and its script in files beside it. One answer holds all of it. So a
page works at whatever path Airflow is served under, and its Content-Security-Policy allows this script alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["answer"]

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

#: The pages, by the last part of their path.
PAGES = ("consent", "instances")
#: The script of all pages, before their own.
SHARED = "airflow.js"
#: What stands in the HTML where the style and the script go.
STYLE, SCRIPT = "<!-- style -->", "<!-- script -->"
_TEXT = b"text/plain; charset=utf-8"


@dataclass(frozen=True)
class Page:
    """A page, ready to be sent.

    :param body: its HTML, with style and script.
    :param policy: its Content-Security-Policy.
    """

    body: bytes
    policy: bytes


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request, as an ASGI application.

    The query holds a vendor's answer. Nothing here reads it. The server writes its access log from the same
    scope after us, so the function takes the query out.

    :param scope: the request.
    :param receive: not used; a page takes no body.
    :param send: takes the answer.
    """
    if scope["type"] != "http":
        await send({"type": "websocket.close"})
        return
    scope["query_string"] = b""
    status, kind, body, policy = _answer(scope["method"], scope["path"])
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", policy),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cache-control", b"no-store"),
    ]
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _answer(method: str, path: str) -> tuple[int, bytes, bytes, bytes]:
    """Return status, type, body and policy."""
    name = path.rstrip("/").rpartition("/")[2]
    if name not in PAGES:
        return 404, _TEXT, b"There is no such page.\n", b"default-src 'none'"
    if method not in ("GET", "HEAD"):
        return 405, _TEXT, b"This page is only read.\n", b"default-src 'none'"
    page = load(name)
    return 200, b"text/html; charset=utf-8", page.body, page.policy


@cache
def load(name: str) -> Page:
    """Read a page from its files.

    :param name: the page.
    """
    folder = files(__name__)
    style = (folder / f"{name}.css").read_text("utf-8")
    script = "".join((folder / file).read_text("utf-8") for file in (SHARED, f"{name}.js"))
    html = (folder / f"{name}.html").read_text("utf-8")
    html = html.replace(STYLE, f"<style>{style}</style>").replace(SCRIPT, f"<script>{script}</script>")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )
    return Page(html.encode("utf-8"), policy.encode("ascii"))


def _hash(text: str) -> str:
    """Return the name by which a Content-Security-Policy allows a style or a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"
