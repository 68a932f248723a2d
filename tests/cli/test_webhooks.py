"""The command that makes a webhook's connection; real Airflows run it in tests/airflow/test_webhooks.py."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Connection

from airflow_provider_cloudelements.cli import webhooks
from airflow_provider_cloudelements.webhooks import DEFAULT_WEBHOOK_CONN_ID, WebhookSettings


def test_the_command_shows_a_connection_where_it_is_asked_to(ce):
    address = "https://hooks.example.com/ce"
    shown = ce("webhook-connection", "--show", "--callback-url", address, "--store-payload", "none").json
    assert shown["extra"]["store_payload"] == "none"
    settings = WebhookSettings.from_connection(
        Connection.from_json(json.dumps(shown), conn_id=DEFAULT_WEBHOOK_CONN_ID)
    )
    assert settings.address() == address


def test_the_command_prints_host_and_path_of_an_address_alone(ce, monkeypatch):
    monkeypatch.setattr(webhooks, "_store", lambda conn_id, connection: True)
    address = "https://ada:hidden1@x.example/in;s=hidden2?token=hidden3#hidden4"
    ended = ce("webhook-connection", "--callback-url", address)
    assert "https://***@x.example/in;s=***?token=***#***" in ended.out
    assert "hidden" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [(["--conn-id", "cloudelements"], "--conn-id"), (["--callback-url", "nowhere"], "callback_url")],
)
def test_the_command_refuses_what_cannot_work(words, reason, ce):
    ended = ce("webhook-connection", "--show", *words)
    assert (ended.code, ended.out) == (2, "")
    assert reason in ended.err
