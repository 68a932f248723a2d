"""The link to an instance's page in the console."""

from __future__ import annotations

import json
from functools import partial

import pytest
import requests

from airflow_provider_cloudelements.exceptions import CloudElementsDriftError, CloudElementsUnhealthyError
from airflow_provider_cloudelements.links.instances import CloudElementsInstanceLink, console_link
from airflow_provider_cloudelements.operators.fleet import (
    CloudElementsApplyInstancesOperator,
    CloudElementsPlanInstancesOperator,
)
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from scripts.demo_connections import connections
from tests.support.context import context_of
from tests.support.platform import Person


class Ti:
    """As much of a task instance as the operator asks for."""

    try_number = 1

    def xcom_push(self, key, value):
        pass


@pytest.mark.parametrize(
    ("extra", "link"),
    [
        ({"console_url": "https://my.example.com/instances/{id}"}, "https://my.example.com/instances/{}"),
        ({}, ""),
    ],
)
def test_the_link_leads_where_the_connection_says(cloudelements_sandbox, monkeypatch, extra, link):
    connection = cloudelements_sandbox.connection(**extra)
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
    operator = CloudElementsCreateInstanceOperator(
        task_id="create",
        element="closeio",
        instance_name="Linked",
        events_enabled=False,
        configuration={"username": "ada", "password": "a-password/1"},
    )
    assert CloudElementsInstanceLink().get_link(operator, ti_key=None) == "", "nothing ran yet"
    returned = operator.execute({"ti": Ti()})
    assert CloudElementsInstanceLink().get_link(operator, ti_key=None) == link.format(returned["id"])


def test_only_the_id_is_filled_in():
    assert console_link("https://c.example/{id}?tab={tab}", 7) == "https://c.example/7?tab={tab}"


@pytest.fixture
def person(cloudelements_sandbox, monkeypatch):
    """An account whose connection is the one of ``make up``."""
    sandbox = cloudelements_sandbox
    known = connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret)
    for conn_id in ("cloudelements_default", "closeio_login"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(known[conn_id]))
    return Person(sandbox)


def opened(operator):
    """Return what a browser gets at the operator's link."""
    link, _ = operator.operator_extra_links
    url = link.get_link(operator, ti_key=None)
    session = requests.Session()
    session.trust_env = False
    return session.get(url, headers={"Accept": "text/html"}, timeout=20).text if url else None


@pytest.mark.parametrize("fail_on", [(), ("disabled",)])
def test_the_link_of_a_check_leads_to_the_first_that_is_not_healthy(person, cloudelements_sandbox, fail_on):
    check = CloudElementsCheckInstancesOperator(task_id="check", fail_on=fail_on)
    person.make("basic", name="Well")
    check.execute(context_of())
    assert opened(check) is None
    ill = [person.make("basic", name=name) for name in ("Ill", "Ill as well")]
    for each in ill:
        cloudelements_sandbox.set_instance(each, disabled=True)
    if fail_on:
        with pytest.raises(CloudElementsUnhealthyError):
            check.execute(context_of())
    else:
        check.execute(context_of())
    shown = opened(check)
    assert any(f"<h1>Instance {each}: Ill" in shown for each in ill)
    assert "<dt>state</dt><dd>disabled</dd>" in shown


def test_the_link_of_a_plan_leads_to_the_first_that_it_would_change(person, cloudelements_sandbox):
    row = {"key": "one", "name": "One", "element_conn_id": "closeio_login"}
    plan = partial(CloudElementsPlanInstancesOperator, task_id="plan", ownership_tag="linked")
    first = plan(manifest=[row])
    parts = first.execute(context_of())
    assert opened(first) is None, "what it creates has no page yet"
    CloudElementsApplyInstancesOperator(task_id="apply", plan=parts).execute(context_of())
    drift = plan(manifest=[{**row, "name": "Renamed"}], fail_on_changes=True)
    with pytest.raises(CloudElementsDriftError):
        drift.execute(context_of())
    (instance,) = cloudelements_sandbox.instances()
    assert f"<h1>Instance {instance['id']}: One</h1>" in opened(drift)
