"""CloudElementsUpdateInstanceOperator: which instance, what it makes of its arguments, and what shows."""

from __future__ import annotations

import json

import pytest

from airflow_provider_cloudelements.client.tags import own_tags, user_tags
from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import (
    CloudElementsConflictError,
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsTransportError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.operators._parts import base as base_module
from airflow_provider_cloudelements.operators.changes import CloudElementsUpdateInstanceOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from tests.support.context import context_of
from tests.support.platform import CALLBACK, WAYS, Wire
from tests.support.relay import relaying

KEY = "closeio/An instance"


def operator(**arguments):
    return CloudElementsUpdateInstanceOperator(task_id="update", **arguments)


def update(**arguments):
    return operator(**arguments).execute(context_of())


@pytest.fixture
def made(sandbox):
    """Return what the create operator returned for an instance of an element with user name and password."""
    return CloudElementsCreateInstanceOperator(
        task_id="create",
        element="closeio",
        instance_name="An instance",
        configuration=WAYS["basic"][1],
        event_callback_url=CALLBACK,
    ).execute(context_of())


@pytest.fixture
def sent(sandbox, monkeypatch):
    """Give a function that updates through a relay and returns the bodies of its PATCHes."""

    def send(**arguments):
        with relaying(sandbox) as relay:
            connection = {**sandbox.connection(), "host": relay.url}
            monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
            update(**arguments)
            return relay.bodies("PATCH")

    return send


# -- which instance -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "named",
    [
        lambda made: {"instance_id": made["id"]},
        lambda made: {"instance_id": f" {made['id']} "},
        lambda made: {"instance_id": made},
        lambda made: {"instance_key": KEY},
        lambda made: {"instance_key": KEY, "instance_id": ""},
    ],
    ids=["integer", "digits", "what create returned", "key", "key and an empty id"],
)
def test_it_is_named_by_id_or_by_key(named, sandbox, made):
    returned = update(**named(made), instance_name="Another")
    same = {key: value for key, value in made.items() if key not in ("created", "instance_key", "name")}
    assert returned == {**same, "name": "Another", "changed": ["name"]}
    assert [each["name"] for each in sandbox.instances()] == ["Another"]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({}, "given are: none"),
        ({"instance_id": 1, "instance_key": KEY}, "given are: instance_id, instance_key"),
        ({"instance_id": "", "instance_key": None}, "given are: none"),
        ({"instance_id": "seven"}, "id"),
        ({"instance_id": {"name": "x"}}, "id"),
        ({"instance_id": True}, "id"),
        ({"instance_key": "  "}, "instance_key must be a text"),
    ],
)
def test_named_in_no_way_or_in_two_it_fails_for_good_before_any_call(named, message, sandbox):
    with pytest.raises(AirflowFailException, match=message) as caught:
        update(**named, instance_name="x")
    assert isinstance(caught.value.__cause__, CloudElementsValidationError)
    assert sandbox.requests() == []


@pytest.mark.parametrize("named", [{"instance_id": 404404}, {"instance_key": "closeio/None such"}])
def test_one_that_is_not_there_fails_for_good(named, sandbox):
    with pytest.raises(AirflowFailException) as caught:
        update(**named, instance_name="x")
    assert isinstance(caught.value.__cause__, CloudElementsNotFoundError)


# -- what is written ------------------------------------------------------------------------------


def test_every_argument_goes_out_in_one_patch_and_again_in_none(sandbox, sent, made):
    arguments = {
        "instance_id": made,
        "instance_name": "Another",
        "add_tags": ["new"],
        "remove_tags": ["An instance"],
        "configuration": {"username": "grace"},
        "events_enabled": False,
        "event_callback_url": "https://other.example.com/",
        "event_configuration": {"event.poller.refresh_interval": 5},
    }
    (body,) = sent(**arguments)
    assert body.pop("name") == "Another"
    assert body.pop("configuration") == {
        "username": "grace",
        "event.notification.enabled": False,
        "event.notification.callback.url": "https://other.example.com/",
        "event.poller.refresh_interval": 5,
    }
    tags = body.pop("tags")
    assert (user_tags(tags), len(own_tags(tags)), body) == (("new",), 3, {})
    assert sent(**arguments) == []


def test_tags_replace_peoples_tags_alone(sent, made):
    (body,) = sent(instance_id=made, tags=["one", "two"])
    assert (user_tags(body["tags"]), len(own_tags(body["tags"]))) == (("one", "two"), 3)


def test_a_rotated_secret_from_the_element_connection_is_written_once(
    sandbox, sent, made, element_connection
):
    def connection(password):
        extra = {"element": "closeio", "authentication": "basic"}
        return element_connection(login="ada", password=password, extra=extra)

    # The one that the create was given is known.
    assert sent(instance_id=made, element_conn_id=connection("first-password")) == []
    for password in ("second-password", "third-password"):
        (body,) = sent(instance_id=made, element_conn_id=connection(password))
        assert body["configuration"] == {"password": password}
        assert sent(instance_id=made, element_conn_id=connection(password)) == []


