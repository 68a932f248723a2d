"""A sandbox over real HTTP, and a small caller that knows its secrets."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from airflow_provider_cloudelements.sandbox.pytest_plugin import (  # noqa: F401 - fixtures
    cloudelements_sandbox,
    cloudelements_sandbox_server,
)
from tests.support.api import Api


class Receiver:
    """A receiver of notifications on the loopback interface.

    ``statuses`` are answered one after the other, then 200; ``seconds`` is how long each answer takes.
    """

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.seconds = 0.0
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.moments: list[float] = []
        self.lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    receiver.moments.append(time.monotonic())
                    receiver.got.append((self.path, dict(self.headers), body))
                    status = receiver.statuses.pop(0) if receiver.statuses else 200
                time.sleep(receiver.seconds)
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?q=1"

    def bodies(self) -> list[dict[str, Any]]:
        with self.lock:
            return [json.loads(body) for _, _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


@pytest.fixture
def sandbox(cloudelements_sandbox: Sandbox) -> Sandbox:  # noqa: F811 - the fixture, not the import
    return cloudelements_sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    return Api(sandbox)
