"""Secrets backends: an operator finds both of its connections there, and in no other place."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.backends import PASSWORD, connections, create_by
from tests.support.platform import Person

pytestmark = pytest.mark.airflow

VAULT_TOKEN = "hvs.a-token-of-a-vault"


def assert_made(printed, sandbox):
    """The instance that the program made is there, with what only the backend knew; no secret is printed."""
    (made,) = sandbox.instances()
    assert f"<made {made['id']}>" in printed
    assert made["name"] == "From a backend"
    for secret in (sandbox.user_secret, sandbox.organization_secret, PASSWORD, VAULT_TOKEN):
        assert secret not in printed
    assert Person(sandbox).show(made["id"])["configuration"]["username"] == "ada"


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_the_local_filesystem(form, airflow_database, cloudelements_sandbox, tmp_path):
    # JSON is YAML as well; the suffix says which reader takes the file.
    file = tmp_path / f"connections.{form}"
    file.write_text(json.dumps(connections(cloudelements_sandbox.connection())))
    backend = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
    assert_made(create_by(backend, connections_file_path=str(file)), cloudelements_sandbox)


@contextlib.contextmanager
def vault(rows) -> Iterator[tuple[str, list[str]]]:
    """Serve rows as Vault's key-value engine 2 does; yield its address and the paths of its calls."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            name = self.path.partition("?")[0].removeprefix("/v1/secret/data/connections/")
            allowed = self.headers["X-Vault-Token"] == VAULT_TOKEN
            if self.path.startswith("/v1/auth/token/lookup-self"):
                status, body = (200, {"data": {"id": "x"}}) if allowed else (403, {"errors": ["denied"]})
            elif not allowed:
                status, body = 403, {"errors": ["permission denied"]}
            elif name in rows:
                metadata = {"version": 1, "created_time": "2026-11-01T00:00:00Z", "deletion_time": ""}
                status, body = 200, {"data": {"data": rows[name], "metadata": metadata}}
            else:
                status, body = 404, {"errors": []}
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


@pytest.mark.nightly
@pytest.mark.parametrize("extra", [json.dumps, dict], ids=["extra as text", "extra as an object"])
def test_a_vault(extra, airflow_database, cloudelements_sandbox):
    pytest.importorskip("airflow.providers.hashicorp")
    rows = connections(cloudelements_sandbox.connection())
    rows = {name: {**fields, "extra": extra(fields["extra"])} for name, fields in rows.items()}
    with vault(rows) as (url, asked):
        printed = create_by(
            "airflow.providers.hashicorp.secrets.vault.VaultBackend",
            url=url,
            token=VAULT_TOKEN,
            mount_point="secret",
            connections_path="connections",
        )
    assert_made(printed, cloudelements_sandbox)
    assert {path.rpartition("/")[2].partition("?")[0] for path in asked} >= set(rows)
