"""The page of all instances in a real browser, with Airflow's REST API played by the test.

What Airflow itself answers, tests/browser/test_pages.py sees.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.support.browsing import picture

pytestmark = pytest.mark.browser

PLACE = "/cloudelements/instances"
CHECK, PLAN = "CloudElementsCheckInstancesOperator", "CloudElementsPlanInstancesOperator"
STATES = ("healthy", "disabled", "invalid", "needs re-authentication", "unreachable")
MANY = 10_000
#: Seconds until the rows of many instances are there, on a busy machine.
MOST_SECONDS = 30


def row(number, state="healthy", **other):
    """Return a row of a report."""
    made = {
        "id": 400000 + number,
        "name": f"Tenant {number}",
        "element": "closeio",
        "state": state,
        "events": True,
        "tags": ["gold"],
    }
    return {**made, **({} if state == "healthy" else {"detail": None}), **other}


def ran(
    dag_id="nightly", run="run 1", state="success", hour=1, operator=CHECK, task_id="check", map_index=-1
):
    """Return a task instance as Airflow's REST API tells it."""
    return {
        "dag_id": dag_id,
        "dag_run_id": run,
        "task_id": task_id,
        "map_index": map_index,
        "state": state,
        "operator": operator,
        "end_date": f"2026-11-30T{hour:02}:00:00Z",
    }


class Airflow:
    """Airflow's REST API: the tasks that ended, their XComs, and what it was asked."""

    def __init__(self):
        self.tasks, self.xcoms, self.calls, self.status = [], {}, [], 200

    def add(self, task, rows=None, missing=(), listed=None, **summary):
        """Let a check end, with a report or without one."""
        self.tasks.insert(0, task)
        if rows is None:
            return
        found = Counter(each["state"] for each in rows)
        counts = {state: found[state] for state in STATES}
        listed = rows if listed is None else listed
        place = (task["dag_id"], task["dag_run_id"], task["task_id"], str(task["map_index"]))
        self.xcoms[*place, "summary"] = {
            "version": 1,
            "connection": "cloudelements_default",
            "tag": None,
            "element": None,
            "checked": len(rows),
            "counts": counts,
            "missing": len(missing),
            "listed": len(listed),
            "at": task["end_date"],
            "console_url": "https://console.example.com/instances/{id}",
            **summary,
        }
        self.xcoms[*place, "return_value"] = {
            "checked": len(rows),
            "counts": counts,
            "instances": listed,
            "missing": list(missing),
        }

    def __call__(self, route, request):
        address = urlsplit(request.url)
        path, query = address.path.partition("/api/v2")[2], parse_qs(address.query)
        self.calls.append((request.method, path, query))
        if self.status != 200:
            route.fulfill(status=self.status, json={"detail": "<b>no</b>"})
        elif path == "/dags/~/dagRuns/~/taskInstances":
            (operator,) = query["operator"]
            found = [task for task in self.tasks if task["operator"] == operator]
            route.fulfill(json={"task_instances": found, "total_entries": len(found)})
        else:
            _, _, dag_id, _, run, _, task_id, _, key = map(unquote, path.split("/"))
            place = (dag_id, run, task_id, query["map_index"][0], key)
            if place in self.xcoms:
                route.fulfill(json={"key": key, "value": self.xcoms[place]})
            else:
                route.fulfill(status=404, json={"detail": "not found"})


@pytest.fixture
def airflow():
    return Airflow()


@pytest.fixture
def page(page):
    page.set_viewport_size({"width": 1360, "height": 640})
    page.emulate_media(color_scheme="light")
    return page


def says(page, text):
    page.locator("#message").get_by_text(text).wait_for()


def names(page):
    return page.locator(".row > :nth-child(2)").all_inner_texts()


def opened(page, address):
    page.goto(address)
    says(page, "As the last checks found them.")


