"""The consent DAGs in real Airflow, answered through its REST API as a person's browser does."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from scripts.demo_connections import connections

pytestmark = [pytest.mark.processes, pytest.mark.lane("shared")]

ROOT = Path(__file__).resolve().parents[2]
DAG_ID = "example_consent_by_person"
NAME = "Calendar of the front desk"
ASKS, CREATES = "consent.ask_person", "consent.create_instance"


@pytest.fixture
def sandbox(stage):
    stage.sandbox.reset()
    return stage.sandbox


@pytest.fixture(scope="module")
def airflow(stage):
    names = (DAG_ID, "example_nightly_check")
    sources = {name: (ROOT / "example_dags" / f"{name}.py").read_text() for name in names}
    stage.add_dags({**sources, "consents": DAGS})
    sandbox = stage.sandbox
    stage.add_connections(connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret))
    return stage.airflow


#: A question that ends soon although the DAG says that tasks are tried again, several questions at once in a
#: mapped task group, and a group that a branch skips.
DAGS = """
from datetime import timedelta

import pendulum
from airflow.sdk import DAG, task, task_group
from airflow_provider_cloudelements.operators.consent import CloudElementsAskConsentOperator, consent_group
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.operators.oauth import CloudElementsGetOAuthUrlOperator

ALIKE = {"schedule": None, "start_date": pendulum.datetime(2026, 1, 1), "catchup": False}
APP = {"element_conn_id": "microsoft_graph_app", "push_token": False}

with DAG("nobody_answers", default_args={"retries": 2, "retry_delay": timedelta(seconds=1)}, **ALIKE):
    consent_group(
        instance_name="Nobody's", question_arguments={"response_timeout": timedelta(seconds=3)}, **APP
    )

with DAG("several_people", **ALIKE):

    @task_group
    def tenant(name):
        consent_group(instance_name=name, **APP)

    tenant.expand(name=["Room A", "Room B", "Room C"])

with DAG("three_operators", params={"day": "Monday"}, **ALIKE):
    link = CloudElementsGetOAuthUrlOperator(task_id="link", element_conn_id="microsoft_graph_app")
    ask = CloudElementsAskConsentOperator(
        task_id="ask",
        consent_url=link.output["url"],
        authorization_state=link.output["state"],
    )
    create = CloudElementsCreateInstanceOperator(
        task_id="create",
        instance_name="By three operators",
        authorization_code="{{ ti.xcom_pull('ask')['params_input']['authorization_code'] }}",
        authorization_state=link.output["state"],
        **APP,
    )
    ask >> create

with DAG("not_this_way", **ALIKE):

    @task.branch
    def other_way():
        return "elsewhere"

    @task
    def elsewhere(): ...

    other_way() >> [elsewhere(), consent_group(instance_name="Not made", **APP)]
"""


def link_in(asked) -> str:
    """Return the link that the page of the task shows."""
    assert "[Open this page](" in asked["body"], asked
    return asked["body"].split("(", 1)[1].split(")", 1)[0]


def consent(link, decision="allow") -> str:
    """Decide on the vendor's page, as a person does, and return the address that they are sent to."""
    assert requests.get(link, timeout=10).status_code == 200
    answer = requests.post(link, data={"decision": decision}, allow_redirects=False, timeout=10)
    return answer.headers["Location"]


def ask(airflow):
    """Start a run and wait until it asks; returns the run and the link."""
    run_id = airflow.trigger(DAG_ID)
    return run_id, link_in(airflow.hitl(DAG_ID, run_id, "consent.ask_person"))


def answer(airflow, run_id, text):
    airflow.answer(DAG_ID, run_id, "consent.ask_person", {"authorization_code": text})
    return airflow.wait_run(DAG_ID, run_id)


