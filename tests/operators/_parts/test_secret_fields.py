"""What an operator keeps aside shows nowhere. Without our rendering a task ends before anything is sent."""

from __future__ import annotations

import copy
import inspect
import json
import logging
import pickle
import pprint

import pytest
from airflow.sdk.bases.operator import BaseOperator

from airflow_provider_cloudelements.compat import AirflowFailException
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.base import CloudElementsBaseOperator
from airflow_provider_cloudelements.operators._parts.secret_fields import KeptValues
from airflow_provider_cloudelements.operators.changes import CloudElementsUpdateInstanceOperator
from airflow_provider_cloudelements.operators.events import CloudElementsEnableEventsOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.operators.oauth import CloudElementsGetOAuthUrlOperator
from tests.support.context import FakeTi, context_of
from tests.support.hidden import assert_hidden
from tests.support.platform import CALLBACK, Wire

SECRETS = {
    "code": "Auth/Code+000000001=",
    "user": "api_5f3QcloseIoKey",
    "word": "Own/Word+0000000002=",
    "key": "Sign/Key+00000000003=",
    "query": "Query-Token-000000004",
}
CREATE = {
    "instance_name": "An instance",
    "element": "closeio",
    "authorization_code": "{{ code }}",
    "provider_data": {"realmId": "{{ code }}"},
    "configuration": {"username": "{{ user }}", "own.word": ["{{ word }}"], "oauth.scope": "a b"},
    "event_callback_url": CALLBACK + "?token={{ query }}",
    "event_configuration": {"event.notification.signature.key": "{{ key }}", "event.objects": "leads"},
}


def create(**arguments):
    return CloudElementsCreateInstanceOperator(task_id="create", **{**CREATE, **arguments})


@pytest.fixture
def rendered():
    operator = create()
    operator.render_template_fields(SECRETS)
    return operator


def shown(value):
    """Return what printing, walking and pickling an object shows."""

    def walk(each, depth=0):
        yield repr(each)
        yield str(each)
        inner = getattr(each, "__dict__", None) or (each if isinstance(each, dict) else {})
        if depth < 4:
            for one in inner.values():
                yield from walk(one, depth + 1)

    return "\n".join([*walk(value), pprint.pformat(vars(value))])


def test_nothing_that_walks_an_operator_finds_what_it_keeps(rendered):
    assert_hidden(shown(rendered), *SECRETS.values())
    kept = rendered.__dict__["_kept_values"]
    for text in (str(kept), repr(kept), f"{kept}", json.dumps(kept, default=str)):
        assert text.strip('"') == "***"
    assert set(vars(kept).values()) == {"***"}
    assert_hidden(repr(pickle.dumps(kept)) + repr(kept.__reduce__()), *SECRETS.values())
    assert "***" in repr(pickle.dumps(kept))


def test_the_operator_gets_the_values(rendered):
    assert rendered.secret("authorization_code") == SECRETS["code"]
    assert rendered.secret("configuration")["own.word"] == [SECRETS["word"]]
    assert rendered.secret("event_callback_url") == CALLBACK + "?token=" + SECRETS["query"]
    assert rendered.event_callback_url == CALLBACK + "?token=***"
    assert rendered.event_configuration["event.objects"] == "leads"
    assert rendered.configuration == {"username": "***", "own.word": ["***"], "oauth.scope": "a b"}


def test_a_literal_is_hidden_among_the_arguments_too():
    operator = create(authorization_code=None, provider_data=None, configuration={"own.word": "literal-word"})
    operator.render_template_fields(SECRETS)
    assert_hidden(shown(operator), "literal-word")
    assert operator.secret("configuration") == {"own.word": "literal-word"}


def test_the_dag_s_own_task_keeps_what_was_written_for_the_next_try():
    task = create()
    running = task.prepare_for_execution()
    running.render_template_fields(SECRETS)
    assert task.configuration == CREATE["configuration"]
    assert task.__dict__["_BaseOperator__init_kwargs"]["configuration"] == CREATE["configuration"]
    assert running.__dict__["_BaseOperator__init_kwargs"]["configuration"] == running.configuration


