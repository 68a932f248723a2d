"""An Airflow whose ``[api] base_url`` has a path: tasks run, our pages and links lead to the right places."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from scripts.demo_connections import connections
from tests.support.browsing import open_browser

pytestmark = [pytest.mark.processes, pytest.mark.browser, pytest.mark.nightly]

ROOT = Path(__file__).resolve().parents[2]
BELOW = "/data/airflow"
CONSENT, ASKS = "example_consent_by_person", "consent.ask_person"
SOURCE = """
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator

with DAG("below", schedule=None):
    CloudElementsCreateInstanceOperator(
        task_id="create",
        element="closeio",
        instance_name="Below a path",
        configuration={"username": "ada", "password": "of-a/path+below="},
        events_enabled=False,
    ) >> CloudElementsCheckInstancesOperator(task_id="check", traffic=True)
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(process=True) as running:
        yield running


@pytest.fixture(scope="module")
def airflow(start_airflow, sandbox, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dags")
    (folder / "below.py").write_text(SOURCE)
    (folder / f"{CONSENT}.py").write_text((ROOT / "example_dags" / f"{CONSENT}.py").read_text())
    running = start_airflow(folder, base_path=BELOW)
    known = connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret)
    known["cloudelements_default"]["extra"]["console_url"] = "https://console.example.com/instances/{id}"
    known["microsoft_graph_app"]["extra"]["oauth_callback_url"] = f"{running.url}/cloudelements/consent"
    for conn_id, fields in known.items():
        running.add_connection(conn_id, **fields)
    return running


@pytest.fixture(scope="module")
def run_id(airflow):
    made = airflow.trigger("below")
    assert airflow.wait_run("below", made, timeout=240) == "success"
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def page(browser, airflow):
    opened = browser.new_page()
    opened.goto(f"{airflow.url}/")  # every caller is an administrator here; the first page sets the cookie
    yield opened
    for each in browser.pages[1:]:
        each.close()


def test_tasks_run_and_their_links_are_there(airflow, sandbox, run_id):
    assert airflow.url.endswith(BELOW)
    (made,) = sandbox.instances()
    links = airflow.rest("GET", f"/dags/below/dagRuns/{quote(run_id)}/taskInstances/create/links")
    address = f"https://console.example.com/instances/{made['id']}"
    assert links["extra_links"]["Instance in the console"] == address
    all_instances = "/cloudelements/instances?connection=cloudelements_default"
    assert links["extra_links"]["All instances"] == f"{airflow.url}{all_instances}"


def test_the_page_of_all_instances_links_below_the_path(airflow, run_id, page):
    page.goto(f"{airflow.url}/cloudelements/instances")
    page.locator("#message").get_by_text("As the last checks found them.").wait_for()
    link = page.get_by_role("link", name="below / check")
    assert link.get_attribute("href") == f"{BELOW}/dags/below/runs/{quote(run_id)}/tasks/check"
    assert page.locator(".row > :nth-child(7)").all_inner_texts() == ["0"]
    link.click()
    page.wait_for_url(f"**{BELOW}/dags/below/runs/**")
    page.get_by_text("check").first.wait_for()


def test_the_entry_under_browse_leads_there(airflow, run_id, page):
    page.get_by_role("button", name="Browse").click()
    with page.expect_popup() as popup:
        page.get_by_role("menuitem", name="Cloud Elements").click()
    popup.value.locator("#message").get_by_text("As the last checks found them.").wait_for()
    assert popup.value.url == f"{airflow.url}/cloudelements/instances"


def test_a_consent_comes_back_to_the_page_below_the_path(airflow, sandbox, page, browser):
    run_id = airflow.trigger(CONSENT)
    asked = airflow.hitl(CONSENT, run_id, ASKS, timeout=180)
    page.goto(asked["body"].split("[Open this page](", 1)[1].split(")", 1)[0])
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="Airflow has the consent", exact=True).wait_for()
    assert page.url == f"{airflow.url}/cloudelements/consent"
    assert airflow.wait_run(CONSENT, run_id, timeout=240) == "success"
    page.get_by_role("link", name="See the run").click()
    page.wait_for_url(f"**{BELOW}/dags/{CONSENT}/runs/**")


def test_nothing_of_ours_answers_above_the_path_with_a_link_that_leaves_it(airflow):
    with urllib.request.urlopen(f"{airflow.url}/cloudelements/instances", timeout=30) as answer:  # noqa: S310
        text = answer.read().decode()
    assert 'href="/' not in text
    assert 'src="/' not in text
