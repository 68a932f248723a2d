"""The page of the consent's callback in a real browser, with Airflow's REST API played by the test.

What Airflow itself answers, tests/browser/test_consent.py sees.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = pytest.mark.browser

STATE = "a-state_of-thirty-two-characters"
CODE = "the+code/of=a-vendor"
QUERY = f"?code=the%2Bcode%2Fof%3Da-vendor&state={STATE}"
TASK = "/dags/a%20dag/dagRuns/manual__2026%2B1/taskInstances/consent.ask_person/3/hitlDetails"
LIST = "/dags/~/dagRuns/~/hitlDetails"


def question(state=STATE, **other):
    """Return a question as Airflow's REST API tells it."""
    task = {
        "dag_id": "a dag",
        "dag_run_id": "manual__2026+1",
        "task_id": "consent.ask_person",
        "map_index": 3,
    }
    return {
        "task_instance": {**task, "state": other.pop("task_state", "awaiting_input")},
        "options": ["OK"],
        "params": {"authorization_code": {"value": "", "schema": {"x-cloudelements-state": state}}},
        "params_input": {},
        "response_received": False,
        "responded_by_user": None,
        **other,
    }


class Airflow:
    """Airflow's REST API: what it answers next, and what it was sent."""

    def __init__(self, root):
        self.api, self.calls = f"{root}/api/v2", []
        self.listed, self.refusal, self.found = [question()], {}, None

    def __call__(self, route, request):
        path, _, query = request.url.partition(self.api)[2].partition("?")
        self.calls.append((request.method, path, parse_qs(query), request.post_data_json, request.headers))
        status = self.refusal.get(request.method, 200)
        if status == "no answer":
            route.abort()
        elif status != 200:
            route.fulfill(status=status, json={"detail": "<b>no</b>"}, headers={"Location": "/auth/login"})
        elif request.method == "PATCH":
            self.answered = request.post_data_json["params_input"]
            if self.found is None:
                self.found = question(
                    params_input=self.answered, response_received=True, task_state="success"
                )
            route.fulfill(json={})
        elif path == LIST:
            route.fulfill(json={"hitl_details": self.listed, "total_entries": len(self.listed)})
        else:
            route.fulfill(json=self.found)

    def sent(self):
        return [json.dumps(body) for method, _, _, body, _ in self.calls if method == "PATCH"]


@pytest.fixture
def airflow(site):
    return Airflow(site)


def titled(page, title):
    """Wait for the page to say what it did."""
    page.get_by_role("heading", name=title, exact=True).wait_for()


def message(page):
    return page.locator("#message").inner_text()


@pytest.mark.parametrize("below", ["", "/some/path"])
@pytest.mark.parametrize("mark", ["?", "#", "?tenant=1#"])
def test_the_page_hands_the_address_to_the_task_that_asked(page, site, below, mark):
    airflow = Airflow(site + below)
    page.route("**/api/v2/**", airflow)
    address = f"{site}{below}/cloudelements/consent{mark}{QUERY[1:]}"
    page.goto(address)
    titled(page, "Airflow has the consent")
    page.get_by_text("The run goes on.").wait_for()
    assert page.get_by_role("link", name="See the run").get_attribute("href") == (
        f"{below}/dags/a%20dag/runs/manual__2026%2B1"
    )
    (asked, sent, looked) = airflow.calls
    assert asked[:2] == ("GET", LIST)
    assert asked[2]["body_search"] == [STATE]
    assert sent[:2] == ("PATCH", TASK)
    # The whole address, so that the task compares the state once more.
    assert sent[3] == {"chosen_options": ["OK"], "params_input": {"authorization_code": address}}
    assert looked[:2] == ("GET", TASK)
    assert not [call for call in airflow.calls if "referer" in call[4]]


def test_neither_address_nor_history_keeps_the_code(page, site, airflow):
    page.goto(f"{site}/cloudelements/consent{QUERY}")
    titled(page, "Airflow has the consent")
    assert page.url == f"{site}/cloudelements/consent"
    page.goto(f"{site}/cloudelements/nothing")
    page.go_back()
    titled(page, "Nothing to do here")
    assert page.url == f"{site}/cloudelements/consent"
    assert len(airflow.sent()) == 1


@pytest.mark.parametrize(
    "listed",
    [
        [],
        [question("another-state_of-thirty-two-chars")],
        # The wildcards of Airflow's search, a state that begins alike, and questions of other operators.
        [question(STATE + "x"), question(STATE[:-1]), question(STATE.replace("_", "x"))],
        [question(params={}), question(params={"x": {"schema": {"x-cloudelements-state": STATE}}})],
    ],
)
def test_nothing_is_sent_if_no_task_asked_with_this_state(page, site, airflow, listed):
    airflow.listed = listed
    page.goto(f"{site}/cloudelements/consent{QUERY}")
    titled(page, "No task waits for this consent")
    assert airflow.sent() == []
    # To copy: the whole address, never the code alone, which would pass without its state.
    assert page.get_by_label("What to copy").input_value() == f"{site}/cloudelements/consent{QUERY}"


@pytest.mark.parametrize("state", ["", "%", "short", "x" * 200, "a b" * 10, "%25" * 20])
def test_a_state_that_no_task_makes_is_not_even_looked_for(page, site, airflow, state):
    page.goto(f"{site}/cloudelements/consent?code=x&state={state}")
    titled(page, "This consent did not begin in Airflow")
    assert airflow.calls == []


