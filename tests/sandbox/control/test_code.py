"""An authorization code on the command line."""

import json

import pytest

from airflow_provider_cloudelements.sandbox.__main__ import main


def code(sandbox, capsys, *words):
    capsys.readouterr()
    ended = main(["code", "--url", sandbox.url, *words])
    printed = capsys.readouterr()
    return ended, printed.out, printed.err


def test_it_prints_a_code_that_works_once(api, sandbox, capsys):
    ended, out, err = code(sandbox, capsys)
    assert (ended, err) == (0, "")
    (kept,) = sandbox.codes()
    assert kept["presented"] == 0
    body = {
        "element": {"key": "microsoftgraph"},
        "name": "x",
        "configuration": {
            "oauth.api.key": "k",
            "oauth.api.secret": "s",
            "oauth.callback.url": "https://a.example",
        },
        "providerData": {"code": out.strip()},
    }
    assert api("POST", "/instances", json=body).status_code == 200
    assert api("POST", "/instances", json=body).status_code == 400


def test_json_holds_what_the_list_of_codes_shows(sandbox, capsys):
    ended, out, _ = code(sandbox, capsys, "--json", "--element", "sfdc", "--scope", "api", "--lifetime", "60")
    made = json.loads(out)
    assert ended == 0
    (kept,) = sandbox.codes()
    assert (kept["index"], kept["fingerprint"]) == (made["index"], made["fingerprint"])
    assert made["code"] not in json.dumps(kept)


@pytest.mark.parametrize(
    ("words", "exit_code", "reason"),
    [
        (["--element", "closeio"], 1, "with OAuth2"),
        (["--url", "http://127.0.0.1:1"], 1, "no sandbox answers"),
        (["--url", "127.0.0.1:8095"], 2, "--url must be like"),
        (["--url", "http://127.0.0.1:port"], 2, "--url must be like"),
    ],
)
def test_what_cannot_be_had_is_said(words, exit_code, reason, sandbox, capsys):
    ended, out, err = code(sandbox, capsys, *words)
    assert (ended, out) == (exit_code, "")
    assert reason in err
    assert err.count("\n") == 1
