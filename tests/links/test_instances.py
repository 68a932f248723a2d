"""The link to an instance's page in the console."""

from __future__ import annotations

import json

import pytest

from airflow_provider_cloudelements.links.instances import CloudElementsInstanceLink, console_link
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator


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
