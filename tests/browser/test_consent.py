"""A consent in which nobody pastes anything: two clicks from the link on the task's page to the instance."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from scripts.demo_connections import connections
from scripts.local_airflow import PATIENCE
from tests.support.browsing import open_browser, picture
from tests.support.logins import log_in, with_roles

pytestmark = [
    pytest.mark.browser,
    pytest.mark.every_line,
    pytest.mark.processes,
    pytest.mark.lane("shared"),
]

ROOT = Path(__file__).resolve().parents[2]
DAG_ID = "example_consent_by_person"
ASKS = "consent.ask_person"
SECONDS = 60 * PATIENCE

#: A question that ends soon, in a DAG whose other tasks are tried again.
LATE = """
from datetime import timedelta
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.consent import consent_group

with DAG("late", schedule=None, default_args={"retries": 2, "retry_delay": timedelta(hours=1)}):
    consent_group(
        instance_name="Too late",
        element_conn_id="microsoft_graph_app",
        question_arguments={"response_timeout": timedelta(seconds=5)},
    )
"""


@pytest.fixture(scope="module")
def airflow(stage):
    stage.add_dags({DAG_ID: (ROOT / "example_dags" / f"{DAG_ID}.py").read_text(), "late": LATE})
    sandbox = stage.sandbox
    known = connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret)
    callback = f"{stage.airflow.url}/cloudelements/consent"
    known["microsoft_graph_app"]["extra"]["oauth_callback_url"] = callback
    stage.add_connections(known)
    return stage.airflow


@pytest.fixture
def sandbox(stage, airflow):
    stage.sandbox.reset()
    return stage.sandbox


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.set_default_timeout(SECONDS * 1000)
        yield opened


@pytest.fixture
def page(browser, airflow):
    opened = browser.new_page()
    opened.goto(airflow.url)  # every caller is an administrator here; the first page sets the cookie
    yield opened
    for each in browser.pages[1:]:
        each.close()


def ask(airflow):
    """Start a run, wait until it asks, and return its id and the question."""
    run_id = airflow.trigger(DAG_ID)
    return run_id, airflow.hitl(DAG_ID, run_id, ASKS)


def vendor_page(browser, page, airflow, run_id):
    """Click the link on the task's page, and return the vendor's page, in whatever tab it opens."""
    page.goto(f"{airflow.url}/dags/{DAG_ID}/runs/{quote(run_id)}/tasks/{ASKS}/required_actions")
    link = page.get_by_role("link", name="Open this page")
    link.wait_for()
    if link.get_attribute("target") == "_blank":
        with browser.expect_page() as opened:
            link.click()
        return opened.value
    link.click()
    return page


def consent(link, decision="allow"):
    """Decide as a person does, and return the address that the vendor sends them to."""
    answer = requests.post(link, data={"decision": decision}, allow_redirects=False, timeout=30)
    return answer.headers["Location"]


def link_in(asked):
    return asked["body"].split("[Open this page](", 1)[1].split(")", 1)[0]


def code_in(address):
    (code,) = parse_qs(urlsplit(address).query)["code"]
    return code


def picture_of_callback(page, name):
    page.set_viewport_size({"width": 900, "height": 420})
    picture(page, name)


def titled(page, title):
    page.get_by_role("heading", name=title, exact=True).wait_for()


def test_two_clicks_lead_from_the_link_to_the_instance(page, airflow, sandbox, browser):
    run_id, _ = ask(airflow)
    vendor = vendor_page(browser, page, airflow, run_id)
    vendor.set_viewport_size({"width": 900, "height": 560})
    picture(vendor, "consent-vendor")
    vendor.get_by_role("button", name="Allow").click()
    titled(vendor, "Airflow has the consent")
    vendor.get_by_text("The run goes on.").wait_for()
    picture_of_callback(vendor, "consent-page")
    assert vendor.url == f"{airflow.url}/cloudelements/consent"
    assert airflow.wait_run(DAG_ID, run_id) == "success"
    assert [each["name"] for each in sandbox.instances()] == ["Calendar of the front desk"]
    assert [each["presented"] for each in sandbox.codes()] == [1]
    vendor.get_by_role("link", name="See the run").click()
    vendor.get_by_text("find_instance").first.wait_for()
    vendor.set_viewport_size({"width": 1200, "height": 560})
    picture(vendor, "consent-run")


def test_a_consent_that_comes_twice_is_used_once_and_no_log_has_its_code(page, airflow, sandbox):
    run_id, asked = ask(airflow)
    address = consent(link_in(asked))
    page.goto(address)
    titled(page, "Airflow has the consent")
    assert airflow.wait_run(DAG_ID, run_id) == "success"
    page.goto(address)
    titled(page, "Airflow has this consent already")
    assert [each["presented"] for each in sandbox.codes()] == [1]
    code = code_in(address)
    log = airflow.process_log("api-server")
    assert "/cloudelements/consent" in log
    assert code not in log
    # The audit log keeps what was sent to Airflow's REST API.
    kept = [str(value) for table, _, value in airflow.dump_database() if table == "log"]
    assert any("authorization_code" in value for value in kept)
    assert not [value for value in kept if code in value]


def test_a_refused_consent_ends_the_run_if_the_person_says_so(page, airflow, sandbox, browser):
    run_id, _ = ask(airflow)
    vendor = vendor_page(browser, page, airflow, run_id)
    vendor.get_by_role("button", name="Deny").click()
    titled(vendor, "The access was not allowed")
    vendor.get_by_text("access_denied").wait_for()
    picture_of_callback(vendor, "consent-refused")
    assert airflow.task_states(DAG_ID, run_id)[ASKS] in ("deferred", "awaiting_input")
    vendor.get_by_role("button", name="End the run").click()
    titled(vendor, "The run ends")
    assert airflow.wait_run(DAG_ID, run_id) == "failed"
    assert sandbox.instances() == []


def test_a_forged_link_does_nothing(page, airflow, sandbox):
    run_id, asked = ask(airflow)
    code = code_in(consent(link_in(asked)))
    for state in ("", "%25", "_" * 32, "x" * 32):
        page.goto(f"{airflow.url}/cloudelements/consent?code={quote(code, safe='')}&state={state}")
        page.get_by_role("heading", name="Airflow has").wait_for(state="detached")
        page.get_by_text("nothing was sent").wait_for()
    asked = airflow.hitl(DAG_ID, run_id, ASKS)
    assert (asked["response_received"], asked["params_input"]) == (False, {})


@pytest.fixture
def with_logins(airflow, tmp_path):
    """Run a second API server of this Airflow, where people log in; gives its address."""
    with with_roles(airflow, tmp_path, {"ada": "admin", "vera": "viewer"}) as url:
        yield url


def test_the_page_acts_with_the_rights_of_the_person(page, airflow, sandbox, browser, with_logins):
    run_id, asked = ask(airflow)
    address = f"{with_logins}/cloudelements/consent?{urlsplit(consent(link_in(asked))).query}"
    browser.clear_cookies()
    page.goto(address)
    titled(page, "You are not logged in to Airflow here")
    page.set_viewport_size({"width": 900, "height": 640})
    picture(page, "consent-log-in")
    assert page.get_by_label("What to copy").input_value() == address
    assert page.get_by_role("link", name="Log in").get_attribute("href") == "/some/path/"

    log_in(browser, with_logins, "vera")
    page.get_by_role("button", name="Try again").click()
    titled(page, "You may not answer this question")
    assert page.get_by_label("What to copy").input_value() == address
    assert airflow.hitl(DAG_ID, run_id, ASKS)["response_received"] is False

    log_in(browser, with_logins, "ada")
    page.goto(address)
    titled(page, "Airflow has the consent")
    assert airflow.wait_run(DAG_ID, run_id) == "success"
    answered = airflow.rest(
        "GET", f"/dags/{DAG_ID}/dagRuns/{quote(run_id)}/taskInstances/{ASKS}/-1/hitlDetails"
    )
    assert answered["responded_by_user"]["name"] == "ada"
    assert len(sandbox.instances()) == 1


def stored_answer(airflow, dag_id, run_id):
    """Return whether Airflow holds an answer, and what was typed."""
    path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{ASKS}/-1/hitlDetails"
    held = airflow.rest("GET", path)
    return held["response_received"], held["params_input"].get("authorization_code")


@pytest.mark.nightly
def test_a_consent_that_comes_too_late_is_not_sent_and_the_person_reads_why(page, airflow, sandbox):
    run_id = airflow.trigger("late")
    address = consent(link_in(airflow.hitl("late", run_id, ASKS)))
    assert airflow.wait_run("late", run_id) == "failed"
    page.goto(address)
    titled(page, "The task waits no longer")
    page.get_by_text("Nothing was sent").wait_for()
    page.get_by_text("Start a new run").wait_for()
    (asks,) = (each for each in airflow.task_instances("late", run_id) if each["task_id"] == ASKS)
    # No other try comes, whose question could swallow the answer.
    assert (asks["state"], asks["try_number"]) == ("failed", 1)
    assert stored_answer(airflow, "late", run_id) == (False, None)
    assert [each["presented"] for each in sandbox.codes()] == [0]


@pytest.mark.nightly
def test_of_two_answers_at_the_same_moment_one_counts_and_the_page_says_which(page, airflow, sandbox):
    mine = ("Airflow has the consent", "Airflow has this consent already")
    others = ("Another answer counts", "The question is answered already")
    for _ in range(3):
        sandbox.reset()
        run_id, asked = ask(airflow)
        address, rival = consent(link_in(asked)), consent(link_in(asked))

        def both(route, request, run_id=run_id, rival=rival):
            if request.method != "PATCH":
                route.continue_()
                return
            # Airflow says 200 to both if they come within some milliseconds, and keeps the last one.
            other = threading.Thread(target=answer_by_rest, args=(airflow, run_id, rival))
            other.start()
            route.continue_()
            other.join(SECONDS)

        page.route("**/hitlDetails", both)
        page.goto(address)
        # The route is served only while the test waits for the page.
        page.get_by_role("heading", name=re.compile(f"^({'|'.join(mine + others)})$")).wait_for()
        ended = airflow.wait_run(DAG_ID, run_id)
        received, typed = stored_answer(airflow, DAG_ID, run_id)
        assert (ended, received) == ("success", True)
        assert typed in (address, rival)
        right = "|".join(mine if typed == address else others)
        page.get_by_role("heading", name=re.compile(f"^({right})$")).wait_for()
        assert sorted(each["presented"] for each in sandbox.codes()) == [0, 1]
        assert len(sandbox.instances()) == 1
        page.unroute("**/hitlDetails", both)


def answer_by_rest(airflow, run_id, text):
    """Answer as another person; Airflow may have the first answer already."""
    path = f"{airflow.url}/api/v2/dags/{DAG_ID}/dagRuns/{quote(run_id)}/taskInstances/{ASKS}/-1/hitlDetails"
    body = {"chosen_options": ["OK"], "params_input": {"authorization_code": text}}
    headers = {"Authorization": f"Bearer {airflow.token()}"}
    answer = requests.patch(path, json=body, headers=headers, timeout=SECONDS)
    assert answer.status_code in (200, 409), answer.text
