"""CloudElementsGetOAuthUrlOperator: a link that leads a person there and back, and holds no secret."""

from __future__ import annotations

import json
import logging
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import pytest

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import (
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.hooks import cloudelements as hooks_module
from airflow_provider_cloudelements.operators._parts import base as base_module
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.operators.oauth import CloudElementsGetOAuthUrlOperator
from tests.support.context import FakeTi, context_of
from tests.support.platform import presented
from tests.support.relay import relaying

SECRET = "the app/secret+1"
BACK = "https://app.example.com/callback"


@pytest.fixture
def app(element_connection):
    """Give a function that makes the default element connection, with other fields where they are given."""

    def make(conn_id="cloudelements_element_default", login="client-1", password=SECRET, **extra):
        extra = {
            "element": "microsoftgraph",
            "oauth_callback_url": BACK,
            "oauth_scope": "Calendars.Read offline_access",
            **extra,
        }
        extra = {name: value for name, value in extra.items() if value is not None}
        return element_connection(conn_id, login=login, password=password, extra=extra)

    make()
    return make


def operator(**arguments):
    return CloudElementsGetOAuthUrlOperator(task_id="ask", **arguments)


def ask(ti=None, **arguments):
    return operator(**arguments).execute(context_of(ti))


def query_of(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


# -- the link -------------------------------------------------------------------------------------


def test_link_and_state_go_to_xcom_and_hold_no_secret(sandbox, app):
    ti = FakeTi()
    returned = ask(ti)
    assert ti.xcoms == {"url": returned["url"], "state": returned["state"]}
    assert returned["element"] == "microsoftgraph"
    assert query_of(returned["url"]) == {
        "client_id": "client-1",
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "Calendars.Read offline_access",
        "state": returned["state"],
    }
    for form in (SECRET, "secret", sandbox.user_secret, sandbox.organization_secret):
        assert form not in json.dumps(returned)


def test_each_run_has_a_state_of_its_own(sandbox, app):
    again = operator()
    states = {again.execute(context_of())["state"] for _ in range(3)} | {ask()["state"]}
    assert len(states) == 4
    assert min(map(len, states)) >= 32


@pytest.mark.parametrize("post", [False, True])
def test_the_state_comes_back_with_the_code_and_makes_an_instance(post, sandbox, app):
    asked = ask(post=post)
    back = sandbox.approve(asked["url"])
    assert back["state"] == asked["state"]
    made = CloudElementsCreateInstanceOperator(
        task_id="create",
        instance_name="An instance",
        element_conn_id="cloudelements_element_default",
        authorization_code=f"{BACK}?{urlencode(back)}",
        authorization_state=asked["state"],
        event_callback_url=None,
    ).execute(context_of())
    assert made["valid"]
    assert presented(sandbox) == [1]


def test_a_refused_consent_makes_no_instance_and_says_so(sandbox, app):
    asked = ask()
    back = sandbox.approve(asked["url"], decision="deny")
    create = CloudElementsCreateInstanceOperator(
        task_id="create",
        instance_name="An instance",
        element_conn_id="cloudelements_element_default",
        authorization_code=f"{BACK}?{urlencode(back)}",
        authorization_state=asked["state"],
        event_callback_url=None,
    )
    with pytest.raises(AirflowFailException, match="error instead of a code"):
        create.execute(context_of())
    assert sandbox.instances() == []


@pytest.mark.parametrize("post", [False, True])
def test_the_secret_goes_in_the_query_or_in_a_body(post, sandbox, app, monkeypatch):
    with relaying(sandbox) as relay:
        connection = {**sandbox.connection(), "host": relay.url}
        monkeypatch.setenv("AIRFLOW_CONN_CLOUDELEMENTS_DEFAULT", json.dumps(connection))
        ask(post=post, parameters={"siteAddress": "acme.example.com"})
        ((verb, path, body),) = relay.seen
    sent = body if post else query_of(path)
    assert (verb, "secret" in path) == (("POST", False) if post else ("GET", True))
    assert (sent["apiSecret"], sent["apiKey"], sent["callbackUrl"]) == (SECRET, "client-1", BACK)
    assert sent["siteAddress"] == "acme.example.com"


@pytest.mark.parametrize(
    ("scopes", "scope"),
    [
        (None, "Calendars.Read offline_access"),
        ("", "Calendars.Read offline_access"),
        ([], "Calendars.Read offline_access"),
        ("User.Read offline_access", "User.Read offline_access"),
        (["User.Read", "offline_access"], "User.Read offline_access"),
        (("{{ scope }}", "offline_access"), "From.Template offline_access"),
        ("{{ scope }} offline_access", "From.Template offline_access"),
    ],
)
def test_scopes_are_a_list_a_text_or_the_connections(scopes, scope, sandbox, app):
    asking = operator(scopes=scopes)
    asking.render_template_fields({"scope": "From.Template"})
    assert query_of(asking.execute(context_of())["url"])["scope"] == scope


def test_arguments_go_before_the_connection(sandbox, app):
    app("another_app", element=None, oauth_callback_url=None, login="client-2")
    asking = operator(
        element="{{ element }}",
        element_conn_id="{{ conn }}",
        callback_url="{{ back }}",
    )
    asking.render_template_fields(
        {"element": "hubspotcrm", "conn": "another_app", "back": "http://localhost:9/cb"}
    )
    asked = asking.execute(context_of())
    query = query_of(asked["url"])
    assert (asked["element"], query["client_id"]) == ("hubspotcrm", "client-2")
    assert query["redirect_uri"] == "http://localhost:9/cb"


def test_without_do_xcom_push_nothing_is_pushed(sandbox, app):
    ti = FakeTi()
    assert ask(ti, do_xcom_push=False)["url"]
    assert ti.xcoms == {}


def test_the_extra_link_leads_to_the_page_once_there_is_one(sandbox, app):
    asking = operator()
    (link,) = asking.operator_extra_links
    assert link.get_link(asking, ti_key=None) == ""
    asked = asking.execute(context_of())
    assert link.get_link(asking, ti_key=None) == asked["url"]
    assert link.name == "Allow the access"


# -- warnings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("element", "scope", "warned"),
    [
        ("microsoftgraph", "Calendars.Read", True),
        ("microsoftgraph", None, True),
        ("microsoftgraph", "Calendars.Read offline_access", False),
        ("microsoftgraph", "offline_accessory", True),
        ("hubspotcrm", "contacts", False),
        ("sfdc", None, False),
    ],
)
def test_only_microsoft_is_warned_of_a_missing_offline_access(element, scope, warned, app, sandbox, task_log):
    app(element=element, oauth_scope=scope)
    ask()
    assert ("The scopes lack offline_access" in task_log.text) is warned


@pytest.fixture
def answered(monkeypatch):
    """Give a function that has the platform answer with a link of its own."""
    from airflow_provider_cloudelements.client.elements import ElementsApi

    def answer(url):
        monkeypatch.setattr(ElementsApi, "oauth_url", lambda *_, **__: url)

    return answer


def test_a_link_that_lost_the_state_is_warned_of(sandbox, app, answered, task_log):
    answered("https://login.example.com/authorize?state=microsoftgraph&scope=offline_access")
    assert ask()["url"]
    assert "does not hold the state that was asked for" in task_log.text


def test_microsofts_own_page_counts_whatever_the_element_is_called(sandbox, app, answered, task_log):
    app(element="onedrivev2", oauth_scope=None)
    answered("https://login.microsoftonline.com/common/oauth2/v2.0/authorize?scope=Files.Read")
    ask()
    assert "offline_access" in task_log.text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "login.example.com", "https://", "ftp://x/y"])
