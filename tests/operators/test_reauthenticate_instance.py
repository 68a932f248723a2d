"""CloudElementsReauthenticateInstanceOperator: codes once, credentials verified, nothing secret shown."""

from __future__ import annotations

import json

import pytest

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsAuthError,
    CloudElementsConflictError,
    CloudElementsError,
    CloudElementsInstanceDisabledError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.operators._parts import base as base_module
from airflow_provider_cloudelements.operators.changes import CloudElementsReauthenticateInstanceOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from tests.support.context import FakeStore, FakeTi, context_of
from tests.support.platform import CALLBACK, WAYS, Wire, presented
from tests.support.relay import relaying


def operator(**arguments):
    return CloudElementsReauthenticateInstanceOperator(task_id="log_in", **{"settle_time": 0.2, **arguments})


def log_in(context=None, **arguments):
    return operator(**arguments).execute(context or context_of())


def create(way, **arguments):
    element, configuration = WAYS[way]
    return CloudElementsCreateInstanceOperator(
        task_id="create",
        element=element,
        instance_name="An instance",
        configuration=configuration,
        event_callback_url=CALLBACK,
        **arguments,
    ).execute(context_of())


@pytest.fixture
def graph(sandbox):
    """Return what the create operator returned for an instance made with a code."""
    return create("code", authorization_code=sandbox.code())


@pytest.fixture
def closeio(sandbox):
    return create("basic")


@pytest.fixture
def app_connection(element_connection):
    """Give a function that makes a connection with an app's values for the vendor."""

    def make(**changes):
        extra = {
            "element": "microsoftgraph",
            "oauth_callback_url": "https://app.example.com/callback",
            "oauth_scope": "Calendars.Read offline_access",
            **changes.pop("extra", {}),
        }
        return element_connection(
            login="client-1", password=changes.pop("password", "app-secret-1"), extra=extra
        )

    return make


# -- with what ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "named",
    [
        lambda made: {"instance_id": made["id"]},
        lambda made: {"instance_id": str(made["id"])},
        lambda made: {"instance_id": made},
        lambda made: {"instance_key": "microsoftgraph/An instance"},
    ],
    ids=["integer", "digits", "what create returned", "key"],
)
def test_a_new_code_authenticates_and_id_and_token_stay(named, sandbox, person, graph):
    token = person.show(graph["id"])["token"]
    returned = log_in(**named(graph), authorization_code=sandbox.code())
    assert (returned["id"], returned["changed"]) == (graph["id"], ["providerData", "tags"])
    assert person.show(graph["id"])["token"] == token
    assert presented(sandbox) == [1, 1]


def test_the_whole_pasted_address_is_taken_with_its_state(sandbox, graph):
    address = f"https://app.example.com/callback?code={sandbox.code()}&state=the-state"
    log_in(instance_id=graph, authorization_code=address, authorization_state="the-state")
    with pytest.raises(AirflowFailException, match="its state differs"):
        log_in(
            instance_id=graph,
            authorization_code=address.replace("the-state", "another"),
            authorization_state="the-state",
        )
    assert presented(sandbox) == [1, 1]


def test_further_provider_data_goes_with_the_code_and_is_no_other_code(sandbox, graph, monkeypatch):
    code = sandbox.code()
    with relaying(sandbox) as relay:
        connection = {**sandbox.connection(), "host": relay.url}
        monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
        log_in(instance_id=graph, authorization_code=code, provider_data={"realmId": "realm-1"})
        (body,) = relay.bodies("PATCH")
        assert body["providerData"] == {"code": code, "realmId": "realm-1"}
        assert log_in(instance_id=graph, provider_data={"code": code})["changed"] == []
    assert presented(sandbox) == [1, 1]


def test_the_app_secret_of_the_connection_is_written_once(sandbox, graph, app_connection):
    assert log_in(instance_id=graph, element_conn_id=app_connection())["changed"] == []
    conn_id = app_connection(password="app-secret-2")
    assert log_in(instance_id=graph, element_conn_id=conn_id)["changed"] == ["oauth.api.secret", "tags"]
    wire = Wire(sandbox)
    assert log_in(instance_id=graph, element_conn_id=conn_id)["changed"] == []
    assert (wire.writes(), wire.calls()[-1]) == ([], "GET /ping")


def test_the_connections_event_fields_play_no_part(sandbox, person, graph, app_connection):
    extra = {"event_callback_url": "https://other.example.com/", "event_signature_secret": "signature-1"}
    conn_id = app_connection(password="app-secret-2", extra=extra)
    assert log_in(instance_id=graph, element_conn_id=conn_id)["changed"] == ["oauth.api.secret", "tags"]
    shown = person.show(graph["id"])["configuration"]
    assert shown["event.notification.callback.url"] == CALLBACK
    assert not shown.get("event.notification.signature.key")


def test_a_refresh_token_counts_unless_a_code_is_given(sandbox, graph, app_connection):
    conn_id = app_connection(extra={"oauth_user_refresh_token": "refresh-token-2"})
    returned = log_in(instance_id=graph, element_conn_id=conn_id, authorization_code=sandbox.code())
    assert returned["changed"] == ["providerData", "tags"]
    returned = log_in(instance_id=graph, element_conn_id=conn_id)
    assert returned["changed"] == ["oauth.user.refresh_token", "tags"]