def test_a_person_pastes_the_whole_address_and_the_instance_is_made_once(airflow, sandbox):
    run_id, link = ask(airflow)
    assert link == airflow.xcom(DAG_ID, run_id, "consent.consent_link", key="url")
    state = airflow.xcom(DAG_ID, run_id, "consent.consent_link", key="state")
    assert parse_qs(urlsplit(link).query)["state"] == [state]
    assert "demo-client-secret" not in link
    assert answer(airflow, run_id, consent(link)) == "success"
    assert [each["name"] for each in sandbox.instances()] == [NAME]
    assert [each["presented"] for each in sandbox.codes()] == [1]

    # The next run finds the instance, and asks nobody.
    run_id = airflow.trigger(DAG_ID)
    assert airflow.wait_run(DAG_ID, run_id) == "success"
    states = airflow.task_states(DAG_ID, run_id)
    assert (states["consent.ask_person"], states["consent.create_instance"]) == ("skipped", "success")
    assert airflow.xcom(DAG_ID, run_id, "consent.create_instance")["created"] is False


@pytest.mark.newest
def test_a_person_pastes_the_code_alone(airflow, sandbox):
    run_id, link = ask(airflow)
    (code,) = parse_qs(urlsplit(consent(link)).query)["code"]
    assert answer(airflow, run_id, f"  {code}\n") == "success"
    assert len(sandbox.instances()) == 1
    assert code not in airflow.task_log(DAG_ID, run_id, ASKS)


def test_what_holds_no_code_of_this_consent_is_asked_again(airflow, sandbox):
    run_id, link = ask(airflow)
    _, others_link = ask(airflow)
    others = consent(others_link)
    schema = airflow.hitl(DAG_ID, run_id, ASKS)["params"]["authorization_code"]["schema"]
    assert re.search(schema["pattern"], others)
    assert not re.search(schema["pattern"], link)
    wrong = ("", "https://app.example.com/", link, others, "two words")
    for times, typed in enumerate(wrong, 2):
        airflow.answer(DAG_ID, run_id, ASKS, {"authorization_code": typed})
        # It clears the answer, and waits again, in the same try.
        assert airflow.hitl(DAG_ID, run_id, ASKS, times=times)["task_instance"]["try_number"] == 1
    assert sandbox.instances() == []
    assert [each["presented"] for each in sandbox.codes()] == [0]
    assert answer(airflow, run_id, consent(link)) == "success"
    log = airflow.task_log(DAG_ID, run_id, ASKS)
    assert log.count("Asking again.") == 5
    assert "its state differs" in log
    (code,) = parse_qs(urlsplit(others).query)["code"]
    assert code not in log


@pytest.mark.newest
def test_a_consent_that_was_refused_fails_clearly(airflow, sandbox):
    run_id, link = ask(airflow)
    assert answer(airflow, run_id, consent(link, "deny")) == "failed"
    states = airflow.task_states(DAG_ID, run_id)
    assert (states[ASKS], states[CREATES]) == ("failed", "upstream_failed")
    assert "an error instead of a code" in airflow.task_log(DAG_ID, run_id, ASKS)
    assert sandbox.instances() == []


@pytest.mark.newest
def test_a_code_that_expired_says_what_to_do(airflow, sandbox):
    run_id, link = ask(airflow)
    address = consent(link)
    sandbox.configure(code_lifetime=0)
    assert answer(airflow, run_id, address) == "failed"
    log = airflow.task_log(DAG_ID, run_id, CREATES)
    assert "ask for consent again and start a new run" in log
    assert [each["presented"] for each in sandbox.codes()] == [1]


@pytest.mark.newest
def test_an_instance_that_no_longer_works_is_repaired_by_a_new_consent(airflow, sandbox):
    run_id, link = ask(airflow)
    assert answer(airflow, run_id, consent(link)) == "success"
    (made,) = sandbox.instances()
    sandbox.set_instance(made["id"], valid=False)
    run_id, link = ask(airflow)
    assert answer(airflow, run_id, consent(link)) == "success"
    (repaired,) = sandbox.instances()
    assert (repaired["id"], repaired["valid"]) == (made["id"], True)
    assert "is invalid" in airflow.task_log(DAG_ID, run_id, "consent.find_instance")


def test_nobody_answers_and_the_run_fails_without_another_try(airflow, sandbox):
    run_id = airflow.trigger("nobody_answers")
    assert airflow.wait_run("nobody_answers", run_id) == "failed"
    states = airflow.task_states("nobody_answers", run_id)
    assert (states[ASKS], states[CREATES]) == ("failed", "upstream_failed")
    tries = {each["task_id"]: each["try_number"] for each in airflow.task_instances("nobody_answers", run_id)}
    assert tries[ASKS] == 1
    assert "Nobody has answered in time" in airflow.task_log("nobody_answers", run_id, ASKS)
    assert sandbox.instances() == []