def test_a_link_that_is_no_web_address_is_given_to_nobody(url, sandbox, app, answered):
    answered(url)
    ti = FakeTi()
    asking = operator()
    with pytest.raises(CloudElementsServerError, match="no web address"):
        asking.execute(context_of(ti))
    assert (ti.xcoms, asking.consent_link) == ({}, "")


# -- what is missing or malformed -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"login": None}, "login"),
        ({"password": None}, "password"),
        ({"oauth_callback_url": None}, "oauth_callback_url"),
    ],
)
def test_a_missing_field_of_the_connection_is_named(fields, name, sandbox, app):
    app(**fields)
    message = f"Connection 'cloudelements_element_default', field '{name}': it is empty"
    with pytest.raises(AirflowFailException, match=message) as caught:
        ask()
    assert isinstance(caught.value.__cause__, CloudElementsValidationError)
    assert SECRET not in str(caught.value)
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"callback_url": "app.example.com"}, "callback_url must be an absolute address"),
        ({"scopes": ["a", 7]}, "scopes must be a list of strings"),
        ({"scopes": ["a", " "]}, "scopes must be a list of strings"),
        ({"scopes": 7}, "scopes must be a list of strings"),
        ({"scopes": {"a": "b"}}, "scopes must be a list of strings"),
        ({"parameters": "siteAddress=x"}, "parameters must be a dictionary of strings"),
        ({"parameters": {"siteAddress": 7}}, "parameters must be a dictionary of strings"),
        ({"parameters": {"state": "known"}}, "parameters: state comes from"),
        ({"parameters": {"scope": "x", "apiKey": "y"}}, "parameters: apiKey, scope comes from"),
        ({"element": "sfdc"}, "is for 'microsoftgraph'"),
    ],
)
def test_malformed_arguments_fail_for_good_before_any_call(arguments, message, sandbox, app):
    with pytest.raises(AirflowFailException, match=message):
        ask(**arguments)
    assert sandbox.requests() == []


