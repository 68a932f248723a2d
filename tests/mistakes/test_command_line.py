"""Mistakes on the command line."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.cli import main
from tests.support.hidden import assert_hidden
from tests.support.mistakes import check

#: Words after the program's name, by the mistake.
WORDS = {
    "a command for one instance without one": ("instances", "show"),
    "a delete by tag without an age, as a command": ("instances", "delete", "--tag", "x", "--yes"),
    "a mistyped element, as a command": ("elements", "show", "closio"),
    "a connection that does not exist, as a command": ("test", "cloud_elements"),
    "an address that a shell cut": ("consent", "https://vendor.example.com/authorize?client_id=x"),
    "a manifest for a saved plan": ("apply", "--plan", "tenants.yaml", "--checksum", "x", "--yes"),
    "a question that nobody can answer": ("export", "--output", "tenants.yaml"),
}


@pytest.mark.parametrize("name", WORDS)
def test_words(newcomer, capsys, monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tenants.yaml").write_text("instances: []\n")
    code = main(WORDS[name])
    printed = capsys.readouterr()
    assert (code > 0, printed.out) == (True, "")
    assert_hidden(printed.err, *newcomer.secrets)
    check(name, printed.err.splitlines()[-1].removeprefix("cloudelements: "))
