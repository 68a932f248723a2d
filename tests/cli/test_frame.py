"""One table, two parsers: Airflow's and our own take the same words, and every command says what it does."""

from __future__ import annotations

import argparse
import json
import sys

import pytest

from airflow_provider_cloudelements import cli, webhooks
from airflow_provider_cloudelements.cli import running
from airflow_provider_cloudelements.cli.frame import Command, Group, for_argparse
from airflow_provider_cloudelements.compat import AirflowNotFoundException
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.exceptions import CloudElementsNotFoundError
from airflow_provider_cloudelements.fleet import Safety
from airflow_provider_cloudelements.fleet.applying import CONCURRENCY
from airflow_provider_cloudelements.get_provider_info import get_provider_info
from airflow_provider_cloudelements.provisioning.removal import MAX_DELETES


def leaves(commands=None, before=()):
    """Return all commands, by the words that name them."""
    found = {}
    for each in cli.commands() if commands is None else commands:
        words = (*before, each.name)
        found |= leaves(each.commands, words) if isinstance(each, Group) else {words: each}
    return found


#: The commands that print their own help: the sandbox is another program.
OWN = [words for words in leaves() if words != ("sandbox",)]


def chosen(parser, words):
    """Return the command that a parser chooses, and the values that it reads."""
    values = vars(parser.parse_args(words))
    for name in [each for each in values if each.startswith(("command", "subcommand"))]:
        del values[name]
    return values.pop("func"), values


def airflows_parser(runner):
    """Return the parser that Airflow builds of our commands."""
    pytest.importorskip("airflow.cli.cli_parser")
    from airflow.cli.cli_parser import DefaultHelpParser, _add_command

    parser = DefaultHelpParser(prog="airflow")
    below = parser.add_subparsers(dest="subcommand")
    from airflow_provider_cloudelements.cli.frame import for_airflow

    _add_command(below, for_airflow(Group(cli.NAME, cli.HELP, cli.commands()), runner))
    return parser


#: Words for each command.
WORDS = {
    ("test",): ["other_id", "--json"],
    ("consent",): ["https://app.example.com/callback?code=x", "--state", "s"],
    ("instances", "list"): ["--tag", "a", "--tag", "b", "--element", "closeio", "--conn-id", "other"],
    ("instances", "show"): ["--key", "closeio/x"],
    ("instances", "ping"): ["1", "2", "--json"],
    ("instances", "delete"): ["--tag", "old", "--older-than", "7d", "--max-deletes", "3", "-y", "--dry-run"],
    ("marker",): ["key", "--namespace", "n"],
    ("plan",): [
        "a.yaml",
        "folder",
        "--prune",
        "--max-deletes",
        "3",
        "--max-update-percent",
        "12.5",
        "--json",
    ],
    ("apply",): ["a.yaml", "--force", "deletes", "--force", "k", "--max-changes", "9", "-y", "--adopt"],
    ("export",): ["-o", "a.yaml", "--element", "closeio", "--tag", "gold"],
    ("schema",): [],
    ("elements", "list"): [],
    ("elements", "show"): ["closeio"],
    ("sandbox",): ["--port", "0", "--", "-h"],
    ("webhook-connection",): ["--show"],
}


def test_the_table_of_words_has_every_command():
    assert set(WORDS) == set(leaves())


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_both_parsers_read_the_same(words):
    ran = []

    def runner(command, arguments):
        ran.append(command)

    given = [*words, *WORDS[words]]
    func, values = chosen(cli.parser(runner), given)
    airflows_func, airflows = chosen(airflows_parser(runner), [cli.NAME, *given])
    assert values == airflows
    func(argparse.Namespace())
    airflows_func(argparse.Namespace())
    assert ran == [leaves()[words]] * 2


def test_the_provider_names_the_commands():
    (name,) = get_provider_info()["cli"]
    assert name == f"{cli.__name__}.{cli.get_cli_commands.__name__}"
    (group,) = cli.get_cli_commands()
    assert group.name == "cloudelements"
    assert [each.name for each in group.subcommands] == [each.name for each in cli.commands()]


def texts(each):
    """Yield the texts of a command or group."""
    yield each.help
    if isinstance(each, Group):
        for one in each.commands:
            yield from texts(one)
        return
    yield each.description or each.help
    for argument in each.arguments:
        if argument.options.get("nargs") != argparse.REMAINDER:
            yield argument.options["help"]