def test_without_an_element_it_says_so(sandbox, app):
    app(element=None)
    with pytest.raises(AirflowFailException, match="element is missing"):
        ask()


def test_an_element_that_is_not_there_fails_for_good(sandbox, app):
    app(element="nonesuch")
    with pytest.raises(AirflowFailException) as caught:
        ask()
    assert isinstance(caught.value.__cause__, CloudElementsNotFoundError)


@pytest.mark.parametrize("value", ["true", None, 1])
def test_the_switch_is_checked_when_the_dag_is_parsed(value):
    with pytest.raises(TypeError, match="post must be True or False"):
        operator(post=value)


def test_a_server_error_is_left_to_the_retries(sandbox, app):
    sandbox.add_fault("status", status=503, count=None)
    with pytest.raises(CloudElementsServerError):
        ask()


# -- secrets --------------------------------------------------------------------------------------


def test_rendered_fields_show_no_secret_parameter(app):
    asking = operator(parameters={"siteAddress": "{{ site }}", "access_token": "{{ token }}"})
    asking.render_template_fields({"site": "acme.example.com", "token": "hidden-token"})
    shown = {name: getattr(asking, name) for name in asking.template_fields}
    assert shown["parameters"]["access_token"] == "***"
    assert "hidden-token" not in json.dumps(shown)


@pytest.mark.parametrize("post", [False, True])
def test_no_log_shows_the_apps_secret_and_it_is_masked(post, sandbox, app, monkeypatch, caplog):
    masked = []
    monkeypatch.setattr(hooks_module, "mask_secret", masked.append)
    monkeypatch.setattr(base_module, "mask_secret", masked.append)
    for logger in (None, "urllib3"):
        caplog.set_level(logging.DEBUG, logger)
    ask(post=post, parameters={"access_token": "hidden/token"})
    assert any(record.name.startswith("urllib3") for record in caplog.records)
    text = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    for form in (SECRET, "the%20app", "the+app", "hidden/token", "hidden%2Ftoken"):
        assert form not in text
    assert {SECRET, "hidden/token"} <= set(masked)


def test_an_answer_that_repeats_the_secret_is_given_to_nobody(sandbox, app, monkeypatch):
    from airflow_provider_cloudelements.client.wire.answer import Reply
    from airflow_provider_cloudelements.client.wire.http import HttpSession

    def send(self, method, path, **_):
        return Reply(200, {}, {"oauthUrl": f"https://x.example/?s={quote_plus(SECRET)}"})

    monkeypatch.setattr(HttpSession, "send", send)
    ti = FakeTi()
    with pytest.raises(CloudElementsServerError, match="shows the app's secret") as caught:
        ask(ti)
    assert ti.xcoms == {}
    assert quote_plus(SECRET) not in str(caught.value)