def test_copies_within_the_process_have_the_values_and_a_pickle_has_not(rendered):
    for copied in (copy.copy(rendered), copy.deepcopy(rendered)):
        assert copied.secret("configuration") == rendered.secret("configuration")
    kept = pickle.loads(pickle.dumps(rendered.__dict__["_kept_values"]))  # noqa: S301  our own
    assert isinstance(kept, KeptValues)
    assert set(kept.names) == set(rendered.__dict__["_kept_values"].names)
    with pytest.raises(CloudElementsValidationError, match="Pickle the operator before"):
        kept.value("configuration")


def test_the_poller_s_configuration_and_the_link_s_parameters_follow_the_same_policy():
    poller = {"contacts": {"url": "/contacts?key={{ key }}", "idField": "id"}}
    enable = CloudElementsEnableEventsOperator(
        task_id="on", instance_id=1, poller_configuration=poller, poller_urls=["a|/b?c={{ key }}"]
    )
    enable.render_template_fields(SECRETS)
    assert enable.poller_configuration == {"contacts": {"url": "/contacts?key=***", "idField": "id"}}
    assert enable.poller_urls == ["a|/b?c=***"]
    ask = CloudElementsGetOAuthUrlOperator(
        task_id="ask",
        oauth_callback_url="https://app.example/cb?own={{ key }}",
        parameters={"siteAddress": "acme", "own": "{{ word }}"},
    )
    ask.render_template_fields(SECRETS)
    assert ask.parameters == {"siteAddress": "acme", "own": "***"}
    assert ask.oauth_callback_url == "https://app.example/cb?own=***"
    for operator in (enable, ask):
        assert_hidden(shown(operator), *SECRETS.values())


def test_a_template_that_fails_is_not_logged(caplog):
    caplog.set_level(logging.DEBUG)
    broken = create(configuration={"own.word": "literal-word", "other": "{{ no.such.thing }}"})
    with pytest.raises(Exception, match="undefined") as caught:
        broken.render_template_fields(SECRETS)
    assert_hidden(caplog.text + repr(caught.value), "literal-word", *SECRETS.values())


@pytest.mark.parametrize("kind", ["TaskInfo", "TaskInfoComplete"])
def test_lineage_shows_no_more_than_the_rendered_fields(kind, rendered, sandbox):
    """``TaskInfoComplete`` is what ``[openlineage] include_full_task_info`` sends: the ``__dict__``."""
    from airflow.providers.openlineage.utils import utils
    from openlineage.client.serde import Serde

    made = getattr(utils, kind)
    options = {"runtime_assets": []} if "runtime_assets" in inspect.signature(made).parameters else {}
    running = create(
        authorization_code=None,
        provider_data=None,
        configuration={"username": "{{ user }}", "password": "{{ word }}"},
    ).prepare_for_execution()
    running.render_template_fields(SECRETS)
    running.execute(context_of(RunningTi(running)))
    for operator in (rendered, running):
        text = Serde.to_json(made(operator, **options))
        assert_hidden(text, *SECRETS.values(), sandbox.user_secret, sandbox.organization_secret)
        assert kind == "TaskInfo" or '"password": "***"' in text or "own.word" in text


def test_a_pickle_after_the_run_holds_no_secret(sandbox):
    running = create(
        authorization_code=None,
        provider_data=None,
        configuration={"username": "{{ user }}", "password": "{{ word }}"},
    ).prepare_for_execution()
    running.render_template_fields(SECRETS)
    running.execute(context_of(RunningTi(running)))
    state = running.__getstate__()
    assert "hook" not in state
    assert_hidden(pprint.pformat(state), *SECRETS.values(), sandbox.user_secret)
    assert copy.copy(running).hook.get_conn().instances


# -- without our rendering ------------------------------------------------------------------------


class RunningTi(FakeTi):
    """A task instance as Airflow makes it: it knows its task."""

    def __init__(self, task):
        super().__init__()
        self.task = task


RunningTi.__module__ = "airflow.sdk.execution_time.task_runner"


def test_a_task_that_airflow_renders_by_our_method_goes_on(sandbox):
    login = {"username": "{{ user }}", "password": "{{ word }}"}
    running = create(authorization_code=None, provider_data=None, configuration=login).prepare_for_execution()
    running.render_template_fields(SECRETS)
    assert running.execute(context_of(RunningTi(running)))["created"] is True


