"""Both connection types pass through ``airflow connections export`` and ``import`` unchanged."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import BaseHook

from airflow_provider_cloudelements.connections import ConnectionSettings, ElementSettings
from tests.support.wire import ORGANIZATION, USER

pytestmark = pytest.mark.airflow

#: With what the forms of an export can get wrong: signs that a URI quotes, numbers, an object in the extra.
STORED = {
    "round_trip_platform": {
        "conn_type": "cloudelements",
        "host": "https://api.cloud-elements.com/ce",
        "password": USER,
        "extra": {
            "organization_secret": ORGANIZATION,
            "namespace": "prod & test",
            "request_timeout": 12.5,
            "max_retries": 0,
            "verify_tls": False,
            "console_url": "https://my.example/instances/{id}?a=1&b=%20",
        },
    },
    "round_trip_element": {
        "conn_type": "cloudelements_element",
        "login": "key/+=?&",
        "password": "secret/+=?&: '\"",
        "extra": {
            "element": "microsoftgraph",
            "authentication": "oauth2",
            "oauth_scope": "Calendars.Read offline_access",
            "oauth_callback_url": "https://app.example/cb?x=1&y=2",
            "event_signature_secret": "sig/na+ture=",
            "configuration": {"filter.response.nulls": True, "a.number": 7, "a.text": "no"},
        },
    },
}


@pytest.fixture
def airflow_command(airflow_database):
    """Give a function that runs a command of Airflow in this process, by Airflow's own parser."""
    from airflow.cli.cli_parser import get_parser

    def run(*words):
        arguments = get_parser().parse_args(words)
        arguments.func(arguments)

    return run


@pytest.fixture
def stored(airflow_database):
    """Store both connections in Airflow's database, and take away at the end what is there of them."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        for conn_id, fields in STORED.items():
            session.add(Connection(conn_id=conn_id, **{**fields, "extra": json.dumps(fields["extra"])}))
    yield
    forget()


def forget():
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id.in_(STORED)))


def settings():
    """Return what the provider reads of the stored connections."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(Connection).where(Connection.conn_id.in_(STORED)))
        return {each.conn_id: read(each) for each in found}


def read(connection):
    kind = ConnectionSettings if connection.conn_type == "cloudelements" else ElementSettings
    return kind.from_connection(connection)


@pytest.mark.filterwarnings("ignore:Command `connections")
@pytest.mark.parametrize("form", ["env", "json", "yaml"])
def test_an_export_holds_both_types_and_an_import_brings_them_back(form, stored, airflow_command, tmp_path):
    file = tmp_path / f"connections.{form}"
    before = settings()
    assert set(before) == set(STORED)
    airflow_command("connections", "export", str(file))
    # In clear: whoever can read the file can use the account.
    assert "organization_secret" in file.read_text()
    forget()
    assert settings() == {}
    airflow_command("connections", "import", str(file))
    assert settings() == before


@pytest.mark.filterwarnings("ignore:Command `connections")
def test_env_lines_of_json_are_for_the_environment_and_no_import_reads_them(
    stored, airflow_command, tmp_path, monkeypatch
):
    file = tmp_path / "connections.env"
    airflow_command("connections", "export", str(file), "--serialization-format", "json")
    before = settings()
    forget()
    with pytest.raises(Exception, match="Invalid connection string"):
        airflow_command("connections", "import", str(file))
    lines = dict(line.split("=", 1) for line in file.read_text().splitlines())
    for conn_id in STORED:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", lines[conn_id])
    assert {conn_id: read(BaseHook.get_connection(conn_id)) for conn_id in STORED} == before


@pytest.mark.filterwarnings("ignore:Command `connections")
def test_an_import_changes_a_connection_that_exists_only_when_told_to(
    stored, airflow_command, tmp_path, capsys
):
    file = tmp_path / "connections.json"
    airflow_command("connections", "export", str(file))
    rows = json.loads(file.read_text())
    rows["round_trip_platform"]["host"] = "https://other.example"
    file.write_text(json.dumps(rows))
    airflow_command("connections", "import", str(file))
    assert "round_trip_platform: connection already exists" in capsys.readouterr().out
    assert settings()["round_trip_platform"].base_url == "https://api.cloud-elements.com/ce"
    airflow_command("connections", "import", "--overwrite", str(file))
    assert settings()["round_trip_platform"].base_url == "https://other.example"
