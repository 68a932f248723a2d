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


@pytest.mark.parametrize(
    "text", ['{"conn_type": "cloudelements", "s3cret"', "cloudelements://:s3cret@host:99999"]
)
def test_a_connection_that_cannot_be_read(text, ce, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", text)
    ended = ce("test", "other")
    assert (ended.code, ended.out) == (1, "")
    assert "cannot read the connection 'other' in the variable AIRFLOW_CONN_OTHER" in ended.err
    assert "s3cret" not in ended.err


MISTAKES = {
    "wrong secret": {"password": "Wrong/Secret+of/nobody=="},
    "no secret": {"password": None},
    "no host": {"host": None},
    "scheme without a colon": {"host": "https//api.example.com"},
    "nobody there": {"host": "http://127.0.0.1:1"},
    "TLS where there is none": {"host": "https://127.0.0.1:1"},
    "asterisks": {"password": "***"},
    "mistyped field": {"extra": {"organisation_secret": "Another/Secret+x=="}},
    "no boolean": {"extra": {"verify_tls": "maybe"}},
    "no number": {"extra": {"request_timeout": "soon"}},
    "no certificate": {"host": "https://127.0.0.1:1", "extra": {"ca_bundle": "/nowhere/ca.pem"}},
    "proxy that is down": {"extra": {"proxy": "http://proxy-user:proxy-pass@127.0.0.1:1"}},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_one_line_without_a_secret(mistake, ce, connection, sandbox):
    changes = dict(MISTAKES[mistake])
    extra = sandbox.connection(request_timeout=5, max_retries=0)["extra"] | changes.pop("extra", {})
    for words in (["test", connection(**changes, extra=extra)], ["instances", "list", "--conn-id", "other"]):
        ended = ce(*words)
        assert (ended.code, ended.out) == (1, "")
        assert ended.err.startswith("cloudelements: ")
        assert ended.err.count("\n") == 1
        secrets = [
            sandbox.user_secret,
            sandbox.organization_secret,
            "Wrong/Secret",
            "Another/Secret",
            "proxy-pass",
        ]
        assert [each for each in secrets if each in ended.err] == []


def test_a_field_that_is_wrong_is_named(ce, connection):
    ended = ce("instances", "list", "--conn-id", connection(extra={"organisation_secret": "x"}))
    assert ended.code == 1
    assert "Connection 'other'" in ended.err
    assert "organization_secret" in ended.err