def test_configuration_goes_before_the_connection(sandbox, closeio, element_connection):
    conn_id = element_connection(
        login="ada", password="connections", extra={"element": "closeio", "authentication": "basic"}
    )
    sandbox.vendor_secrets("closeio", ["arguments"])
    log_in(instance_id=closeio, element_conn_id=conn_id, configuration={"password": "arguments"})
    assert sandbox.instances()[0]["valid"]


@pytest.mark.parametrize("code", [None, "", "None", " "])
def test_without_anything_that_authenticates_it_fails_for_good(code, sandbox, graph, element_connection):
    conn_id = element_connection(extra={"element": "microsoftgraph", "event_signature_secret": "s-1"})
    wire = Wire(sandbox)
    with pytest.raises(AirflowFailException, match="Nothing is given that authenticates"):
        log_in(instance_id=graph, authorization_code=code, element_conn_id=conn_id)
    assert wire.writes() == []


def test_an_element_connection_for_another_element_is_refused(sandbox, closeio, app_connection):
    wire = Wire(sandbox)
    with pytest.raises(AirflowFailException, match="is for element 'microsoftgraph'") as caught:
        log_in(instance_id=closeio, element_conn_id=app_connection())
    assert isinstance(caught.value.__cause__, CloudElementsConflictError)
    assert wire.writes() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"authorization_code": ["c-1"]}, "authorization_code must be a string"),
        ({"authorization_code": "a c-1"}, "holds white space"),
        ({"authorization_code": "c-1", "provider_data": {"code": "c-2"}}, "different values for 'code'"),
        ({"provider_data": "c-1"}, "provider_data must be a dictionary"),
        ({"configuration": ["c-1"]}, "configuration must be a dictionary"),
        ({"configuration": {"password": "********"}}, "asterisks"),
        ({"authorization_code": "https://x.example/?code=c-1"}, "give the state"),
    ],
)
def test_malformed_arguments_fail_for_good_and_write_nothing(arguments, message, sandbox, graph):
    wire = Wire(sandbox)
    with pytest.raises(AirflowFailException, match=message) as caught:
        log_in(instance_id=graph, **arguments)
    assert "c-1" not in str(caught.value)
    assert wire.writes() == []


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"verify": "{{ verify }}"}, TypeError),
        ({"verify": None}, TypeError),
        ({"settle_time": "5"}, ValueError),
        ({"settle_time": -1}, ValueError),
    ],
)
def test_switches_are_checked_when_the_dag_is_parsed(arguments, kind):
    with pytest.raises(kind, match=next(iter(arguments))):
        operator(instance_id=1, **arguments)


@pytest.mark.parametrize("named", [{}, {"instance_id": 1, "instance_key": "k"}])
def test_named_in_no_way_or_in_two_it_fails_for_good(named, sandbox):
    with pytest.raises(AirflowFailException, match="Exactly one of instance_id and instance_key"):
        log_in(**named, authorization_code="c")
    assert sandbox.requests() == []


def test_a_raw_authorization_header_must_say_that_it_cannot_ping(sandbox, closeio, monkeypatch):
    header = f"User {sandbox.user_secret}, Organization {sandbox.organization_secret}"
    connection = {
        "conn_type": "cloudelements",
        "host": sandbox.url,
        "extra": {"authorization": header},
    }
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
    arguments = {"instance_id": closeio, "configuration": {"password": "second"}}
    wire = Wire(sandbox)
    with pytest.raises(AirflowFailException, match="verify=False"):
        log_in(**arguments)
    assert wire.writes() == []
    assert log_in(**arguments, verify=False)["changed"] == ["password", "tags"]
    assert "GET /ping" not in wire.calls()


# -- when it fails --------------------------------------------------------------------------------


def test_a_disabled_one_is_enabled_or_disabled_again(sandbox, person, closeio):
    person.disable(closeio["id"])
    with pytest.raises(AirflowFailException) as caught:
        log_in(instance_id=closeio, configuration={"password": "rejected"})
    assert isinstance(caught.value.__cause__, CloudElementsInstanceDisabledError)
    assert sandbox.instances()[0]["disabled"]
    returned = log_in(instance_id=closeio, configuration={"password": "second"})
    assert (returned["disabled"], returned["changed"]) == (False, ["password", "tags", "enabled"])


def test_the_platforms_401_fails_for_good(sandbox, closeio):
    sandbox.add_fault("status", status=401, method="PATCH")
    with pytest.raises(AirflowFailException) as caught:
        log_in(instance_id=closeio, configuration={"password": "second"})
    assert isinstance(caught.value.__cause__, CloudElementsAuthError)


def test_a_ping_that_fails_is_left_to_the_retries(sandbox, closeio):
    sandbox.add_fault("status", status=503, path="/ping", count=None)
    with pytest.raises(CloudElementsServerError):
        log_in(instance_id=closeio, configuration={"password": "second"})


