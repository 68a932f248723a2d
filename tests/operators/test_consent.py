"""The consent group, and the question in it, without Airflow's server."""

from __future__ import annotations

import copy
import logging
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pendulum
import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk import DAG, task, task_group

from airflow_provider_cloudelements.compat import AirflowFailException, AirflowSkipException
from airflow_provider_cloudelements.operators.consent import (
    CloudElementsAskConsentOperator,
    consent_group,
)
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from tests.support.context import FakeTi, context_of

STATE = "a-state_of-thirty-two-characters"
LINK = f"https://login.example.com/authorize?client_id=1&state={STATE}"
BACK = f"https://app.example.com/?state={STATE}"
ALIKE = {"start_date": pendulum.datetime(2026, 1, 1)}


class Waits(BaseException):
    """What a task raises to wait for a person, on whichever line of Airflow."""


@pytest.fixture
def questions(monkeypatch):
    """Collect the questions that operators write, without an Airflow that keeps them."""
    asked = []

    def wait(*_, **__):
        raise Waits

    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **detail: asked.append(detail))
    monkeypatch.setattr(CloudElementsAskConsentOperator, "defer", wait)
    if hasattr(hitl, "TaskAwaitingInput"):
        monkeypatch.setattr(hitl, "TaskAwaitingInput", lambda **_: Waits())
    return asked


def ask(**arguments):
    given = {"consent_url": LINK, "authorization_state": STATE, **arguments}
    return CloudElementsAskConsentOperator(task_id="ask_person", **given)


def context():
    return {"task_instance": SimpleNamespace(id="an-id"), **context_of()}


def event(answer, **other):
    return {
        "chosen_options": ["OK"],
        "params_input": {"authorization_code": answer},
        "responded_at": datetime.now(UTC),
        "responded_by_user": None,
        **other,
    }


@pytest.fixture
def task_log(monkeypatch, caplog):
    """Collect what the operator logs: Airflow's own logger writes past pytest's."""
    log = logging.getLogger("tests.operators")
    monkeypatch.setattr(CloudElementsAskConsentOperator, "log", log)
    caplog.set_level(logging.INFO, log.name)
    return caplog


def test_the_question_shows_the_link_and_carries_the_state(questions):
    with pytest.raises(Waits):
        ask(body="For the front desk.").execute(context())
    (asked,) = questions
    assert asked["body"].startswith(f"For the front desk.\n\n[Open this page]({LINK}) and allow")
    assert (asked["options"], asked["defaults"]) == (["OK"], None)
    schema = asked["params"]["authorization_code"]["schema"]
    assert schema["x-cloudelements-state"] == STATE
    assert not re.search(schema["pattern"], LINK)


def test_a_link_does_not_end_early_in_markdown(questions):
    with pytest.raises(Waits):
        ask(consent_url=LINK + "&x=a)b(c").execute(context())
    assert f"]({LINK}&x=a%29b%28c)" in questions[0]["body"]


@pytest.mark.parametrize(
    "given", [{"consent_url": "None"}, {"consent_url": "javascript:x"}, {"authorization_state": "None"}]
)
def test_without_link_or_state_nobody_is_asked(questions, given):
    with pytest.raises(AirflowFailException, match=next(iter(given))):
        ask(**given).execute(context())
    assert questions == []


@pytest.mark.parametrize("answer", ["the-code", f"{BACK}&code=the-code", f"  {BACK}#code=the-code\n"])
def test_a_code_of_this_consent_is_taken(questions, answer):
    operator = ask()
    done = operator.execute_complete(context(), event(answer))
    assert done["params_input"] == {"authorization_code": answer}
    assert questions == []
    # What listeners get: OpenLineage sends the summary, and with it perhaps the whole task.
    assert "the-code" not in repr(operator.hitl_summary)
    assert "the-code" not in repr(vars(operator)) + repr(operator.params.dump())


@pytest.mark.parametrize(
    "happened",
    [
        event(""),
        event(None),
        event(7),
        event("two words"),
        event("https://app.example.com/"),
        event(LINK),
        event("https://app.example.com/?code=the-code&state=another"),
        event("https://app.example.com/?error=access_denied&state=another"),
        event("https://app.example.com/?code=the-code"),
        event("x") | {"params_input": {}},
        # Airflow 3.1 and 3.2 check the pattern before the task resumes.
        {"error": "Invalid input for param: 'the-code x'", "error_type": "validation"},
    ],
)
def test_what_holds_no_code_of_this_consent_is_asked_again(questions, task_log, happened):
    with pytest.raises(Waits):
        ask().execute_complete(context(), happened)
    (asked,) = questions
    assert LINK in asked["body"]
    assert "Asking again." in task_log.text
    assert "the-code" not in task_log.text


def test_a_refused_consent_fails(questions):
    with pytest.raises(AirflowFailException, match="The consent was refused"):
        ask().execute_complete(context(), event(f"{BACK}&error=access_denied"))
    assert questions == []


def test_a_question_that_nobody_answered_fails(questions, task_log):
    with pytest.raises(hitl.HITLTimeoutError):
        ask().execute_complete(context(), {"error": "too late", "error_type": "timeout"})
    assert "Start a new run" in task_log.text


