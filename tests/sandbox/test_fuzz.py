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
    " bulk query download jobs status errors cancel 1700001 formulas executions retries steps active 8101"
    " 520001"
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
            [
                *("tags[]", "searchText", "pageSize", "nextPage", "hydrate", "where", "page", "fields", "x"),
                *("q", "orderBy", "fileFormat", "from", "to", "continueFromJobId", "baseUrl", "expand"),
            ]
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
    path=st.sampled_from(
        ["/faults", "/codes", "/settings", "/vendors/sfdc", "/events", "/bulk", "/formulas"]
    ),
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


@RELAXED
@given(
    q=st.sampled_from(["select * from leads", "select id from leads where ", "", "select * from x limit 5"]),
    rest=st.text(string.ascii_letters + " ='<>!%(),.0123456789", max_size=30),
    kind=st.sampled_from(["application/json", "text/csv", "*/*", "application/jsonl", "x/y", ""]),
    part=st.sampled_from(["", "bytes=0-5", "bytes=-1", "bytes=9-", "bytes=5-2", "x"]),
)
def test_bulk_queries(api, sandbox, q, rest, kind, part):
    token = api.create()["token"]
    answer = api("POST", "/bulk/query", token=token, params={"q": q + rest})
    check(api, answer)
    if answer.status_code == 200:
        job = answer.json()["id"]
        headers = {"Accept": kind, "Range": part}
        for name in ("leads", "x", "status", "errors"):
            check(api, api("GET", f"/bulk/{job}/{name}", token=token, headers=headers))
    sandbox.reset()


@RELAXED
@given(
    content=st.binary(max_size=80) | st.text("a,b\n\"'{}[]:1\r", max_size=60).map(str.encode),
    meta=st.none()
    | st.binary(max_size=30)
    | st.sampled_from([b'{"format":"json"}', b'{"identifierFieldName":"a"}']),
)
def test_bulk_uploads(api, sandbox, content, meta):
    token = api.create()["token"]
    parts = {"file": ("f", content), **({} if meta is None else {"metaData": (None, meta)})}
    answer = api("POST", "/bulk/leads", token=token, files=parts)
    check(api, answer)
    check(api, api("GET", "/leads", token=token, params={"orderBy": "a desc"}))
    if answer.status_code == 200:
        check(api, api("GET", f"/bulk/{answer.json()['id']}/errors", token=token))
    sandbox.reset()


@RELAXED
@given(
    body=st.dictionaries(
        st.sampled_from(
            [
                "objectName",
                "format",
                "where",
                "selectFields",
                "from",
                "limit",
                "filterNulls",
                "query",
                "continueFromJobId",
                "filterDateField",
                "x",
            ]
        ),
        VALUES
        | st.sampled_from(
            ["leads", "txt/csv", "application/json", "a='b'", "2025-01-01", "select * from leads"]
        ),
        max_size=6,
    )
)
def test_bulk_descriptions(api, sandbox, body):
    token = api.create()["token"]
    check(
        api,
        api("POST", "/bulk/download", token=token, json={"objectName": "leads", "format": "txt/csv", **body}),
    )
    sandbox.reset()


@RELAXED
@given(
    body=st.dictionaries(
        st.sampled_from(["name", "active", "configuration", "settings", "x"]), VALUES, max_size=4
    )
)
def test_formula_bodies(api, sandbox, body):
    made = api("POST", "/formulas/8104/instances", json=body)
    check(api, made)
    if made.status_code == 200:
        path = f"/formulas/8104/instances/{made.json()['id']}"
        check(api, api("PUT", path, json=body))
        check(api, api("POST", f"{path}/executions", json=body))
        check(api, api("GET", f"{path}/executions"))
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
