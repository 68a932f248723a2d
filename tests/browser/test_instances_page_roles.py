"""Who sees what on the page of all instances: the roles of Airflow's simple auth manager."""

from __future__ import annotations

import pytest

from scripts.demo_connections import connections
from tests.support.logins import BELOW, log_in, with_roles

pytestmark = [
    pytest.mark.browser,
    pytest.mark.every_line,
    pytest.mark.nightly,
    pytest.mark.processes,
    pytest.mark.lane("shared"),
]

SOURCE = """
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator

with DAG("look", schedule=None, catchup=False):
    CloudElementsCheckInstancesOperator(task_id="check")
"""
SEES, REFUSED = "As the last checks found them.", "You are not logged in to Airflow here."
#: What docs/page.md says of each role: what the page says, and whether Airflow's navigation leads there.
TOLD = {"viewer": (SEES, True), "user": (SEES, True), "op": (SEES, True), "admin": (SEES, True)}


@pytest.fixture(scope="module")
def airflow(stage):
    sandbox = stage.sandbox
    stage.add_dags({"look": SOURCE})
    stage.add_connections(connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret))
    assert stage.airflow.wait_run("look", stage.airflow.trigger("look")) == "success"
    return stage.airflow


@pytest.fixture(scope="module")
def url(airflow, tmp_path_factory):
    with with_roles(airflow, tmp_path_factory.mktemp("passwords"), {role: role for role in TOLD}) as address:
        yield address


@pytest.fixture
def page(browser):
    browser.clear_cookies()
    opened = browser.new_page()
    yield opened
    opened.close()


def test_who_is_not_logged_in_sees_nothing(page, url):
    page.goto(f"{url}/cloudelements/instances")
    page.locator("#message").get_by_text(REFUSED).wait_for()
    assert page.locator("article").count() == 0
    assert page.get_by_role("link", name="Log in").get_attribute("href") == f"{BELOW}/"


@pytest.mark.parametrize("role", TOLD)
def test_each_role_sees_what_the_docs_say(page, browser, url, role):
    told, offered = TOLD[role]
    log_in(browser, url, role)
    page.goto(f"{url}/cloudelements/instances")
    page.locator("#message").get_by_text(told).wait_for()
    assert page.locator("article").filter(has_text="look / check").count() == 1
    page.goto(url)
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem").first.wait_for()
    assert bool(page.get_by_role("menuitem", name="Cloud Elements").count()) is offered
    if offered:
        with page.expect_popup() as popup:
            page.get_by_role("menuitem", name="Cloud Elements").click()
        popup.value.locator("#message").get_by_text(told).wait_for()
        popup.value.close()
