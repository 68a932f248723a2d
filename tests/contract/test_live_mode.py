"""How contract tests treat a live account. A second sandbox plays it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support import contract

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def account() -> Iterator[Sandbox]:
    with Sandbox(user_secret="live-user-secret", organization_secret="live-organization-secret") as sandbox:
        yield sandbox


def run(account: Sandbox, chosen: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run some contract tests with this account as the live one."""
    settings = {
        contract.LIVE_URL: account.url,
        contract.LIVE_USER: account.user_secret,
        contract.LIVE_ORGANIZATION: account.organization_secret,
        **environment,
    }
    own = (contract.LIVE_URL, contract.LIVE_USER, contract.LIVE_ORGANIZATION, contract.LIVE_WRITE)
    rest = {name: value for name, value in os.environ.items() if name not in (*own, contract.LIVE_INSTANCE)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen]
    return subprocess.run(
        [*command, "tests/contract/test_account.py", "tests/contract/test_instances.py"],
        cwd=ROOT,
        env={**rest, **{name: value for name, value in settings.items() if value}},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_a_second_variable_nothing_is_written(account: Sandbox):
    body = json.dumps(contract.Platform.of_sandbox(account).create_body)
    done = run(account, "[live] and (f12_ or f161_ or f259_)", **{contract.LIVE_INSTANCE: body})
    assert done.returncode == 0, done.stdout
    assert "1 passed, 2 skipped" in done.stdout
    assert {call["method"] for call in account.requests()} == {"GET"}


def test_what_a_test_makes_is_gone_afterwards_even_when_it_fails(account: Sandbox):
    body = contract.Platform.of_sandbox(account).create_body
    account.configure(masked_keys=["username"])  # so that F169 fails
    writes = {contract.LIVE_WRITE: "1", contract.LIVE_INSTANCE: json.dumps(body)}
    done = run(account, "[live] and (f161_ or f162_ or f169_ or f259_ or f262_)", **writes)
    assert done.returncode == 1, done.stdout
    assert "1 failed, 4 passed" in done.stdout
    assert account.counters()["by_call"]["POST /instances"] == 4
    assert account.instances() == []
    api = contract.Platform.of_sandbox(account)
    assert api.ask("GET", "/notifications/subscriptions") == []
    for secret in (account.user_secret, account.organization_secret, body["configuration"]["password"]):
        assert secret not in done.stdout + done.stderr


def test_a_live_account_has_to_be_named_whole(account: Sandbox):
    done = run(account, "[live] and f12_", **{contract.LIVE_ORGANIZATION: ""})
    assert done.returncode == 1
    assert f"the environment lacks {contract.LIVE_ORGANIZATION}" in done.stdout
    assert account.requests() == []