@pytest.mark.parametrize("with_store", [True, False])
def test_a_lost_code_ends_in_one_clear_error_and_is_not_sent_again(with_store, sandbox, graph):
    store = FakeStore() if with_store else None
    arguments = {"instance_id": graph, "authorization_code": sandbox.code()}
    sandbox.add_fault("drop", method="PATCH")
    with pytest.raises(CloudElementsAmbiguousCreateError):
        log_in(context_of(FakeTi(1), store), **arguments)
    with pytest.raises(AirflowFailException, match="ask for consent again") as caught:
        log_in(context_of(FakeTi(2), store), **arguments)
    assert arguments["authorization_code"] not in str(caught.value)
    assert presented(sandbox) == [1, 1]
    if store is not None:
        assert arguments["authorization_code"] not in json.dumps(store.values)
        # With a store a new code is taken by a later try of the same task.
        arguments["authorization_code"] = sandbox.code()
        assert log_in(context_of(FakeTi(3), store), **arguments)["changed"]


@pytest.mark.parametrize("with_store", [True, False])
def test_a_try_after_one_whose_ping_failed_finds_the_code_and_pings_alone(with_store, sandbox, graph):
    store = FakeStore() if with_store else None
    arguments = {"instance_id": graph, "authorization_code": sandbox.code()}
    sandbox.add_fault("status", status=500, path="/ping", count=None)
    with pytest.raises(CloudElementsServerError):
        log_in(context_of(FakeTi(1), store), **arguments)
    sandbox.clear_faults()
    assert log_in(context_of(FakeTi(2), store), **arguments)["changed"] == []
    assert presented(sandbox) == [1, 1]


# -- secrets --------------------------------------------------------------------------------------


def test_rendered_fields_show_no_secret_and_execute_gets_them(sandbox, graph):
    code = sandbox.code()
    log_it_in = operator(
        instance_id="{{ made.id }}",
        authorization_code="{{ code }}",
        provider_data={"realmId": "{{ realm }}"},
        configuration={"oauth.api.secret": "{{ secret }}", "oauth.scope": "offline_access"},
    )
    log_it_in.render_template_fields(
        {"made": graph, "code": code, "realm": "hidden-realm", "secret": "hidden-secret"}
    )
    fields = {name: getattr(log_it_in, name) for name in log_it_in.template_fields}
    assert fields["authorization_code"] == "***"
    assert fields["provider_data"] == {"realmId": "***"}
    assert fields["configuration"] == {"oauth.api.secret": "***", "oauth.scope": "offline_access"}
    assert not any(each in json.dumps(fields) for each in (code, "hidden-"))
    assert "providerData" in log_it_in.execute(context_of())["changed"]


def test_code_and_credentials_are_masked_and_the_log_names_no_value(sandbox, graph, monkeypatch, task_log):
    masked, code = [], sandbox.code()
    monkeypatch.setattr(base_module, "mask_secret", masked.append)
    returned = log_in(
        instance_id=graph, authorization_code=code, configuration={"oauth.api.secret": "app-secret-2"}
    )
    assert set(masked) == {code, "app-secret-2"}
    assert "written: oauth.api.secret, providerData, tags" in task_log.text
    assert not any(each in task_log.text + json.dumps(returned) for each in (code, "app-secret-2"))


def test_a_code_that_the_vendor_refuses_shows_in_no_error(sandbox, graph):
    with pytest.raises(AirflowFailException) as caught:
        log_in(instance_id=graph, authorization_code="never-given-out")
    assert isinstance(caught.value.__cause__, CloudElementsValidationError)
    assert "AADSTS70000" in str(caught.value)
    assert "never-given-out" not in str(caught.value)


# -- the create with what a person brings back ------------------------------------------------------


def test_a_create_takes_the_whole_address_once_over_its_tries(sandbox):
    address = f"https://app.example.com/callback?state=st%2Fate&code={sandbox.code()}"

    def create_it(try_number, store, **changes):
        element, configuration = WAYS["code"]
        arguments = {
            "authorization_code": address,
            "authorization_state": "st/ate",
            "settle_time": 0.2,
            **changes,
        }
        return CloudElementsCreateInstanceOperator(
            task_id="create",
            element=element,
            instance_name="An instance",
            configuration=configuration,
            event_callback_url=CALLBACK,
            **arguments,
        ).execute(context_of(FakeTi(try_number), store))

    with pytest.raises(AirflowFailException, match="its state differs"):
        create_it(1, None, authorization_state="another")
    with pytest.raises(AirflowFailException, match="give the state"):
        create_it(1, None, authorization_state=None)
    assert presented(sandbox) == [0]
    # The instance is there, and the look-up after it fails. The next try finds it, as does a cleared task.
    sandbox.add_fault("status", status=500, method="GET", path="/instances", skip=1)
    with pytest.raises(CloudElementsError):
        create_it(1, None)
    first = create_it(2, None)
    assert create_it(1, None)["id"] == first["id"]
    assert create_it(1, FakeStore(), authorization_code=address.split("code=")[1])["id"] == first["id"]
    assert presented(sandbox) == [1]
    assert len(sandbox.instances()) == 1
