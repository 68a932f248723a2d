"""Nothing public is left half done.

Public is, for these checks, every hook, operator, sensor and trigger in a module that the provider's metadata
names, every function beside them (but those beside triggers, which serve the sensors), and whatever of these
kinds an ``__all__`` of the public interface names: the modules that the top of CHANGELOG.md lists. Each has

- a heading in a page of ``docs/`` that holds its exact name,
- a row in a table of README.md whose first cell holds its exact name,
- a DAG that uses it: an example, one in a folder ``dags`` of the tests, or one that stands as text in a test.
  A trigger is used by whatever uses the sensor or the asset that makes it,
- its exact name in CHANGELOG.md.

That the client's methods have routes in the sandbox is held by ``test_complete_client.py``.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from airflow.sdk import BaseHook, BaseOperator
from airflow.triggers.base import BaseTrigger

from airflow_provider_cloudelements.get_provider_info import get_provider_info
from tests.support.imports import Imports
from tests.support.package import PACKAGE, ROOT, modules, rooms

#: Used before there is a DAG, or without one: who sets up an Airflow calls the first, programs the next
#: three and what keeps a fleet, and a receiver the last three.
NOT_FOR_DAGS = {
    *("webhook_connection", "ensure", "update", "reauthenticate"),
    *("read_manifest", "read_manifest_text", "plan", "apply", "export", "manifest_schema"),
    *("sign", "verify", "reconcile"),
}


def kinds() -> tuple[type, ...]:
    """Return what a DAG is written with."""
    from airflow.sdk import RetryPolicy

    return (BaseHook, BaseOperator, BaseTrigger, RetryPolicy)


def is_of_kind(thing: object) -> bool:
    return inspect.isfunction(thing) or (inspect.isclass(thing) and issubclass(thing, kinds()))


def in_metadata() -> Iterator[tuple[str, object]]:
    """Yield what the modules that the metadata names define."""
    info = get_provider_info()
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for name in (each for one in info[kind] for each in one["python-modules"]):
            for own, thing in vars(modules()[name]).items():
                defined = getattr(thing, "__module__", None) == name and not own.startswith("_")
                if defined and not (kind == "triggers" and inspect.isfunction(thing)):
                    yield own, thing


def in_interface() -> Iterator[tuple[str, object]]:
    """Yield what an ``__all__`` of the public interface names."""
    assert len(rooms()) >= 10
    for name, module in modules().items():
        if any(f"{name}.".startswith(f"{PACKAGE}.{room}.") for room in rooms()):
            for own in getattr(module, "__all__", ()):
                yield own, getattr(module, own)


def public() -> dict[str, object]:
    return {name: thing for name, thing in (*in_metadata(), *in_interface()) if is_of_kind(thing)}


def without_heading(names: Iterable[str], pages: list[str]) -> list[str]:
    """Return the names that no heading holds."""
    headings = [line for page in pages for line in re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)]
    return [name for name in names if not any(re.search(rf"\b{name}\b", each) for each in headings)]


def without_row(names: Iterable[str], page: str) -> list[str]:
    """Return the names that stand in no first cell of a table."""
    cells = re.findall(r"^\| (.+?) \|", page, flags=re.MULTILINE)
    return [name for name in names if not any(re.search(rf"`{name}\b", each) for each in cells)]


def without_line(names: Iterable[str], page: str) -> list[str]:
    """Return the names that a page does not hold."""
    return [name for name in names if not re.search(rf"`{name}`", page)]


def dag_sources(root: Path) -> Iterator[str]:
    """Yield the sources of DAGs: of examples, of tests, and those that a test holds as text."""
    for path in [*root.glob("example_dags/*.py"), *root.glob("tests/**/dags/*.py")]:
        yield path.read_text()
    for path in root.glob("tests/**/test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "DAG(" in node.value:
                yield node.value


def makers_of(triggers: set[str]) -> dict[str, set[str]]:
    """Return, for each trigger, what is public in the modules that import it."""
    found: dict[str, set[str]] = {name: set() for name in triggers}
    for name, module in modules().items():
        visitor = Imports(name, is_package=hasattr(module, "__path__"))
        visitor.visit(ast.parse(inspect.getsource(module)))
        for trigger in triggers & {each.target.rpartition(".")[2] for each in visitor.found}:
            found[trigger] |= {own for own, thing in vars(module).items() if is_of_kind(thing)}
    return found


def unused(names: Iterable[str], makers: dict[str, set[str]], sources: list[str]) -> list[str]:
    """Return the names that no DAG calls, by themselves or by what makes them."""

    def is_used(name: str) -> bool:
        called = "|".join([name, *makers.get(name, ())])
        return any(re.search(rf"\b({called})(\.partial)?\(", source) for source in sources)

    return [name for name in names if not is_used(name)]


def test_what_is_public_is_found():
    names = set(public())
    assert {"CloudElementsHook", "CloudElementsCreateInstanceOperator", "element_instance"} <= names
    assert {"CloudElementsEventSensor", "CloudElementsEventTrigger"} <= names
    assert {"cloudelements_event_asset", "notification_of", "CloudElementsRetryPolicy"} <= names
    assert len(names) >= 28


def test_everything_public_has_a_heading():
    pages = [path.read_text() for path in (ROOT / "docs").glob("*.md")]
    assert without_heading(list(public()), pages) == []


def test_everything_public_has_a_row_in_the_readme():
    assert without_row(list(public()), (ROOT / "README.md").read_text()) == []


def test_everything_public_is_in_the_changelog():
    assert without_line(list(public()), (ROOT / "CHANGELOG.md").read_text()) == []


def test_everything_public_is_used_by_a_dag():
    found = public()
    classes = {name: each for name, each in found.items() if inspect.isclass(each)}
    triggers = {name for name, each in classes.items() if issubclass(each, BaseTrigger)}
    assert len(triggers) >= 3
    assert NOT_FOR_DAGS <= set(found)
    names = [name for name in found if name not in NOT_FOR_DAGS]
    assert unused(names, makers_of(triggers), list(dag_sources(ROOT))) == []


def test_what_is_missing_is_found(tmp_path):
    name = "CloudElementsPlantedOperator"
    others = f"`{name}`s\n## {name}s\n| what | `{name}` |\n| `My{name}` | x |\n"
    assert without_heading([name], [others, f"text {name}"]) == [name]
    assert without_heading([name], [others, f"### {name}, Another"]) == []
    assert without_row([name], others) == [name]
    assert without_row([name], f"| `{name}(...)`, `x` | what |") == []
    assert without_line([name], others.partition("\n")[0].replace("`s", "s`")) == [name]
    assert without_line([name], f"- `{name}`: new.") == []
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(f"DAG = 1\n{name}(task_id='x')")
    assert unused([name], {}, list(dag_sources(tmp_path))) == [name]
    (tmp_path / "tests" / "test_x.py").write_text(f"'''with DAG():\n    {name}(task_id='x')'''")
    assert unused([name], {}, list(dag_sources(tmp_path))) == []
    assert unused(["ATrigger"], {"ATrigger": {name}}, list(dag_sources(tmp_path))) == []