@pytest.mark.parametrize(
    ("one", "title", "says"),
    [
        (
            question(response_received=True, responded_by_user={"id": "1", "name": "<i>Ada</i>"}),
            "The question is answered already",
            "<i>Ada</i> has answered it",
        ),
        (question(task_state="failed"), "The task waits no longer", "Its state is: failed"),
        (question(task_state="up_for_retry"), "The task waits no longer", "Airflow would forget it"),
        (question(task_state=None), "The task waits no longer", "Its state is: none"),
    ],
)
def test_an_answer_that_airflow_would_forget_is_not_sent(page, site, airflow, one, title, says):
    airflow.listed = [one]
    page.goto(f"{site}/cloudelements/consent{QUERY}")
    titled(page, title)
    assert says in message(page)
    assert airflow.sent() == []


def test_a_consent_that_comes_twice_is_handed_over_once(page, site, airflow):
    address = f"{site}/cloudelements/consent{QUERY}"
    page.goto(address)
    titled(page, "Airflow has the consent")
    airflow.listed = [question(response_received=True, params_input=airflow.answered, task_state="success")]
    page.goto(address)
    titled(page, "Airflow has this consent already")
    assert len(airflow.sent()) == 1


def test_the_waiting_question_is_taken_out_of_several(page, site, airflow):
    airflow.listed = [question(task_state="failed"), question()]
    page.goto(f"{site}/cloudelements/consent{QUERY}")
    titled(page, "Airflow has the consent")


def test_a_task_that_is_about_to_wait_is_waited_for(page, site, airflow):
    airflow.listed = [question(task_state="running")]
    page.goto(f"{site}/cloudelements/consent{QUERY}")
    page.wait_for_timeout(500)
    assert airflow.sent() == []
    airflow.listed = [question(task_state="deferred")]
    titled(page, "Airflow has the consent")


@pytest.mark.parametrize(
    ("method", "status", "title"),
    [
        ("GET", 401, "You are not logged in to Airflow here"),
        ("GET", 307, "You are not logged in to Airflow here"),
        ("PATCH", 401, "You are not logged in to Airflow here"),
        ("GET", 403, "You may not answer this question"),
        ("PATCH", 403, "You may not answer this question"),
        ("GET", 500, "Airflow did not answer as expected"),
        ("PATCH", 503, "Airflow did not answer as expected"),
        ("GET", "no answer", "Airflow did not answer as expected"),
        ("PATCH", "no answer", "Airflow did not answer as expected"),
    ],
)
def test_what_cannot_be_sent_is_shown_to_copy(page, site, airflow, method, status, title):
    airflow.refusal = {method: status}
    page.goto(f"{site}/cloudelements/consent{QUERY}")
    titled(page, title)
    assert page.get_by_label("What to copy").input_value() == f"{site}/cloudelements/consent{QUERY}"
    assert "Required Actions" in page.locator("#where").inner_text()
    assert "<b>" not in page.locator("main").inner_text()
    if status != 403:
        airflow.refusal = {}
        page.get_by_role("button", name="Try again").click()
        titled(page, "Airflow has the consent")
        assert page.get_by_label("What to copy").is_hidden()


@pytest.mark.parametrize(
    ("status", "title"), [(409, "The question is answered already"), (404, "The question is gone")]
)
def test_somebody_was_faster(page, site, airflow, status, title):
    airflow.refusal = {"PATCH": status}
    page.goto(f"{site}/cloudelements/consent{QUERY}")
    titled(page, title)
    assert page.get_by_label("What to copy").is_hidden()


@pytest.mark.parametrize(
    ("found", "title"),
    [
        ({"params_input": {"authorization_code": "x"}, "response_received": True}, "Another answer counts"),
        ({"task_state": "awaiting_input"}, "The task asks again"),
        ({"task_state": "failed"}, "The task did not take the answer"),
    ],
)
def test_the_page_looks_what_came_of_the_answer(page, site, airflow, found, title):
    airflow.found = question(**found)
    page.goto(f"{site}/cloudelements/consent{QUERY}")
    titled(page, title)


REFUSED = f"?error=access_denied&error_description=%3Cb%3EUser%20said%20no%3C%2Fb%3E&state={STATE}"


def test_a_consent_that_was_refused_leaves_the_choice(page, site, airflow):
    page.goto(f"{site}/cloudelements/consent{REFUSED}")
    titled(page, "The access was not allowed")
    assert "access_denied (<b>User said no</b>)" in message(page)
    assert airflow.sent() == []
    link = page.get_by_role("link", name="See the task").get_attribute("href")
    assert re.fullmatch(r"/dags/a%20dag/runs/[^/]+/tasks/consent.ask_person/mapped/3/required_actions", link)
    airflow.found = question(task_state="failed")
    page.get_by_role("button", name="End the run").click()
    titled(page, "The run ends")
    (sent,) = airflow.sent()
    assert "error=access_denied" in sent


def test_a_forged_refusal_says_nothing(page, site, airflow):
    airflow.listed = []
    page.goto(f"{site}/cloudelements/consent{REFUSED}")
    titled(page, "No task waits for this consent")
    assert "User said no" not in page.content()


def test_copy_copies_the_whole_address(page, site, airflow, browser):
    browser.grant_permissions(["clipboard-read", "clipboard-write"], origin=site)
    airflow.listed = []
    page.goto(f"{site}/cloudelements/consent{QUERY}")
    page.get_by_role("button", name="Copy", exact=True).click()
    page.get_by_text("Copied.").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert parse_qs(urlsplit(copied).query) == {"code": [CODE], "state": [STATE]}


def test_no_markup_gets_into_the_page(page, site, complaints):
    page.goto(f"{site}/cloudelements/consent")
    titled(page, "Nothing to do here")
    refused = page.evaluate(
        "() => { try { document.body.innerHTML = '<p>x</p>'; } catch (refusal) { return refusal.name; } }"
    )
    assert refused == "TypeError"  # Trusted Types
    (complaint,) = complaints
    assert "TrustedHTML" in complaint
    complaints.clear()