@pytest.mark.parametrize("below", ["", "/some/path"])
def test_what_needs_a_person_comes_first_with_sign_word_and_links(page, airflow, site, below):
    airflow.add(
        ran(), [row(1), row(2, "invalid", detail="401"), row(3, "disabled", events=False)], missing=[9]
    )
    opened(page, f"{site}{below}{PLACE}")
    assert names(page) == ["Tenant 3", "Tenant 2", "", "Tenant 1"]
    first = page.locator(".row").nth(1)
    assert first.locator("> *").all_inner_texts()[:9] == [
        "cloudelements_default",
        "Tenant 2",
        "400002",
        "closeio",
        "✕ invalid",
        "on",
        "not counted",
        "not counted",
        "gold",
    ]
    assert page.get_by_role("cell", name="∅ missing").count() == 1
    console, task = (link.get_attribute("href") for link in first.get_by_role("link").all())
    assert console == "https://console.example.com/instances/400002"
    assert task == f"{below}/dags/nightly/runs/run%201/tasks/check"
    text = page.locator("#checks").inner_text()
    assert "✓ 1 healthy, ○ 1 disabled, ✕ 1 invalid" in text
    assert "1 instance missing" in text
    assert {method for method, *_ in airflow.calls} == {"GET"}


def test_search_filters_and_sorting_are_in_the_address(page, airflow, site):
    airflow.add(ran(), [row(1), row(2, "invalid"), row(10, element="jira", tags=["silver"]), row(3)])
    opened(page, site + PLACE)
    page.get_by_label("Search").fill("tenant silver")
    page.get_by_text("1 of 4 instances").wait_for()
    assert names(page) == ["Tenant 10"]
    page.get_by_label("Search").fill("")
    page.get_by_text("4 instances", exact=True).wait_for()
    page.get_by_label("State").select_option("healthy")
    page.get_by_role("button", name="Name").click()
    page.get_by_role("button", name="Name").click()
    assert names(page) == ["Tenant 10", "Tenant 3", "Tenant 1"]  # numbers by their value
    assert page.evaluate("location.search") == "?state=healthy&sort=-name"
    assert page.get_by_role("columnheader", name="Name").get_attribute("aria-sort") == "descending"
    page.reload()
    says(page, "As the last checks found them.")
    assert names(page) == ["Tenant 10", "Tenant 3", "Tenant 1"]
    assert page.get_by_label("State").input_value() == "healthy"


def test_of_several_checks_the_newest_word_on_an_instance_counts(page, airflow, site):
    airflow.add(ran(dag_id="old", hour=1), [row(1, "invalid"), row(2)])
    airflow.add(ran(dag_id="new", hour=2), [row(1)])
    airflow.add(ran(dag_id="other", hour=3), [row(1, "disabled")], connection="second")
    opened(page, site + PLACE)
    states = page.locator(".row > :nth-child(5)").all_inner_texts()
    assert sorted(states) == ["○ disabled", "✓ healthy", "✓ healthy"]
    page.get_by_label("Connection").select_option("second")
    assert page.locator(".row > :nth-child(5)").all_inner_texts() == ["○ disabled"]


def test_a_failed_check_shows_as_failed_with_its_rows(page, airflow, site):
    airflow.add(ran(hour=1), [row(1), row(2)])
    airflow.add(ran(run="run 2", hour=2), [row(1), row(2, "unreachable", detail="no answer")])
    airflow.add(ran(run="run 3", hour=3, state="failed"), [row(1, "invalid"), row(2, "unreachable")])
    opened(page, site + PLACE)
    picture(page, "instances-failed-check")
    assert "The check failed, for the states that it must not find" in page.locator("#checks").inner_text()
    assert "Not healthy, in the last 3 checks: 0, 1, 2" in page.locator("#checks").inner_text()
    assert page.locator(".trend span").count() == 3
    assert names(page) == ["Tenant 1", "Tenant 2"]


def test_a_check_that_failed_without_a_report_leaves_the_one_before(page, airflow, site):
    airflow.add(ran(hour=1), [row(1)])
    airflow.add(ran(run="run 2", hour=2, state="failed"))
    airflow.add(ran(dag_id="broken", state="failed"))
    opened(page, site + PLACE)
    text = page.locator("#checks").inner_text()
    assert "The last check failed without a report. This is the one before." in text
    assert "No check of it ended with a report." in text
    assert names(page) == ["Tenant 1"]


def test_a_check_that_lists_only_the_ill_and_one_whose_report_is_gone_say_so(page, airflow, site):
    airflow.add(ran(), [row(1), row(2, "invalid")], listed=[row(2, "invalid")])
    airflow.add(ran(dag_id="cleared"), [row(3)])
    del airflow.xcoms["cleared", "run 1", "check", "-1", "return_value"]
    opened(page, site + PLACE)
    text = page.locator("#checks").inner_text()
    assert "It lists only instances that are not healthy." in text
    assert "Its report is gone: only the counts are known." in text
    assert names(page) == ["Tenant 2"]


