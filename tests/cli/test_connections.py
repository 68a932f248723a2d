"""``test``, and how commands find a connection."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def connection(sandbox, monkeypatch):
    """Give a function that makes another connection to the sandbox, with changes."""

    def make(conn_id="other", **changes):
        made = sandbox.connection(request_timeout=5, max_retries=0) | changes
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(made))
        return conn_id

    return make


def test_a_connection_that_works(ce, sandbox):
    ended = ce("test")
    assert (ended.code, ended.out, ended.err) == (0, f"{sandbox.url} accepts the secrets.\n", "")
    assert ce("test", "cloudelements_default", "--json").json["works"] is True


def test_a_refused_secret_is_a_failure(ce, connection):
    wrong = "Wrong/Secret+of/nobody=="
    ended = ce("test", connection(password=wrong))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("cloudelements: ")
    assert ended.err.count("\n") == 1
    assert wrong not in ended.err
    as_json = ce("test", "other", "--json")
    assert as_json.code == 1
    assert as_json.err == ""
    assert as_json.json["works"] is False
    assert wrong not in as_json.out


def test_an_elements_connection(ce, connection):
    element = {"conn_type": "cloudelements_element", "host": None, "password": "app-secret", "login": "app"}
    good = connection("vendor", **element, extra={"element": "hubspotcrm", "authentication": "oauth2"})
    ended = ce("test", good)
    assert ended.code == 0
    assert "It has the element 'hubspotcrm'." in ended.out
    bad = connection("vendor", **element, extra={"element": "hubspot", "authentication": "oauth2"})
    ended = ce("test", bad)
    assert ended.code == 1
    assert "no element 'hubspot'" in ended.err
    assert "app-secret" not in ended.err


@pytest.mark.parametrize(
    "words", [("test", "nowhere"), ("instances", "list", "--conn-id", "nowhere")], ids=" ".join
)
def test_a_connection_that_is_not_there(words, ce, sandbox):
    ended = ce(*words)
    assert (ended.code, ended.out) == (1, "")
    assert "Airflow has no connection 'nowhere'" in ended.err
    assert "AIRFLOW_CONN_NOWHERE" in ended.err


def test_a_field_that_is_wrong_is_named(ce, connection):
    ended = ce("instances", "list", "--conn-id", connection(extra={"organisation_secret": "x"}))
    assert ended.code == 1
    assert "Connection 'other'" in ended.err
    assert "organization_secret" in ended.err
