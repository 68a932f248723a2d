"""What goes into an environment: the groups of pyproject.toml, read without pip's help."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts.make_env import group_requirements, without_pinned

GROUPS = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())[
    "dependency-groups"
]


def test_a_group_holds_what_it_includes():
    groups = {"all": [{"include-group": "some"}, "b"], "some": [{"include-group": "few"}, "a"], "few": ["c"]}
    assert group_requirements(groups, "all") == ["c", "a", "b"]


def test_what_a_group_pins_goes_before_the_list_of_versions():
    constraints = "moto==1\npython-dateutil==4.0.0\npython-dateutil-x==1\n# a note\n"
    requirements = ["moto[server]==5.2.5", "python-dateutil==2.9.0.post0", "python-dateutil-x>=1", "-e"]
    assert without_pinned(constraints, requirements) == "python-dateutil-x==1\n# a note\n"


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_every_group_is_a_list_of_requirements(name):
    names = [Requirement(each).name for each in group_requirements(GROUPS, name)]
    assert names
    assert len(names) == len(set(names))
    if name == "dev":
        assert {"pytest", "ruff"} <= set(names)
