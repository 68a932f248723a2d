"""Whatever is sent, the answer is one of the platform's: never a 500, always the error body."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import RELAXED, VALUES, check

NAMES = st.sampled_from(
    [
        "element",
        "name",
        "tags",
        "configuration",
        "providerData",
        "externalAuthentication",
        "retrieveObjectsAfterInstantiation",
        "id",
        "x",
    ]
)
BODIES = st.dictionaries(
    NAMES,
    VALUES
    | st.just({"key": "closeio"})
    | st.just({"key": "microsoftgraph"})
    | st.just({"username": "u", "password": "p"})
    | st.just({"code": "c", "debug": True})
    | st.just({"oauth.user.refresh_interval": "0", "oauth.user.refresh_token": "r"})
    | st.sampled_from(["initial", "none"]),
    max_size=6,
)
WORDS = (
    "instances elements hubs accounts organizations me oauth url configuration enabled ping objects closeio"
    " microsoftgraph 7303 410001 leads count docs trace-logging metadata keys authentication secrets trace"
    " default revoke events notifications subscriptions deliveries acknowledge settings analytics"
    " . .. %00 %2F %ff %E2%82%AC {id} *"
).split()
PARTS = st.sampled_from(["", *WORDS]) | st.text(
    string.ascii_letters + string.digits + "-_~", min_size=1, max_size=12
)
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])


@RELAXED
@given(
    body=BODIES,
    path=st.sampled_from(["/instances", "/elements/closeio/instances", "/elements/sfdc/instances"]),
)
def test_bodies_of_creates(api, body, path):
    check(api, api("POST", path, json=body))


@RELAXED
@given(body=BODIES | VALUES, method=st.sampled_from(["PUT", "PATCH"]))
def test_bodies_of_updates(api, sandbox, body, method):
    rows = sandbox.instances()
    number = rows[0]["id"] if rows else api.create()["id"]
    check(
        api,
        api(
            method,
            f"/instances/{number}",
            data=json.dumps(body),
            headers={"Content-Type": "application/json"},
        ),
    )
    shown = api.show(number)
    assert all(value is None or isinstance(value, str) for value in shown["configuration"].values())
    assert all(isinstance(tag, str) for tag in shown["tags"])


@RELAXED
@given(content=st.binary(max_size=60), kind=st.sampled_from(["application/json", "text/plain", "", "a/b;c"]))
def test_bytes_as_bodies(api, content, kind):
    for method, path in (
        ("POST", "/instances"),
        ("POST", "/elements/sfdc/oauth/url"),
        ("POST", "/authentication"),
    ):
        check(api, api(method, path, data=content, headers={"Content-Type": kind}))


@RELAXED
@given(
    method=METHODS,
    parts=st.lists(PARTS, max_size=5),
    query=st.dictionaries(
        st.sampled_from(
            ["tags[]", "searchText", "pageSize", "nextPage", "hydrate", "where", "page", "fields", "x"]
        ),
        st.text(max_size=15),
        max_size=3,
    ),
    token=st.booleans(),
)
def test_paths_and_queries(api, sandbox, method, parts, query, token):
    own = api.create()["token"] if token else None
    answer = api(method, "/" + "/".join(parts), params=query, token=own, data=b"{}")
    check(api, answer)
    sandbox.reset()


@RELAXED
@given(where=st.text(string.ascii_letters + " ='<>!%(),.0123456789", max_size=40))
def test_where_expressions(api, where):
    check(api, api("GET", "/elements", params={"where": where}))


@RELAXED
@given(
    fields=st.dictionaries(
        st.sampled_from(["apiKey", "apiSecret", "callbackUrl", "scope", "state"]),
        st.text(max_size=15) | VALUES,
    )
)
def test_consent_links(api, fields):
    answer = api("POST", "/elements/microsoftgraph/oauth/url", json=fields)
    check(api, answer)
    if answer.status_code == 200:
        assert api.session.get(answer.json()["oauthUrl"], timeout=20).status_code in (200, 400)


@RELAXED
@given(
    header=st.text(
        st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60
    ).map(str.strip)
)
def test_authorization_headers(api, header):
    answer = api("GET", "/instances", headers={"Authorization": header.encode("latin-1")})
    api.refused(answer, 401)


@RELAXED
@given(
    path=st.sampled_from(["/faults", "/codes", "/settings", "/vendors/sfdc", "/events"]),
    body=st.dictionaries(
        st.sampled_from(
            [
                "action",
                "when",
                "count",
                "seconds",
                "status",
                "element",
                "lifetime",
                "delay",
                "page_size",
                "accepted",
                "count",
                "objects",
                "event_type",
                "body",
                "x",
            ]
        ),
        VALUES | st.sampled_from(["drop", "before", "sfdc", ["a"]]),
        max_size=4,
    ),
)
def test_control_calls(api, sandbox, path, body):
    method = {"/settings": "PATCH", "/vendors/sfdc": "PUT"}.get(path, "POST")
    answer = api.session.request(method, f"{sandbox.url}/sandbox{path}", json=body, timeout=20)
    check(api, answer)
    sandbox.reset()


@pytest.mark.parametrize("name", ["\ud800", "\x00", "\u202e", "x" * 100_000])
def test_odd_texts_survive(api, name):
    content = json.dumps(api.body(name=name, tags=[name])).encode("ascii")
    answer = api("POST", "/instances", data=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert json.loads(answer.content)["name"] == name
    fields = json.dumps(
        {"apiKey": name, "apiSecret": "s", "callbackUrl": "https://x.example/", "state": name}
    )
    answer = api(
        "POST", "/elements/sfdc/oauth/url", data=fields.encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200
