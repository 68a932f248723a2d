"""Something that stands between client and sandbox, writes down what passes, and can refuse connections."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_cloudelements.sandbox import Sandbox


class Relay:
    """Stands between client and sandbox: writes down what passes, and can be shut to refuse connections."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._target = urlsplit(sandbox.url)
        self._port = 0
        self.seen: list[tuple[str, str, Any]] = []
        #: Shut before the next answer goes out, so that the call after it is refused.
        self.shut_after_next = False
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def bodies(self, method: str) -> list[Any]:
        """Return the JSON bodies sent with a verb."""
        return [body for verb, _, body in self.seen if verb == method]

    def open(self) -> None:
        """Listen, on the same port each time."""
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                relay.seen.append((self.command, self.path, json.loads(body) if body else None))
                status, content = relay._forward(self.command, self.path, body, self.headers["Authorization"])
                if relay.shut_after_next:
                    relay.shut_after_next = False
                    relay.close()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        server.daemon_threads, server.block_on_close = True, False
        self._server: http.server.ThreadingHTTPServer | None = server
        self._port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def _forward(self, method: str, path: str, body: bytes, authorization: str) -> tuple[int, bytes]:
        onward = http.client.HTTPConnection(self._target.hostname or "", self._target.port, timeout=30)
        try:
            headers = {"Authorization": authorization, "Content-Type": "application/json"}
            onward.request(method, path, body, headers)
            answer = onward.getresponse()
            return answer.status, answer.read()
        finally:
            onward.close()

    def close(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextlib.contextmanager
def relaying(sandbox: Sandbox) -> Iterator[Relay]:
    relay = Relay(sandbox)
    try:
        yield relay
    finally:
        relay.close()
