"""What tests share lives in ``tests/support``: no test takes anything from another test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk.log import mask_secret, redact

from tests.support.imports import Imports, is_part_of
from tests.support.package import ROOT

SHARED = "tests.support"


def imports_between_tests(root: Path) -> Iterator[str]:
    """Yield every import below ``tests`` that names neither what tests share nor a helper beside it.

    A helper beside it, such as a harness, lies in the same folder and holds no tests.
    """
    for path in sorted((root / "tests").rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        folder = module.rpartition(".")[0]
        visitor = Imports(module, is_package=False)
        visitor.visit(ast.parse(path.read_text(), str(path)))
        for one in visitor.found:
            if not is_part_of(one.target, "tests") or is_part_of(one.target, SHARED):
                continue
            rest = one.target.removeprefix(f"{folder}.").split(".")
            beside = is_part_of(one.target, folder) and not is_part_of(module, SHARED)
            if not beside or any(part.startswith(("test_", "conftest")) for part in rest):
                yield str(one)


def test_no_test_imports_from_another_test_or_a_conftest():
    assert list(imports_between_tests(ROOT)) == []


def test_the_check_reads_all_tests():
    assert len(list((ROOT / "tests").rglob("test_*.py"))) > 90
    assert len(list((ROOT / "tests" / "support").glob("*.py"))) > 10


@pytest.mark.parametrize(
    ("name", "source"),
    {
        "a test beside it": ("client/test_x.py", "from tests.client.test_y import helper"),
        "a test elsewhere": ("client/test_x.py", "from tests.operators.test_y import helper"),
        "the module of a test": ("client/test_x.py", "from tests.client import test_y"),
        "inside a function": ("client/test_x.py", "def f():\n    import tests.client.test_y"),
        "a conftest": ("client/test_x.py", "from tests.client.conftest import Api"),
        "by a relative import": ("client/test_x.py", "from .test_y import helper"),
        "a test in a folder below": ("a/test_x.py", "from tests.a._parts.test_y import helper"),
        "a test at the top": ("client/test_x.py", "from tests.test_y import helper"),
        "by name": ("client/test_x.py", "import importlib\nimportlib.import_module('tests.client.test_y')"),
        "a helper of another folder": ("client/test_x.py", "from tests.crash.harness import ROOT"),
        "a conftest of another folder": ("browser/conftest.py", "from tests.airflow.conftest import x"),
        "what is shared knows a test": ("support/x.py", "from tests.client.test_y import helper"),
        "what is shared knows a helper": ("support/x.py", "from tests.crash.harness import ROOT"),
    }.items(),
)
def test_a_planted_import_is_found(tmp_path, name, source):
    path, text = source
    file = tmp_path / "tests" / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert len(list(imports_between_tests(tmp_path))) == 1, name


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("client/test_x.py", "from tests.support.wire import Wire"),
        ("client/test_x.py", "from tests.support import wire"),
        ("support/x.py", "from tests.support.wire import Wire"),
        ("crash/test_x.py", "from tests.crash.harness import ROOT"),
        ("crash/harness.py", "from tests.crash import changes"),
    ],
)
def test_what_is_shared_or_lies_beside_it_is_let_through(tmp_path, path, text):
    file = tmp_path / "tests" / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert list(imports_between_tests(tmp_path)) == []


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_masks_is_masked_in_that_test_alone(turn):
    secret = "Us3r/Of+One/Test+Alone="
    assert redact(secret) == secret, turn
    mask_secret(secret)
    assert redact(secret) == "***"
