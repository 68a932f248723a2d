"""Mistakes in a manifest, and with the operators that plan and apply it."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.operators.fleet import (
    CloudElementsApplyInstancesOperator,
    CloudElementsPlanInstancesOperator,
)
from tests.support.mistakes import PASSWORD

PLAN, APPLY = CloudElementsPlanInstancesOperator, CloudElementsApplyInstancesOperator
ROW = {"key": "tenant-1", "name": "Tenant 1", "element_conn_id": "vendor_login"}
#: What the plan operator gets as its manifest, by the mistake.
ROWS = {
    "one key in two rows": [ROW, ROW],
    "a mistyped field of a row": [{**ROW, "elment": "closeio"}],
    "a password in a row": [{**ROW, "configuration": {"password": PASSWORD}}],
    "a row's connection that does not exist": [{**ROW, "element_conn_id": "closeio"}],
    "an unknown word for state": [{**ROW, "state": "deleted"}],
    "rows that a template made a text": "[{'key': 'tenant-1'}]",
    "a manifest that is not there": "tenants.yml",
}
#: Texts of a manifest, by the mistake.
FILES = {
    "an empty manifest": "",
    "a list in place of a manifest": "- {key: tenant-1, name: Tenant 1}\n",
    "instance for instances": "instance:\n  - {key: tenant-1, name: Tenant 1}\n",
    "instances that are no list": "instances:\n  tenant-1: {name: Tenant 1}\n",
    "yes for a boolean": (
        "instances:\n  - {key: tenant-1, name: Tenant 1, element: closeio, events_enabled: yes}\n"
    ),
}
#: What the apply operator gets as its plan, by the mistake.
PLANS = {
    "rows for a plan": [ROW],
    "a path for a plan": "tenants.yaml",
    "a plan that is None": None,
}


@pytest.mark.parametrize("name", ROWS)
def test_rows(newcomer, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    newcomer.login()
    with newcomer.mistake(name):
        newcomer.run(PLAN, manifest=ROWS[name])
    assert newcomer.sandbox.requests() == []


@pytest.mark.parametrize("name", FILES)
def test_a_file(newcomer, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tenants.yaml").write_text(FILES[name])
    with newcomer.mistake(name):
        newcomer.run(PLAN, manifest="tenants.yaml")


@pytest.mark.parametrize("name", PLANS)
def test_a_plan(newcomer, name):
    with newcomer.mistake(name):
        newcomer.run(APPLY, plan=PLANS[name])


def test_prune_without_a_tag(newcomer):
    newcomer.login()
    with newcomer.mistake("prune without an ownership_tag"):
        newcomer.run(PLAN, manifest=[ROW], prune=True)


def test_a_plan_for_another_namespace(newcomer):
    newcomer.login()
    plan = newcomer.run(PLAN, manifest=[ROW])
    newcomer.account(extra={"namespace": "production"})
    with newcomer.mistake("a plan for another namespace"):
        newcomer.run(APPLY, plan=plan)


def test_force_as_one_text(newcomer):
    newcomer.login()
    plan = newcomer.run(PLAN, manifest=[ROW])
    with newcomer.mistake("force as one text"):
        newcomer.run(APPLY, plan=plan, force="updates")
    assert newcomer.sandbox.instances() == []
