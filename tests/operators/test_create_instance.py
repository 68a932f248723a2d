"""CloudElementsCreateInstanceOperator by itself: what it sends, returns, pushes and refuses."""

from __future__ import annotations

import json
import math

import pytest

from airflow_provider_cloudelements.client.tags import user_tags
from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsConflictError,
    CloudElementsError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.operators import instances as instances_module
from airflow_provider_cloudelements.operators._parts import base as base_module
from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from tests.support.context import FakeStore, FakeTi, context_of
from tests.support.platform import CALLBACK, WAYS, marked, presented
from tests.support.relay import relaying

#: The JSON body of the vendor's help page "Microsoft Graph Events", values filled in.
SAMPLE = {
    "element": {"key": "microsoftgraph"},
    "providerData": {"code": "xoz8AFqScK2ngM04kSSM"},
    "configuration": {
        "oauth.callback.url": "https://mycoolapp.com",
        "oauth.api.key": "xxxxxxxxxxxxxxxxxx",
        "oauth.api.secret": "xxxxxxxxxxxxxxxxxxxxxx",
        "oauth.scope": "Calendars.Read Calendars.ReadWrite offline_access",
        "event.notification.enabled": True,
        "event.notification.callback.url": "https://mycoolapp.com/events",
    },
    "tags": ["Docs"],
    "name": "API Instance",
}
SIGNATURE = "event.notification.signature.key"
ENABLED = "event.notification.enabled"
URL = "event.notification.callback.url"


def basic(**changes):
    """Return a create operator for an element with user name and password."""
    arguments = {
        "task_id": "create",
        "element": "closeio",
        "instance_name": "An instance",
        "configuration": dict(WAYS["basic"][1]),
        "event_callback_url": CALLBACK,
        **changes,
    }
    return CloudElementsCreateInstanceOperator(
        **{name: value for name, value in arguments.items() if value is not ...}
    )


def graph(code, **changes):
    arguments = {
        "element": "microsoftgraph",
        "configuration": dict(WAYS["code"][1]),
        "authorization_code": code,
        **changes,
    }
    return basic(**arguments)


@pytest.fixture
def sent(sandbox, monkeypatch):
    """Give a function that executes an operator and returns the body of its POST."""
    with relaying(sandbox) as relay:

        def execute(operator):
            connection = {**sandbox.connection(), "host": relay.url}
            monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
            operator.execute(context_of())
            (body,) = relay.bodies("POST")
            return body

        yield execute


def people_only(body):
    """Return a body without this provider's own tags, marker, key tag and fingerprint."""
    assert len(body["tags"]) - len(user_tags(body["tags"])) == 3
    return {**body, "tags": list(user_tags(body["tags"]))}


# -- what is sent ---------------------------------------------------------------------------------


def test_the_sample_of_the_help_page_is_sent_to_the_letter(sandbox, sent):
    code = sandbox.code()
    plain = {key: value for key, value in SAMPLE["configuration"].items() if key not in (ENABLED, URL)}
    body = sent(
        CloudElementsCreateInstanceOperator(
            task_id="create",
            element="microsoftgraph",
            instance_name="API Instance",
            authorization_code=code,
            configuration=plain,
            event_callback_url="https://mycoolapp.com/events",
            tags=["Docs"],
        )
    )
    assert people_only(body) == {**SAMPLE, "providerData": {"code": code}}


def test_the_same_from_an_element_connection(sandbox, sent, element_connection):
    values = SAMPLE["configuration"]
    conn_id = element_connection(
        login=values["oauth.api.key"],
        password=values["oauth.api.secret"],
        extra={
            "element": "microsoftgraph",
            "oauth_scope": values["oauth.scope"],
            "oauth_callback_url": values["oauth.callback.url"],
            "event_callback_url": values[URL],
        },
    )
    code = sandbox.code()
    body = sent(
        CloudElementsCreateInstanceOperator(
            task_id="create",
            instance_name="API Instance",
            element_conn_id=conn_id,
            authorization_code=code,
            tags=["Docs"],
        )
    )
    assert people_only(body) == {**SAMPLE, "providerData": {"code": code}}


