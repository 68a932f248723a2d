"""
The import arrows: who may import whom.

Read from the sources, so that imports in functions and in TYPE_CHECKING blocks count too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_cloudelements.get_provider_info import get_provider_info
from tests.support.imports import Import, Imports, is_part_of, room_of
from tests.support.package import HEAVY, PACKAGE, ROOT

#: A room is a folder or a module right below the package; "" is the package's own ``__init__``.
#: Every room, and the rooms that it may import besides itself: arrows lead downwards only.
ARROWS: dict[str, set[str]] = {
    "assets": {"triggers", "connections"},
    "cli": {"webhooks", "exceptions"},
    "sensors": {
        "operators",
        "triggers",
        "links",
        "hooks",
        "client",
        "connections",
        "exceptions",
        "compat",
    },
    "operators": {
        "webhooks",
        "triggers",
        "links",
        "hooks",
        "client",
        "connections",
        "exceptions",
        "compat",
    },
    "triggers": {"hooks", "client", "connections", "exceptions", "compat"},
    "links": {"hooks", "client", "connections", "exceptions", "compat"},
    "webhooks": {"client", "connections", "exceptions"},
    "hooks": {"client", "connections", "connection_form", "exceptions", "compat"},
    "retry_policy": {"exceptions"},
    "client": {"connections", "exceptions"},
    "get_provider_info": {"connections", "connection_form"},
    "connections": {"connection_form", "exceptions"},
    "connection_form": set(),
    "exceptions": {"compat"},
    "compat": set(),
    "": set(),
    # Two independent readings of the API check each other, so the sandbox knows nothing of the rest,
    # and since no other room names it here, nobody knows the sandbox.
    "sandbox": set(),
}
#: Anyone may ask for the version.
FOR_ALL = {""}
#: The sandbox alone stays apart even from that.
APART = {"sandbox"}
#: Rooms that may import Airflow. The client's only piece of it, the exception base, comes by exceptions.
KNOW_AIRFLOW = {
    "assets",
    "cli",
    "sensors",
    "operators",
    "triggers",
    "links",
    "webhooks",
    "hooks",
    "retry_policy",
    "compat",
}
#: What is heavy to others and not to these: no operator loads a trigger, and no DAG file the sandbox.
MAY_LOAD = {"triggers": ("airflow.triggers", f"{PACKAGE}.triggers"), "sandbox": HEAVY}


def room_of_target(target: str) -> str:
    """Return the room that an import of the package names; a name in ``__init__`` is no room of its own."""
    name = room_of(target)
    return name if name in ARROWS else ""


def imports_of(root: Path) -> Iterator[Import]:
    """Yield every import of the package that lies below a folder."""
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        visitor = Imports(".".join(parts[:-1] if is_package else parts), is_package)
        visitor.visit(ast.parse(path.read_text(), str(path)))
        yield from visitor.found


def fault_of(one: Import) -> str | None:
    """Say what is wrong with an import, if anything is."""
    if one.room not in ARROWS:
        return f"{one}: no rule for the room {one.room}"
    if is_part_of(one.target, PACKAGE):
        allowed = ARROWS[one.room] | {one.room} | (set() if one.room in APART else FOR_ALL)
        if room_of_target(one.target) not in allowed:
            return f"{one}: against the arrows"
    if is_part_of(one.target, "airflow") and one.room not in KNOW_AIRFLOW:
        return f"{one}: {one.room or 'the package'} may not know Airflow"
    if one.at_load:
        for heavy in HEAVY:
            if is_part_of(one.target, heavy) and heavy not in MAY_LOAD.get(one.room, ()):
                return f"{one}: {heavy} is imported when a DAG file is parsed"
    return None


def faults(root: Path) -> list[str]:
    """Return all that is wrong with the imports of a package."""
    return [fault for one in imports_of(root) if (fault := fault_of(one))]


def test_the_arrows_lead_downwards_only():
    for room, below in ARROWS.items():
        for other in below:
            assert room not in ARROWS[other], f"{room} and {other} may import each other"


def test_the_package_keeps_the_arrows():
    assert faults(ROOT) == []


def rooms_below(root: Path) -> set[str]:
    """Return the rooms that a package has: its folders and modules, and its own ``__init__``."""
    paths = (path.relative_to(root / PACKAGE) for path in (root / PACKAGE).rglob("*.py"))
    names = {path.with_suffix("").parts[0] for path in paths}
    return {"" if name == "__init__" else name for name in names}


def test_the_table_names_the_rooms_that_there_are_and_no_other():
    assert rooms_below(ROOT) == set(ARROWS)
    assert set().union(*ARROWS.values(), KNOW_AIRFLOW, MAY_LOAD, APART, FOR_ALL) <= set(ARROWS)


def test_a_room_is_a_folder_or_a_module(tmp_path):
    for name in ("client/http.py", "client/__init__.py", "cli.py", "__init__.py", "sandbox/web/calls.py"):
        path = tmp_path / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert rooms_below(tmp_path) == {"client", "cli", "", "sandbox"}


def test_the_check_reads_the_whole_package():
    rooms = {one.room for one in imports_of(ROOT)}
    assert {"client", "hooks", "operators", "connections", "exceptions", "compat", "sandbox"} <= rooms


def test_the_examples_leave_the_sandbox_alone():
    files = list((ROOT / "example_dags").rglob("*.py"))
    assert files
    for path in files:
        visitor = Imports(path.stem, is_package=False)
        visitor.visit(ast.parse(path.read_text()))
        assert visitor.found
        assert [one for one in visitor.found if is_part_of(one.target, f"{PACKAGE}.sandbox")] == []


#: What DAG files import of this package.
PUBLIC = [
    name
    for kind in ("operators", "sensors")
    for each in get_provider_info()[kind]
    for name in each["python-modules"]
]


@pytest.mark.slow
def test_importing_the_operators_loads_nothing_heavy():
    """The sources above show single imports; this shows what all of them together load."""
    heavy = [one for one in HEAVY if one != "httpx"]
    assert len(PUBLIC) >= 6
    program = f"""
