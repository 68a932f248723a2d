"""Which PostgreSQL is started: the newest whose server is installed."""

from __future__ import annotations

import pytest

from scripts import postgres, warehouse


@pytest.mark.parametrize(
    ("servers", "clients", "chosen"),
    [
        (["15"], [], "15"),
        (["9.6", "15"], [], "15"),
        (["15"], ["17"], "15"),
        ([], ["17"], None),
        ([], [], None),
    ],
    ids=str,
)
def test_the_newest_server_is_chosen_and_no_client(tmp_path, monkeypatch, servers, clients, chosen):
    for version in servers + clients:
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "psql").touch()
    for version in servers:
        (tmp_path / version / "bin" / "initdb").touch()
    monkeypatch.setattr(postgres, "PROGRAMS", tmp_path)
    assert postgres.newest() == (None if chosen is None else tmp_path / chosen / "bin")
    assert warehouse.is_installed() == (chosen is not None)
