"""Texts that name something: what is no text is refused by its name in every operator and sensor."""

from __future__ import annotations

import datetime

import pytest
from airflow.sdk import DAG

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.events.query import EventQuery
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators.changes import (
    CloudElementsReauthenticateInstanceOperator,
    CloudElementsUpdateInstanceOperator,
)
from airflow_provider_cloudelements.operators.deliveries import CloudElementsReleaseDeliveriesOperator
from airflow_provider_cloudelements.operators.events import CloudElementsEnableEventsOperator
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.operators.instances import (
    CloudElementsCreateInstanceOperator,
    CloudElementsDeleteInstanceOperator,
    element_instance,
)
from airflow_provider_cloudelements.operators.oauth import CloudElementsGetOAuthUrlOperator
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor
from airflow_provider_cloudelements.triggers.events import CloudElementsEventTrigger
from airflow_provider_cloudelements.triggers.instances import CloudElementsInstanceTrigger
from tests.support.context import context_of
from tests.support.platform import Wire
from tests.support.tasks import ALL

BASIC = {
    "element": "closeio",
    "instance_name": "An instance",
    "configuration": {"username": "ada", "password": "first-password"},
    "event_callback_url": None,
}
CREATE = CloudElementsCreateInstanceOperator
UPDATE = CloudElementsUpdateInstanceOperator
LOG_IN = CloudElementsReauthenticateInstanceOperator
CHECK = CloudElementsCheckInstancesOperator
NO_TEXTS = [1.10, 2024, True, ["1.10"], {"id": 5}, b"1.10"]


def refused(kind, argument, wire, **arguments):
    task = kind(task_id="a_task", **arguments)
    with pytest.raises(AirflowFailException, match=argument) as caught:
        task.execute(context_of())
    assert isinstance(caught.value.__cause__, CloudElementsValidationError)
    assert wire.writes() == []
    return str(caught.value)


def test_a_key_that_rendered_to_nothing_is_not_the_default_one(sandbox):
    wire = Wire(sandbox)
    with DAG("named", schedule=None, render_template_as_native_obj=True):
        task = CREATE(task_id="a_task", **{**BASIC, "instance_key": "{{ found }}"})
    task.render_template_fields({"found": None})
    with pytest.raises(AirflowFailException, match=r"instance_key must be a text .*; it is None"):
        task.execute(context_of())
    assert wire.writes() == []