def test_every_value_of_the_sample_by_configuration_and_provider_data_alone(sandbox, sent):
    code = sandbox.code()
    body = sent(
        CloudElementsCreateInstanceOperator(
            task_id="create",
            element="microsoftgraph",
            instance_name="API Instance",
            provider_data={"code": code},
            configuration=SAMPLE["configuration"],
            tags=["Docs"],
        )
    )
    assert people_only(body) == {**SAMPLE, "providerData": {"code": code}}


#: Every row of the help page's parameter table: where in the body it goes, and how to say it.
ROWS = {
    "key": (("element", "key"), "hubspotcrm", {"element": "hubspotcrm", "configuration": WAYS["refresh"][1]}),
    "code": (("providerData", "code"), "the code", {"authorization_code": "the code"}),
    "name": (("name",), "Another name", {"instance_name": "Another name"}),
    "oauth.api.key": (
        ("configuration", "oauth.api.key"),
        "k",
        {"configuration": {**WAYS["code"][1], "oauth.api.key": "k"}},
    ),
    "oauth.api.secret": (
        ("configuration", "oauth.api.secret"),
        "s",
        {"configuration": {**WAYS["code"][1], "oauth.api.secret": "s"}},
    ),
    "oauth.callback.url": (
        ("configuration", "oauth.callback.url"),
        "https://c.example.com",
        {"configuration": {**WAYS["code"][1], "oauth.callback.url": "https://c.example.com"}},
    ),
    "events on by default": (("configuration", ENABLED), True, {}),
    "events off": (("configuration", ENABLED), False, {"events_enabled": False}),
    "event callback url": (("configuration", URL), "https://e.example.com/x", {"event_callback_url": "https://e.example.com/x"}),
    "signature key": (
        ("configuration", SIGNATURE),
        "sign",
        {"configuration": {**WAYS["code"][1], SIGNATURE: "sign"}},
    ),
    "signature key as an event key": (
        ("configuration", SIGNATURE),
        "sign",
        {"event_configuration": {SIGNATURE: "sign"}},
    ),
    "further event key": (
        ("configuration", "event.poller.refresh_interval"),
        5,
        {"event_configuration": {"event.poller.refresh_interval": 5}},
    ),
    "any further configuration key": (
        ("configuration", "filter.response.nulls"),
        False,
        {"configuration": {**WAYS["code"][1], "filter.response.nulls": False}},
    ),
    "further provider data": (
        ("providerData", "realmId"),
        "r-1",
        {"provider_data": {"realmId": "r-1"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_the_parameter_table_reaches_the_body(row, sandbox, sent):
    path, value, arguments = ROWS[row]
    code = sandbox.code()
    # A code that the vendor knows, whatever the row calls it.
    if arguments.get("authorization_code"):
        arguments, value = {"authorization_code": code}, code
    if arguments.get("element") == "hubspotcrm":
        arguments = {**arguments, "authorization_code": None}
    body = sent(graph(code, **arguments))
    found = body
    for name in path:
        found = found[name]
    assert found == value
    assert type(found) is type(value)


def test_tags_reach_the_body_and_without_any_it_is_the_name(sent):
    assert people_only(sent(basic()))["tags"] == ["An instance"]


def test_a_refresh_token_goes_by_external_authentication(sent):
    body = sent(basic(element="hubspotcrm", configuration=WAYS["refresh"][1]))
    assert body["externalAuthentication"] == "initial"
    assert "providerData" not in body
    assert body["configuration"]["oauth.user.refresh_token"] == "refresh-token-1"


def test_basic_authentication_sends_neither(sent):
    body = sent(basic())
    assert set(body) == {"element", "name", "configuration", "tags"}


def test_a_code_goes_before_a_refresh_token_of_the_connection(sandbox, sent, element_connection):
    conn_id = element_connection(
        login="k",
        password="s",
        extra={"oauth_user_refresh_token": "old", "oauth_callback_url": "https://c.example.com"},
    )
    body = sent(graph(sandbox.code(), configuration=None, element_conn_id=conn_id))
    assert "externalAuthentication" not in body
    assert "oauth.user.refresh_token" not in body["configuration"]


# -- precedence and contradictions ----------------------------------------------------------------


def test_an_argument_goes_before_configuration_and_that_before_the_connection(sent, element_connection):
    conn_id = element_connection(
        login="conn-user",
        password="conn-password",
        extra={
            "authentication": "basic",
            "event_callback_url": "https://conn.example.com",
            "event_signature_secret": "conn-key",
            "configuration": {"filter.response.nulls": True, ENABLED: False},
        },
    )
    body = sent(basic(element_conn_id=conn_id, configuration={"password": "given", SIGNATURE: "given"}))
    assert body["configuration"] == {
        "username": "conn-user",
        "password": "given",
        SIGNATURE: "given",
        "filter.response.nulls": True,
        ENABLED: False,
        URL: CALLBACK,
    }


@pytest.mark.parametrize(
    ("arguments", "enabled"),
    [({}, True), ({"configuration": {ENABLED: "false"}}, "false"), ({"events_enabled": True}, True)],
)
def test_without_the_argument_events_are_as_configuration_says_and_else_on(
    sent, element_connection, arguments, enabled
):
    own = {} if "configuration" in arguments or not arguments else {"configuration": {ENABLED: False}}
    conn_id = element_connection(login="u", password="p", extra={"authentication": "basic", **own})
    body = sent(basic(**{"element_conn_id": conn_id, "configuration": None, **arguments}))
    assert body["configuration"][ENABLED] == enabled


def test_without_the_argument_the_callback_comes_from_the_connection(sent, element_connection):
    conn_id = element_connection(
        login="u",
        password="p",
        extra={"authentication": "basic", "event_callback_url": "https://conn.example.com"},
    )
    body = sent(basic(element_conn_id=conn_id, configuration=None, event_callback_url=...))
    assert body["configuration"][URL] == "https://conn.example.com"


def test_none_as_callback_keeps_that_of_the_connection_out(sent, element_connection):
    conn_id = element_connection(
        login="u",
        password="p",
        extra={"authentication": "basic", "event_callback_url": "https://conn.example.com"},
    )
    body = sent(basic(element_conn_id=conn_id, configuration=None, event_callback_url=None))
    assert URL not in body["configuration"]
    assert body["configuration"][ENABLED] is True


CONTRADICTIONS = {
    "events on and no callback": ({"event_callback_url": ...}, "there is no event_callback_url"),
    "an empty callback is not given": ({"event_callback_url": ""}, "there is no event_callback_url"),
    "no callback, and one": (
        {"event_callback_url": None, "configuration": {URL: CALLBACK}},
        "event_callback_url is None, but",
    ),
    "two callbacks": ({"configuration": {URL: "https://other.example.com"}}, "different values"),
    "two callbacks that differ by case": (
        {"configuration": {URL: "https://hooks.example.com/Events"}},
        "different values",
    ),
    "a relative callback": ({"event_callback_url": "/events"}, "absolute address"),
    "on and off": ({"events_enabled": False, "configuration": {ENABLED: True}}, "different values"),
    "an empty key": ({"instance_key": " "}, "instance_key is empty"),
    "two of one event key": (
        {"configuration": {"event.objects": "a"}, "event_configuration": {"event.objects": "b"}},
        "different values",
    ),
    "two signature keys that differ by case": (
        {"configuration": {SIGNATURE: "Key"}, "event_configuration": {SIGNATURE: "key"}},
        "different values",
    ),
    "two codes": (
        {"authorization_code": "one-code", "provider_data": {"code": "another"}},
        "different values",
    ),
    "a code and a refresh token": (
        {"authorization_code": "one-code", "configuration": {"oauth.user.refresh_token": "r"}},
        "one of them makes an instance",
    ),
    "no element": ({"element": None}, "element is missing"),
    "an empty name": ({"instance_name": "  "}, "instance_name is empty"),
    "a name of nothing but markup": ({"instance_name": "<b> </b>"}, "instance_name is empty"),
    "a foreign key among events": (
        {"event_configuration": {"oauth.scope": "x"}},
        "oauth.scope goes into configuration",
    ),
    "configuration that is no dictionary": ({"configuration": "{}"}, "configuration must be a dictionary"),
    "keys that are no strings": ({"configuration": {1: "x"}}, "configuration must be a dictionary"),
    "provider data that is no dictionary": ({"provider_data": ["x"]}, "provider_data must be a dictionary"),
    "a code that is no string": ({"authorization_code": 5}, "authorization_code must be a string"),
    "tags as one string": ({"tags": "Docs"}, "tags must be a list"),
    "tags that are no strings": ({"tags": ["a", 1]}, "tags must be a list"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_what_contradicts_itself_fails_for_good_before_any_call(case, sandbox):
    arguments, message = CONTRADICTIONS[case]
    with pytest.raises(AirflowFailException, match=message) as caught:
        basic(**arguments).execute(context_of())
    assert isinstance(caught.value.__cause__, CloudElementsValidationError)
    assert sandbox.requests() == []
    for secret in ("first-password", "one-code", "another"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second"), [(True, "True"), (True, "true"), ("true", True), (15, "15"), ("x", "x")]
)
def test_one_value_said_twice_is_no_contradiction(first, second, sandbox):
    operator = basic(
        configuration={**WAYS["basic"][1], "event.x": first}, event_configuration={"event.x": second}
    )
    assert operator.execute(context_of())["created"]


def test_another_element_than_the_connections_is_refused(sandbox, element_connection):
    conn_id = element_connection(extra={"element": "sfdc"})
    with pytest.raises(AirflowFailException, match="is for 'sfdc'"):
        basic(element_conn_id=conn_id).execute(context_of())


@pytest.mark.parametrize("code", [None, "", "  ", "None"])
def test_no_code_in_whatever_form_jinja_writes_it_is_right_for_what_exists(code, sandbox):
    made = graph(sandbox.code()).execute(context_of())
    found = graph(code).execute(context_of())
    assert (found["id"], found["created"]) == (made["id"], False)


@pytest.mark.parametrize(
    "arguments",
    [
        {"if_exists": "replace"},
        {"events_enabled": "False"},
        {"push_token": 1},
        {"delete_twins": None},
        {"delete_on_failure": "yes"},
        {"settle_time": -1},
        {"settle_time": math.nan},
        {"settle_time": 10**400},
        {"settle_time": math.inf},
        {"settle_time": True},
        {"settle_time": "60"},
    ],
)
def test_switches_are_checked_when_the_dag_is_parsed(arguments):
    with pytest.raises((TypeError, ValueError), match=next(iter(arguments))):
        basic(**arguments)


# -- what comes back ------------------------------------------------------------------------------


def test_it_returns_what_the_next_task_needs_and_no_secret(sandbox, person):
    ti = FakeTi()
    returned = basic(tags=["Docs"], instance_key="my key").execute(context_of(ti))
    shown = person.show(returned["id"])
    assert returned == {
        "id": shown["id"],
        "name": "An instance",
        "element": "closeio",
        "tags": ["Docs"],
        "valid": True,
        "disabled": False,
        "events_enabled": True,
        "created": True,
        "created_date": shown["createdDate"],
        "instance_key": "my key",
    }
    assert ti.xcoms == {"id": shown["id"], "token": shown["token"]}
    assert type(ti.xcoms["id"]) is int
    text = json.dumps(returned)
    for secret in (shown["token"], "first-password", sandbox.user_secret):
        assert secret not in text


def test_found_again_it_says_so_and_pushes_the_same(sandbox):
    first, second = FakeTi(), FakeTi(run_id="manual__2")
    basic().execute(context_of(first))
    returned = basic().execute(context_of(second))
    assert returned["created"] is False
    assert returned["instance_key"] == "closeio/An instance"
    assert second.xcoms == first.xcoms


@pytest.fixture
def masked(monkeypatch):
    """Collect what is registered with Airflow's masker."""
    from airflow_provider_cloudelements.hooks import cloudelements as hooks

    seen = []
    monkeypatch.setattr(hooks, "mask_secret", seen.append)
    monkeypatch.setattr(base_module, "mask_secret", seen.append)
    monkeypatch.setattr(hooks, "mask_token", seen.append)
    monkeypatch.setattr(instances_module, "mask_token", seen.append)
    return seen


def test_the_token_is_masked_before_it_is_pushed(sandbox, masked):
    ti = FakeTi()
    basic().execute(context_of(ti))
    assert ti.xcoms["token"] in masked


def test_without_push_token_it_is_neither_pushed_nor_registered(sandbox, person, masked):
    for _ in range(2):  # made, then found
        ti = FakeTi()
        returned = basic(push_token=False).execute(context_of(ti))
        assert ti.xcoms == {"id": returned["id"]}
    assert person.show(returned["id"])["token"] not in masked
    assert set(masked) == {sandbox.user_secret, sandbox.organization_secret, WAYS["basic"][1]["password"]}


@pytest.mark.parametrize(("status", "kind"), [(500, CloudElementsServerError), (403, AirflowFailException)])
def test_the_id_is_pushed_at_once_and_carried_by_the_failure_of_a_later_step(status, kind, sandbox):
    # The look-up after the create fails.
    sandbox.add_fault("status", status=status, method="GET", path="/instances", skip=1)
    ti, create = FakeTi(), basic()
    with pytest.raises(kind) as caught:
        create.execute(context_of(ti))
    (there,) = sandbox.instances()
    assert ti.xcoms == {"id": there["id"]}
    assert caught.value.instance_id == there["id"]


def test_a_failure_before_there_is_an_instance_carries_no_id(sandbox):
    sandbox.add_fault("status", status=400, method="POST")
    ti = FakeTi()
    with pytest.raises(AirflowFailException) as caught:
        basic().execute(context_of(ti))
    assert (ti.xcoms, caught.value.instance_id) == ({}, None)


def test_without_do_xcom_push_nothing_is_pushed(sandbox):
    ti = FakeTi()
    basic(do_xcom_push=False).execute(context_of(ti))
    assert ti.xcoms == {}
    assert len(sandbox.instances()) == 1


def test_the_log_tells_what_was_done_and_no_value(sandbox, task_log):
    basic().execute(context_of())
    basic(configuration={**WAYS["basic"][1], "password": "second-password"}).execute(context_of())
    assert "('An instance', element closeio) created; events on." in task_log.text
    assert "found, written: password, tags; events on." in task_log.text
    for secret in ("first-password", "second-password", sandbox.user_secret):
        assert secret not in task_log.text


# -- identity -------------------------------------------------------------------------------------


def test_the_default_key_is_stable_over_runs_tries_and_map_indexes(sandbox):
    tis = [
        FakeTi(),
        FakeTi(try_number=2),
        FakeTi(run_id="scheduled__2", map_index=4),
        FakeTi(dag_id="other_dag", task_id="other"),
    ]
    ids = {basic().execute(context_of(ti))["id"] for ti in tis}
    assert len(ids) == len(sandbox.instances()) == 1


def test_a_namespace_keeps_two_airflows_apart(sandbox, monkeypatch):
    def as_airflow(namespace):
        connection = sandbox.connection(namespace=namespace)
        monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
        return basic().execute(context_of())

    one, other, again = as_airflow("one"), as_airflow("other"), as_airflow("one")
    assert one["id"] == again["id"] != other["id"]
    assert one["instance_key"] == other["instance_key"] == "closeio/An instance"
    assert marked(sandbox, "one/closeio/An instance")[0]["id"] == one["id"]


def test_another_connection_by_its_id(sandbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SAP", json.dumps(sandbox.connection()))
    monkeypatch.delenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT")
    assert basic(cloudelements_conn_id="sap").execute(context_of())["created"]


def test_if_exists_reaches_the_client(sandbox):
    basic(tags=["a"]).execute(context_of())
    other = FakeTi(run_id="manual__2")
    assert basic(tags=["b"], if_exists="reuse").execute(context_of(other))["tags"] == ["a"]
    with pytest.raises(AirflowFailException, match="exists already"):
        basic(if_exists="fail").execute(context_of(other))
    assert basic(tags=["b"]).execute(context_of(other))["tags"] == ["a", "b"]


def test_fail_lets_a_later_try_of_the_same_task_finish(sandbox):
    sandbox.add_fault("status", status=500, method="GET", path="/instances", skip=1)
    with pytest.raises(CloudElementsServerError):
        basic(if_exists="fail").execute(context_of(FakeTi()))
    returned = basic(if_exists="fail").execute(context_of(FakeTi(try_number=2)))
    assert [each["id"] for each in sandbox.instances()] == [returned["id"]]
    for stranger in (FakeTi(run_id="manual__2"), FakeTi(map_index=1), FakeTi(task_id="other")):
        with pytest.raises(AirflowFailException, match="exists already"):
            basic(if_exists="fail").execute(context_of(stranger))


def test_delete_twins_reaches_the_client(sandbox, person):
    made = basic().execute(context_of())
    twin = person.make("basic", tags=sandbox.instances()[0]["tags"])
    basic().execute(context_of())
    assert sorted(each["id"] for each in sandbox.instances()) == [made["id"], twin]
    basic(delete_twins=True).execute(context_of())
    assert [each["id"] for each in sandbox.instances()] == [made["id"]]


def test_settle_time_reaches_the_client(sandbox):
    sandbox.add_fault("drop", method="POST")
    with pytest.raises(CloudElementsError, match="within 0 s"):
        basic(settle_time=0).execute(context_of())


# -- tries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_store", [True, False], ids=["with a store", "without"])
def test_a_lost_code_ends_in_one_clear_error_and_is_not_sent_again(with_store, sandbox):
    store = FakeStore() if with_store else None
    code = sandbox.code()
    sandbox.add_fault("drop", method="POST", count=None)
    with pytest.raises(CloudElementsAmbiguousCreateError, match="ask for consent again"):
        graph(code, settle_time=0).execute(context_of(FakeTi(), store))
    sandbox.clear_faults()
    for number in (2, 3):
        with pytest.raises(AirflowFailException, match="may have sent this authorization code already"):
            graph(code, settle_time=0.5).execute(context_of(FakeTi(try_number=number), store))
    assert (presented(sandbox), sandbox.instances()) == ([1], [])


def test_with_a_store_a_try_that_sent_nothing_leaves_the_code_to_the_next(sandbox):
    store, code = FakeStore(), sandbox.code()
    sandbox.add_fault("status", status=500, method="GET")
    with pytest.raises(CloudElementsServerError):
        graph(code).execute(context_of(FakeTi(), store))
    assert graph(code).execute(context_of(FakeTi(try_number=2), store))["created"]
    assert presented(sandbox) == [1]


def test_with_a_store_a_new_code_is_taken_by_a_later_try(sandbox):
    store = FakeStore()
    sandbox.add_fault("drop", method="POST")
    with pytest.raises(CloudElementsAmbiguousCreateError):
        graph(sandbox.code(), settle_time=0).execute(context_of(FakeTi(), store))
    returned = graph(sandbox.code()).execute(context_of(FakeTi(try_number=2), store))
    assert returned["created"]
    assert presented(sandbox) == [1, 1]


def test_the_store_holds_neither_code_nor_token(sandbox, person):
    store, code = FakeStore(), sandbox.code()
    returned = graph(code).execute(context_of(FakeTi(), store))
    text = json.dumps(store.values)
    assert str(returned["id"]) in text
    for secret in (code, person.show(returned["id"])["token"], sandbox.user_secret, "app-secret-1"):
        assert secret not in text


# -- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_what_no_retry_can_help_fails_at_once(status, sandbox):
    sandbox.add_fault("status", status=status, method="POST")
    with pytest.raises(AirflowFailException) as caught:
        basic().execute(context_of())
    cause = caught.value.__cause__
    assert isinstance(cause, CloudElementsError)
    assert cause.status == status
    assert str(caught.value) == f"{type(cause).__name__}: {cause}"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_left_to_the_retries(status, sandbox):
    sandbox.add_fault("status", status=status, method="POST")
    with pytest.raises(CloudElementsError) as caught:
        basic(settle_time=0).execute(context_of())
    assert not isinstance(caught.value, AirflowFailException)


def test_what_the_vendor_refused_is_left_to_the_retries(sandbox):
    with pytest.raises(CloudElementsValidationError) as caught:
        basic(configuration={"username": "ada", "password": "rejected-1"}).execute(context_of())
    assert caught.value.provider_message


def test_a_retry_policy_sees_the_error_itself(sandbox):
    operator = basic()
    operator.retry_policy = object()
    sandbox.add_fault("status", status=401, method="POST")
    with pytest.raises(CloudElementsError) as caught:
        operator.execute(context_of())
    assert not isinstance(caught.value, AirflowFailException)
    assert caught.value.status == 401


def test_a_missing_field_of_the_connection_is_final(sandbox, monkeypatch):
    connection = {**sandbox.connection(), "host": ""}
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
    with pytest.raises(AirflowFailException, match="'cloudelements_default', field 'host'"):
        basic().execute(context_of())


def test_other_errors_pass_as_they_are():
    class Broken(CloudElementsBaseOperator):
        def perform(self, context):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Broken(task_id="broken").execute(context_of())
    with pytest.raises(NotImplementedError, match="CloudElementsBaseOperator"):
        CloudElementsBaseOperator(task_id="bare").execute(context_of())


# -- delete_on_failure ----------------------------------------------------------------------------


def failing_push(ti):
    def fail(key, value):
        raise ConnectionError("the API server is away")

    ti.xcom_push = fail
    return context_of(ti)


def test_a_failed_create_keeps_what_it_made(sandbox):
    with pytest.raises(ConnectionError):
        basic().execute(failing_push(FakeTi()))
    assert len(sandbox.instances()) == 1


@pytest.mark.parametrize("kind", [ConnectionError, KeyboardInterrupt, SystemExit])
def test_asked_to_it_deletes_what_it_made(kind, sandbox):
    ti = FakeTi()

    def fail(key, value):
        raise kind

    ti.xcom_push = fail
    with pytest.raises(kind):
        basic(delete_on_failure=True).execute(context_of(ti))
    assert sandbox.instances() == []


def test_asked_to_it_deletes_what_an_earlier_try_made(sandbox):
    sandbox.add_fault("status", status=500, method="GET", path="/instances", skip=1)
    # As if killed: nothing is deleted by the try itself.
    operator = basic(delete_on_failure=True)
    operator._remove = lambda spec: None
    with pytest.raises(CloudElementsServerError):
        operator.execute(context_of(FakeTi()))
    assert len(sandbox.instances()) == 1
    with pytest.raises(ConnectionError):
        basic(delete_on_failure=True).execute(failing_push(FakeTi(try_number=2)))
    assert sandbox.instances() == []


def test_asked_to_it_leaves_what_was_there_before(sandbox, person):
    made = basic().execute(context_of())
    with pytest.raises(ConnectionError):
        basic(delete_on_failure=True).execute(failing_push(FakeTi(run_id="manual__2")))
    person.disable(made["id"])
    with pytest.raises(AirflowFailException, match="disabled"):
        basic(delete_on_failure=True).execute(context_of(FakeTi(run_id="manual__3")))
    assert [each["id"] for each in sandbox.instances()] == [made["id"]]


def test_asked_to_it_leaves_what_stands_in_the_way(sandbox):
    basic(instance_key="shared").execute(context_of())
    with pytest.raises(AirflowFailException) as caught:
        basic(instance_key="shared", instance_name="Other", delete_on_failure=True).execute(
            context_of(FakeTi(run_id="manual__2"))
        )
    assert isinstance(caught.value.__cause__, CloudElementsConflictError)
    assert len(sandbox.instances()) == 1


def test_a_delete_after_a_failure_that_fails_hides_nothing(sandbox, task_log):
    sandbox.add_fault("status", status=500, method="DELETE")
    with pytest.raises(ConnectionError):
        basic(delete_on_failure=True).execute(failing_push(FakeTi()))
    assert "could not be deleted" in task_log.text


# -- secrets in fields ----------------------------------------------------------------------------


def rendered(operator, context=None):
    operator.render_template_fields(context or {})
    return {name: getattr(operator, name) for name in operator.template_fields}


def test_rendered_fields_show_asterisks_and_execute_gets_the_values(sandbox):
    code = sandbox.code()
    nested = {"token": "nested", "list": [{"password": "p"}]}
    operator = graph(
        "{{ code }}",
        configuration={**WAYS["code"][1], "event.poller.configuration": nested},
        provider_data={"code": "{{ code }}", "realmId": "realm-1"},
        event_configuration={SIGNATURE: "sign-1", "event.objects": "leads"},
    )
    fields = rendered(operator, {"code": code})
    assert fields["authorization_code"] == "***"
    assert fields["provider_data"] == {"code": "***", "realmId": "***"}
    assert fields["event_configuration"] == {SIGNATURE: "***", "event.objects": "leads"}
    assert fields["configuration"] == {
        "oauth.api.key": "***",
        "oauth.api.secret": "***",
        "oauth.callback.url": "https://app.example.com/callback",
        "oauth.scope": "Calendars.Read offline_access",
        "event.poller.configuration": {"token": "***", "list": [{"password": "***"}]},
    }
    text = json.dumps(fields)
    for secret in (code, "app-secret-1", "nested", "sign-1", "realm-1"):
        assert secret not in text
    returned = operator.execute(context_of())
    assert returned["created"]
    assert presented(sandbox) == [1]


def test_fields_that_are_empty_stay_as_they_are(sandbox):
    operator = basic(authorization_code="", provider_data={}, event_configuration=None)
    fields = rendered(operator)
    assert fields["authorization_code"] == ""
    assert fields["provider_data"] == {}
    assert fields["event_configuration"] is None


@pytest.mark.parametrize("value", ["a-secret-in-a-string", ["a-secret-in-a-string"]])
def test_a_secret_field_that_is_no_dictionary_shows_nothing_of_it(value):
    assert rendered(basic(configuration=value))["configuration"] == "***"


def test_rendered_twice_the_values_are_still_there(sandbox):
    operator = basic()
    rendered(operator)
    rendered(operator)
    assert operator.secret("configuration") == WAYS["basic"][1]
    assert operator.execute(context_of())["created"]


def test_a_literal_secret_is_warned_of_without_its_value(task_log):
    rendered(basic(event_configuration={SIGNATURE: "literal-key"}))
    assert "configuration['password'] holds a secret as written" in task_log.text
    assert f"event_configuration['{SIGNATURE}'] holds a secret as written" in task_log.text
    assert "cloudelements_element" in task_log.text
    assert "username" not in task_log.text
    for secret in ("first-password", "literal-key"):
        assert secret not in task_log.text


def test_a_secret_from_jinja_is_not_warned_of(task_log):
    rendered(basic(configuration={"password": "{{ secret }}"}), {"secret": "from elsewhere"})
    assert "as written" not in task_log.text


def test_asterisks_leave_switches_and_empty_values_alone():
    configuration = {"password": "", "token": None, "own": True, "api.key": 5, "own.number": 1}
    assert rendered(basic(configuration=configuration))["configuration"] == {
        "password": "",
        "token": None,
        "own": True,
        "api.key": "***",
        "own.number": "***",
    }
