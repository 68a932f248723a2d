"""The pages without Airflow, mounted and wrapped as in its API server, with uvicorn's access log."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

from airflow_provider_cloudelements.plugin import PREFIX, pages


@contextlib.contextmanager
def serving_pages(*below: str) -> Iterator[tuple[str, list[str]]]:
    """Serve the pages; gives the address and the lines of the access log.

    :param below: paths under which an Airflow may be served; an empty one is the root
    """
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    async def as_airflow_refreshes_tokens(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    app = Starlette(routes=[Mount(path + PREFIX, app=pages) for path in below])
    app.add_middleware(BaseHTTPMiddleware, dispatch=as_airflow_refreshes_tokens)
    app.add_middleware(GZipMiddleware)
    config = uvicorn.Config(app, log_level="info", lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    log = logging.getLogger("uvicorn.access")
    before, handler = log.level, Kept()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", lines
    finally:
        server.should_exit = True
        thread.join()
        log.removeHandler(handler)
        log.setLevel(before)
