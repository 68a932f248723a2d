"""The package as its users get it: what is in the wheel, and what Airflow finds once it is installed."""

from __future__ import annotations

import email.parser
import email.policy
import importlib
import importlib.resources
import json
import re
import subprocess
import tarfile
import zipfile
from configparser import ConfigParser
from email.message import Message
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from airflow_provider_cloudelements import __version__
from airflow_provider_cloudelements.get_provider_info import get_provider_info
from scripts import installed_wheel
from scripts.local_airflow import LocalAirflow

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTION = "airflow-provider-cloudelements"
PACKAGE = "airflow_provider_cloudelements"
DIST_INFO = f"{PACKAGE}-{__version__}.dist-info"
EXAMPLES_BUNDLE = f"{DISTRIBUTION}-example-dags"
CONN_TYPES = {"cloudelements", "cloudelements_element"}
#: How Airflow's log lines and Python's own show that something is wrong.
ERROR = re.compile(r"\b(error|critical|exception|traceback)\b", re.IGNORECASE)
#: What Airflow 3.3 logs of airflow-provider-inbound-webhooks: its module is called otherwise than expected.
NOT_OURS = re.compile(
    r"^\S+ \[error +\] Could not load provider module airflow_provider_inbound_webhooks .*?(?=^\d{4}-|\Z)",
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return installed_wheel.build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    return installed_wheel.build("sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def metadata(wheel) -> Message:
    text = zipfile.ZipFile(wheel).read(f"{DIST_INFO}/METADATA").decode()
    return email.parser.Parser(policy=email.policy.default).parsestr(text)


def sources(folder: str) -> set[str]:
    """Return the files of a folder of the project, without what running it leaves behind."""
    return {
        path.relative_to(ROOT / folder).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_the_examples_and_no_more(wheel):
    expected = {f"{PACKAGE}/{name}" for name in sources(PACKAGE)}
    expected |= {f"{PACKAGE}/example_dags/{name}" for name in sources("example_dags")}
    expected |= {f"{DIST_INFO}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
    expected |= {f"{DIST_INFO}/licenses/LICENSE"}
    assert set(zipfile.ZipFile(wheel).namelist()) == expected
    assert {f"{PACKAGE}/py.typed", f"{PACKAGE}/sandbox/__main__.py"} <= expected
    assert any(name.startswith(f"{PACKAGE}/example_dags/example_") for name in expected)


def test_the_wheel_is_for_every_python_3(wheel):
    assert wheel.name == f"{PACKAGE}-{__version__}-py3-none-any.whl"


def test_a_wheel_made_from_the_source_distribution_is_the_same(wheel, sdist, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    again = installed_wheel.build("wheel", tmp_path / "dist", source=tmp_path / f"{PACKAGE}-{__version__}")
    assert contents(again) == contents(wheel)


def contents(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_source_distribution_can_be_tested(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "Makefile", "LICENSE", "README.md", "conftest.py"} <= names
    assert {"scripts/local_airflow.py", "tests/test_packaging.py"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith(".venv")]


def test_the_metadata(metadata):
    assert metadata["Name"] == DISTRIBUTION
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert {
        "Framework :: Apache Airflow",
        "Framework :: Apache Airflow :: Provider",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Typing :: Typed",
    } <= set(metadata.get_all("Classifier"))
    assert metadata.get_payload().startswith("#")


def test_users_see_no_extra_for_developers(metadata):
    assert metadata.get_all("Provides-Extra") == ["webhooks"]


def test_the_readme_of_an_index_leads_to_where_the_project_is_hosted(metadata):
    urls = dict(text.split(", ", 1) for text in metadata.get_all("Project-URL"))
    assert urls.keys() == {"Documentation", "Source", "Changelog", "Issues"}
    source = urls["Source"]
    assert all(url.startswith(source) for url in urls.values())
    targets = re.findall(r"\]\(([^)]+)\)", metadata.get_payload())
    assert f"{source}/blob/main/CONTRIBUTING.md" in targets
    assert f"{source}/raw/main/docs/images/connection-form.png" in targets
    assert [each for each in targets if not each.startswith(("https://", "#"))] == []
    for target in targets:
        if target.startswith(source):
            path = target.removeprefix(source).split("/", 3)[3].partition("#")[0]
            assert (ROOT / path).exists(), target


def test_a_release_says_where_the_project_is_hosted(metadata):
    (newest,) = re.findall(r"^## \S+ \((.*)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[:1]
    hosted = not any("example.com" in text for text in metadata.get_all("Project-URL"))
    assert hosted or newest == "not yet released"


def test_it_needs_nothing_that_airflow_does_not_bring(metadata):
    needed = [Requirement(text) for text in metadata.get_all("Requires-Dist")]
    assert {one.name for one in needed if not one.marker} == {
        "apache-airflow",
        "msgspec",
        "pendulum",
        "requests",
    }


def test_the_floors_admit_every_line_that_is_tested(metadata):
    needed = [Requirement(text) for text in metadata.get_all("Requires-Dist")]
    lists = sorted((ROOT / "constraints").glob("airflow-*.txt"))
    assert {path.name.split("-")[1].rpartition(".")[0] for path in lists} == {"3.1", "3.2", "3.3"}
    for path in lists:
        pinned = dict(line.split("==") for line in path.read_text().splitlines() if "==" in line)
        for one in needed:
            if not one.marker:
                assert one.specifier.contains(pinned[one.name]), f"{one} and {path.name}"


def test_the_entry_points(wheel):
    parser = ConfigParser()
    parser.read_string(zipfile.ZipFile(wheel).read(f"{DIST_INFO}/entry_points.txt").decode())
    assert {section: dict(parser[section]) for section in parser.sections()} == {
        "apache_airflow_provider": {"provider_info": f"{PACKAGE}.get_provider_info:get_provider_info"},
        "airflow.plugins": {"cloudelements": f"{PACKAGE}.plugin:CloudElementsPlugin"},
    }


def test_the_provider_info_fits_airflows_schema():
    schema = json.loads((importlib.resources.files("airflow") / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_the_provider_info_is_json():
    assert json.loads(json.dumps(get_provider_info())) == get_provider_info()


def test_every_module_that_the_provider_info_names_is_there():
    info = get_provider_info()
    kinds = ("hooks", "operators", "sensors", "triggers")
    named = [module for kind in kinds for entry in info.get(kind, []) for module in entry["python-modules"]]
    assert named
    for module in named:
        importlib.import_module(module)


def test_every_class_that_the_provider_info_names_is_there():
    for entry in get_provider_info()["connection-types"]:
        module, _, name = entry["hook-class-name"].rpartition(".")
        assert getattr(importlib.import_module(module), name).conn_type == entry["connection-type"]


def test_every_field_of_the_form_is_described():
    assert {entry["connection-type"] for entry in get_provider_info()["connection-types"]} == CONN_TYPES
    for entry in get_provider_info()["connection-types"]:
        assert entry["hook-name"]
        for name, field in entry["conn-fields"].items():
            assert field["label"], name
            assert field["description"], name
            assert field["schema"]["type"], name


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return an Airflow, not started, in whose environment the wheel is installed."""
    folder = tmp_path_factory.mktemp("installed")
    python = installed_wheel.install(wheel, folder / "environment")
    dags = folder / "dags"
    dags.mkdir()
    airflow = LocalAirflow(dags, python=python, load_examples=True)
    yield airflow
    airflow.stop()


def run(airflow: LocalAirflow, *arguments: str) -> str:
    """Return what a command prints on stdout, and see that it reports no error anywhere."""
    done = subprocess.run(
        [str(airflow.python), *arguments],
        env=airflow.environment,
        cwd=airflow.home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for printed in (done.stderr, done.stdout):
        assert not ERROR.search(NOT_OURS.sub("", printed)), printed
    return done.stdout


def rows(airflow: LocalAirflow, *arguments: str) -> list[dict[str, Any]]:
    """Return the table that an ``airflow`` command prints."""
    printed = run(airflow, "-m", "airflow", *arguments, "--output", "json").splitlines()
    # Some commands print warnings of Airflow's own before it.
    found: list[dict[str, Any]] = json.loads(printed[-1])
    return found


def airflow_version(airflow: LocalAirflow) -> Version:
    """Return the version of an Airflow."""
    return Version(run(airflow, "-m", "airflow", "version").split()[-1])


@pytest.mark.processes
def test_the_installed_package_is_the_wheel(installed):
    file = run(installed, "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)").strip()
    assert Path(file).is_relative_to(installed.python.parents[1])


@pytest.mark.processes
def test_airflow_lists_the_provider(installed):
    (row,) = [one for one in rows(installed, "providers", "list") if one["package_name"] == DISTRIBUTION]
    assert row["version"] == __version__


@pytest.mark.processes
def test_airflow_describes_the_provider(installed):
    text = run(installed, "-m", "airflow", "providers", "get", DISTRIBUTION, "--full", "--output", "json")
    assert CONN_TYPES <= set(re.findall(r"\w+", text))


@pytest.mark.processes
def test_airflow_lists_the_hooks(installed):
    hooks = {one["connection_type"]: one for one in rows(installed, "providers", "hooks")}
    for entry in get_provider_info()["connection-types"]:
        row = hooks[entry["connection-type"]]
        assert row["class"] == entry["hook-class-name"]
        assert row["package_name"] == DISTRIBUTION


@pytest.mark.processes
def test_the_form_of_the_ui_has_every_field(installed):
    program = """
import json
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
data = [one.model_dump(mode="json") for one in HookMetaService.hook_meta_data()]
print(json.dumps([one for one in data if one["connection_type"].startswith("cloudelements")]))
"""
    forms = {
        one["connection_type"]: one for one in json.loads(run(installed, "-c", program).splitlines()[-1])
    }
    for entry in get_provider_info()["connection-types"]:
        form = forms[entry["connection-type"]]
        assert form["hook_name"] == entry["hook-name"]
        assert form["standard_fields"]
        assert form["extra_fields"].keys() == entry["conn-fields"].keys()
        for name, field in entry["conn-fields"].items():
            shown = form["extra_fields"][name]
            assert shown["schema"]["title"] == field["label"]
            assert shown["description"] == field["description"]
            shown_format, declared = shown["schema"].get("format"), field["schema"].get("format")
            # Airflow 3.1 builds its form from the hook's widgets and knows no format but this one.
            assert (shown_format == "password") == (declared == "password")
            assert shown_format == declared or airflow_version(installed) < Version("3.2")


@pytest.mark.processes
def test_airflow_finds_the_examples(installed):
    if airflow_version(installed) < Version("3.3"):
        pytest.skip("only Airflow 3.3 and later looks for examples in providers")
    run(installed, "-m", "airflow", "db", "migrate")
    run(installed, "-m", "airflow", "dags", "reserialize", "--bundle-name", EXAMPLES_BUNDLE)
    found = {
        one["dag_id"] for one in rows(installed, "dags", "list") if one["bundle_name"] == EXAMPLES_BUNDLE
    }
    files = {Path(name).stem for name in sources("example_dags") if re.fullmatch(r"example_\w+\.py", name)}
    assert found
    assert len(found) >= len(files)
    assert rows(installed, "dags", "list-import-errors") == []
