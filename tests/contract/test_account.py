"""What can be read with the two secrets alone. Nothing here changes anything."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.contract import Platform

APP = {
    "apiKey": "contract-app",
    "apiSecret": "contract-secret",
    "callbackUrl": "https://app.invalid/callback",
}
HOUR = {"from": "2020-05-01T10:00:00Z", "to": "2020-05-01T11:00:00Z"}


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


# --- hosts and Authorization


def test_f3_two_words_open_the_platforms_own_calls(platform: Platform):
    rows = platform.ask("GET", "/elements", params={"pageSize": 1})
    assert len(rows) == 1


def test_f4_the_order_of_the_words_does_not_matter(platform: Platform):
    words = f"Organization {platform.organization}, User {platform.user}"
    assert platform.call("GET", "/organizations/me", words=words).status_code == 200


def test_f12_the_organization_needs_two_words_only(platform: Platform):
    assert "id" in platform.ask("GET", "/organizations/me")


def test_f13_two_slashes_are_one(platform: Platform):
    assert platform.call("GET", "//organizations/me").status_code == 200


# --- answers, errors and lists


def test_f41_an_error_is_json_with_request_id_and_message(platform: Platform):
    answer = platform.call("GET", "/elements/999999999999/metadata")
    body = answer.json()
    assert len(body["requestId"]) == 24
    assert int(body["requestId"], 16) >= 0
    assert body["message"]
    assert "providerMessage" not in body  # F42: no vendor was asked


@pytest.mark.parametrize("wrong", ["User", "Organization", "both"])
def test_f43_a_missing_or_wrong_secret_is_401(platform: Platform, wrong: str):
    user = "x" * 44 if wrong == "User" else platform.user
    organization = "0" * 32 if wrong == "Organization" else platform.organization
    words = None if wrong == "both" else f"User {user}, Organization {organization}"
    assert platform.call("GET", "/organizations/me", words=words).status_code == 401


def test_f46_what_the_caller_does_not_accept_is_406(platform: Platform):
    headers = {"Accept": "application/x-contract"}
    assert platform.call("GET", "/elements", params={"pageSize": 1}, headers=headers).status_code == 406


def test_f48_the_headers_are_exposed(platform: Platform):
    answer = platform.call("GET", "/elements", params={"pageSize": 1})
    exposed = answer.headers["Access-Control-Expose-Headers"]
    for name in ("Request-Id", "Trace-Id", "Error", "Returned-Count", "Total-Count", "Next-Page-Token"):
        assert f"Elements-{name}" in exposed


def test_f50_a_page_leads_to_the_next(platform: Platform):
    first = platform.call("GET", "/elements", params={"pageSize": 1})
    token = first.headers["Elements-Next-Page-Token"]
    second = platform.ask("GET", "/elements", params={"pageSize": 1, "nextPage": token})
    assert [row["id"] for row in second] != [row["id"] for row in first.json()]


def test_f51_a_token_of_the_platform_leads_to_rows(platform: Platform):
    sizes = [len(page.json()) for page in platform.pages("/elements", pageSize=4)]
    assert len(sizes) > 1
    assert 0 not in sizes


def test_f53_a_tag_that_nobody_has_is_404(platform: Platform):
    query = {"tags[]": f"contract-{uuid.uuid4().hex}"}
    assert platform.call("GET", "/instances", params=query).status_code == 404


# --- elements


def test_f81_elements_can_be_abridged(platform: Platform):
    whole = platform.ask("GET", "/elements", params={"pageSize": 1})[0]
    brief = platform.ask("GET", "/elements", params={"pageSize": 1, "abridged": "true"})[0]
    assert len(brief) < len(whole)
    assert {"id", "key", "name"} <= brief.keys()


def test_f82_abridged_is_a_switch_in_where(platform: Platform):
    assert platform.ask("GET", "/elements", params={"where": "abridged='true'", "pageSize": 5})


def test_f83_an_element_tells_its_configuration(platform: Platform):
    element = platform.element("closeio")
    assert platform.element(str(element["id"]))["key"] == "closeio"
    assert "configuration" in element
    assert all("defaultValue" in row for row in element["configuration"])


def test_f84_the_configuration_of_an_element_is_an_object(platform: Platform):
    platform.element("microsoftgraph")
    found = platform.ask("GET", "/elements/microsoftgraph/configuration")
    assert isinstance(found["configuration"], list)
    assert isinstance(found["providerData"], list)


def test_f85_metadata_want_the_numeric_id(platform: Platform):
    element = platform.element("closeio")
    assert platform.ask("GET", f"/elements/{element['id']}/metadata")["key"] == "closeio"
    assert platform.call("GET", "/elements/closeio/metadata").status_code == 404
    assert platform.call("GET", "/elements/999999999999/metadata").status_code == 404


def test_f86_metadata_tell_of_events(platform: Platform):
    element = platform.element("sfdc")
    events = platform.ask("GET", f"/elements/{element['id']}/metadata")["events"]
    assert events["supported"] is True
    assert set(events["methods"]) <= {"polling", "webhook"}
    assert set(events["methods"]) <= events.keys()


def test_f87_in_the_list_of_metadata_events_are_texts(platform: Platform):
    rows = platform.ask("GET", "/elements/metadata")
    assert rows
    assert all(isinstance(word, str) for row in rows for word in row.get("events") or [])


def test_f88_expanded_metadata_have_21_fields(platform: Platform):
    element = platform.element("closeio")
    assert len(platform.ask("GET", f"/elements/{element['id']}/metadata", params={"expand": "true"})) == 21


def test_f90_microsoft_graph_has_oauth2_and_webhooks_only(platform: Platform):
    element = platform.element("microsoftgraph")
    assert element["hub"] == "general"
    assert element["authentication"]["type"] == "oauth2"
    metadata = platform.ask("GET", f"/elements/{element['id']}/metadata")
    assert metadata["events"]["methods"] == ["webhook"]
    rows = platform.ask("GET", "/elements/microsoftgraph/configuration")["configuration"]
    assert {
        "oauth.api.key",
        "oauth.api.secret",
        "oauth.callback.url",
        "oauth.scope",
        "event.notification.enabled",
        "event.notification.callback.url",
        "event.notification.signature.key",
    } <= {row["key"] for row in rows}


def test_f92_the_documents_of_an_element_are_swagger_2(platform: Platform):
    element = platform.element("closeio")
    assert platform.ask("GET", f"/elements/{element['id']}/docs")["swagger"] == "2.0"


@pytest.mark.parametrize(
    ("key", "methods"),
    [
        ("dropbox", {"webhook"}),
        ("jira", {"webhook"}),
        ("closeio", {"polling", "webhook"}),
        ("pipedrive", {"polling", "webhook"}),
    ],
)
def test_f95_how_events_of_some_elements_come(platform: Platform, key: str, methods: set[str]):
    metadata = platform.ask("GET", f"/elements/{platform.element(key)['id']}/metadata")
    assert set(metadata["events"]["methods"]) == methods


# --- logging in at the vendor


def test_f121_a_consent_link_and_its_element(platform: Platform):
    platform.element("microsoftgraph")
    found = platform.ask("GET", "/elements/microsoftgraph/oauth/url", params={**APP, "state": "contract"})
    assert found.keys() == {"oauthUrl", "element"}
    query = query_of(found["oauthUrl"])
    assert query["state"] == ["contract"]
    assert query["client_id"] == [APP["apiKey"]]
    assert APP["apiSecret"] not in found["oauthUrl"]


def test_f123_the_same_by_post(platform: Platform):
    platform.element("microsoftgraph")
    path = "/elements/microsoftgraph/oauth/url"
    body = {**APP, "state": "contract"}
    assert platform.ask("POST", path, json=body) == platform.ask("GET", path, params=body)


def test_f124_the_state_is_the_elements_key_unless_given(platform: Platform):
    platform.element("microsoftgraph")
    found = platform.ask("GET", "/elements/microsoftgraph/oauth/url", params=APP)
    assert query_of(found["oauthUrl"])["state"] == ["microsoftgraph"]


def test_f126_the_platforms_own_app_needs_no_secret(platform: Platform):
    platform.element("microsoftgraph")
    found = platform.ask("GET", "/elements/microsoftgraph/oauth/url/default")
    assert found["oauthUrl"]
    assert "configuration" in found


# --- instances, notifications and events


def test_f179_instances_are_counted(platform: Platform):
    found = platform.ask("GET", "/instances/count")
    assert isinstance(found["totalInstances"], int)
    assert isinstance(found["elementInstances"], list)


def test_f258_the_account_has_a_policy_for_failed_deliveries(platform: Platform):
    settings = platform.ask("GET", "/accounts/settings")
    assert settings["notification.webhook.failure.policy"] in ("retry", "queue")  # F255


def test_f260_notifications_are_listed_by_topic(platform: Platform):
    assert platform.call("GET", "/notifications").status_code == 400
    query = {"topics[]": f"contract-{uuid.uuid4().hex}"}
    assert platform.ask("GET", "/notifications", params=query) == []


@pytest.mark.parametrize(
    "query",
    [
        {**HOUR, "interval": "second"},
        {"from": HOUR["to"], "to": HOUR["from"], "interval": "minute"},
    ],
)
def test_f286_analytics_refuse_what_makes_no_sense(platform: Platform, query: dict[str, str]):
    assert platform.call("GET", "/instances/events/analytics", params=query).status_code == 400


def test_f287_an_hour_by_the_minute_has_61_rows(platform: Platform):
    query = {**HOUR, "interval": "minute"}
    assert len(platform.ask("GET", "/instances/events/analytics", params=query)) == 61


def test_f288_rows_of_analytics_have_a_timestamp(platform: Platform):
    query = {**HOUR, "interval": "hour"}
    rows = platform.ask("GET", "/instances/events/analytics", params=query)
    assert rows
    assert all(row.keys() == {"timestamp", "count"} for row in rows)


def test_f328_a_resource_without_an_element_token_is_401(platform: Platform):
    assert platform.call("GET", "/contacts").status_code == 401
    assert platform.call("GET", f"/contract-{uuid.uuid4().hex}").status_code == 401
