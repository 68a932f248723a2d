"""
The import arrows: who may import whom.

Read from the sources, so that imports in functions and in TYPE_CHECKING blocks count too.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_cloudelements.get_provider_info import get_provider_info
from tests.support.imports import Import, Imports, is_part_of
from tests.support.package import HEAVY, PACKAGE, ROOT

#: A room is a folder or a module of the package, the innermost that has a row here; "" is the package's own
#: ``__init__``. Every room, and the rooms that it may import besides itself: arrows lead downwards only.
ARROWS: dict[str, set[str]] = {
    "assets": {"triggers", "client", "connections", "exceptions"},
    "__main__": {"cli"},
    "cli": {
        "fleet",
        "webhooks",
        "hooks",
        "provisioning",
        "client",
        "client/wire",
        "connections",
        "connection_form",
        "exceptions",
        "compat",
    },
    "sensors": {
        "fleet",
        "use",
        "operators",
        "operators/_parts",
        "triggers",
        "links",
        "hooks",
        "events",
        "provisioning",
        "client",
        "client/wire",
        "connections",
        "keys",
        "exceptions",
        "compat",
    },
    "decorators": {"operators/_parts", "hooks", "client", "connections"},
    "operators": {
        "fleet",
        "use",
        "operators/_parts",
        "webhooks",
        "triggers",
        "links",
        "hooks",
        "events",
        "provisioning",
        "client",
        "client/wire",
        "connections",
        "keys",
        "exceptions",
        "compat",
    },
    "operators/_parts": {
        "assets",
        "fleet",
        "use",
        "links",
        "hooks",
        "events",
        "provisioning",
        "client",
        "client/wire",
        "connections",
        "keys",
        "exceptions",
        "compat",
    },
    "triggers": {
        "hooks",
        "events",
        "provisioning",
        "client",
        "client/wire",
        "connections",
        "exceptions",
        "compat",
    },
    "links": {"hooks", "client", "connections", "exceptions", "compat", "plugin"},
    "webhooks": {"client", "connections", "keys", "exceptions"},
    "hooks": {"client", "client/wire", "connections", "connection_form", "keys", "exceptions", "compat"},
    "retry_policy": {"exceptions"},
    "use": {"client", "client/wire", "connections", "keys", "exceptions"},
    "fleet": {"provisioning", "client", "client/wire", "connections", "keys", "exceptions", "compat"},
    "events": {"client", "client/wire", "connections", "keys", "exceptions"},
    "provisioning": {"client", "client/wire", "connections", "keys", "exceptions"},
    "client": {"client/wire", "connections", "keys", "exceptions"},
    "client/wire": {"connections", "keys", "exceptions"},
    "plugin": {"pages"},
    "pages": set(),
    "get_provider_info": {"connections", "connection_form"},
    "connections": {"connection_form", "keys", "exceptions"},
    "connection_form": set(),
    "keys": set(),
    "exceptions": {"compat"},
    "compat": set(),
    "": set(),
    # Two independent readings of the API check each other, so the sandbox knows nothing of the rest,
    # and since no other room names it here, nobody knows the sandbox. Here are its doors.
    "sandbox": {"sandbox/server", "sandbox/control", "sandbox/core", "sandbox/settings"},
    "sandbox/server": {"sandbox/routes", "sandbox/state", "sandbox/core", "sandbox/settings"},
    "sandbox/routes": {"sandbox/calls", "sandbox/state", "sandbox/core"},
    # What answers HTTP, in whatever area: see CALLS.
    "sandbox/calls": {
        "sandbox/state",
        "sandbox/bulk",
        "sandbox/formulas",
        "sandbox/control",
        "sandbox/notifications",
        "sandbox/events",
        "sandbox/instances",
        "sandbox/vendors",
        "sandbox/elements",
        "sandbox/account",
        "sandbox/core",
        "sandbox/settings",
    },
    # Here the areas meet: each is given what it needs of another one's memory.
    "sandbox/state": {
        "sandbox/bulk",
        "sandbox/formulas",
        "sandbox/notifications",
        "sandbox/events",
        "sandbox/instances",
        "sandbox/vendors",
        "sandbox/elements",
        "sandbox/account",
        "sandbox/core",
        "sandbox/settings",
    },
    "sandbox/control": {"sandbox/vendors", "sandbox/elements", "sandbox/core", "sandbox/settings"},
    "sandbox/notifications": {
        "sandbox/events",
        "sandbox/instances",
        "sandbox/elements",
        "sandbox/account",
        "sandbox/core",
        "sandbox/settings",
    },
    "sandbox/events": {
        "sandbox/instances",
        "sandbox/vendors",
        "sandbox/elements",
        "sandbox/account",
        "sandbox/core",
        "sandbox/settings",
    },
    "sandbox/formulas": {
        "sandbox/instances",
        "sandbox/vendors",
        "sandbox/elements",
        "sandbox/account",
        "sandbox/core",
        "sandbox/settings",
    },
    "sandbox/bulk": {"sandbox/vendors", "sandbox/elements", "sandbox/core", "sandbox/settings"},
    "sandbox/instances": {
        "sandbox/vendors",
        "sandbox/elements",
        "sandbox/account",
        "sandbox/core",
        "sandbox/settings",
    },
    "sandbox/vendors": {"sandbox/elements", "sandbox/core", "sandbox/settings"},
    "sandbox/elements": {"sandbox/core", "sandbox/settings"},
    "sandbox/account": {"sandbox/core", "sandbox/settings"},
    "sandbox/core": {"sandbox/settings"},
    "sandbox/settings": set(),
}
#: The modules of the sandbox's areas that answer HTTP, by their names; they are one room.
CALLS = re.compile(rf"{PACKAGE}\.sandbox\.(?P<area>\w+)\.(\w+_)?calls\b")
#: A folder for each thing emulated.
AREAS = (
    "account",
    "elements",
    "vendors",
    "instances",
    "bulk",
    "formulas",
    "events",
    "notifications",
    "control",
)
#: Anyone may ask for the version.
FOR_ALL = {""}
#: The sandbox alone stays apart even from that.
APART = {room for room in ARROWS if room.split("/")[0] == "sandbox"}
#: Rooms that may import Airflow. The client's only piece of it, the exception base, comes by exceptions.
KNOW_AIRFLOW = {
    "assets",
    "cli",
    "sensors",
    "operators",
    "operators/_parts",
    "decorators",
    "triggers",
    "links",
    "webhooks",
    "hooks",
    "plugin",
    "retry_policy",
    "compat",
}
#: What is heavy to others and not to these: no operator loads a trigger, and no DAG file the sandbox.
MAY_LOAD = {"triggers": ("airflow.triggers", f"{PACKAGE}.triggers"), **dict.fromkeys(APART, HEAVY)}


def room_of(module: str) -> str:
    """Return the room of a module of the package."""
    if CALLS.match(module):
        return "sandbox/calls"
    parts = module.split(".")[1:]
    inner = ("/".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((name for name in inner if name in ARROWS), parts[0] if parts else "")


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
    room = room_of(one.module)
    if room not in ARROWS:
        return f"{one}: no rule for the room {room}"
    if is_part_of(one.target, PACKAGE):
        allowed = ARROWS[room] | {room} | (set() if room in APART else FOR_ALL)
        if room_of_target(one.target) not in allowed:
            return f"{one}: against the arrows"
    if is_part_of(one.target, "airflow") and room not in KNOW_AIRFLOW:
        return f"{one}: {room or 'the package'} may not know Airflow"
    if one.at_load:
        for heavy in HEAVY:
            if is_part_of(one.target, heavy) and heavy not in MAY_LOAD.get(room, ()):
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


def missing_rooms(root: Path) -> list[str]:
    """Return the rooms of the table that a package lacks."""
    rooms = {*ARROWS, *(f"sandbox/{area}/calls" for area in AREAS)} - {"sandbox/calls"}
    places = {room: root / PACKAGE / room for room in rooms}
    return sorted(
        room
        for room, place in places.items()
        if not (place / "__init__.py").is_file() and (room == "" or not place.with_suffix(".py").is_file())
    )


def circles(root: Path) -> list[set[str]]:
    """Return the sets of modules that import each other in a circle, whenever and for whatever they do."""
    modules = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for path in (root / PACKAGE).rglob("*.py")
    }
    named: dict[str, set[str]] = {module: set() for module in modules}
    for one in imports_of(root):
        parts = one.target.split(".")
        prefixes = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
        if (target := next((each for each in prefixes if each in modules), None)) not in {None, one.module}:
            named[one.module].add(target)
    reached: dict[str, set[str]] = {}
    for module in modules:
        found, left = set(), [module]
        while left:
            for each in named[left.pop()] - found:
                found.add(each)
                left.append(each)
        reached[module] = found
    within = {frozenset(each for each in reached[module] if module in reached[each]) for module in modules}
    return sorted((set(each) for each in within if each), key=sorted)


def test_every_room_exists():
    assert missing_rooms(ROOT) == []


def test_a_room_that_is_not_there_is_found(tmp_path):
    shutil.copytree(ROOT / PACKAGE, tmp_path / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    assert missing_rooms(tmp_path) == []
    (tmp_path / PACKAGE / "keys.py").unlink()
    shutil.rmtree(tmp_path / PACKAGE / "client" / "wire")
    (tmp_path / PACKAGE / "sandbox" / "events" / "calls.py").unlink()
    assert missing_rooms(tmp_path) == ["client/wire", "keys", "sandbox/events/calls"]


def test_no_modules_import_each_other_in_a_circle():
    assert circles(ROOT) == []


def test_a_planted_circle_is_found(tmp_path):
    def write(name, target):
        path = tmp_path / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {PACKAGE}.{target} import Name"
        )

    write("client/one.py", "client.two")
    write("client/two.py", "events")
    write("events/__init__.py", "client.other")
    assert circles(tmp_path) == []
    write("client/other.py", "client.one")
    (circle,) = circles(tmp_path)
    assert {each.removeprefix(f"{PACKAGE}.") for each in circle} == {
        "client.one",
        "client.two",
        "events",
        "client.other",
    }


def test_the_check_reads_the_whole_package():
    rooms = {room_of(one.module) for one in imports_of(ROOT)}
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
def test_importing_the_operators_loads_nothing_heavy(with_airflow_sdk):
    """The sources above show single imports; this shows what all of them together load."""
    heavy = [one for one in HEAVY if one != "httpx"]
    # Airflow's own human-in-the-loop operator loads airflow.triggers; a DAG that asks a person pays for it.
    light = [name for name in PUBLIC if name != f"{PACKAGE}.operators.consent"]
    assert 6 <= len(light) == len(PUBLIC) - 1
    program = f"""
