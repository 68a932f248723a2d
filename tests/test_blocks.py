"""Every block of code in README.md and docs/ does what a reader expects who copies it."""

from __future__ import annotations

import ast
import builtins
import configparser
import json
from pathlib import Path

import pytest
import yaml

from scripts import installed_wheel
from scripts.processes import runs
from tests.support.blocks import IN_A_CLONE, PAGES, ROOT, Block, blocks
from tests.support.newcomer import Newcomer
from tests.support.patience import wait_for

ALL = [block for page in PAGES for block in blocks(page)]
#: Languages of what a program or a person reads. ``text`` is for what nothing reads.
SHELL, PYTHON, TEXT = "sh", "python", "text"
DATA = {
    "json": json.loads,
    "yaml": yaml.safe_load,
    "ini": lambda text: configparser.ConfigParser().read_string(text),
}
#: Pages that take too long for the gate.
LONG = {"fleet"}
#: Blocks that nobody can run here are few.
MOST_NOT_RUN = 6
#: What the text around a block names, and the modules that give it.
GIVEN = {
    "sandbox": "sandbox = Sandbox().__enter__()",
    "instance_id": """
created = requests.post(
    f"{sandbox.url}/elements/api-v2/instances",
    headers={"Authorization": f"User {sandbox.user_secret}, Organization {sandbox.organization_secret}"},
    json={
        "element": {"key": "microsoftgraph"},
        "name": "Given",
        "providerData": {"code": sandbox.code("microsoftgraph")},
        "configuration": {
            "oauth.api.key": "key",
            "oauth.api.secret": "secret",
            "oauth.callback.url": "https://mycoolapp.example.com",
            "event.notification.enabled": True,
            "event.notification.callback.url": "http://127.0.0.1:9/events",
        },
    },
    timeout=30,
)
assert created.status_code == 200, created.text
instance_id = created.json()["id"]
os.environ["AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT"] = json.dumps(sandbox.connection())
""",
    "tenants": """
from pathlib import Path
sandbox = Sandbox().__enter__()
login = {
    "conn_type": "cloudelements_element",
    "login": "ada",
    "password": "secret",
    "extra": {
        "element": "closeio",
        "authentication": "basic",
        "event_callback_url": "http://127.0.0.1:9/events",
    },
}
os.environ["AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT"] = json.dumps(sandbox.connection())
os.environ["AIRFLOW_CONN_CLOSEIO_LOGIN"] = json.dumps(login)
Path("tenants.yaml").write_text(
    "{defaults: {element_conn_id: closeio_login}, instances: [{key: tenant-1, name: Tenant 1}]}"
)
""",
    "create": """
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
DAG("given", schedule=None).__enter__()
create = CloudElementsCreateInstanceOperator(
    task_id="create", instance_name="Given", element="microsoftgraph"
)
""",
}
PREAMBLE = "import json, os, requests\nfrom airflow_provider_cloudelements.sandbox import Sandbox\n"


def of(*languages: str, verbs: tuple[str, ...] = ("", "given")) -> list[object]:
    """Return the blocks of some languages as parameters of a test."""
    return [
        pytest.param(block, id=f"{block.page}-{number}")
        for number, block in enumerate(ALL)
        if block.language in languages and block.verb in verbs
    ]


def pages_with_shell_blocks() -> list[object]:
    """Return the pages that a shell follows, as parameters of a test."""
    names = {block.page for block in ALL if block.language == SHELL and block.verb != "not run"}
    return [
        pytest.param(page, id=page.stem, marks=[pytest.mark.nightly] if page.stem in LONG else [])
        for page in PAGES
        if page.relative_to(ROOT).as_posix() in names
    ]


def test_every_block_has_a_language_that_says_what_becomes_of_it():
    for block in ALL:
        # Sphinx reads {...}, and its build is strict.
        assert block.language in {SHELL, PYTHON, TEXT, *DATA} or block.language.startswith("{"), block
        if block.verb == "given":
            assert block.language == PYTHON, block
            assert set(names_of(block)) <= set(GIVEN), block


def names_of(block: Block) -> list[str]:
    """Return the names that the text around a block gives it."""
    return [name.strip() for name in block.rest.split(",")] if block.verb == "given" else []


def test_few_blocks_are_not_run_and_each_says_why():
    left_out = [block for block in ALL if block.verb == "not run"]
    assert len(left_out) <= MOST_NOT_RUN, [str(block) for block in left_out]
    assert all(len(block.rest.split()) > 2 for block in left_out)


@pytest.mark.parametrize("block", of(*DATA))
def test_data_can_be_read(block):
    DATA[block.language](block.text)


@pytest.mark.parametrize("block", of(PYTHON, verbs=("", "given", "save as", "not run")))
def test_python_can_be_parsed(block):
    ast.parse(block.text)


def test_code_of_the_examples_is_code_that_the_tests_of_the_examples_run():
    for block in ALL:
        if block.filled and block.language == PYTHON:
            assert (ROOT / "example_dags" / f"{block.filled.partition('.')[0]}.py").is_file(), block


@pytest.mark.parametrize("block", [each for each in of(PYTHON) if not each.values[0].filled])
def test_python_runs_as_copied(with_airflow_sdk, block, tmp_path):
    names = names_of(block)
    given = [GIVEN[name] for name in GIVEN if name in names or (name == "sandbox" and "instance_id" in names)]
    program = "\n".join([PREAMBLE, *given, block.text]) if given else block.text
    with_airflow_sdk.run(f"import os\nos.chdir({str(tmp_path)!r})\n{program}")


@pytest.mark.parametrize("block", [each for each in of(PYTHON) if not each.values[0].filled])
def test_functions_in_python_use_only_names_that_are_there(block):
    tree = ast.parse(block.text)
    there = {*dir(builtins), *names_of(block)}
    used = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name):
                there.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                there.add(name)
            case ast.arg(arg=name):
                there.add(name)
            case ast.alias(name=name, asname=other):
                there.add(other or name.partition(".")[0])
            case ast.ExceptHandler(name=str(name)):
                there.add(name)
    assert used <= there


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return installed_wheel.build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.mark.processes
@pytest.mark.newest
@pytest.mark.parametrize("page", pages_with_shell_blocks())
def test_a_shell_follows_the_page(page, wheel, tmp_path):
    with Newcomer(tmp_path) as newcomer:
        if IN_A_CLONE in page.read_text():
            newcomer.clone()
        else:
            newcomer.install(wheel)
            newcomer.run('mkdir ~/page && cd ~/page && export AIRFLOW_HOME="$PWD/airflow"')
        for block in blocks(page):
            if block.verb == "save as":
                newcomer.save(block.rest, block.text)
            elif block.verb == "output":
                printed = newcomer.printed.splitlines()
                for line in block.text.splitlines():
                    assert any(line in each for each in printed), f"{block}: {line}\n{newcomer.printed}"
            elif block.language == SHELL and block.verb != "not run":
                newcomer.run(block.text)


def test_a_newcomer_leaves_nothing_running_where_a_process_namespace_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.support.newcomer._can_isolate", lambda: False)
    with Newcomer(tmp_path) as newcomer:
        printed = newcomer.run("sleep 300 & echo began $!")
    process = int(printed.rpartition("began ")[2].split()[0])
    wait_for(lambda: not runs(process), 10)
