"""``instances`` and ``marker``, against the sandbox."""

from __future__ import annotations

import datetime
import io

import pytest
import time_machine

from airflow_provider_cloudelements.cli import output
from airflow_provider_cloudelements.client.tags import Identity
from tests.support.platform import APP, CALLBACK, EVENTS


def ids(sandbox):
    return [each["id"] for each in sandbox.instances()]


def later(**passed):
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(**passed)
    return time_machine.travel(moment, tick=True)


class Terminal(io.StringIO):
    """A person at a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def answering(monkeypatch):
    """Give a function that lets a person type something."""

    def type_(text):
        monkeypatch.setattr("sys.stdin", Terminal(text))

    return type_


# -- list, show ---------------------------------------------------------------------------------------


def test_list_prints_a_row_for_each(ce, person):
    first = person.make("basic", "One", tags=["gold"])
    second = person.make("refresh", "Two")
    person.disable(second)
    ended = ce("instances", "list")
    assert (ended.code, ended.err) == (0, "")
    head, *rows = ended.rows
    assert [each.strip() for each in head] == ["id", "name", "element", "state", "events", "created", "tags"]
    cells = {row[0].strip(): [each.strip() for each in row[1:]] for row in rows}
    assert cells[str(first)][:4] == ["One", "closeio", "valid", "off"]
    assert cells[str(first)][-1] == "gold"
    assert cells[str(second)][:3] == ["Two", "hubspotcrm", "disabled"]


def test_list_selects_by_tag_and_element(ce, person):
    both = person.make("basic", tags=["gold", "old"])
    person.make("basic", tags=["gold"])
    of_element = person.make("refresh", tags=["gold"])
    tagged = ce("instances", "list", "--json", "--tag", "gold", "--tag", "old").json
    assert [each["id"] for each in tagged] == [both]
    listed = ce("instances", "list", "--json", "--element", "hubspotcrm").json
    assert [each["id"] for each in listed] == [of_element]


@pytest.mark.parametrize("value", ["", " ", "None", "\u200b"])
@pytest.mark.parametrize(
    "words",
    [
        ("instances", "list", "--tag"),
        ("instances", "list", "--element"),
        ("instances", "show", "--key"),
        ("instances", "show", "--tag"),
        ("instances", "ping", "--tag"),
        ("instances", "ping", "--element"),
        ("instances", "delete", "--yes", "--older-than", "0s", "--tag"),
        ("export", "--tag"),
        ("export", "--element"),
        ("marker",),
    ],
    ids=" ".join,
)
def test_what_names_nothing_is_refused_and_not_taken_for_all_or_none(words, value, ce, wire):
    ended = ce(*words, value)
    assert (ended.code, ended.out) == (2, "")
    assert "must be a text that names something" in " ".join(ended.err.split())
    assert wire.calls() == []


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1.0", str(2**70)])
@pytest.mark.parametrize("command", ["show", "ping", "delete"])
def test_what_is_no_id_is_refused(command, value, ce, wire):
    yes = ("--yes",) if command == "delete" else ()
    ended = ce("instances", command, *yes, value)
    assert (ended.code, ended.out) == (2, "")
    assert "ID" in ended.err
    assert wire.calls() == []


def test_an_empty_list_is_no_failure(ce, sandbox):
    assert ce("instances", "list") == type(ce("instances", "list"))(0, "", "There are no such instances.\n")
    assert ce("instances", "list", "--json").json == []


def test_a_name_cannot_steer_the_terminal(ce, person):
    person.make("basic", "red \x1b[31m [bold]x[/bold]")
    printed = ce("instances", "list").out
    assert "\x1b" not in printed
    assert "red ?[31m [bold]x[/bold]" in printed


@pytest.mark.parametrize("way", ["basic", "refresh", "code"])
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_show_holds_no_secret(way, form, ce, person):
    callback = f"{CALLBACK}?token=hidden-in-the-query"
    configuration = {**APP, **EVENTS, "event.notification.callback.url": callback, "username": "ada-lovelace"}
    configuration |= {"password": "first-password", "oauth.user.refresh_token": "refresh-token-1"}
    made = person.make(way, configuration=configuration)
    token = person.show(made)["token"]
    ended = ce("instances", "show", str(made), *form)
    assert ended.code == 0
    assert CALLBACK in ended.out
    secrets = [token, "hidden-in-the-query", "ada-lovelace", "first-password", "refresh-token-1"]
    secrets += [APP["oauth.api.secret"], APP["oauth.api.key"]]
    assert [each for each in secrets if each in ended.out + ended.err] == []


def test_show_finds_by_key_and_tag(ce, person):
    identity = Identity("", "closeio/One")
    made = person.make("basic", tags=[*identity.tags, "gold"])
    person.make("basic", tags=["other"])
    for words in (["--key", "closeio/One"], ["--tag", "gold"], [str(made)]):
        shown = ce("instances", "show", *words, "--json").json
        assert shown["id"] == made
        assert shown["tags"] == ["gold"]
        assert set(shown["own_tags"]) == set(identity.tags)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "Exactly one of ID, --key and --tag must be given; given are: none."),
        (("1", "--tag", "x"), "given are: ID, --tag."),
        (("--key", " "), "argument --key: the value must be a text that names something"),
        (("0",), "instance_id"),
    ],
)
def test_show_names_one_instance(words, reason, ce, sandbox):
    ended = ce("instances", "show", *words)
    assert (ended.code, ended.out) == (2, "")
    assert reason in ended.err


def test_what_is_not_there_is_a_failure(ce, sandbox):
    ended = ce("instances", "show", "5")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("cloudelements: GET /instances/5 answered 404.")
    assert ended.err.count("\n") == 1


# -- ping ---------------------------------------------------------------------------------------------


def test_ping_ends_with_0_if_all_are_healthy(ce, person):
    made = person.make("basic", "One")
    ended = ce("instances", "ping", str(made), "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.json == [
        {"id": made, "name": "One", "element": "closeio", "state": "healthy", "detail": None}
    ]


def test_ping_ends_with_3_if_one_is_not(ce, person):
    good, bad = person.make("basic", tags=["gold"]), person.make("basic", tags=["gold"])
    person.disable(bad)
    ended = ce("instances", "ping", "--tag", "gold")
    assert ended.code == 3
    states = {row[0].strip(): row[3].strip() for row in ended.rows}
    assert states[str(good)] == "healthy"
    assert states[str(bad)] == "disabled"
    assert ce("instances", "ping", "--element", "hubspotcrm").code == 0


def test_ping_ends_with_3_if_one_is_missing(ce, person):
    made = person.make("basic")
    person.delete(made)
    ended = ce("instances", "ping", str(made), "--json")
    assert ended.code == 3
    assert ended.json[0]["state"] == "missing"


def test_ping_of_ids_takes_no_selection(ce, sandbox, wire):
    ended = ce("instances", "ping", "1", "--tag", "x")
    assert ended.code == 2
    assert wire.calls() == []


# -- delete -------------------------------------------------------------------------------------------


def test_delete_asks_and_deletes(ce, person, sandbox, answering):
    keep, gone = person.make("basic", "Keep"), person.make("basic", "Gone")
    answering("y\n")
    ended = ce("instances", "delete", str(gone))
    assert (ended.code, ended.out) == (0, f"Deleted instance {gone}.\n")
    assert "Gone" in ended.err
    assert "Delete 1 instance? [y/N]" in ended.err
    assert ids(sandbox) == [keep]


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yesterday\n"])
def test_any_other_answer_deletes_nothing(answer, ce, person, sandbox, wire, answering):
    made = person.make("basic")
    wire = type(wire)(sandbox)
    answering(answer)
    ended = ce("instances", "delete", str(made))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith("cloudelements: The answer was not yes, so nothing was done.\n")
    assert wire.writes() == []


def test_without_a_terminal_and_without_yes_it_refuses(ce, person, sandbox, monkeypatch):
    made = person.make("basic")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    ended = ce("instances", "delete", str(made))
    assert ended.code == 2
    assert "add --yes" in ended.err
    assert ids(sandbox) == [made]


def test_delete_by_id_counts_what_is_gone_as_success(ce, person, sandbox):
    gone, made = person.make("basic"), person.make("basic")
    person.delete(gone)
    ended = ce("instances", "delete", str(gone), str(made), str(made), "--yes", "--json")
    assert ended.code == 0
    assert ended.json == {"deleted": [made], "missing": [gone], "left": {}, "dry_run": False}
    assert ids(sandbox) == []


def test_delete_by_key_removes_twins_and_leaves_other_keys(ce, person, sandbox):
    identity, other = Identity("", "a/b/c"), Identity("a", "b/c")
    assert identity.marker == other.marker
    twins = [person.make("basic", tags=list(identity.tags)) for _ in range(2)]
    stays = person.make("basic", tags=list(other.tags))
    ended = ce("instances", "delete", "--key", "a/b/c", "--yes", "--json")
    assert ended.json["deleted"] == twins
    assert ended.json["left"] == {"another key": [stays]}
    assert f"{stays} have this key's marker" in ended.err
    assert ids(sandbox) == [stays]


def test_delete_by_tag_needs_an_age(ce, person, sandbox, wire):
    for words in (["--tag", "old"], ["1", "--older-than", "7d"], ["--key", "x", "--older-than", "7d"]):
        ended = ce("instances", "delete", *words, "--yes")
        assert ended.code == 2
        assert "--older-than" in ended.err
    assert ce("instances", "delete", "--tag", "old", "--older-than", "seven").code == 2
    assert wire.calls() == []


def test_delete_by_tag_and_age(ce, person, sandbox):
    made = person.make("basic", tags=["old"])
    young = ce("instances", "delete", "--tag", "old", "--older-than", "1h", "--yes", "--json").json
    assert young == {"deleted": [], "missing": [], "left": {"too young": [made]}, "dry_run": False}
    with later(days=8):
        dry = ce("instances", "delete", "--tag", "old", "--older-than", "7d", "--dry-run")
        assert dry.out == f"Would delete instance {made}.\n"
        assert ids(sandbox) == [made]
        ce("instances", "delete", "--tag", "old", "--older-than", "1w", "--yes")
    assert ids(sandbox) == []


def test_delete_by_tag_has_a_limit(ce, person, sandbox):
    made = [person.make("basic", tags=["old"]) for _ in range(3)]
    with later(days=8):
        ended = ce("instances", "delete", "--tag", "old", "--older-than", "7d", "--max-deletes", "2", "--yes")
    assert (ended.code, ended.out) == (1, "")
    assert "3 instances have the tag and the age" in ended.err
    assert ids(sandbox) == made


def test_a_delete_that_fails_says_what_is_gone(ce, person, sandbox):
    first, second = person.make("basic"), person.make("basic")
    sandbox.add_fault("status", status=403, method="DELETE", path=f"/instances/{second}", count=None)
    ended = ce("instances", "delete", str(first), str(second), "--yes", "--json")
    assert ended.code == 1
    assert ended.json["deleted"] == [first]
    assert f"/instances/{second} answered 403" in ended.err


def test_nothing_to_delete_is_said(ce, sandbox):
    ended = ce("instances", "delete", "--key", "closeio/None such")
    assert ended.code == 0
    assert "there is nothing to delete" in ended.err


# -- marker -------------------------------------------------------------------------------------------


def test_marker_adopts_an_instance(ce, person):
    tags = ce("marker", "closeio/By hand", "--json").json
    made = person.make("basic", tags=[tags["marker"]])
    assert ce("instances", "show", "--key", "closeio/By hand", "--json").json["id"] == made


def test_marker_needs_no_connection_with_a_namespace(ce, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", raising=False)
    identity = Identity("ours", "closeio/x")
    tags = ce("marker", "closeio/x", "--namespace", "ours", "--json").json
    assert (tags["marker"], tags["key_tag"]) == identity.tags
    assert "marker     " in ce("marker", "closeio/x", "--namespace", "ours").out


# -- what a terminal and a pipe show ------------------------------------------------------------------


def test_a_pipe_gets_whole_lines(ce, person):
    person.make("basic", "n" * 300)
    lines = ce("instances", "list").out.splitlines()
    assert len(lines) == 2
    assert "n" * 300 in lines[1]
    assert lines == [line.rstrip() for line in lines]


def test_a_terminal_gets_what_fits(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    output.print_rows([{"id": 1, "name": "n" * 100}], ("id", "name"), none="", file=screen)
    assert "\x1b[1m" in screen.getvalue()
    assert max(len(line) for line in screen.getvalue().splitlines()[1:]) <= 40
    assert screen.getvalue().count("n") >= 100
    screen = Terminal()
    output.print_rows([{"id": 1, "name": "n" * 20}], ("id", "name"), none="", file=screen)
    assert screen.getvalue() == f"\x1b[1mid  name\x1b[0m\n1   {'n' * 20}\n"


def test_columns_stand_below_each_other_whatever_the_script(capsys):
    names = ["One", "\u6771\u4eac", "\u00e9t\u00e9"]  # two of four cells in a terminal, for each sign
    output.print_rows([{"name": name, "id": 7} for name in names], ("name", "id"), none="")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name  id", "One   7", "\u6771\u4eac  7", "\u00e9t\u00e9   7"]


def test_rows_that_fit_are_not_laid_out_by_rich(monkeypatch, capsys):
    # A table of 20,000 instances took 11.6 seconds of processor time with it, and takes 2.1 without.
    monkeypatch.setattr("rich.table.Table", None)
    output.print_rows([{"id": number} for number in range(20_000)], ("id",), none="")
    assert len(capsys.readouterr().out.splitlines()) == 20_001