def test_several_people_consent_at_once_each_to_their_own(airflow, sandbox):
    dag_id, asks = "several_people", f"tenant.{ASKS}"
    run_id = airflow.trigger(dag_id)
    asked = [airflow.hitl(dag_id, run_id, asks, map_index=index) for index in range(3)]
    assert [each["subject"] for each in asked] == [f"Allow the access for: Room {name}" for name in "ABC"]
    states = {each["params"]["authorization_code"]["schema"]["x-cloudelements-state"] for each in asked}
    assert len(states) == 3
    addresses = [consent(link_in(each)) for each in asked]
    # The first address is typed into the second question first, which refuses it.
    airflow.answer(dag_id, run_id, asks, {"authorization_code": addresses[0]}, map_index=1)
    airflow.answer(dag_id, run_id, asks, {"authorization_code": addresses[2]}, map_index=2)
    airflow.hitl(dag_id, run_id, asks, map_index=1, times=2)
    for index in (0, 1):
        airflow.answer(dag_id, run_id, asks, {"authorization_code": addresses[index]}, map_index=index)
    assert airflow.wait_run(dag_id, run_id) == "success"
    assert sorted(each["name"] for each in sandbox.instances()) == ["Room A", "Room B", "Room C"]
    assert [each["presented"] for each in sandbox.codes()] == [1, 1, 1]

    # Later one of the three no longer works: one person is asked.
    sandbox.set_instance(
        next(each["id"] for each in sandbox.instances() if each["name"] == "Room B"), valid=False
    )
    run_id = airflow.trigger(dag_id)
    link = link_in(airflow.hitl(dag_id, run_id, asks, map_index=1))
    airflow.answer(dag_id, run_id, asks, {"authorization_code": consent(link)}, map_index=1)
    assert airflow.wait_run(dag_id, run_id) == "success"
    assert len(sandbox.instances()) == 3


@pytest.mark.newest
def test_a_code_typed_into_two_questions_makes_one_instance(airflow, sandbox):
    dag_id, asks = "several_people", f"tenant.{ASKS}"
    run_id = airflow.trigger(dag_id)
    links = [link_in(airflow.hitl(dag_id, run_id, asks, map_index=index)) for index in range(3)]
    (code,) = parse_qs(urlsplit(consent(links[0])).query)["code"]
    addresses = [code, code, consent(links[2])]
    for index, typed in enumerate(addresses):
        airflow.answer(dag_id, run_id, asks, {"authorization_code": typed}, map_index=index)
    assert airflow.wait_run(dag_id, run_id) == "failed"
    made = {each["name"] for each in sandbox.instances()}
    assert "Room C" in made
    assert len(made & {"Room A", "Room B"}) == 1
    (loser,) = (index for index, name in enumerate(("Room A", "Room B")) if name not in made)
    log = airflow.task_log(dag_id, run_id, f"tenant.{CREATES}", map_index=loser)
    assert "ask for consent again and start a new run" in log


@pytest.mark.newest
def test_the_operators_work_without_the_group(airflow, sandbox):
    run_id = airflow.trigger("three_operators")
    asked = airflow.hitl("three_operators", run_id, "ask")
    assert set(asked["params"]) == {"authorization_code"}
    airflow.answer("three_operators", run_id, "ask", {"authorization_code": consent(link_in(asked))})
    assert airflow.wait_run("three_operators", run_id) == "success"
    assert [each["name"] for each in sandbox.instances()] == ["By three operators"]


def test_a_group_that_a_branch_skips_is_skipped_whole(airflow, sandbox):
    run_id = airflow.trigger("not_this_way")
    assert airflow.wait_run("not_this_way", run_id) == "success"
    states = airflow.task_states("not_this_way", run_id)
    assert {state for task, state in states.items() if task.startswith("consent.")} == {"skipped"}
    assert sandbox.requests() == []
