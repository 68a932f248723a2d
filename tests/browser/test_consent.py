"""A consent in which nobody pastes anything: two clicks from the link on the task's page to the instance."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from scripts.demo_connections import connections
from scripts.local_airflow import PATIENCE
from scripts.processes import free_port
from tests.support.browsing import open_browser, picture

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


@pytest.fixture(scope="module")
def airflow(stage):
    stage.add_dags({DAG_ID: (ROOT / "example_dags" / f"{DAG_ID}.py").read_text()})
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
    """Run a second API server of this Airflow, below a path, where people log in; gives its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/some/path"
    passwords = tmp_path / "passwords.json"
    passwords.write_text(json.dumps({"ada": "pass-of-ada", "vera": "pass-of-vera"}))
    settings = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "ada:admin,vera:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
    }
    with (airflow.home / "processes" / "second-api-server.log").open("wb") as log:
        process = subprocess.Popen(
            [str(airflow.python), "-m", "airflow", "api-server", "--port", str(port)],
            env={**airflow.environment, **settings},
            cwd=airflow.home,
            stdout=log,
            stderr=log,
        )
        try:
            deadline = time.monotonic() + SECONDS
            while not _answers(f"{url}/api/v2/version"):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()
            process.wait(SECONDS)


def _answers(url):
    try:
        return requests.get(url, timeout=10).ok
    except OSError:
        return False


def log_in(browser, url, name):
    """Log in as the page for it does: a token in a cookie."""
    answer = requests.post(
        f"{url}/auth/token", json={"username": name, "password": f"pass-of-{name}"}, timeout=30
    )
    parts = urlsplit(url)
    browser.add_cookies(
        [
            {
                "name": "_token",
                "value": answer.json()["access_token"],
                "domain": parts.hostname,
                "path": parts.path,
                "httpOnly": True,
                "sameSite": "Lax",
            }
        ]
    )


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
