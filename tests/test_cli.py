"""The command that makes a webhook's connection; real Airflows run it in tests/airflow/test_webhooks.py."""

from __future__ import annotations

import argparse
import json

import pytest
from airflow.sdk import Connection

from airflow_provider_cloudelements import cli
from airflow_provider_cloudelements.get_provider_info import get_provider_info
from airflow_provider_cloudelements.webhooks import DEFAULT_WEBHOOK_CONN_ID, WebhookSettings


def options(**changes):
    return argparse.Namespace(
        **{
            "conn_id": DEFAULT_WEBHOOK_CONN_ID,
            "callback_url": None,
            "store_payload": "full",
            "show": True,
            **changes,
        }
    )


def test_the_command_shows_a_connection_where_it_is_asked_to(capsys):
    address = "https://hooks.example.com/ce"
    cli.main(["webhook-connection", "--show", "--callback-url", address, "--store-payload", "none"])
    shown = json.loads(capsys.readouterr().out)
    assert shown["extra"]["store_payload"] == "none"
    settings = WebhookSettings.from_connection(
        Connection.from_json(json.dumps(shown), conn_id=DEFAULT_WEBHOOK_CONN_ID)
    )
    assert settings.address() == address


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"conn_id": "cloudelements"}, "--conn-id"), ({"callback_url": "nowhere"}, "callback_url")],
)
def test_the_command_refuses_what_cannot_work(changes, reason, capsys):
    with pytest.raises(SystemExit, match=reason):
        cli.make_connection(options(**changes))
    assert capsys.readouterr().out == ""


def test_the_provider_names_the_command():
    (name,) = get_provider_info()["cli"]
    assert name == f"{cli.__name__}.{cli.get_cli_commands.__name__}"
    (group,) = cli.get_cli_commands()
    assert group.name == "cloudelements"
    (command,) = group.subcommands
    parser = argparse.ArgumentParser()
    for each in command.args:
        each.add_to_parser(parser)
    assert parser.parse_args([]) == options(show=False)
    assert command.name == "webhook-connection"


@pytest.mark.slow
def test_every_airflow_command_loads_the_module_and_it_loads_next_to_nothing(with_airflow_sdk):
    printed = with_airflow_sdk.run("""
import sys, airflow.sdk.exceptions
before = set(sys.modules)
import airflow_provider_cloudelements.cli
print(*sorted(set(sys.modules) - before))
""")
    loaded = {each for each in printed.split() if each.startswith("airflow_provider_cloudelements")}
    # The package itself may be there already: Airflow looks for the metadata of providers.
    assert loaded - {"airflow_provider_cloudelements"} == {
        f"airflow_provider_cloudelements.{each}"
        for each in ("cli", "compat", "exceptions", "keys", "webhooks")
    }
    assert not {
        each for each in printed.split() if each.split(".")[0] in {"requests", "pendulum", "sqlalchemy"}
    }