import sys, airflow.sdk
before = set(sys.modules)
import importlib
for name in {PUBLIC!r}:
    importlib.import_module(name)
loaded = set(sys.modules) - before
print(*sorted(name for name in loaded for heavy in {heavy!r} if (name + ".").startswith(heavy + ".")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout.split() == []


PLANTED = {
    "the client knows the hook": (
        "client/x.py",
        f"from {PACKAGE}.hooks.cloudelements import CloudElementsHook",
    ),
    "inside a function": ("client/x.py", f"def f():\n    import {PACKAGE}.hooks.cloudelements"),
    "inside a method": ("client/x.py", f"class C:\n    async def f(self):\n        import {PACKAGE}.hooks"),
    "for a type checker": (
        "client/x.py",
        f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {PACKAGE}.operators import base",
    ),
    "by a relative import": ("client/x.py", "from ..hooks import cloudelements"),
    "by a relative import of a package": ("client/__init__.py", "from .. import hooks"),
    "by the package": ("client/x.py", f"from {PACKAGE} import hooks"),
    "by name": ("client/x.py", f"import importlib\nimportlib.import_module('{PACKAGE}.hooks')"),
    "the hook knows the operators": ("hooks/x.py", f"import {PACKAGE}.operators.instances"),
    "somebody knows the sandbox": ("operators/x.py", f"def f():\n    from {PACKAGE}.sandbox import Sandbox"),
    "the sandbox knows the client": ("sandbox/x.py", f"from {PACKAGE}.client.models import Instance"),
    "the sandbox knows the version": ("sandbox/x.py", f"from {PACKAGE} import __version__"),
    "the sandbox knows Airflow": ("sandbox/x.py", "def f():\n    import airflow"),
    "the client knows Airflow": ("client/x.py", "def f():\n    from airflow.sdk.log import mask_secret"),
    "the client knows Airflow's compat": (
        "client/x.py",
        "from airflow.providers.common.compat.sdk import AirflowException",
    ),
    "requests at load": ("client/x.py", "import requests"),
    "requests in a class body": ("hooks/x.py", "class C:\n    from requests import Session"),
    "requests after a condition": (
        "operators/x.py",
        "try:\n    import requests.adapters\nexcept OSError: ...",
    ),
    "requests beside TYPE_CHECKING": (
        "client/x.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING: ...\nelse:\n    import requests",
    ),
    "urllib3 at load": ("connections.py", "from urllib3.util import Retry"),
    "triggers at load": ("operators/x.py", "from airflow.triggers.base import TriggerEvent"),
    "requests in a trigger": ("triggers/x.py", "import requests"),
    "our triggers at load": (
        "sensors/x.py",
        f"from {PACKAGE}.triggers.events import CloudElementsEventTrigger",
    ),
    "a room without a rule": ("cupboard/x.py", f"import {PACKAGE}.client"),
}
HARMLESS = {
    "the hook knows the client": ("hooks/x.py", f"from {PACKAGE}.client import CloudElementsClient"),
    "the version": ("client/x.py", f"from {PACKAGE} import __version__"),
    "its own room": ("sandbox/x.py", f"from {PACKAGE}.sandbox.store import Store\nimport fastapi"),
    "requests in a function": ("client/x.py", "def f():\n    import requests"),
    "requests for a type checker": (
        "client/x.py",
        "import typing\nif typing.TYPE_CHECKING:\n    import requests",
    ),
    "a name that only begins alike": ("client/x.py", "import requests_like, airflow_like"),
    "our triggers in a function": ("operators/x.py", f"def f():\n    from {PACKAGE}.triggers import events"),
    "a trigger's base in a trigger": ("triggers/x.py", "from airflow.triggers.base import BaseTrigger"),
    "Airflow in the hook": ("hooks/x.py", "from airflow.sdk import BaseHook"),
}


def plant(folder: Path, name: str, source: str) -> list[str]:
    """Return the faults of a package that holds one file."""
    path = folder / PACKAGE / name
    path.parent.mkdir(parents=True)
    path.write_text(source)
    return faults(folder)


@pytest.mark.parametrize(("name", "source"), PLANTED.values(), ids=PLANTED)
def test_a_planted_violation_is_found(tmp_path, name, source):
    assert len(plant(tmp_path, name, source)) == 1


@pytest.mark.parametrize(("name", "source"), HARMLESS.values(), ids=HARMLESS)
def test_a_harmless_import_is_let_through(tmp_path, name, source):
    assert plant(tmp_path, name, source) == []
