"""What the examples say of themselves: name, description, topics and docstring, read from their source."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Topics in the order of the gallery: an example's first tag beside these two.
GENERAL_TAGS = frozenset({"cloudelements", "example"})
TOPICS = {
    "instances": "Make and find instances",
    "consent": "Consent by a person",
    "use": "Use instances",
    "events": "Events",
    "operation": "Operation of many instances",
}


@dataclass(frozen=True)
class Example:
    """
    An example.

    :param path: its file
    :param dag_id: its DAG's id
    :param description: its DAG's description; empty if it has none
    :param tags: its DAG's tags
    :param doc: the module's docstring
    """

    path: Path
    dag_id: str
    description: str
    tags: tuple[str, ...]
    doc: str

    @property
    def topic(self) -> str:
        """Its first topic; one without is among the first in the gallery."""
        return next((tag for tag in self.tags if tag in TOPICS), next(iter(TOPICS)))


def examples(root: Path = ROOT) -> list[Example]:
    """
    Return all examples, ordered by name.

    :param root: where ``example_dags`` is
    """
    return [_read(path) for path in sorted((root / "example_dags").glob("example_*.py"))]


def _read(path: Path) -> Example:
    tree = ast.parse(path.read_text())
    call = next(each for each in ast.walk(tree) if isinstance(each, ast.Call) and _is_dag(each.func))
    given = {each.arg: each.value for each in call.keywords if each.arg in ("description", "tags")}
    values = {name: ast.literal_eval(value) for name, value in given.items()}
    return Example(
        path,
        ast.literal_eval(call.args[0]),
        values.get("description", ""),
        tuple(values.get("tags", ())),
        ast.get_docstring(tree) or "",
    )


def _is_dag(name: ast.expr) -> bool:
    return isinstance(name, ast.Name) and name.id in ("DAG", "dag")