@pytest.fixture
def other_rendering(monkeypatch):
    """Rename our method, as a later Airflow would by calling another one."""
    monkeypatch.delattr(CloudElementsBaseOperator, "_do_render_template_fields")


def test_a_task_whose_fields_nobody_hid_ends_before_anything_is_sent(sandbox):
    unrendered = create(configuration={"password": "p"}, authorization_code=None, provider_data=None)
    wire = Wire(sandbox)
    with pytest.raises(AirflowFailException, match="ends before anything is sent"):
        unrendered.execute(context_of(RunningTi(unrendered)))
    assert wire.calls() == []


def test_another_rendering_ends_the_task(other_rendering):
    with pytest.raises(AirflowFailException, match="ends before anything is sent"):
        create().render_template_fields(SECRETS)


def test_another_rendering_of_a_running_task_sets_no_field(other_rendering):
    running = create().prepare_for_execution()
    with pytest.raises(AirflowFailException, match="ends before anything is sent"):
        BaseOperator.render_template_fields(running, SECRETS)
    assert_hidden(repr(running.__dict__), *SECRETS.values())


def test_another_rendering_of_a_mapped_task_sets_no_field(other_rendering):
    mapped = create(_airflow_from_mapped=True)
    with pytest.raises(AirflowFailException, match="ends before anything is sent"):
        BaseOperator.render_template_fields(mapped, SECRETS)
    assert_hidden(repr(mapped.__dict__), *SECRETS.values())


def test_a_subclass_may_assign_its_fields_anew_while_it_is_made():
    class Own(CloudElementsUpdateInstanceOperator):
        def __init__(self, *, word, **kwargs):
            super().__init__(**kwargs)
            self.configuration = {"own.word": word}

    for arguments in ({}, {"_airflow_from_mapped": True}):
        own = Own(task_id="own", word="{{ word }}", instance_id=1, **arguments)
        own.render_template_fields(SECRETS)
        assert own.secret("configuration") == {"own.word": SECRETS["word"]}


def test_a_dag_may_assign_a_field_until_the_task_runs():
    late = create()
    late.configuration = {"own.word": "{{ word }}"}
    late.render_template_fields(SECRETS)
    assert late.secret("configuration") == {"own.word": SECRETS["word"]}
    with pytest.raises(AirflowFailException):
        late.prepare_for_execution().configuration = {}


# -- asterisks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"configuration": {"password": "***"}}, r"configuration\['password'\]"),
        ({"configuration": {"own": {"token": "***"}}}, r"configuration\['own'\]"),
        (
            {"event_configuration": {"event.notification.signature.key": "********"}},
            r"event_configuration\['event.notification.signature.key'\]",
        ),
        ({"authorization_code": " *** "}, "authorization_code"),
        ({"provider_data": {"code": "***"}}, r"provider_data\['code'\]"),
    ],
)
def test_asterisks_in_place_of_a_secret_are_refused_by_name(arguments, field, sandbox):
    wire = Wire(sandbox)
    nothing = dict.fromkeys(("authorization_code", "provider_data", "configuration", "event_configuration"))
    operator = create(**{**nothing, "event_callback_url": CALLBACK, **arguments})
    operator.render_template_fields({})
    with pytest.raises(AirflowFailException, match=f"{field} consists of asterisks"):
        operator.execute(context_of())
    assert wire.calls() == []


def test_the_signature_key_and_the_parameters_are_refused_by_name(sandbox, element_connection, made_basic):
    enable = CloudElementsEnableEventsOperator(
        task_id="on", instance_id=made_basic, event_callback_url=CALLBACK, event_signature_key="***"
    )
    with pytest.raises(AirflowFailException, match="event_signature_key consists of asterisks"):
        enable.execute(context_of())
    app = {"oauth_callback_url": "https://app.example/cb", "element": "microsoftgraph"}
    conn_id = element_connection(login="k", password="s", extra=app)
    ask = CloudElementsGetOAuthUrlOperator(task_id="a", element_conn_id=conn_id, parameters={"pin": "***"})
    with pytest.raises(AirflowFailException, match=r"parameters\['pin'\] consists of asterisks"):
        ask.execute(context_of())


@pytest.fixture
def made_basic(person):
    return person.make("basic")