@pytest.mark.parametrize(
    "pushed",
    [{"version": 2, "counts": {"healthy": 9}}, {"version": 1}, '{"version": 1, "coun', []],
    ids=["another version", "no counts", "cut", "list"],
)
def test_a_report_that_the_page_cannot_read_is_named_and_the_one_before_shows(page, airflow, site, pushed):
    for dag_id in ("two", "alone"):
        if dag_id == "two":
            airflow.add(ran(dag_id=dag_id, hour=1), [row(1)])
        airflow.add(ran(dag_id=dag_id, run="run 2", hour=2))
        airflow.xcoms[dag_id, "run 2", "check", "-1", "summary"] = pushed
    opened(page, site + PLACE)
    cards = sorted(page.locator("#checks article").all_inner_texts())
    assert all("This page cannot read the report of the last check." in each for each in cards)
    assert ["What follows is of the one before." in each for each in cards] == [False, True]
    assert not any("without a report" in each or "No check of it" in each for each in cards)
    assert names(page) == ["Tenant 1"]


def test_old_reports_reports_without_instances_and_odd_states_and_dates(page, airflow, site):
    airflow.add(ran(dag_id="old"), [row(1)], at="2023-11-30T01:00:00Z")
    airflow.add(ran(dag_id="empty"), [])
    airflow.add(ran(dag_id="odd"), [row(2, "constructor"), row(3, "toString")], counts={"constructor": 2})
    airflow.add(ran(dag_id="undated"), [row(1, "invalid")], at="yesterday")
    opened(page, site + PLACE)
    assert sorted(names(page)) == ["Tenant 1", "Tenant 2", "Tenant 3"]
    states = page.locator(".row > :nth-child(5)").all_inner_texts()
    assert sorted(states) == ["? constructor", "? toString", "✓ healthy"]  # a date counts more than none
    text = page.locator("#checks").inner_text()
    assert "2 constructor" in text
    assert "function" not in text
    assert "No instances." in text
    assert "2023" in text or "/23" in text


def column(page, number):
    return page.locator(f".row > :nth-child({number})").all_inner_texts()


def test_events_an_hour_and_queued_deliveries_are_numbers_or_say_why_there_are_none(page, airflow, site):
    known = {"events_per_hour": 1051.25, "queued": 3, "queue_read": True}
    airflow.add(
        ran(dag_id="both", hour=4),
        [
            row(1, events_per_hour=1051.0),
            row(2, events_per_hour=0.25, queued=3),
            row(3),
            row(9, events_per_hour="9e9", queued=None),
        ],
        **known,
    )
    airflow.add(ran(dag_id="of before", hour=3), [row(4)])
    refused = {"events_per_hour": None, "queued": 2, "queue_read": False}
    airflow.add(ran(dag_id="half", hour=2), [row(5, queued=2)], **refused)
    opened(page, site + PLACE)
    page.get_by_role("button", name="Events an hour").click()
    page.get_by_role("button", name="Events an hour").click()
    assert names(page) == [f"Tenant {number}" for number in (1, 2, 3, 9, 4, 5)]
    assert column(page, 7) == ["1,051", "0.25", "0", "0", "not counted", "not known"]
    assert column(page, 8) == ["0", "3", "0", "0", "not counted", "2"]
    cards = page.locator("#checks article").all_inner_texts()
    assert sum("events an hour" in each.lower() for each in cards) == 2
    text = "\n".join(cards)
    assert "1,051.25 events an hour, 3 queued deliveries" in text
    assert "Events an hour: not known, 2 or more queued deliveries" in text
    page.get_by_role("button", name="Queued").click()
    page.get_by_role("button", name="Queued").click()
    assert names(page)[:2] == ["Tenant 2", "Tenant 5"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    saved = {each["name"]: each for each in csv.DictReader(io.StringIO(text, newline=""))}
    assert (saved["Tenant 1"]["rate"], saved["Tenant 4"]["queued"]) == ("1051", "not counted")


def test_mapped_checks_and_plans_are_there(page, airflow, site):
    for index in (0, 1):
        airflow.add(ran(map_index=index), [row(index)])
    plan = ran(dag_id="fleet", task_id="plan", operator=PLAN)
    airflow.add(plan)
    airflow.xcoms["fleet", "run 1", "plan", "-1", "counts"] = {"create": 2, "unchanged": 7}
    opened(page, site + PLACE)
    assert names(page) == ["Tenant 0", "Tenant 1"]
    link = page.get_by_role("link", name="nightly / check [1]")
    assert link.get_attribute("href") == "/dags/nightly/runs/run%201/tasks/check/mapped/1"
    assert "2 create, 7 unchanged" in page.locator("#plans").inner_text()


def test_without_a_check_it_says_how_to_make_one(page, site):
    page.goto(site + PLACE)
    says(page, "CloudElementsCheckInstancesOperator makes one")
    assert not page.locator("#fleet").is_visible()
    picture(page, "instances-none")


@pytest.mark.parametrize(
    ("status", "text"),
    [(403, "may not see the tasks"), (401, "not logged in"), (500, "It said 500"), (422, "It said 422")],
)
def test_a_refusal_is_explained_and_can_be_tried_again(page, airflow, site, status, text):
    airflow.status = status
    airflow.add(ran(), [row(1)])
    page.goto(site + PLACE)
    says(page, text)
    if status == 403:
        picture(page, "instances-no-right")
    airflow.status = 200
    page.get_by_role("button", name="Try again").click()
    says(page, "As the last checks found them.")
    assert names(page) == ["Tenant 1"]


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    '"><script>alert(2)</script>',
    "javascript:alert(3)",
    "=1+1",
    "`${alert(4)}`",
]