import sys, airflow.sdk
before = set(sys.modules)
import importlib
for name in {light!r}:
    importlib.import_module(name)
loaded = set(sys.modules) - before
print(*sorted(name for name in loaded for heavy in {heavy!r} if (name + ".").startswith(heavy + ".")))
"""
    assert with_airflow_sdk.run(program).split() == []


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
    "the wire knows the calls": ("client/wire/x.py", f"from {PACKAGE}.client.models import Instance"),
    "the calls know what is built on them": ("client/x.py", f"from {PACKAGE}.provisioning import ensure"),
    "a part knows an operator": ("operators/_parts/x.py", f"import {PACKAGE}.operators.instances"),
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
    "the core knows an area": (
        "sandbox/core/x.py",
        f"from {PACKAGE}.sandbox.instances.store import Instance",
    ),
    "the core knows the state": ("sandbox/core/x.py", f"def f():\n    import {PACKAGE}.sandbox.state"),
    "an area's memory knows the state": (
        "sandbox/events/x.py",
        f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {PACKAGE}.sandbox.state import State",
    ),
    "an area's memory knows calls": ("sandbox/events/x.py", f"import {PACKAGE}.sandbox.events.calls"),
    "an area knows a later one": ("sandbox/events/x.py", f"import {PACKAGE}.sandbox.notifications.store"),
    "the server knows an area": ("sandbox/server/x.py", f"import {PACKAGE}.sandbox.events.store"),
    "a room without a rule": ("cupboard/x.py", f"import {PACKAGE}.client"),
}
HARMLESS = {
    "the hook knows the client": ("hooks/x.py", f"from {PACKAGE}.client import CloudElementsClient"),
    "the calls know the wire": ("client/x.py", f"from {PACKAGE}.client.wire.http import HttpSession"),
    "the version": ("client/x.py", f"from {PACKAGE} import __version__"),
    "its own room": (
        "sandbox/instances/x.py",
        f"from {PACKAGE}.sandbox.instances.store import Store\nimport fastapi",
    ),
    "calls know the state": ("sandbox/events/x_calls.py", f"from {PACKAGE}.sandbox.state import Call"),
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