def test_a_question_has_no_tries_after_the_first():
    with DAG(
        "d", default_args={"retries": 4, "execution_timeout": timedelta(minutes=1)}, schedule=None, **ALIKE
    ):
        operator = ask()
    assert operator.retries == 0
    assert timedelta(days=1) in (getattr(operator, "response_timeout", None), operator.execution_timeout)


def test_the_person_is_asked_for_no_params_of_the_dag(questions):
    with DAG("d", schedule=None, params={"day": "Monday"}, **ALIKE):
        operator = ask()
    with pytest.raises(Waits):
        operator.execute(context())
    assert set(questions[0]["params"]) == {"authorization_code"}


@pytest.mark.parametrize("name", ["options", "defaults", "multiple"])
def test_what_the_question_gives_itself_is_refused(name):
    with pytest.raises(TypeError, match=name):
        ask(**{name: None})


@pytest.mark.parametrize("name", ["authorization_code", "authorization_state", "trigger_rule", "task_id"])
def test_what_the_group_gives_itself_is_refused(name):
    with DAG("d", schedule=None, **ALIKE), pytest.raises(TypeError, match=name):
        consent_group(instance_name="A", **{name: "x"})


def test_the_group_has_four_tasks_and_gives_what_the_create_returns():
    with DAG("d", schedule=None, **ALIKE) as dag:
        group = consent_group(
            instance_name="A",
            group_id="front_desk",
            element="microsoftgraph",
            link_arguments={"scopes": ["x"]},
            question_arguments={"subject": "Please"},
            push_token=False,
        )

        @task
        def use(instance): ...

        use(group.output)
    assert {each.task_id: each.upstream_task_ids for each in dag.tasks} == {
        "front_desk.find_instance": set(),
        "front_desk.consent_link": {"front_desk.find_instance"},
        "front_desk.ask_person": {"front_desk.consent_link"},
        "front_desk.create_instance": {"front_desk.ask_person", "front_desk.find_instance"},
        "use": {"front_desk.create_instance"},
    }
    assert isinstance(group.create, CloudElementsCreateInstanceOperator)
    assert group.create.push_token is False
    assert dag.get_task("front_desk.consent_link").scopes == ["x"]
    assert dag.get_task("front_desk.ask_person").subject == "Please"
    copied = copy.deepcopy(dag).task_group.children["front_desk"]
    assert copied.create.task_id == group.create.task_id


def test_two_groups_stand_side_by_side_and_in_a_mapped_group():
    with DAG("d", schedule=None, **ALIKE) as dag:
        consent_group(instance_name="A", group_id="a") >> consent_group(instance_name="B", group_id="b")

        @task_group
        def tenant(name):
            consent_group(instance_name=name)

        tenant.expand(name=["C", "D"])
    assert dag.get_task("b.find_instance").upstream_task_ids == {"a.create_instance"}
    assert dag.get_task("tenant.consent.create_instance").get_closest_mapped_task_group() is not None


class Pulling(FakeTi):
    """A task instance that pulls what another one pushed."""

    def xcom_pull(self, task_ids, map_indexes, key="return_value"):
        return self.found


def link_after(found, element_connection):
    element_connection(
        "cloudelements_element_default",
        login="client-1",
        password="secret",
        extra={"element": "microsoftgraph", "oauth_callback_url": "https://app.example.com"},
    )
    with DAG("d", schedule=None, **ALIKE) as dag:
        consent_group(instance_name="A")
    ti = Pulling()
    ti.found = found
    return dag.get_task("consent.consent_link").execute(context_of(ti))


def test_the_link_is_made_for_a_consent_that_is_needed(sandbox, element_connection):
    assert link_after({"id": None, "consent_needed": True}, element_connection)["url"]


def test_the_link_is_skipped_otherwise(sandbox, element_connection):
    with pytest.raises(AirflowSkipException, match="Instance 7"):
        link_after({"id": 7, "consent_needed": False}, element_connection)


def found_by(**arguments):
    with DAG("d", schedule=None, **ALIKE) as dag:
        consent_group(instance_name="Calendar", element_conn_id="app", **arguments)
    return dag.get_task("consent.find_instance").execute(context_of())


@pytest.mark.parametrize(
    ("broken", "arguments", "needed"),
    [
        ({}, {}, False),
        ({"valid": False}, {}, True),
        ({"disabled": True}, {}, True),
        ({"valid": False}, {"if_exists": "reuse"}, False),
    ],
)
def test_a_consent_is_needed_unless_an_instance_works(sandbox, element_connection, broken, arguments, needed):
    element_connection("app", login="c", password="s", extra={"element": "microsoftgraph"})
    assert found_by(**arguments) == {"id": None, "name": "Calendar", "consent_needed": True}
    made = CloudElementsCreateInstanceOperator(
        task_id="create",
        instance_name="Calendar",
        element_conn_id="app",
        event_callback_url=None,
        configuration={"oauth.callback.url": "https://app.example.com"},
        authorization_code=sandbox.code(),
    ).execute(context_of())
    if broken:
        sandbox.set_instance(made["id"], **broken)
    assert found_by(**arguments) == {"id": made["id"], "name": "Calendar", "consent_needed": needed}
    assert found_by(instance_key="another")["consent_needed"] is True
