"""Hooks, operators and sensors can be copied and pickled, also after they ran."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsElementHook, CloudElementsHook
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsDeleteInstanceOperator
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor
from tests.support.context import context_of
from tests.support.platform import Person

WAYS = {
    "copy": copy.copy,
    "deep copy": copy.deepcopy,
    "pickle": lambda given: pickle.loads(pickle.dumps(given)),  # noqa: S301
}


@pytest.fixture
def sandbox(cloudelements_sandbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(cloudelements_sandbox.connection()))
    return cloudelements_sandbox


@pytest.fixture
def number(sandbox):
    return Person(sandbox).make("basic")


@pytest.mark.parametrize("way", WAYS)
def test_a_hook_reads_its_connection_again(way, sandbox, number):
    hook = CloudElementsHook()
    assert hook.instance(number).ping()
    hook.log.info("used")
    assert sandbox.user_secret not in str(pickle.dumps(hook))
    again = WAYS[way](hook)
    assert "settings" not in again.__dict__
    assert again.instance(number).ping()


@pytest.mark.parametrize("way", WAYS)
def test_an_elements_hook_reads_its_connection_again(way, monkeypatch):
    connection = {"conn_type": "cloudelements_element", "login": "key", "password": "s3cret-value"}
    monkeypatch.setenv("AIRFLOW_CONN_VENDOR_LOGIN", json.dumps(connection))
    hook = CloudElementsElementHook("vendor_login")
    settings = hook.get_conn()
    hook.log.info("used")
    assert "s3cret-value" not in str(pickle.dumps(hook))
    assert WAYS[way](hook).get_conn() == settings


@pytest.mark.parametrize("way", WAYS)
def test_an_operator_can_be_copied_and_pickled_after_it_ran(way, sandbox, number):
    for task in (
        CloudElementsCheckInstancesOperator(task_id="check"),
        CloudElementsDeleteInstanceOperator(task_id="delete", instance_id=number, dry_run=True),
    ):
        first = task.execute(context_of())
        assert sandbox.user_secret not in str(pickle.dumps(task))
        assert WAYS[way](task).execute(context_of()) == first


@pytest.mark.parametrize("way", WAYS)
def test_a_sensor_can_be_copied_and_pickled_after_it_looked(way, sandbox, number):
    sensor = CloudElementsInstanceSensor(task_id="wait", instance_id=number, deferrable=False)
    assert sensor.poke(context_of())
    sensor.log.info("used")
    assert sandbox.user_secret not in str(pickle.dumps(sensor))
    assert WAYS[way](sensor).poke(context_of())
