"""The page that a person sees first."""

from __future__ import annotations

from html import escape, unescape

import pytest
import requests

from airflow_provider_cloudelements.sandbox import (
    DEFAULT_ORGANIZATION_SECRET,
    DEFAULT_USER_SECRET,
    Sandbox,
    SandboxError,
)
from airflow_provider_cloudelements.sandbox.control.page_calls import MOST_ROWS
from tests.support.api import CONFIGURATIONS, EVENTS_ON, Api

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def page(sandbox, path="/"):
    session = requests.Session()
    session.trust_env = False
    answer = session.get(f"{sandbox.url}{path}", headers=BROWSER, timeout=20)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    return answer.text


def test_it_says_what_runs_here_and_the_public_secrets(sandbox):
    shown = page(sandbox)
    assert "<h1>Cloud Elements sandbox</h1>" in shown
    for text in (sandbox.url, DEFAULT_USER_SECRET, DEFAULT_ORGANIZATION_SECRET, "/elements/api-v2"):
        assert escape(text) in shown
    assert "There is none yet" in shown
    assert "No instance has events on" in shown


def test_it_shows_instances_calls_and_how_to_send_an_event(api, sandbox):
    made = api.create(name="Ada <script>alert(1)</script>& Co", tags=["gold & <b>"])
    number = api.listening("pipedrive")
    revoked = api.create(name="Revoked")
    sandbox.revoke(revoked["id"])
    shown = page(sandbox)
    assert "<script>" not in shown
    assert "<b>" not in shown
    for text in (str(made["id"]), "gold &", "closeio", "the vendor refuses its credentials", "works"):
        assert text in unescape(shown)
    command = f"python -m airflow_provider_cloudelements.sandbox emit --url {sandbox.url} --element pipedrive"
    assert command in unescape(shown)
    assert "--element closeio" not in shown
    assert "<td>POST</td><td>/instances</td><td>200</td>" in shown
    assert api.events(number) == []


def test_it_shows_bulk_jobs_and_executions(api, sandbox):
    assert page(sandbox).count("There was none yet") == 3
    instance = api.create("sfdc")
    query = {"q": "select * from contacts"}
    job = api("POST", "/bulk/query", token=instance["token"], params=query).json()
    made = api("POST", "/formulas/8103/instances", json={}).json()
    api("POST", f"/formulas/instances/{made['id']}/executions", json={"a": "<secret>"})
    shown = page(sandbox)
    cells = [job["id"], instance["id"], "download", "contacts", "COMPLETED", 3]
    assert "".join(f"<td>{cell}</td>" for cell in cells) in shown
    assert "<td>Fail in the second step</td><td>failed</td><td>echo: success, fail: failed</td>" in shown
    assert "secret" not in unescape(shown).partition("Executions")[2]


def test_an_instance_has_a_page_with_its_own_calls(api, sandbox):
    configuration = {**CONFIGURATIONS["closeio"], **EVENTS_ON}
    made = api.create(name="Ada <script>alert(1)</script>& Co", tags=["<b>"], configuration=configuration)
    other = api.create(name="Another")
    for each in (made, other):
        api("GET", f"/instances/{each['id']}")
    api("GET", f"/instances/{made['id']}/configuration")
    sandbox.set_instance(other["id"], disabled=True)
    shown = page(sandbox, f"/sandbox/instances/{made['id']}")
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert f"<h1>Instance {made['id']}: " in shown
    for text in ("closeio", "works", "<dt>eventsEnabled</dt><dd>yes</dd>"):
        assert text in shown
    assert f"<td>GET</td><td>/instances/{made['id']}</td><td>200</td>" in shown
    assert f"<td>/instances/{made['id']}/configuration</td>" in shown
    assert f"/instances/{other['id']}" not in shown
    for secret in (made["token"], CONFIGURATIONS["closeio"]["password"], DEFAULT_USER_SECRET):
        assert secret not in unescape(shown)
    assert "disabled" in page(sandbox, f"/sandbox/instances/{other['id']}").partition("<dt>state</dt>")[2]


def test_a_program_gets_the_instance_as_the_list_has_it(api, sandbox):
    number = api.create()["id"]
    assert sandbox.control("GET", f"/instances/{number}") == sandbox.instances()[0]
    with pytest.raises(SandboxError, match="404"):
        sandbox.control("GET", "/instances/1")


def test_it_shows_no_token_no_configuration_and_no_secret_of_a_persons_own(api, sandbox):
    token = api.create(configuration={**CONFIGURATIONS["closeio"], **EVENTS_ON})["token"]
    shown = unescape(page(sandbox))
    assert token not in shown
    assert CONFIGURATIONS["closeio"]["password"] not in shown
    for mine in (
        {"user_secret": "my-own-user-secret="},
        {"organization_secret": "my-own-organization-secret"},
    ):
        with Sandbox(**mine) as other:
            shown = unescape(page(other))
        assert not set(mine.values()) & set(shown.split())
        assert "the one that this sandbox was started with" in shown


def test_it_shows_the_newest_of_many(api, sandbox):
    for _ in range(MOST_ROWS + 2):
        api("GET", "/instances/count")
    shown = page(sandbox, "/sandbox")
    assert shown.count("<td>/instances/count</td>") == MOST_ROWS
    assert f"<p>{MOST_ROWS + 2} in all.</p>" in shown


@pytest.mark.parametrize("accept", [None, "*/*", "application/json"])
def test_a_program_gets_json(sandbox, accept):
    session = requests.Session()
    session.trust_env = False
    answer = session.get(f"{sandbox.url}/sandbox", headers={"Accept": accept}, timeout=20)
    assert answer.json()["url"] == sandbox.url


def test_only_a_look_at_the_address_leads_there(sandbox):
    api = Api(sandbox)
    api.refused(api.session.post(sandbox.url, timeout=20), 404)
    api.refused(api.session.get(f"{sandbox.url}/index.html", timeout=20), 404)
