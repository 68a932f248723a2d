"""The link from a task to the page of all instances."""

from __future__ import annotations

import pytest

from airflow_provider_cloudelements.links.pages import CloudElementsInstancesPageLink
from airflow_provider_cloudelements.operators.fleet import CloudElementsPlanInstancesOperator
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

PAGE = "/cloudelements/instances?connection="
BASE_URL, PAGES = "AIRFLOW__API__BASE_URL", "AIRFLOW__CLOUDELEMENTS__PAGES"


def link_of(operator) -> str:
    (link,) = [
        each for each in operator.operator_extra_links if isinstance(each, CloudElementsInstancesPageLink)
    ]
    return link.get_link(operator, ti_key=None)


@pytest.mark.parametrize(
    ("base_url", "link"),
    [
        ("https://airflow.example.com/team/", f"https://airflow.example.com/team{PAGE}eu"),
        ("https://airflow.example.com", f"https://airflow.example.com{PAGE}eu"),
        ("/team", f"{PAGE}eu"),
        ("", f"{PAGE}eu"),
    ],
)
def test_it_leads_to_the_instances_of_the_connection(monkeypatch, base_url, link):
    monkeypatch.setenv(BASE_URL, base_url)
    assert link_of(CloudElementsCheckInstancesOperator(task_id="x", cloudelements_conn_id="eu")) == link


def test_a_create_and_a_plan_have_it_too(monkeypatch):
    monkeypatch.delenv(BASE_URL, raising=False)
    create = CloudElementsCreateInstanceOperator(task_id="x", element="closeio", instance_name="One")
    plan = CloudElementsPlanInstancesOperator(task_id="x", manifest="/m.yaml", cloudelements_conn_id="a b&c")
    assert link_of(create).endswith(f"{PAGE}cloudelements_default")
    assert link_of(plan).endswith(f"{PAGE}a+b%26c")


def test_where_the_pages_are_off_there_is_none(monkeypatch):
    monkeypatch.setenv(PAGES, "False")
    assert link_of(CloudElementsCheckInstancesOperator(task_id="x")) == ""