def test_the_connections_refresh_token_stays_out_and_configuration_goes_before_it(
    sent, person, element_connection
):
    instance_id = person.make("refresh")
    conn_id = element_connection(
        login="client-2",
        password="app-secret-2",
        extra={"oauth_user_refresh_token": "old-token", "event_callback_url": CALLBACK},
    )
    (body,) = sent(
        instance_id=instance_id, element_conn_id=conn_id, configuration={"oauth.api.key": "client-3"}
    )
    assert body["configuration"] == {
        "oauth.api.key": "client-3",
        "oauth.api.secret": "app-secret-2",
        "event.notification.callback.url": CALLBACK,
    }


def test_an_element_connection_for_another_element_is_refused(sandbox, made, element_connection):
    wire = Wire(sandbox)
    conn_id = element_connection(extra={"element": "sfdc"})
    with pytest.raises(AirflowFailException, match="is for element 'sfdc'") as caught:
        update(instance_id=made, element_conn_id=conn_id)
    assert isinstance(caught.value.__cause__, CloudElementsConflictError)
    assert wire.writes() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tags": "Docs"}, "tags must be a list of strings"),
        ({"add_tags": [1]}, "add_tags must be a list of strings"),
        ({"remove_tags": {"a": 1}}, "remove_tags must be a list of strings"),
        ({"tags": ["a"], "add_tags": ["b"]}, "tags replaces all"),
        ({"configuration": "password=x"}, "configuration must be a dictionary"),
        ({"event_configuration": {"password": "x-1"}}, "goes into configuration"),
        ({"event_callback_url": "hooks.example.com"}, "must be an absolute address"),
        (
            {"events_enabled": False, "configuration": {"event.notification.enabled": "true"}},
            "different values for 'event.notification.enabled'",
        ),
        ({"configuration": {"password": "********"}}, "asterisks"),
        ({"instance_name": "<b></b>"}, "name is empty"),
    ],
)
def test_malformed_arguments_fail_for_good_and_write_nothing(arguments, message, sandbox, made):
    wire = Wire(sandbox)
    with pytest.raises(AirflowFailException, match=message) as caught:
        update(instance_id=made, **arguments)
    assert "x-1" not in str(caught.value)
    assert wire.writes() == []


@pytest.mark.parametrize("value", ["true", "{{ events }}", 1])
def test_the_switch_is_checked_when_the_dag_is_parsed(value):
    with pytest.raises(TypeError, match="events_enabled must be True or False"):
        operator(instance_id=1, events_enabled=value)


@pytest.mark.parametrize("status", [500, 503])
def test_what_may_pass_is_left_to_the_retries(status, sandbox, made):
    sandbox.add_fault("status", status=status, method="PATCH", count=None)
    with pytest.raises(CloudElementsServerError):
        update(instance_id=made, instance_name="Another")


def test_a_retry_after_a_lost_answer_finds_nothing_left_to_write(sandbox, made):
    sandbox.add_fault("drop", when="after", method="PATCH", count=2)
    with pytest.raises(CloudElementsTransportError):
        update(instance_id=made, configuration={"password": "second-password"})
    assert update(instance_id=made, configuration={"password": "second-password"})["changed"] == []


# -- secrets and logs -----------------------------------------------------------------------------


def test_rendered_fields_show_no_secret_and_execute_gets_them(sandbox, person, made):
    update_it = operator(
        instance_id="{{ made.id }}",
        configuration={"username": "ada", "password": "{{ new }}", "event.objects": "leads"},
        event_configuration={"event.notification.signature.key": "{{ key }}"},
        add_tags=["{{ tag }}"],
    )
    update_it.render_template_fields(
        {"made": made, "new": "new-password", "key": "new-signature", "tag": "t"}
    )
    fields = {name: getattr(update_it, name) for name in update_it.template_fields}
    assert fields["configuration"] == {"username": "***", "password": "***", "event.objects": "leads"}
    assert fields["event_configuration"] == {"event.notification.signature.key": "***"}
    assert (fields["instance_id"], fields["add_tags"]) == (str(made["id"]), ["t"])
    assert "new-" not in json.dumps(fields)
    assert update_it.execute(context_of())["tags"] == ["An instance", "t"]
    shown = person.show(made["id"])["configuration"]
    assert shown["event.notification.signature.key"] == "new-signature"


def test_secrets_are_masked_and_the_log_names_them_without_values(sandbox, made, monkeypatch, task_log):
    masked = []
    monkeypatch.setattr(base_module, "mask_secret", masked.append)
    returned = update(instance_id=made, configuration={"username": "grace", "password": "new-password"})
    assert returned["changed"] == ["username", "password", "tags"]
    assert masked == ["grace", "new-password"]
    assert "written: username, password, tags" in task_log.text
    assert "new-password" not in task_log.text + json.dumps(returned)
    assert not any(tag.startswith("airflow") for tag in returned["tags"])


def test_as_asked_already_it_says_so(sandbox, made, task_log):
    assert update(instance_id=made, instance_name="An instance")["changed"] == []
    assert "it was as asked already" in task_log.text


def test_the_link_leads_to_the_instance(sandbox, made, monkeypatch):
    connection = sandbox.connection(console_url="https://console.example.com/{id}")
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
    update_it = operator(instance_id=made)
    (link,) = update_it.operator_extra_links
    assert link.get_link(update_it, ti_key=None) == ""
    update_it.execute(context_of())
    assert link.get_link(update_it, ti_key=None) == f"https://console.example.com/{made['id']}"
