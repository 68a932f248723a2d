"""The JSON Schema that editors get, against the parser."""

from __future__ import annotations

import inspect
import json

import jsonschema
import pytest
import yaml

from airflow_provider_cloudelements.fleet import manifest_schema, read_manifest_text
from airflow_provider_cloudelements.fleet.fields import ARGUMENTS
from airflow_provider_cloudelements.fleet.schema import schema_text, shipped_schema
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.provisioning.arguments import CONSENT

GOOD = [
    "instances: []",
    "instances:",
    "ownership_tag: x\ninstances: [{key: a, name: b}]",
    "defaults: {element: closeio, tags: [a], protect: true}\ninstances: [{instance_key: a, name: b}]",
    "instances: [{name: a, event_callback_url: null, events_enabled: false, state: disabled}]",
    "instances: [{name: a, instance_id: 17, configuration: {a: 1, b: {c: [d]}}}]",
    "instances: [{name: a, key: 0123, moved_from: 1e3, tags: [1, two]}]",
]
BAD = [
    "other: 1",
    "instances: {}",
    "instances: [text]",
    "instances: [{nam: a}]",
    "instances: [{name: a, key: b, instance_key: c}]",
    "instances: [{name: [a]}]",
    "instances: [{name: a, protect: maybe}]",
    "instances: [{name: a, state: gone}]",
    "instances: [{name: a, instance_id: 0}]",
    "instances: [{name: a, tags: gold}]",
    "instances: [{name: a, configuration: text}]",
    "instances: [{name: a, event_callback_url: [x]}]",
    "instances: [{name: a, authorization_code: x}]",
    "defaults: {key: a}\ninstances: []",
    "defaults: {name: a}\ninstances: []",
    "defaults: []\ninstances: []",
]


def validator():
    schema = manifest_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("text", GOOD)
def test_what_the_parser_takes_the_schema_takes(text):
    assert read_manifest_text(text).problems == ()
    assert list(validator().iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize("text", BAD)
def test_what_the_parser_refuses_the_schema_refuses(text):
    assert read_manifest_text(text).problems
    assert list(validator().iter_errors(yaml.safe_load(text)))


def test_the_shipped_file_is_that_of_the_code():
    assert shipped_schema() == schema_text()
    assert json.loads(shipped_schema()) == manifest_schema()


def test_the_fields_of_a_row_are_arguments_of_the_create_operator():
    arguments = set(inspect.signature(CloudElementsCreateInstanceOperator.__init__).parameters)
    names = {each.name for each in ARGUMENTS}
    assert names <= arguments
    assert arguments - names - CONSENT == {
        "self",
        "kwargs",
        # What a plan decides for all rows alike, and the connection of the account.
        "if_exists",
        "push_token",
        "settle_time",
        "delete_twins",
        "delete_on_failure",
        "cloudelements_conn_id",
        "element_conn_id",
    }
    assert all(each.doc for each in ARGUMENTS)
