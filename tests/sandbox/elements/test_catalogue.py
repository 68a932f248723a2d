"""The catalogue: facts F81 to F94."""

import json

import pytest

METHODS = {
    "box": ("webhook",),
    "closeio": ("webhook", "polling"),
    "dropbox": ("webhook",),
    "jira": ("webhook",),
    "microsoftgraph": ("webhook",),
    "pipedrive": ("polling", "webhook"),
}
KINDS = {
    "microsoftgraph": "oauth2",
    "sfdc": "oauth2",
    "closeio": "basic",
    "hubspotcrm": "oauth2",
    "pipedrive": "custom",
    "jira": "basic",
    "zendesk": "oauth2",
    "freshdesk": "basic",
    "box": "oauth2",
    "dropbox": "oauth2",
    "netsuitecrm": "custom",
}


def test_the_elements_and_their_authentication(api):
    rows = api("GET", "/elements").json()
    assert {row["key"]: row["authentication"]["type"] for row in rows} == KINDS
    for row in rows:
        assert isinstance(row["id"], int)
        assert row["typeOauth"] is (KINDS[row["key"]] == "oauth2")
        one = api("GET", f"/elements/{row['key']}").json()
        assert one == {**row, "configuration": one["configuration"]}
        assert api("GET", f"/elements/{row['id']}").json() == one
        polled = {each["key"]: each["defaultValue"] for each in one["configuration"]}
        watched = json.loads(polled["event.poller.configuration"] or "{}")
        assert bool(watched) is ("polling" in METHODS.get(row["key"], ("polling",)))


def test_a_switch_in_where_abridges_the_list(api):
    (row,) = api("GET", "/elements", params={"where": "abridged='true' AND key='box'"}).json()
    assert "parameters" not in row
    (row,) = api("GET", "/elements", params={"where": "abridged='false' AND key='box'"}).json()
    assert "parameters" in row


def test_how_events_come(api):
    for key, methods in METHODS.items():
        number = api("GET", f"/elements/{key}").json()["id"]
        assert api("GET", f"/elements/{number}/metadata").json()["events"]["methods"] == list(methods)


def test_keys_metadata_and_the_abridged_list(api):
    assert set(api("GET", "/elements/keys").json()) == set(KINDS)
    assert {row["key"] for row in api("GET", "/elements/metadata").json()} == set(KINDS)
    rows = api("GET", "/elements?abridged=true").json()
    assert {row["key"] for row in rows} == set(KINDS)
    assert all("parameters" not in row for row in rows)


def test_pages_of_the_catalogue(api):
    seen, token = [], None
    while True:
        answer = api("GET", "/elements", params={"pageSize": 4, **({"nextPage": token} if token else {})})
        seen += [row["key"] for row in answer.json()]
        assert answer.headers["Elements-Total-Count"] == str(len(KINDS))
        assert answer.headers["Elements-Returned-Count"] == str(len(answer.json()))
        token = answer.headers.get("Elements-Next-Page-Token")
        if token is None:
            break
    assert sorted(seen) == sorted(KINDS)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("abridged='true' AND key = 'box'", {"box"}),
        ("extended=false AND abridged = 'true' AND hub = 'documents'", {"box", "dropbox"}),
        ("key = 'sfdc'", {"sfdc"}),
        ("key='sfdc' OR key = 'box'", {"sfdc", "box"}),
        ("hub='documents' AND typeOauth = 'true'", {"box", "dropbox"}),
        ("hub='documents' and not_there IS NULL and (key='box')", {"box"}),
        ("key IN ('jira', 'zendesk', 'nothing')", {"jira", "zendesk"}),
        ("key LIKE 'micro%'", {"microsoftgraph"}),
        ("authentication.type = 'custom'", {"pipedrive", "netsuitecrm"}),
        ("id > 0 AND id < 100000 AND key != 'sfdc' AND key >= 'z' AND key <= 'zz'", {"zendesk"}),
        ("name = 'it''s not there'", set()),
    ],
)
def test_where(api, where, expected):
    assert {row["key"] for row in api("GET", "/elements", params={"where": where}).json()} == expected


@pytest.mark.parametrize(
    "where",
    [
        "key",
        "key =",
        "key = 'open",
        "key ~ 'x'",
        "(key='a'",
        "key IN ()",
        "key IS 'a'",
        "AND",
        "(" * 500,
        "a='b' c",
    ],
)
def test_a_where_that_cannot_be_read_is_400(api, where):
    api.refused(api("GET", "/elements", params={"where": where}), 400)


def test_configuration_is_an_object_with_the_required_keys(api):
    answer = api("GET", "/elements/microsoftgraph/configuration").json()
    required = {row["key"] for row in answer["configuration"] if row["required"]}
    assert required == {"oauth.api.key", "oauth.api.secret", "oauth.callback.url"}
    keys = {row["key"]: row for row in answer["configuration"]}
    assert {"oauth.scope", "event.notification.callback.url", "event.notification.signature.key"} <= set(keys)
    assert keys["event.notification.enabled"]["defaultValue"] == "false"
    assert [row["key"] for row in answer["providerData"]] == ["code"]
    assert api("GET", "/elements/closeio/configuration").json()["providerData"] == []


def test_metadata_of_microsoft_graph_is_webhook_only(api):
    number = api("GET", "/elements/microsoftgraph").json()["id"]
    answer = api("GET", f"/elements/{number}/metadata").json()
    assert answer["key"] == "microsoftgraph"
    assert answer["events"]["supported"] is True
    assert answer["events"]["methods"] == ["webhook"]


def test_expanded_metadata_says_more(api):
    number = api("GET", "/elements/microsoftgraph").json()["id"]
    path = f"/elements/{number}/metadata"
    plain, expanded = api("GET", path).json(), api("GET", f"{path}?expand=true").json()
    assert plain == {name: expanded[name] for name in plain}
    assert len(expanded) == 21
    assert api("GET", f"{path}?expand=false").json() == plain
    api.refused(api("GET", f"{path}?expand=maybe"), 400)


def test_metadata_wants_a_known_numeric_id(api):
    api.refused(api("GET", "/elements/999999999999/metadata"), 404)
    api.refused(api("GET", "/elements/microsoftgraph/metadata"), 404)


@pytest.mark.parametrize(
    "query", ["pageSize=0", "pageSize=x", "pageSize=-3", "nextPage=x", "nextPage=e30=", "abridged=maybe"]
)
def test_a_bad_query_is_400(api, query):
    api.refused(api("GET", f"/elements?{query}"), 400)