@pytest.mark.parametrize("value", [*NO_TEXTS, " ", "None", "None\n"], ids=repr)
@pytest.mark.parametrize(
    ("kind", "argument"),
    [(kind, name) for kind in ALL for name in ("instance_key", "tag") if name in kind.template_fields],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_a_key_and_a_tag_are_refused_by_all_alike(kind, argument, value, sandbox):
    more = {}
    if kind is CREATE:
        more = BASIC
    elif kind is CloudElementsDeleteInstanceOperator and argument == "tag":
        more = {"older_than": datetime.timedelta(0)}
    elif "since" in kind.template_fields:
        more = {"since": "2026-01-01"}
    wire = Wire(sandbox)
    refused(kind, f"{argument} must be a text", wire, **{**more, argument: value})
    assert wire.calls() == []


@pytest.mark.parametrize("value", NO_TEXTS, ids=repr)
@pytest.mark.parametrize(
    ("kind", "argument", "more"),
    [
        (CREATE, "instance_name", BASIC),
        (CREATE, "element", BASIC),
        (CREATE, "authorization_code", BASIC),
        (CREATE, "authorization_state", {**BASIC, "authorization_code": "https://a.example/?code=x&state=y"}),
        (CREATE, "event_callback_url", BASIC),
        (CREATE, "element_conn_id", BASIC),
        (CREATE, "cloudelements_conn_id", BASIC),
        (UPDATE, "instance_name", {}),
        (UPDATE, "event_callback_url", {}),
        (UPDATE, "element_conn_id", {}),
        (LOG_IN, "authorization_code", {}),
        (LOG_IN, "authorization_state", {"authorization_code": "https://a.example/?code=x&state=y"}),
        (CHECK, "element", {}),
        (CloudElementsInstanceSensor, "element", {"instance_key": "a key"}),
        (CloudElementsReleaseDeliveriesOperator, "callback_url", {}),
        (CloudElementsEnableEventsOperator, "webhook_conn_id", {}),
        (CloudElementsGetOAuthUrlOperator, "element", {"element_conn_id": "vendor_login"}),
        (
            CloudElementsGetOAuthUrlOperator,
            "oauth_callback_url",
            {"element_conn_id": "vendor_login", "element": "sfdc"},
        ),
    ],
    ids=lambda each: getattr(each, "__name__", None) or (each if isinstance(each, str) else ""),
)
def test_other_texts_are_refused_by_name(kind, argument, more, value, sandbox, person, element_connection):
    element_connection(login="key", password="secret", extra={"oauth_callback_url": "https://a.example/"})
    if kind in (UPDATE, LOG_IN, CloudElementsEnableEventsOperator):
        more = {**more, "instance_id": person.make("basic")}
    assert "1.10" not in refused(kind, argument, Wire(sandbox), **{**more, argument: value})


@pytest.mark.parametrize("value", [1.10, 2024, None, ["a"], " ", "None"], ids=repr)
@pytest.mark.parametrize("argument", ["tags", "add_tags", "remove_tags"])
def test_a_tag_in_a_list_is_refused_by_its_place(argument, value, sandbox, person):
    there = person.make("basic")
    message = refused(UPDATE, argument, Wire(sandbox), instance_id=there, **{argument: ["gold", value]})
    assert f"{argument}[1]" in message
    if argument == "tags":
        assert "tags[1]" in refused(CREATE, "tags", Wire(sandbox), **{**BASIC, "tags": ["gold", value]})


@pytest.mark.parametrize("value", [1.0, "1.0", "1_000", "0123", "1e3", True, "None", {"id": 1.0}], ids=repr)
def test_an_id_is_taken_only_if_nothing_is_lost(value, sandbox):
    wire = Wire(sandbox)
    for kind in (CloudElementsDeleteInstanceOperator, UPDATE, CloudElementsInstanceSensor):
        refused(kind, "instance_id must be", wire, instance_id=value)
    refused(CHECK, "instance_ids must be", wire, instance_ids=[value])
    assert wire.calls() == []


def test_white_space_around_an_elements_key_does_not_count(sandbox, person, element_connection):
    made = person.make("basic", tags=["shop"])
    for named in ({"instance_id": made}, {"tag": "shop"}):
        sensor = CloudElementsInstanceSensor(task_id="wait", element="closeio\n", until="exists", **named)
        assert sensor.poke(context_of()).xcom_value["id"] == made
    for named in ({}, {"tag": "shop"}):
        check = CHECK(task_id="check", element=" closeio", **named)
        assert check.execute(context_of())["checked"] == 1
    vendor = element_connection(extra={"authentication": "custom", "element": "closeio\n"})
    UPDATE(task_id="update", instance_id=made, element_conn_id=vendor).execute(context_of())


@pytest.mark.parametrize("value", [" ", "None", "None\n"])
def test_a_name_that_a_template_rendered_to_nothing_makes_no_instance(value, sandbox):
    wire = Wire(sandbox)
    assert refused(CREATE, "instance_name", wire, **{**BASIC, "instance_name": value})
    assert wire.calls() == []


@pytest.mark.parametrize("value", [*NO_TEXTS, " ", "None"], ids=repr)
def test_triggers_and_queries_refuse_it_as_well(value):
    for argument in ("instance_key", "tag"):
        for make in (
            lambda given: EventQuery.of(**given),
            lambda given: CloudElementsEventTrigger(name="a watcher", **given),
        ):
            with pytest.raises(CloudElementsValidationError, match=f"{argument} must be a text"):
                make({argument: value})
    for argument in ("tag", "element"):
        with pytest.raises(CloudElementsValidationError, match=f"{argument} must be a text"):
            CloudElementsInstanceTrigger(cloudelements_conn_id="c", name="n", **{argument: value})
    with pytest.raises(CloudElementsValidationError, match="instance_key must be a text"):
        element_instance(element="closeio", instance_name="x", instance_key=value).__enter__()


@pytest.mark.parametrize("missing", ["None", "", None, " "], ids=repr)
def test_the_state_of_a_link_that_was_not_made_counts_only_with_a_code(missing, sandbox):
    """As in the example of a person's consent, whose later runs skip the link."""
    arguments = {**BASIC, "authorization_code": "", "authorization_state": missing}
    made = [CREATE(task_id="create", **arguments).execute(context_of()) for _ in range(2)]
    assert [each["created"] for each in made] == [True, False]
