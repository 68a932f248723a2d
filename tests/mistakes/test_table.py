"""The tables of docs/troubleshooting.md hold the mistakes that are tested here, and no others."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.mistakes import matches, rows

HERE = Path(__file__).parent


def made() -> set[str]:
    """Return the mistakes of the tests beside this one: first arguments, and keys of their tables."""
    found: set[str] = set()
    for path in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):
                keys = node.keys
            elif isinstance(node, ast.Call):
                keys = node.args[:2]
            else:
                continue
            found |= {
                each.value for each in keys if isinstance(each, ast.Constant) and isinstance(each.value, str)
            }
    return found


def test_each_row_is_a_mistake_that_a_test_makes():
    assert set(rows()) - made() == set()


def test_there_are_many():
    assert len(rows()) >= 47


def test_a_message_is_compared_whole():
    assert matches("Connection 'x': … it.", "Connection 'x': mend it.")
    assert not matches("Connection 'x': … it.", "Connection 'x': mend it. Or not.")
    assert not matches("a.c", "abc")
