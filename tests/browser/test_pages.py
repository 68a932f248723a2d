"""The pages that a person sees, in a real browser: the connection form, XCom, rendered templates, logs."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from airflow import __version__ as airflow_version
from packaging.version import Version

from scripts.demo_connections import connections
from tests.support.browsing import picture
from tests.support.leaks import search, secrets_in

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.lane("shared")]

ROOT = Path(__file__).resolve().parents[2]
DAG_ID = "example_microsoft_graph_events"
CONSENT_DAG_ID = "example_consent_by_person"
CHECK_DAG = """
from airflow.sdk import DAG
from airflow_provider_cloudelements.operators.health import CloudElementsCheckInstancesOperator

with DAG("look", schedule=None, catchup=False):
    CloudElementsCheckInstancesOperator(task_id="check", fail_on=("healthy",), retries=0)
"""
#: Airflow 3.1 has no headings of ours in the form.
HAS_SECTIONS = Version(airflow_version) >= Version("3.2")
ORGANIZATION_SECRET = "Organization secret (required)"


@pytest.fixture(scope="module")
def sandbox(stage):
    return stage.sandbox


@pytest.fixture(scope="module")
def airflow(stage, sandbox):
    names = (DAG_ID, CONSENT_DAG_ID)
    sources = {name: (ROOT / "example_dags" / f"{name}.py").read_text() for name in names}
    stage.add_dags({**sources, "look": CHECK_DAG})
    stage.add_connections(connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret))
    return stage.airflow


@pytest.fixture(scope="module")
def run_id(airflow):
    run = airflow.trigger(DAG_ID)
    assert airflow.wait_run(DAG_ID, run) == "success"
    return run


@pytest.fixture
def page(browser, airflow):
    opened = browser.new_page()
    opened.goto(airflow.url)  # every caller is an administrator here; the first page sets the cookie
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def secrets(airflow, sandbox, run_id):
    known = connections(sandbox.url, sandbox.user_secret, sandbox.organization_secret)
    return {
        **secrets_in(known),
        "element token": airflow.xcom(DAG_ID, run_id, "create_instance", key="token"),
        "spent code": airflow.xcom(DAG_ID, run_id, "authorization_code"),
    }


def shown(page) -> str:
    """Return all that the page holds: its text, and what stands in its fields."""
    fields = page.eval_on_selector_all("input, textarea", "all => all.map(one => one.value).join('\\n')")
    return page.content() + fields


def task_page(airflow, run_id, task_id, tab=""):
    return f"{airflow.url}/dags/{DAG_ID}/runs/{quote(run_id)}/tasks/{task_id}{tab}"


@pytest.mark.parametrize(
    ("type_name", "standard", "own"),
    [
        (
            "Cloud Elements / SAP Open Connectors",
            ["API host (required)", "User secret (required)"],
            ["Namespace", "Create time-out (seconds)", "Verify TLS"],
        ),
        (
            "Cloud Elements: an element's credentials",
            ["API key or user name", "API secret or password"],
            ["Authentication", "OAuth scope", "Event callback URL", "Configuration"],
        ),
    ],
)
def test_the_form_for_a_new_connection_shows_our_fields(page, airflow, type_name, standard, own):
    page.goto(f"{airflow.url}/connections")
    page.get_by_role("button", name="Add Connection").first.click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").click()
    page.keyboard.type(type_name)
    page.keyboard.press("Enter")
    for label in standard:
        form.get_by_text(label, exact=True).wait_for()
    if "SAP" in type_name:
        picture(form, "connection-form")
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    for label in own:
        form.get_by_text(label, exact=True).wait_for()
    if "SAP" not in type_name:
        picture(form, "element-connection-form")


def test_the_required_field_of_extra_shows_with_all_parts_of_the_form_folded(page, airflow):
    if not HAS_SECTIONS:
        pytest.skip("Airflow 3.1 takes no headings from providers")
    page.goto(f"{airflow.url}/connections")
    page.get_by_role("button", name="Add Connection").first.click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").click()
    page.keyboard.type("Cloud Elements / SAP Open Connectors")
    page.keyboard.press("Enter")
    heading = form.get_by_role("button", name=ORGANIZATION_SECRET, exact=True)
    heading.wait_for()
    field = form.locator("#element_organization_secret")
    assert not field.is_visible()
    heading.click()
    field.wait_for()
    folded = form.get_by_text("Create time-out (seconds)", exact=True)
    assert not folded.is_visible()


@pytest.mark.parametrize(
    ("conn_id", "extra_part", "text"),
    [
        (
            "cloudelements_default",
            ORGANIZATION_SECRET if HAS_SECTIONS else "Extra Fields",
            "The Organization secret of your account, from the page that also shows your User secret.",
        ),
        ("microsoft_graph_app", "Extra Fields", "Event signature key"),
    ],
)
def test_the_form_of_a_stored_connection_shows_no_secret(page, airflow, secrets, conn_id, extra_part, text):
    page.goto(f"{airflow.url}/connections")
    page.get_by_role("row").filter(has_text=conn_id).get_by_label("Edit Connection").click()
    form = page.get_by_role("dialog")
    pages = []
    for part, shown_there in (("Standard Fields", "Description"), (extra_part, text)):
        if not form.get_by_text(shown_there, exact=True).is_visible():
            form.get_by_role("button", name=part, exact=True).click()
        form.get_by_text(shown_there, exact=True).wait_for()
        pages.append((part, shown(page)))
    form.get_by_role("button", name="Extra Fields JSON", exact=True).click()
    form.locator(".monaco-editor, .cm-content").first.wait_for()  # the editor differs between versions
    pages.append(("JSON", shown(page)))
    assert not list(search(pages, secrets))


def test_xcom_shows_the_token_under_its_key_only(page, airflow, run_id, secrets):
    page.goto(task_page(airflow, run_id, "create_instance", "/xcom"))
    page.get_by_text("return_value").first.wait_for()
    page.get_by_text(secrets["element token"]).first.wait_for()
    picture(page, "xcom")
    findings = {each.secret for each in search([("xcom", shown(page))], secrets)}
    assert findings == {"element token"}
    rows = page.get_by_role("row").filter(has_text=secrets["element token"])
    assert rows.count() == 1
    assert "token" in rows.first.inner_text().split()


def test_rendered_templates_show_asterisks(page, airflow, run_id, secrets):
    for task_id in ("create_instance", "list_calendars"):
        page.goto(task_page(airflow, run_id, task_id, "/rendered_templates"))
        page.get_by_text("***").first.wait_for()
        picture(page, f"rendered-{task_id}")
        assert not list(search([(task_id, shown(page))], secrets))


@pytest.mark.parametrize(
    "task_id", ["consent_link", "authorization_code", "create_instance", "list_calendars", "ping"]
)
def test_logs_show_no_secret(page, airflow, run_id, secrets, task_id):
    page.goto(task_page(airflow, run_id, task_id))
    page.get_by_text("Task instance is in running state").or_(page.get_by_text("Pre")).first.wait_for()
    page.wait_for_load_state("networkidle")
    assert not list(search([(task_id, shown(page))], secrets))


def test_the_graph_and_the_docs_of_the_dag_show_no_secret(page, airflow, run_id, secrets):
    for path in (f"/dags/{DAG_ID}", f"/dags/{DAG_ID}/runs/{quote(run_id)}", f"/dags/{DAG_ID}/code"):
        page.goto(f"{airflow.url}{path}")
        page.wait_for_load_state("networkidle")
        assert not list(search([(path, shown(page))], secrets))


def test_a_person_finds_the_link_on_the_page_of_the_task_and_answers_there(page, airflow, sandbox, browser):
    dag_id = CONSENT_DAG_ID
    run = airflow.trigger(dag_id)
    airflow.hitl(dag_id, run, "consent.ask_person")
    page.goto(f"{airflow.url}/dags/{dag_id}/runs/{quote(run)}/tasks/consent.ask_person/required_actions")
    link = page.get_by_role("link", name="Open this page")
    link.wait_for()
    page.set_viewport_size({"width": 1100, "height": 720})
    picture(page, "consent")
    vendor = browser.new_page()
    # The callback leads to an example's host, which nobody answers for: the address is all that is needed.
    vendor.route("https://mycoolapp.example.com/**", lambda route: route.fulfill(body="here you are"))
    vendor.goto(link.get_attribute("href"))
    vendor.get_by_role("button", name="Allow").click()
    vendor.wait_for_url("https://mycoolapp.example.com/**")
    address = vendor.url
    vendor.close()
    page.get_by_label("Address or code").or_(page.get_by_role("textbox")).first.fill(address)
    page.get_by_role("button", name="OK").click()
    assert airflow.wait_run(dag_id, run) == "success"
    assert "Calendar of the front desk" in {each["name"] for each in sandbox.instances()}


def test_the_navigation_leads_to_all_instances_of_a_failed_check(page, airflow, sandbox, run_id, secrets):
    assert airflow.wait_run("look", airflow.trigger("look")) == "failed"
    page.goto(airflow.url)
    page.get_by_role("button", name="Browse").click()
    with page.expect_popup() as popup:
        page.get_by_role("menuitem", name="Cloud Elements").click()
    fleet = popup.value
    fleet.get_by_text("As the last checks found them.").wait_for()
    assert fleet.url == f"{airflow.url}/cloudelements/instances"
    # Other modules checked here too, and what they made is gone: the page tells of those checks as well.
    card = fleet.locator("article").filter(has_text="look / check")
    assert card.get_by_text("The check failed, for the states that it must not find").is_visible()
    there = {str(each["id"]): each["name"] for each in sandbox.instances()}
    shown_ids = fleet.locator(".row > :nth-child(3)").all_inner_texts()
    assert set(there) <= set(shown_ids)
    assert set(there.values()) <= set(fleet.locator(".row > :nth-child(2)").all_inner_texts())
    assert not list(search([("instances", shown(fleet))], secrets))
    fleet.close()
