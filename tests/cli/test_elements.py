"""``elements``, against the sandbox."""

from __future__ import annotations


def test_list_prints_the_catalogue(ce, sandbox):
    ended = ce("elements", "list")
    assert ended.code == 0
    rows = [[cell.strip() for cell in row] for row in ended.rows]
    assert rows[0] == ["key", "name", "hub", "authentication", "active"]
    assert ["closeio", "Close.io", "crm", "basic", "yes"] in rows
    keys = [each["key"] for each in ce("elements", "list", "--json").json]
    assert keys == sorted(keys) == [row[0] for row in rows[1:]]


def test_show_says_what_a_create_needs(ce, sandbox):
    shown = ce("elements", "show", "closeio", "--json").json
    assert shown["required_configuration"] == ["username", "password"]
    assert shown["events"] is True
    assert shown["event_methods"] == ["webhook", "polling"]
    assert "required configuration  username, password\n" in ce("elements", "show", "closeio").out


def test_an_unknown_element_is_a_failure(ce, sandbox):
    ended = ce("elements", "show", "closio")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.count("\n") == 1
