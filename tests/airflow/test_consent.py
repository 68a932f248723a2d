"""The consent DAGs in real Airflow, answered through its REST API as a person's browser does."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from scripts.demo_connections import connections

pytestmark = [pytest.mark.processes, pytest.mark.lane("shared")]

ROOT = Path(__file__).resolve().parents[2]
DAG_ID = "example_consent_by_person"
NAME = "Calendar of the front desk"


@pytest.fixture
def sandbox(stage):
    stage.sandbox.reset()
    return stage.sandbox


@pytest.fixture(scope="module")
def airflow(stage):
    hasty = (ROOT / "example_dags" / f"{DAG_ID}.py").read_text()
    assert "timedelta(days=1)" in hasty
    hasty = hasty.replace("timedelta(days=1)", "timedelta(seconds=3)").replace(DAG_ID, "nobody_answers")
    names = (DAG_ID, "example_nightly_check")
    sources = {name: (ROOT / "example_dags" / f"{name}.py").read_text() for name in names}
    stage.add_dags({**sources, "nobody_answers": hasty})
    sandbox = stage.sandbox
    stage.add_connections(connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret))
    return stage.airflow


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
    return run_id, link_in(airflow.hitl(DAG_ID, run_id, "ask_person"))


def answer(airflow, run_id, text):
    airflow.answer(DAG_ID, run_id, "ask_person", {"authorization_code": text})
    return airflow.wait_run(DAG_ID, run_id)


def test_a_person_pastes_the_whole_address_and_the_instance_is_made_once(airflow, sandbox):
    run_id, link = ask(airflow)
    assert link == airflow.xcom(DAG_ID, run_id, "consent_link", key="url")
    state = airflow.xcom(DAG_ID, run_id, "consent_link", key="state")
    assert parse_qs(urlsplit(link).query)["state"] == [state]
    assert "demo-client-secret" not in link
    assert answer(airflow, run_id, consent(link)) == "success"
    assert [each["name"] for each in sandbox.instances()] == [NAME]
    assert [each["presented"] for each in sandbox.codes()] == [1]

    # The next run finds the instance, and asks nobody.
    run_id = airflow.trigger(DAG_ID)
    assert airflow.wait_run(DAG_ID, run_id) == "success"
    states = airflow.task_states(DAG_ID, run_id)
    assert (states["ask_person"], states["create_instance"]) == ("skipped", "success")
    assert airflow.xcom(DAG_ID, run_id, "create_instance")["created"] is False


def test_a_person_pastes_the_code_alone(airflow, sandbox):
    run_id, link = ask(airflow)
    (code,) = parse_qs(urlsplit(consent(link)).query)["code"]
    assert answer(airflow, run_id, f"  {code}\n") == "success"
    assert len(sandbox.instances()) == 1


def test_the_address_of_another_consent_is_refused(airflow, sandbox):
    run_id, _ = ask(airflow)
    _, others_link = ask(airflow)
    address = consent(others_link)
    assert answer(airflow, run_id, address) == "failed"
    assert sandbox.instances() == []
    assert [each["presented"] for each in sandbox.codes()] == [0]
    log = airflow.task_log(DAG_ID, run_id, "create_instance")
    assert "its state differs" in log
    (code,) = parse_qs(urlsplit(address).query)["code"]
    assert code not in log


def test_a_consent_that_was_refused_fails_clearly(airflow, sandbox):
    run_id, link = ask(airflow)
    assert answer(airflow, run_id, consent(link, "deny")) == "failed"
    assert airflow.task_states(DAG_ID, run_id)["ask_person"] == "success"
    assert "an error instead of a code" in airflow.task_log(DAG_ID, run_id, "create_instance")
    assert sandbox.instances() == []


def test_nobody_answers_and_the_run_fails(airflow, sandbox):
    run_id = airflow.trigger("nobody_answers")
    assert airflow.wait_run("nobody_answers", run_id) == "failed"
    states = airflow.task_states("nobody_answers", run_id)
    assert (states["ask_person"], states["create_instance"]) == ("failed", "upstream_failed")
    assert sandbox.instances() == []
