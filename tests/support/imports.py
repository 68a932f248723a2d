"""The imports of a source, read without running it: those in functions and in TYPE_CHECKING blocks too."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Import:
    """One import: where it stands, what it names, and whether loading the module runs it."""

    module: str
    line: int
    target: str
    at_load: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


class Imports(ast.NodeVisitor):
    """Collects all imports of one module."""

    def __init__(self, module: str, is_package: bool) -> None:
        self.module = module
        self.parent = module if is_package else module.rpartition(".")[0]
        self.found: list[Import] = []
        self.at_load = True

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            above = self.parent.split(".")[: len(self.parent.split(".")) - node.level + 1]
            base = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            # The name may be a module: ``from airflow_provider_cloudelements import sandbox``.
            self._add(node, f"{base}.{alias.name}")

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in {"import_module", "__import__", "import_string"} and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                self._add(node, first.value)
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if getattr(node.test, "attr", getattr(node.test, "id", "")) == "TYPE_CHECKING":
            self._later(node.body)
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        self.visit(node.args)
        self._later(node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._later([node.body])

    def _later(self, nodes: list[ast.stmt] | list[ast.expr]) -> None:
        before, self.at_load = self.at_load, False
        for node in nodes:
            self.visit(node)
        self.at_load = before

    def _add(self, node: ast.stmt | ast.expr, target: str) -> None:
        self.found.append(Import(self.module, node.lineno, target, self.at_load))


def is_part_of(target: str, module: str) -> bool:
    """Say whether an import names a module or something in it."""
    return target == module or target.startswith(f"{module}.")