def test_hostile_names_do_nothing(page, airflow, site):
    rows = [row(n, name=each, detail=each, element=each, tags=[each]) for n, each in enumerate(HOSTILE)]
    rows.append({"id": {"a": 1}, "name": ["x"], "state": None, "tags": "no list"})
    rows.append("no row")
    airflow.add(
        ran(dag_id="<b>dag</b>", task_id="../x"),
        rows[:-1],
        listed=rows,
        console_url="javascript:alert('{id}')",
        tag="<u>tag</u>",
    )
    opened(page, site + PLACE)
    assert set(HOSTILE) <= set(names(page))
    assert page.locator("#window img, #window script, h2 b, article u").count() == 0
    hrefs = page.eval_on_selector_all("a[href]", "all => all.map(one => one.protocol)")
    assert set(hrefs) == {"http:"}


def test_the_rows_can_be_saved_for_a_spreadsheet_that_takes_none_for_a_formula(page, airflow, site):
    airflow.add(ran(), [row(1, name='=HYPERLINK("x")'), row(2, name='a "b", c'), row(3, "invalid")])
    opened(page, site + PLACE)
    page.get_by_label("State").select_option("healthy")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    assert download.value.suggested_filename == "cloudelements-instances.csv"
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    saved = list(csv.DictReader(io.StringIO(text, newline="")))
    assert sorted(each["name"] for each in saved) == ['\'=HYPERLINK("x")', 'a "b", c']
    assert saved[0]["at"] == "2026-11-30T01:00:00.000Z"


def test_ten_thousand_rows_scroll_with_few_of_them_in_the_page(page, airflow, site):
    states = ("healthy",) * 97 + ("invalid", "disabled", "unreachable")
    rows = [row(n, states[n % 100], events_per_hour=n % 7 / 4, queued=n % 100 // 98) for n in range(MANY)]
    airflow.add(ran(), rows, events_per_hour=7498.5, queued=200, queue_read=True)
    opened(page, site + PLACE)
    assert page.evaluate("performance.now()") < MOST_SECONDS * 1000
    assert page.locator(".row").count() < 80
    picture(page, "instances-many")
    page.emulate_media(color_scheme="dark")
    picture(page, "instances-dark")
    box = page.locator("#window")
    box.focus()
    page.keyboard.press("End")
    last = page.locator(f'[aria-rowindex="{MANY + 1}"]')
    last.wait_for()
    assert last.locator("> *").nth(1).inner_text() == f"Tenant {MANY - 4}"
    assert page.locator(".row").count() < 80


def test_the_rows_have_the_roles_that_a_screen_reader_reads(page, airflow, site):
    airflow.add(ran(), [row(1), row(2)])
    opened(page, site + PLACE)
    table = page.get_by_role("table", name="Instances")
    assert table.get_attribute("aria-rowcount") == "3"
    assert table.get_by_role("columnheader").count() == 11
    assert table.get_by_role("row").count() == 3
    assert table.get_by_role("cell", name="✓ healthy").count() == 2
    assert page.get_by_role("status").count() == 2