def test_every_help_is_a_plain_sentence():
    found = [text for each in cli.commands() for text in texts(each)]
    assert len(found) > 40
    for text in found:
        assert text[0].isupper(), text
        assert not text.endswith(" ")
        # Airflow prints it by rich, to which a bracket is markup.
        assert "[" not in text


@pytest.mark.parametrize("words", [(), ("instances",), ("elements",), *OWN], ids=" ".join)
def test_every_help_can_be_printed(words, ce):
    ended = ce(*words, "--help")
    assert ended.code == 0
    assert ended.out.startswith("usage: python -m airflow_provider_cloudelements")


# -- how a command ends -------------------------------------------------------------------------------


def ending(run, capsys):
    code = running.run(Command("x", "X", run), argparse.Namespace())
    return (code, *capsys.readouterr())


def raising(error):
    def run(arguments):
        raise error

    return run


def test_a_command_ends_with_what_it_returns(capsys):
    assert ending(lambda arguments: None, capsys) == (0, "", "")
    assert ending(lambda arguments: 3, capsys) == (3, "", "")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (running.CommandError("It is\nso."), 1, "It is so."),
        (running.UsageError("Say more."), 2, "Say more."),
        (CloudElementsNotFoundError("There is none."), 1, "There is none."),
        (AirflowNotFoundException("There is no connection 'x'."), 1, "There is no connection 'x'."),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_failure_is_one_line_on_stderr(error, code, said, capsys):
    assert ending(raising(error), capsys) == (code, "", f"cloudelements: {said}\n")


def test_a_fault_of_ours_shows_no_value(capsys):
    code, out, err = ending(raising(ZeroDivisionError("s3cret")), capsys)
    assert (code, out) == (1, "")
    assert "ZeroDivisionError" in err
    assert "s3cret" not in err
    assert err.count("\n") == 1


def test_without_a_command_it_is_wrong_usage(ce):
    ended = ce()
    assert ended.code == 2
    assert "COMMAND" in ended.err


def test_the_parser_of_a_group_needs_a_command():
    parser = argparse.ArgumentParser()
    for_argparse(parser, [Group("g", "G", (Command("c", "C", print),))], lambda command, arguments: None)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["g"])
    assert ended.value.code == 2


# -- defaults that have their home elsewhere -------------------------------------------------------------


def test_the_defaults_are_those_of_their_homes():
    defaults = {
        (*words, argument.flags[0]): argument.options["default"]
        for words, command in leaves().items()
        for argument in command.arguments
        if "default" in argument.options
    }
    assert defaults.pop(("webhook-connection", "--conn-id")) == webhooks.DEFAULT_WEBHOOK_CONN_ID
    assert defaults.pop(("webhook-connection", "--store-payload")) == webhooks.STORED_PAYLOADS[0]
    assert defaults.pop(("test", "connection")) == DEFAULT_CONN_ID
    assert defaults.pop(("instances", "delete", "--max-deletes")) == MAX_DELETES
    assert defaults.pop(("apply", "--concurrency")) == CONCURRENCY
    assert {value for words, value in defaults.items() if words[-1] == "--conn-id"} == {DEFAULT_CONN_ID}
    told = {each.flags[0]: each.options["help"] for each in leaves()[("plan",)].arguments}
    for flag, value in (
        ("--max-update-percent", Safety().max_update_percent),
        ("--max-delete-percent", Safety().max_delete_percent),
        ("--limits-from", Safety().least),
    ):
        assert told[flag].endswith(f"(default: {value:g})")
    (payloads,) = [
        each.options["choices"]
        for each in leaves()[("webhook-connection",)].arguments
        if "choices" in each.options
    ]
    assert payloads == webhooks.STORED_PAYLOADS


# -- what it costs every airflow command --------------------------------------------------------------


@pytest.mark.slow
def test_every_airflow_command_loads_the_tables_and_they_load_next_to_nothing(with_airflow_sdk):
    printed = with_airflow_sdk.run("""
import sys, airflow.sdk.exceptions, argparse, json
before = set(sys.modules)
import airflow_provider_cloudelements.cli as cli
cli.commands()
print(json.dumps(sorted(set(sys.modules) - before)))
""")
    loaded = set(json.loads(printed))
    own = {each for each in loaded if each.startswith("airflow_provider_cloudelements")}
    tables = {each for each in own if each.startswith("airflow_provider_cloudelements.cli")}
    assert len(tables) > 8
    # The package itself may be there already: Airflow looks for the metadata of providers.
    assert own - tables <= {"airflow_provider_cloudelements"}
    foreign = {each.split(".")[0] for each in loaded - own} - sys.stdlib_module_names
    assert foreign == set()
