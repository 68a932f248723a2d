"""A server of prepared bytes: one page of a list, as often as asked for.

So a figure holds the caller's work alone.

The sandbox makes each page anew, which takes longer than to read it, and on two cores it also takes the
reader's time.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator

from benchmarks.setting import ROOT

_PAGE = re.compile(rb"[?&]nextPage=(\d+)")


@contextlib.contextmanager
def serving(body: bytes, pages: int) -> Iterator[str]:
    """Start the server in a process of its own, and yield its address.

    :param body: JSON of a page.
    :param pages: How many such pages the list has.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        with subprocess.Popen(
            [sys.executable, "-m", __name__, file.name, str(pages)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                yield f"http://127.0.0.1:{int(process.stdout.readline())}"
            finally:
                process.terminate()


def _serve(connection: socket.socket, body: bytes, pages: int) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as stream:
        while line := stream.readline():
            while stream.readline().strip():
                pass  # the other headers
            found = _PAGE.search(line)
            following = int(found[1]) + 1 if found else 1
            token = b"elements-next-page-token: %d\r\n" % following if following < pages else b""
            head = (
                b"HTTP/1.1 200 OK\r\n%scontent-length: %d\r\ncontent-type: application/json\r\n"
                b"date: Mon, 30 Nov 2026 15:07:39 GMT\r\nelements-request-id: aaaa3c2546fad88a\r\n\r\n"
            )
            connection.sendall(head % (token, len(body)) + body)


def _main(name: str, pages: str) -> None:
    with open(name, "rb") as file:
        body = file.read()
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_serve, args=(connection, body, int(pages)), daemon=True).start()


if __name__ == "__main__":
    _main(*sys.argv[1:])
