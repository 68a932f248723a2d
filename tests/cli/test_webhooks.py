"""The command that makes a webhook's connection; real Airflows run it in tests/airflow/test_webhooks.py."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Connection

from airflow_provider_cloudelements.webhooks import DEFAULT_WEBHOOK_CONN_ID, WebhookSettings


def test_the_command_shows_a_connection_where_it_is_asked_to(ce):
    address = "https://hooks.example.com/ce"
    shown = ce("webhook-connection", "--show", "--callback-url", address, "--store-payload", "none").json
    assert shown["extra"]["store_payload"] == "none"
    settings = WebhookSettings.from_connection(
        Connection.from_json(json.dumps(shown), conn_id=DEFAULT_WEBHOOK_CONN_ID)
    )
    assert settings.address() == address


@pytest.mark.parametrize(
    ("words", "reason"),
    [(["--conn-id", "cloudelements"], "--conn-id"), (["--callback-url", "nowhere"], "callback_url")],
)
def test_the_command_refuses_what_cannot_work(words, reason, ce):
    ended = ce("webhook-connection", "--show", *words)
    assert (ended.code, ended.out) == (2, "")
    assert reason in ended.err
