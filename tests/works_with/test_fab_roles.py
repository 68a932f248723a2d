"""Who sees what on the page of all instances, by the roles of FAB: its server beside a running Airflow."""

from __future__ import annotations

import os
import subprocess

import pytest

from airflow_provider_cloudelements.sandbox import Sandbox
from tests.support.browsing import open_browser
from tests.support.logins import BELOW, log_in, password_of, second_server

pytestmark = [pytest.mark.processes, pytest.mark.browser, pytest.mark.nightly]

SOURCE = """
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator

with DAG("look", schedule=None):
    CloudElementsCheckInstancesOperator(task_id="check")
"""
FAB = {
    "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
    "AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS": "airflow.providers.fab.auth_manager.models.db.FABDBManager",
}
SEES = "As the last checks found them."
#: What docs/page.md says of each role: what the page says, and whether Airflow's navigation leads there.
TOLD = {
    "Public": ("Your Airflow user may not see the tasks", False),
    "Viewer": (SEES, False),
    "User": (SEES, False),
    "Op": (SEES, True),
    "Admin": (SEES, True),
}


@pytest.fixture(scope="module")
def airflow(start_airflow, tmp_path_factory):
    pytest.importorskip("airflow.providers.fab")
    folder = tmp_path_factory.mktemp("dags")
    (folder / "look.py").write_text(SOURCE)
    running = start_airflow(folder)
    with Sandbox(process=True) as sandbox:
        running.add_connection("cloudelements_default", **sandbox.connection())
        assert running.wait_run("look", running.trigger("look"), timeout=240) == "success"
    return running


@pytest.fixture(scope="module")
def url(airflow):
    def command(*words):
        done = subprocess.run(
            [str(airflow.python), "-m", "airflow", *words],
            env={**os.environ, **airflow.environment, **FAB},
            cwd=airflow.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]

    command("fab-db", "migrate")
    for role in TOLD:
        names = ("--username", role, "--firstname", role, "--lastname", "Tests")
        email = f"{role.lower()}@example.com"
        command("users", "create", *names, "--role", role, "--password", password_of(role), "--email", email)
    with second_server(airflow, FAB) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def page(browser):
    browser.clear_cookies()
    opened = browser.new_page()
    yield opened
    opened.close()


def test_who_is_not_logged_in_to_fab_sees_nothing(page, url):
    page.goto(f"{url}/cloudelements/instances")
    page.locator("#message").get_by_text("You are not logged in to Airflow here.").wait_for()
    assert page.locator("article").count() == 0
    assert page.get_by_role("link", name="Log in").get_attribute("href") == f"{BELOW}/"


@pytest.mark.parametrize("role", TOLD)
def test_each_role_of_fab_sees_what_the_docs_say(page, browser, url, role):
    told, offered = TOLD[role]
    log_in(browser, url, role)
    page.goto(f"{url}/cloudelements/instances")
    page.locator("#message").get_by_text(told).wait_for()
    assert page.locator("article").filter(has_text="look / check").count() == int(told == SEES)
    page.goto(url)
    if told != SEES:
        return  # Airflow itself shows such a person nothing, and no navigation to look at
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem").first.wait_for()
    assert bool(page.get_by_role("menuitem", name="Cloud Elements").count()) is offered
