"""Secrets backends: an operator finds both of its connections there, and in no other place."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tests.support.backends import PASSWORD, connections, create_by
from tests.support.platform import Person

pytestmark = pytest.mark.airflow

VAULT_TOKEN = "hvs.a-token-of-a-vault"
#: What the clients of AWS need; the imitation takes any.
AWS = {
    "AWS_ACCESS_KEY_ID": "AKIA-of-tests",
    "AWS_SECRET_ACCESS_KEY": "of-tests",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


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


@pytest.mark.nightly
@pytest.mark.parametrize("extra", [json.dumps, dict], ids=["extra as text", "extra as an object"])
def test_aws_secrets_manager(extra, airflow_database, cloudelements_sandbox, monkeypatch):
    pytest.importorskip("airflow.providers.amazon")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        requests.post(f"{address}/moto-api/reset", timeout=30)  # its memory is the process's
        client = pytest.importorskip("boto3").client("secretsmanager", endpoint_url=address)
        for name, fields in connections(cloudelements_sandbox.connection()).items():
            text = json.dumps({**fields, "extra": extra(fields["extra"])})
            client.create_secret(Name=f"airflow/connections/{name}", SecretString=text)
        printed = create_by(
            "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend",
            connections_prefix="airflow/connections",
            endpoint_url=address,
        )
    finally:
        server.stop()
    assert_made(printed, cloudelements_sandbox)
