"""What a person presses first, in a real browser: an example's trigger button, a connection's test button."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.demo_connections import connections
from tests.support.browsing import open_browser, picture

# Not in the gate: they open a page for each example, and the nightly run does that on each line of Airflow.
pytestmark = [
    pytest.mark.browser,
    pytest.mark.processes,
    pytest.mark.nightly,
    pytest.mark.every_line,
    pytest.mark.lane("shared"),
]

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "example_dags").glob("example_*.py"))


@pytest.fixture(scope="module")
def airflow(stage):
    sandbox = stage.sandbox
    stage.add_dags({name: (ROOT / "example_dags" / f"{name}.py").read_text() for name in EXAMPLES})
    stage.add_connections(connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret))
    for name in EXAMPLES:
        stage.airflow.wait_dag(name)
    return stage.airflow


@pytest.fixture(scope="module")
def page(airflow, tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as browser:
        opened = browser.new_page()
        opened.goto(airflow.url)  # every caller is an administrator here; the first page sets the cookie
        opened.wait_for_load_state("networkidle")
        yield opened


def trigger_dialog(page, airflow, name):
    """Open the dialog that triggers a DAG; return its button."""
    page.goto(f"{airflow.url}/dags/{name}")
    page.get_by_label("Trigger Dag").first.click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    return dialog.get_by_role("button", name="Trigger", exact=True)


def until_enabled(button):
    """Wait until a button can be pressed."""
    from playwright.sync_api import expect

    expect(button).to_be_enabled(timeout=10_000)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_dialog_of_each_example_opens_with_an_enabled_button(page, airflow, name):
    until_enabled(trigger_dialog(page, airflow, name))


def test_a_press_of_the_button_runs_the_example(page, airflow, stage):
    name = "example_microsoft_graph_events"
    button = trigger_dialog(page, airflow, name)
    until_enabled(button)
    button.click()
    page.get_by_role("dialog").wait_for(state="hidden")
    (run,) = airflow.rest("GET", f"/dags/{name}/dagRuns")["dag_runs"]
    assert airflow.wait_run(name, run["dag_run_id"]) == "success"
    assert [each["name"] for each in stage.sandbox.instances()] == ["My calendar"]


def test_the_graph_of_an_asset_shows_the_dag_that_its_events_start(page, airflow):
    (asset,) = airflow.rest("GET", "/assets", name_pattern="example meetings")["assets"]
    before = page.viewport_size
    page.set_viewport_size({"width": 1200, "height": 420})
    page.goto(f"{airflow.url}/assets/{asset['id']}")
    graph = page.locator(".react-flow")
    for name in ("example meetings", "example_events_by_watcher"):
        graph.get_by_text(name, exact=True).first.wait_for()
    page.wait_for_timeout(1000)  # the page moves its parts
    picture(graph, "asset-graph")
    page.set_viewport_size(before)


@pytest.mark.parametrize("conn_id", ["cloudelements_default", "closeio_login"])
def test_the_test_button_of_a_stored_connection_succeeds(page, airflow, conn_id):
    page.goto(f"{airflow.url}/connections")
    row = page.get_by_role("row").filter(has=page.get_by_text(conn_id, exact=True))
    row.get_by_label("Test Connection").click()
    told = page.get_by_text("Test Connection Successful").or_(page.get_by_text("Test Connection Failed"))
    told.first.wait_for()
    assert told.first.inner_text() == "Test Connection Successful"


def test_the_test_button_says_what_is_wrong(page, airflow):
    airflow.rest(
        "PATCH",
        "/connections/cloudelements_default",
        {"connection_id": "cloudelements_default", "conn_type": "cloudelements", "password": "not-it"},
        update_mask="password",
    )
    page.goto(f"{airflow.url}/connections")
    row = page.get_by_role("row").filter(has=page.get_by_text("cloudelements_default", exact=True))
    row.get_by_label("Test Connection").click()
    page.get_by_text("Test Connection Failed").first.wait_for()
