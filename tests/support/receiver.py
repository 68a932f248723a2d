"""A receiver of the platform's deliveries: a real HTTP server, up or down as a test says."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Receiver:
    """A receiver that gives the answers that a test sets, and keeps what it got.

    ``status`` is what it answers; ``failures`` says how many deliveries more it answers with 500 first, and
    ``refused`` which events it never takes.
    """

    def __init__(self) -> None:
        self.status = 200
        self.failures = 0
        self.refused: set[str] = set()
        self.taken: list[str] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(receiver.answer(body["message"]["eventId"]))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/events?token=in-the-url"
        self._lock = threading.Lock()

    def answer(self, event_id: str) -> int:
        """Return the status to answer a delivery with, and keep it if it is taken."""
        with self._lock:
            if self.failures:
                self.failures -= 1
                return 500
            if event_id in self.refused:
                return 422
            if self.status < 300:
                self.taken.append(event_id)
            return self.status


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    threading.Thread(target=receiver.server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
