"""Mistakes in the arguments of a task: when the file is parsed, or once templates are rendered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import DAG

from airflow_provider_cloudelements.assets import cloudelements_event_asset
from airflow_provider_cloudelements.client.tags import marker_tag
from airflow_provider_cloudelements.operators.changes import (
    CloudElementsEnableInstanceOperator,
    CloudElementsReauthenticateInstanceOperator,
    CloudElementsUpdateInstanceOperator,
)
from airflow_provider_cloudelements.operators.consent import CloudElementsAskConsentOperator, consent_group
from airflow_provider_cloudelements.operators.events import CloudElementsEnableEventsOperator
from airflow_provider_cloudelements.operators.instances import (
    CloudElementsCreateInstanceOperator,
    CloudElementsDeleteInstanceOperator,
    element_instance,
)
from airflow_provider_cloudelements.sensors.instances import CloudElementsInstanceSensor
from tests.support.mistakes import CALLBACK, PASSWORD

CREATE = CloudElementsCreateInstanceOperator
ENABLE = CloudElementsEnableInstanceOperator
LOGIN = {"username": "ada", "password": PASSWORD}

#: Arguments of a task, by the mistake.
TASKS = {
    "a mistyped argument": (CREATE, {"instance_name": "x", "event_calback_url": CALLBACK}),
    "a sensor's mistyped argument": (CloudElementsInstanceSensor, {"instance_id": 7, "poke_intervall": 30}),
    "an argument that another operator has": (ENABLE, {"instance_id": 7, "tag": "x"}),
    "the text 'False' for a switch": (CREATE, {"instance_name": "x", "events_enabled": "False"}),
    "a template for a switch": (CREATE, {"instance_name": "x", "push_token": "{{ params.push }}"}),
    "an unknown word for if_exists": (CREATE, {"instance_name": "x", "if_exists": "skip"}),
    "a text for a number of seconds": (CREATE, {"instance_name": "x", "settle_time": "60"}),
    "a number of days for older_than": (CloudElementsDeleteInstanceOperator, {"tag": "x", "older_than": 2}),
    "no instance_name": (CREATE, {"element": "closeio"}),
    "an instance_id that rendered to None": (ENABLE, {"instance_id": "None"}),
    "an instance_id that is None": (ENABLE, {"instance_id": None}),
    "an instance_id that is a name": (ENABLE, {"instance_id": "My calendar"}),
    "an instance_id that is a list": (ENABLE, {"instance_id": [7, 8]}),
    "an instance_id that is another task's dictionary": (ENABLE, {"instance_id": {"deleted": [7]}}),
    "an instance_id that is a switch": (ENABLE, {"instance_id": True}),
    "two names for one instance": (ENABLE, {"instance_id": 7, "instance_key": "closeio/x"}),
    "an instance_key that is a number": (ENABLE, {"instance_key": 2024}),
    "an instance_name that rendered to None": (CREATE, {"element": "closeio", "instance_name": "None"}),
    "no element": (CREATE, {"instance_name": "x"}),
    "tags as one text": (
        CREATE,
        {"element": "closeio", "instance_name": "x", "tags": "acme", "event_callback_url": None},
    ),
    "a tag of the provider's own": (
        CREATE,
        {
            "element": "closeio",
            "instance_name": "x",
            "tags": [marker_tag("closeio/x")],
            "event_callback_url": None,
        },
    ),
    "a configuration as a text": (
        CREATE,
        {"element": "closeio", "instance_name": "x", "configuration": '{"a": 1}'},
    ),
    "asterisks in configuration": (
        CREATE,
        {"element": "closeio", "instance_name": "x", "configuration": {"password": "***"}},
    ),
    "another key in event_configuration": (
        CREATE,
        {"element": "closeio", "instance_name": "x", "event_configuration": {"password": PASSWORD}},
    ),
    "one key twice with different values": (
        CREATE,
        {
            "element": "closeio",
            "instance_name": "x",
            "event_callback_url": CALLBACK,
            "configuration": {"event.notification.callback.url": "https://other.example.com"},
        },
    ),
    "events on without a callback": (
        CREATE,
        {"element": "closeio", "instance_name": "x", "configuration": LOGIN},
    ),
    "a callback that is no address": (
        CREATE,
        {"element": "closeio", "instance_name": "x", "event_callback_url": "hooks.example.com/events"},
    ),
    "a delete by tag without an age": (CloudElementsDeleteInstanceOperator, {"tag": "nightly-copy"}),
    "an age without a tag": (
        CloudElementsDeleteInstanceOperator,
        {"instance_id": 7, "older_than": timedelta(days=2)},
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_an_argument(newcomer, name):
    kind, arguments = TASKS[name]
    with newcomer.mistake(name):
        newcomer.run(kind, **arguments)
    assert [each for each in newcomer.sandbox.requests() if each["method"] != "GET"] == []


def test_a_mapped_task_with_a_mistyped_argument(newcomer):
    with newcomer.mistake("a mapped task's mistyped argument"), DAG("mapped", schedule=None):
        CREATE.partial(task_id="create", elemant="closeio").expand(instance_name=["a", "b"])


#: Arguments of a consent group, by the mistake.
GROUPS = {
    "a consent group's mistyped argument": {"event_enabled": False},
    "a mistyped argument of the link": {"link_arguments": {"scope": ["Calendars.Read"]}},
    "a mistyped argument of the question": {"question_arguments": {"assigned_user": ["ada"]}},
    "an argument of the link that the group gives": {"link_arguments": {"element": "closeio"}},
    "a consent group with a code": {"authorization_code": PASSWORD},
    "a number of seconds for response_timeout": {"question_arguments": {"response_timeout": 3600}},
    "a text for question_arguments": {"question_arguments": "Allow the access"},
}


@pytest.mark.parametrize("name", GROUPS)
def test_an_argument_of_a_consent_group(newcomer, name):
    with newcomer.mistake(name), DAG("consent", schedule=None):
        consent_group(instance_name="x", **GROUPS[name])


def test_a_mistyped_argument_of_the_question_alone(newcomer):
    with newcomer.mistake("a mistyped argument of the operator that asks"):
        CloudElementsAskConsentOperator(
            task_id="a_task", consent_url="x", authorization_state="y", respons_timeout=timedelta(hours=8)
        )


def test_a_mistyped_argument_of_element_instance(newcomer):
    with (
        newcomer.mistake("a mistyped argument of element_instance"),
        DAG("block", schedule=None),
        element_instance(instance_name="x", element="closeio", event_calback_url=CALLBACK),
    ):
        pass


def test_a_mistyped_argument_of_an_asset(newcomer):
    with newcomer.mistake("an asset's mistyped argument"):
        cloudelements_event_asset("orders", tag="shop", object_type=["orders"])


def test_mapping_over_the_pushed_id(newcomer):
    with DAG("mapped", schedule=None):
        create = CREATE.partial(task_id="create", element="closeio").expand(instance_name=["a", "b"])
        with newcomer.mistake("mapping over the pushed id"):
            ENABLE.partial(task_id="enable").expand(instance_id=create.output["id"])


EVENTS = {
    "a callback's address without its scheme": {"event_callback_url": "hooks.example.com/events"},
    "no callback anywhere": {},
    "a list of objects as one text": {"event_callback_url": None, "event_objects": "contacts"},
    "a signature key with a line break": {"event_callback_url": None, "event_signature_key": f"{PASSWORD}\n"},
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_argument_of_the_events(newcomer, name):
    instance_id = created(newcomer)
    with newcomer.mistake(name):
        newcomer.run(CloudElementsEnableEventsOperator, instance_id=instance_id, **EVENTS[name])


def test_polling_for_an_element_of_webhooks(newcomer):
    made = newcomer.run(
        CREATE,
        instance_name="x",
        element_conn_id=newcomer.app(),
        authorization_code=newcomer.sandbox.code("microsoftgraph"),
        events_enabled=False,
    )
    with newcomer.mistake("polling for an element of webhooks"):
        newcomer.run(
            CloudElementsEnableEventsOperator, instance_id=made, event_callback_url=None, poller_interval=15
        )


def test_a_callback_that_nobody_answers(newcomer):
    instance_id = created(newcomer)
    with newcomer.mistake("an unreachable callback"):
        newcomer.run(
            CloudElementsEnableEventsOperator,
            instance_id=instance_id,
            event_callback_url="http://127.0.0.1:9/events",
            verify_callback=True,
        )


def test_a_callback_at_another_path(newcomer):
    instance_id = created(newcomer)
    with newcomer.mistake("a callback at another path"):
        newcomer.run(
            CloudElementsEnableEventsOperator,
            instance_id=instance_id,
            event_callback_url=f"{newcomer.sandbox.url}/events",
            verify_callback=True,
        )


def test_the_asterisks_of_a_read_written_back(newcomer):
    instance_id = created(newcomer)
    with newcomer.mistake("asterisks written back"):
        newcomer.run(
            CloudElementsUpdateInstanceOperator,
            instance_id=instance_id,
            configuration={"password": "********"},
        )


def test_nothing_to_log_in_with(newcomer):
    instance_id = created(newcomer)
    with newcomer.mistake("nothing to log in with"):
        newcomer.run(CloudElementsReauthenticateInstanceOperator, instance_id=instance_id)


def created(newcomer):
    done = newcomer.run(
        CREATE,
        instance_name="x",
        element_conn_id=newcomer.login(extra={"event_callback_url": None}),
        event_callback_url=None,
        events_enabled=False,
    )
    return done["id"]
